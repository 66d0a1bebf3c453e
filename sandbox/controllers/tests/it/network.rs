//! Services.

use moorline_sandbox_aws::LoadBalancerKind;
use moorline_sandbox_controllers::ControllerSettings;
use serde_json::{Value, json};

use crate::support::{Cluster, deployment, instant, text};

fn service(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}],
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
    }})
}

fn hostname(cluster: &Cluster) -> Value {
    cluster.at("services", "web", "/status/loadBalancer/ingress/0/hostname")
}

#[tokio::test]
async fn a_load_balancer_comes_after_a_while_and_goes_with_its_service() {
    let cluster = Cluster::new(ControllerSettings {
        load_balancer_millis: 30_000,
        ..instant()
    });
    let made = cluster.create("services", service("web"));
    cluster.settle().await;
    assert!(cluster.cloud.load_balancers().is_empty());
    assert_eq!(
        cluster.at("services", "web", "/metadata/finalizers/0"),
        "service.kubernetes.io/load-balancer-cleanup"
    );
    cluster.advance(30);
    cluster
        .until("it has its hostname", |cluster| hostname(cluster).is_string())
        .await;
    let balancer = cluster.cloud.load_balancers().remove(0);
    assert_eq!(
        (balancer.kind, hostname(&cluster)),
        (LoadBalancerKind::Classic, json!(balancer.dns_name))
    );
    assert_eq!(
        balancer.name,
        format!("a{}", text(&made, "/metadata/uid").replace('-', ""))[..32]
    );
    assert_eq!(balancer.tags["kubernetes.io/service-name"], "default/web");
    let system = text(&cluster.get("namespaces", "kube-system").unwrap(), "/metadata/uid");
    assert_eq!(balancer.tags[&format!("kubernetes.io/cluster/{system}")], "owned");
    assert_eq!(balancer.source_ranges, ["203.0.113.0/24"]);
    cluster.delete("services", "web");
    cluster.settle().await;
    assert!(cluster.at("services", "web", "/metadata/deletionTimestamp").is_string());
    assert_eq!(cluster.cloud.load_balancers().len(), 1, "the deletion takes a while");
    cluster.advance(30);
    cluster
        .until("both are gone", |cluster| {
            cluster.get("services", "web").is_none() && cluster.cloud.load_balancers().is_empty()
        })
        .await;
    for reason in [
        "EnsuringLoadBalancer",
        "EnsuredLoadBalancer",
        "DeletingLoadBalancer",
        "DeletedLoadBalancer",
    ] {
        assert!(cluster.reasons("web").contains(&reason.to_owned()), "{reason}");
    }
}

#[tokio::test]
async fn the_annotation_decides_the_kind() {
    for (value, stack) in [("nlb", false), ("external", true)] {
        let cluster = Cluster::new(instant());
        let mut wanted = service("web");
        wanted["metadata"]["annotations"] = json!({"service.beta.kubernetes.io/aws-load-balancer-type": value});
        cluster.create("services", wanted);
        cluster
            .until("it has its hostname", |cluster| hostname(cluster).is_string())
            .await;
        let balancer = cluster.cloud.load_balancers().remove(0);
        assert_eq!(balancer.kind, LoadBalancerKind::Network);
        assert_eq!(balancer.tags.contains_key("service.k8s.aws/stack"), stack);
    }
}

#[tokio::test]
async fn a_service_that_changes_its_type_loses_its_load_balancer() {
    let cluster = Cluster::new(instant());
    cluster.create("services", service("web"));
    cluster
        .until("it has its hostname", |cluster| hostname(cluster).is_string())
        .await;
    cluster.change("services", "web", |live| {
        live["spec"]["type"] = "ClusterIP".into();
        live["spec"].as_object_mut().unwrap().remove("loadBalancerSourceRanges");
    });
    cluster
        .until("it is gone", |cluster| {
            cluster.cloud.load_balancers().is_empty() && hostname(cluster).is_null()
        })
        .await;
    assert!(cluster.get("services", "web").is_some());
    cluster.change("services", "web", |live| live["spec"]["type"] = "LoadBalancer".into());
    cluster
        .until("it comes again", |cluster| hostname(cluster).is_string())
        .await;
}

#[tokio::test]
async fn endpoints_list_the_ready_pods() {
    let cluster = Cluster::new(instant());
    cluster.create("services", service("web"));
    cluster.create("deployments.apps", deployment("web", 2));
    let addresses = |cluster: &Cluster| {
        let ready = cluster.at("endpoints", "web", "/subsets/0/addresses");
        ready.as_array().map_or(0, Vec::len)
    };
    cluster
        .until("both pods are listed", |cluster| addresses(cluster) == 2)
        .await;
    assert_eq!(cluster.at("endpoints", "web", "/subsets/0/ports/0/port"), 8080);
    let slices = cluster.api.list("endpointslices.discovery.k8s.io", None);
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0]["metadata"]["labels"]["kubernetes.io/service-name"], "web");
    assert_eq!(slices[0]["endpoints"].as_array().unwrap().len(), 2);
    cluster.change("deployments.apps", "web", |live| live["spec"]["replicas"] = json!(0));
    cluster.until("none is left", |cluster| addresses(cluster) == 0).await;
    cluster.delete("services", "web");
    cluster
        .until("the lists are gone", |cluster| {
            cluster.names("endpoints").is_empty()
                && cluster.api.list("endpointslices.discovery.k8s.io", None).is_empty()
        })
        .await;
}
