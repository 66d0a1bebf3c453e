//! Services.

use serde_json::{Value, json};

use crate::object::{self, child, default_text, default_to, entries, items_mut};

pub(super) fn service(service: &mut Value) {
    let spec = child(service, "spec");
    default_text(spec, "type", "ClusterIP");
    default_text(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        default_to(
            spec,
            "sessionAffinityConfig",
            json!({"clientIP": {"timeoutSeconds": 10_800}}),
        );
    } else {
        entries(spec).remove("sessionAffinityConfig");
    }
    for port in items_mut(spec, "ports") {
        default_text(port, "protocol", "TCP");
        let number = port["port"].clone();
        let target = port.get("targetPort");
        if target.is_none_or(|target| target.is_null() || target == 0 || target == "") {
            entries(port).insert("targetPort".to_owned(), number);
        }
    }
    let kind = object::text(spec, "/type").to_owned();
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        default_text(spec, "internalTrafficPolicy", "Cluster");
    }
    let reached_by_address = kind == "ClusterIP" && !object::list(spec, "/externalIPs").is_empty();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || reached_by_address {
        default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default_to(spec, "allocateLoadBalancerNodePorts", true);
    }
}
