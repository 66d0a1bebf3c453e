//! Load balancers of Services, as the cloud controller and the AWS Load Balancer Controller make them.

use std::collections::BTreeMap;

use moorline_sandbox_aws::{Listener, LoadBalancer, LoadBalancerKind, NewLoadBalancer, Scheme};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLOUD, NAMESPACES, SERVICES};
use crate::object::{
    add_finalizer, annotation, child, has_finalizer, is_deleting, list, name, namespace, remove_finalizer, text, uid,
};
use crate::queue::Key;
use crate::settings::ClusterCloud;

const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// How events name their source.
const COMPONENT: &str = "service-controller";
const TYPE: &str = "service.beta.kubernetes.io/aws-load-balancer-type";
const SCHEME: &str = "service.beta.kubernetes.io/aws-load-balancer-scheme";
const INTERNAL: &str = "service.beta.kubernetes.io/aws-load-balancer-internal";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(service) = cluster.get(SERVICES, &key.namespace, &key.name) else {
        return Ok(());
    };
    let wanted = text(&service, "/spec/type") == "LoadBalancer" && !is_deleting(&service);
    if wanted && is_served_class(cluster, &service) {
        ensure(cluster, key, &service)
    } else if has_finalizer(&service, FINALIZER) {
        clean_up(cluster, key, &service)
    } else {
        Ok(())
    }
}

/// A Service may name a class that some other controller serves.
fn is_served_class(cluster: &Cluster, service: &Value) -> bool {
    let someone = cluster.settings.cloud != ClusterCloud::Azure;
    someone && matches!(text(service, "/spec/loadBalancerClass"), "" | "service.k8s.aws/nlb")
}

/// Whether the AWS Load Balancer Controller serves the Service, and not the cloud controller.
fn is_external(service: &Value) -> bool {
    matches!(annotation(service, TYPE), Some("external" | "nlb-ip"))
        || text(service, "/spec/loadBalancerClass") == "service.k8s.aws/nlb"
}

fn ensure(cluster: &mut Cluster, key: &Key, service: &Value) -> Outcome {
    if !has_finalizer(service, FINALIZER) {
        cluster.event(service, "EnsuringLoadBalancer", "Ensuring load balancer", COMPONENT);
        cluster.change(SERVICES, service, CLOUD, |live| add_finalizer(live, FINALIZER))?;
    }
    let kind = if annotation(service, TYPE).is_some() || is_external(service) {
        LoadBalancerKind::Network
    } else {
        LoadBalancerKind::Classic
    };
    // The wait is for this kind: one that the Service had before stays behind, as it does in life.
    if !cluster.passed(
        key,
        uid(service),
        &format!("balancer {kind:?}"),
        cluster.settings.load_balancer_millis,
    ) {
        return Ok(());
    }
    let balancer = match find(cluster, service, kind) {
        Some(found) => found,
        None => match cluster.aws.create_load_balancer(describe(cluster, service, kind)) {
            Ok(made) => made,
            Err(error) => {
                let message = format!("Error syncing load balancer: failed to ensure load balancer: {error}");
                cluster.warn(service, "SyncLoadBalancerFailed", &message, COMPONENT);
                return Err(error.into());
            }
        },
    };
    let ingress = json!([{"hostname": balancer.dns_name}]);
    if service["status"]["loadBalancer"]["ingress"] == ingress {
        return Ok(());
    }
    cluster.change_status(SERVICES, service, CLOUD, |live| {
        child(live, "status").insert("loadBalancer".to_owned(), json!({"ingress": ingress}));
    })?;
    cluster.event(service, "EnsuredLoadBalancer", "Ensured load balancer", COMPONENT);
    Ok(())
}

