//! Pods of a workload: making them from a template, and what state they are in.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::kinds::PODS;
use crate::object::{condition, controlled_by, controller, is_deleting, is_true, list, number, text, uid};

/// A pod as `owner`'s template describes it, without a name.
pub(crate) fn from_template(owner: &Value, template: &Value) -> Value {
    let mut metadata = json!({"namespace": owner["metadata"]["namespace"], "ownerReferences": [controlled_by(owner)]});
    for key in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.pointer("/metadata").and_then(|metadata| metadata.get(key)) {
            metadata[key] = value.clone();
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// The pods that `owner` controls, by name.
pub(crate) fn controlled(cluster: &Cluster, owner: &Value) -> Vec<Arc<Value>> {
    let owner = uid(owner);
    let pods = cluster
        .index
        .owned_of(owner, PODS)
        .filter_map(|place| cluster.at(place));
    pods.filter(|pod| controller(pod).is_some_and(|reference| reference["uid"] == owner))
        .collect()
}

pub(crate) fn has_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Running, ready, and not on its way out.
pub(crate) fn is_healthy(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Running" && is_ready(pod) && !is_deleting(pod)
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// When the pod has been ready for `min_ready_seconds`; `None` while it is not ready.
pub(crate) fn available_at(pod: &Value, min_ready_seconds: i64) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| ready["status"] == "True")?;
    let since: Timestamp = text(ready, "/lastTransitionTime").parse().ok()?;
    Some(since + SignedDuration::from_secs(min_ready_seconds))
}

/// Whether the pod counts as available now.
pub(crate) fn is_available(pod: &Value, min_ready_seconds: i64, now: Timestamp) -> bool {
    available_at(pod, min_ready_seconds).is_some_and(|moment| moment <= now)
}

/// `spec.replicas`, which the API server has filled in.
pub(crate) fn replicas(object: &Value) -> usize {
    usize::try_from(number(object, "/spec/replicas")).unwrap_or_default()
}

/// Names of the containers of a pod or a pod template's spec.
pub(crate) fn containers(spec: &Value) -> &[Value] {
    list(spec, "/containers")
}
