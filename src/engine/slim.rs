//! Objects without what no view looks at: a large profile has thousands of pods and events, and most of each is manifest.

use moorline_api::Object;
use serde_json::{Map, Value};

/// The fields of a pod that are looked at.
const POD: [&[&str]; 10] = [
    &["metadata"],
    &["spec", "nodeName"],
    &["spec", "volumes"],
    &["status", "phase"],
    &["status", "reason"],
    &["status", "podIP"],
    &["status", "conditions"],
    &["status", "containerStatuses"],
    &["status", "initContainerStatuses"],
    &["spec", "containers"],
];

/// The fields of an event that are looked at.
const EVENT: [&[&str]; 13] = [
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["involvedObject", "kind"],
    &["involvedObject", "name"],
    &["type"],
    &["reason"],
    &["message"],
    &["count"],
    &["series"],
    &["firstTimestamp"],
    &["lastTimestamp"],
    &["eventTime"],
];

/// The fields of a container, of its status and of a condition that are looked at.
const ITEM: [&str; 9] = [
    "name",
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
    let gvk = object.gvk();
    let mut slim = if gvk.is("", "Pod") {
        let mut pod = keep(&mut object, &POD);
        let lists: [&[&str]; 4] = [
            &["spec", "containers"],
            &["status", "conditions"],
            &["status", "containerStatuses"],
            &["status", "initContainerStatuses"],
        ];
        for path in lists {
            slim_items(&mut pod, path);
        }
        pod
    } else if gvk.is("", "Event") {
        keep(&mut object, &EVENT)
    } else {
        object
    };
    if let Some(metadata) = slim.fields_mut().get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    slim
}

fn keep(object: &mut Object, paths: &[&[&str]]) -> Object {
    let mut kept = Object::default();
    for path in [&["apiVersion"][..], &["kind"][..]]
        .into_iter()
        .chain(paths.iter().copied())
    {
        if let Some(value) = take(object.fields_mut(), path) {
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

fn slim_items(object: &mut Object, path: &[&str]) {
    let items: Vec<Value> = object.list_at(path).iter().map(slim_item).collect();
    if !items.is_empty() {
        object.set(path, Value::Array(items));
    }
}

fn slim_item(item: &Value) -> Value {
    let fields = item.as_object().into_iter().flatten();
    let kept = fields
        .filter(|(key, _)| ITEM.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()));
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_keep_what_readiness_and_status_look_at() {
        let pod = Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "b"}, "managedFields": [{}]},
            "spec": {"nodeName": "n", "tolerations": [{}], "containers": [{"name": "c", "image": "i", "env": [{}]}]},
            "status": {"phase": "Running", "hostIPs": [], "containerStatuses": [{"name": "c", "ready": true, "imageID": "x"}]},
        }));
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "ready": true}]},
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