/// Deletes the load balancers; the Service is let go when they are really gone.
fn clean_up(cluster: &mut Cluster, key: &Key, service: &Value) -> Outcome {
    if !cluster.waits.has_begun(uid(service), "clean-up") {
        cluster.event(service, "DeletingLoadBalancer", "Deleting load balancer", COMPONENT);
    }
    let millis = cluster.settings.load_balancer_millis;
    if !cluster.passed(key, uid(service), "clean-up", millis) {
        return Ok(());
    }
    cluster.aws.delete_load_balancer(&balancer_name(service))?;
    cluster.change_status(SERVICES, service, CLOUD, |live| {
        child(live, "status").insert("loadBalancer".to_owned(), json!({}));
    })?;
    cluster.event(service, "DeletedLoadBalancer", "Deleted load balancer", COMPONENT);
    // A Service that changed its type may change it back: its waits begin anew.
    cluster.waits.forget(uid(service));
    cluster.change(SERVICES, service, CLOUD, |live| remove_finalizer(live, FINALIZER))
}

fn find(cluster: &Cluster, service: &Value, kind: LoadBalancerKind) -> Option<LoadBalancer> {
    let wanted = balancer_name(service);
    let alive =
        |balancer: &LoadBalancer| balancer.name == wanted && balancer.kind == kind && balancer.gone_at.is_none();
    cluster.aws.load_balancers().into_iter().find(alive)
}

/// `a` and the UID's first digits, as the cloud controller has it; the AWS controller's names can be read.
fn balancer_name(service: &Value) -> String {
    let digits: String = uid(service).chars().filter(char::is_ascii_hexdigit).collect();
    if is_external(service) {
        let short = |text: &str| {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(8)
                .collect::<String>()
        };
        return format!(
            "k8s-{}-{}-{}",
            short(namespace(service)),
            short(name(service)),
            &digits[..digits.len().min(10)]
        );
    }
    format!("a{digits}").chars().take(32).collect()
}

fn describe(cluster: &Cluster, service: &Value, kind: LoadBalancerKind) -> NewLoadBalancer {
    let internal = annotation(service, SCHEME) == Some("internal")
        || annotation(service, INTERNAL).is_some_and(|value| value != "false");
    NewLoadBalancer {
        name: balancer_name(service),
        kind,
        tags: tags(cluster, service),
        listeners: list(service, "/spec/ports").iter().map(listener).collect(),
        source_ranges: source_ranges(service),
        scheme: if internal {
            Scheme::Internal
        } else {
            Scheme::InternetFacing
        },
    }
}

fn listener(port: &Value) -> Listener {
    let number = |key: &str| {
        port[key]
            .as_u64()
            .and_then(|number| u16::try_from(number).ok())
            .unwrap_or_default()
    };
    let instance_port = if number("nodePort") == 0 {
        number("port")
    } else {
        number("nodePort")
    };
    let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
    Listener {
        instance_protocol: protocol.clone(),
        protocol,
        port: number("port"),
        instance_port,
    }
}

fn source_ranges(service: &Value) -> Vec<String> {
    let fields = list(service, "/spec/loadBalancerSourceRanges")
        .iter()
        .filter_map(Value::as_str);
    let annotated = annotation(service, SOURCE_RANGES)
        .unwrap_or_default()
        .split(',')
        .map(str::trim);
    let ranges: Vec<String> = fields
        .chain(annotated.filter(|range| !range.is_empty()))
        .map(str::to_owned)
        .collect();
    if ranges.is_empty() {
        vec!["0.0.0.0/0".to_owned()]
    } else {
        ranges
    }
}

fn tags(cluster: &Cluster, service: &Value) -> BTreeMap<String, String> {
    let service_name = format!("{}/{}", namespace(service), name(service));
    let cluster_id = cluster
        .get(NAMESPACES, "", "kube-system")
        .map(|system| uid(&system).to_owned())
        .unwrap_or_default();
    let tags = if is_external(service) {
        vec![
            ("elbv2.k8s.aws/cluster".to_owned(), cluster_id),
            ("service.k8s.aws/stack".to_owned(), service_name),
            ("service.k8s.aws/resource".to_owned(), "LoadBalancer".to_owned()),
        ]
    } else {
        vec![
            ("kubernetes.io/service-name".to_owned(), service_name),
            (format!("kubernetes.io/cluster/{cluster_id}"), "owned".to_owned()),
        ]
    };
    tags.into_iter().collect()
}
