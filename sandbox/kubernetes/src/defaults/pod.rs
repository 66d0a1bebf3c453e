//! Pods and pod templates.

use serde_json::{Value, json};

use crate::object::{self, child, default_text, default_to, items_mut};

/// A pod.
pub(super) fn pod(pod: &mut Value) {
    let spec = child(pod, "spec");
    pod_spec(spec);
    default_to(spec, "enableServiceLinks", true);
    for group in ["initContainers", "containers"] {
        for container in items_mut(spec, group) {
            requests_from_limits(container);
        }
    }
    if pod.pointer("/status/qosClass").is_none() {
        let class = quality(&pod["spec"]);
        child(pod, "status")["qosClass"] = Value::from(class);
    }
}

/// The pod template under `spec.template` of a workload.
pub(super) fn template(spec: &mut Value) {
    let template = child(spec, "template");
    // The template's own metadata is always written out.
    child(template, "metadata");
    let pod = child(template, "spec");
    pod_spec(pod);
}

fn pod_spec(spec: &mut Value) {
    default_text(spec, "restartPolicy", "Always");
    default_text(spec, "dnsPolicy", "ClusterFirst");
    default_text(spec, "schedulerName", "default-scheduler");
    default_to(spec, "terminationGracePeriodSeconds", 30);
    default_to(spec, "securityContext", json!({}));
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    let account = object::text(spec, "/serviceAccountName").to_owned();
    if !account.is_empty() {
        default_to(spec, "serviceAccount", account);
    } else if let Some(old) = spec.get("serviceAccount").cloned().filter(Value::is_string) {
        default_to(spec, "serviceAccountName", old);
    }
    for group in ["initContainers", "containers", "ephemeralContainers"] {
        for one in items_mut(spec, group) {
            container(one, host_network);
        }
    }
    for one in items_mut(spec, "volumes") {
        volume(one);
    }
}

fn container(container: &mut Value, host_network: bool) {
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    default_to(container, "resources", json!({}));
    let image = object::text(container, "/image");
    let policy = match image.rsplit('/').next().unwrap_or_default().split_once(':') {
        _ if image.contains('@') => "IfNotPresent",
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    };
    default_text(container, "imagePullPolicy", policy);
    for port in items_mut(container, "ports") {
        default_text(port, "protocol", "TCP");
        if host_network {
            let number = port["containerPort"].clone();
            default_to(port, "hostPort", number);
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.get_mut(key) {
            probe(found);
        }
    }
    for hook in ["/lifecycle/postStart", "/lifecycle/preStop"] {
        if let Some(get) = container.pointer_mut(hook).and_then(|hook| hook.get_mut("httpGet")) {
            http_get(get);
        }
    }
    for variable in items_mut(container, "env") {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef") {
            default_text(field, "apiVersion", "v1");
        }
        if let Some(field) = variable.pointer_mut("/valueFrom/resourceFieldRef") {
            default_text(field, "divisor", "0");
        }
    }
}

fn probe(probe: &mut Value) {
    default_to(probe, "timeoutSeconds", 1);
    default_to(probe, "periodSeconds", 10);
    default_to(probe, "successThreshold", 1);
    default_to(probe, "failureThreshold", 3);
    if let Some(get) = probe.get_mut("httpGet") {
        http_get(get);
    }
    if let Some(grpc) = probe.get_mut("grpc") {
        default_to(grpc, "service", "");
    }
}

fn http_get(get: &mut Value) {
    default_text(get, "path", "/");
    default_text(get, "scheme", "HTTP");
}

fn field_version(item: &mut Value) {
    if let Some(field) = item.get_mut("fieldRef") {
        default_text(field, "apiVersion", "v1");
    }
}

fn volume(volume: &mut Value) {
    let Some(map) = volume.as_object_mut() else { return };
    if map.keys().all(|key| key == "name") {
        map.insert("emptyDir".to_owned(), json!({}));
    }
    for key in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = map.get_mut(key) {
            default_to(source, "defaultMode", 0o644);
        }
    }
    if let Some(source) = map.get_mut("hostPath") {
        default_to(source, "type", "");
    }
    for source in map
        .get_mut("projected")
        .and_then(|p| p.get_mut("sources"))
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(token) = source.get_mut("serviceAccountToken") {
            default_to(token, "expirationSeconds", 3600);
        }
    }
    let items = map
        .values_mut()
        .filter_map(|source| source.get_mut("items"))
        .filter_map(Value::as_array_mut)
        .flatten();
    items.for_each(field_version);
    for source in map
        .get_mut("projected")
        .into_iter()
        .flat_map(|projected| items_mut(projected, "sources"))
    {
        if let Some(downward) = source.get_mut("downwardAPI") {
            items_mut(downward, "items").for_each(field_version);
        }
    }
    if let Some(template) = map
        .get_mut("ephemeral")
        .and_then(|source| source.pointer_mut("/volumeClaimTemplate/spec"))
    {
        default_text(template, "volumeMode", "Filesystem");
    }
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = object::map(container, "/resources/limits").cloned() else {
        return;
    };
    let requests = child(child(container, "resources"), "requests");
    for (name, limit) in limits {
        default_to(requests, &name, limit);
    }
}

fn quality(spec: &Value) -> &'static str {
    let containers = || {
        object::list(spec, "/containers")
            .iter()
            .chain(object::list(spec, "/initContainers"))
    };
    let amount = |container: &Value, kind: &str, name: &str| {
        object::map(container, &format!("/resources/{kind}"))
            .and_then(|all| all.get(name))
            .cloned()
    };
    let bare = |container: &Value| {
        ["requests", "limits"].iter().all(|kind| {
            ["cpu", "memory"]
                .iter()
                .all(|name| amount(container, kind, name).is_none())
        })
    };
    if containers().all(bare) {
        return "BestEffort";
    }
    let full = |container: &Value| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = amount(container, "limits", name);
            limit.is_some() && amount(container, "requests", name) == limit
        })
    };
    if containers().all(full) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}
