//! Objects without what no view looks at: a large profile has thousands of pods, and most of each is manifest.

use moorline_api::Object;
use serde_json::{Map, Value};

/// The fields of a pod that are looked at.
const POD: [&[&str]; 15] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "labels"],
    &["metadata", "creationTimestamp"],
    &["metadata", "deletionTimestamp"],
    &["spec", "nodeName"],
    &["spec", "containers"],
    &["status", "phase"],
    &["status", "reason"],
    &["status", "podIP"],
    &["status", "conditions"],
    &["status", "containerStatuses"],
    &["status", "initContainerStatuses"],
];

/// The fields of a container's status and of a condition that are looked at.
const ITEM: [&str; 8] = [
    "image",
    "state",
    "ready",
    "restartCount",
    "type",
    "status",
    "reason",
    "message",
];

/// The object with the fields that views look at; other kinds lose only `managedFields`.
pub(crate) fn slim(mut object: Object) -> Object {
    if object.gvk().is("", "Pod") {
        return slim_pod(object);
    }
    if let Some(metadata) = object.fields_mut().get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn slim_pod(mut pod: Object) -> Object {
    let mut kept = Object::default();
    for path in POD {
        if let Some(mut value) = take(pod.fields_mut(), path) {
            if let Value::Array(items) = &mut value {
                slim_items(path, items);
            }
            kept.set(path, value);
        }
    }
    kept
}

fn take(map: &mut Map<String, Value>, path: &[&str]) -> Option<Value> {
    match path {
        [] => None,
        [last] => map.remove(*last),
        [first, rest @ ..] => take(map.get_mut(*first)?.as_object_mut()?, rest),
    }
}

fn slim_items(path: &[&str], items: &mut Vec<Value>) {
    match path.last() {
        // They are only counted.
        Some(&"containers") => items.fill(Value::Null),
        Some(&"conditions") => items.retain(says_something),
        _ => {}
    }
    items.shrink_to_fit();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.retain(|key, _| ITEM.contains(&key.as_str()));
        // What runs is no reason for anything.
        item.retain(|key, value| key != "state" || value.get("running").is_none());
    }
}

/// Of the conditions that hold, only those are looked at that tell whether the pod has a node, and whether it is ready.
fn says_something(condition: &Value) -> bool {
    condition["status"] != "True" || condition["type"] == "PodScheduled" || condition["type"] == "Ready"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_keep_what_readiness_and_status_look_at() {
        let pod = Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "b"}, "ownerReferences": [{}], "managedFields": [{}]},
            "spec": {"nodeName": "n", "tolerations": [{}], "volumes": [{}], "containers": [{"name": "c", "image": "i", "env": [{}]}]},
            "status": {
                "phase": "Running", "hostIPs": [],
                "conditions": [
                    {"type": "Initialized", "status": "True"},
                    {"type": "ContainersReady", "status": "False", "reason": "r", "lastTransitionTime": "t"},
                    {"type": "Ready", "status": "True"},
                ],
                "containerStatuses": [
                    {"name": "c", "ready": true, "imageID": "x", "state": {"running": {"startedAt": "t"}}},
                    {"name": "d", "ready": false, "state": {"waiting": {"reason": "r"}}},
                ],
            },
        }));
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {"nodeName": "n", "containers": [null]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "ContainersReady", "status": "False", "reason": "r"}, {"type": "Ready", "status": "True"}],
                "containerStatuses": [{"ready": true}, {"ready": false, "state": {"waiting": {"reason": "r"}}}],
            },
        });
        assert_eq!(slim(pod.unwrap()).into_value(), expected);
    }

    #[test]
    fn other_kinds_lose_only_managed_fields() {
        let claim = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "c", "managedFields": []}, "spec": {"x": 1}});
        let slimmed = slim(Object::from_value(claim).unwrap());
        assert_eq!(
            slimmed.into_value(),
            json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "c"}, "spec": {"x": 1}})
        );
    }
}
