//! Field-level differences between an object as it is and as it would be.

use serde_json::{Map, Value};

use super::FieldChange;
use moorline_api::Object;

/// Fields that the server writes; they say nothing about a change.
const SERVER_FIELDS: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
];

/// What differs between `before` and `after`, leaving out status and what only the server writes.
/// List items are matched by name, type, port or key where they have one, otherwise by position.
/// Values of Secrets are replaced by `<withheld>`.
pub fn field_changes(before: &Object, after: &Object) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare_maps("", &comparable(before), &comparable(after), &mut changes);
    if after.gvk().is("", "Secret") {
        for change in &mut changes {
            if change.path.starts_with(".data") || change.path.starts_with(".stringData") {
                change.before = change.before.is_some().then(|| Value::from("<withheld>"));
                change.after = change.after.is_some().then(|| Value::from("<withheld>"));
            }
        }
    }
    changes
}

/// The object without status and the server's own fields.
fn comparable(object: &Object) -> Map<String, Value> {
    let mut fields = object.fields().clone();
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
    }
    fields
}

fn compare_maps(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, changes: &mut Vec<FieldChange>) {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in after.keys().chain(gone) {
        compare(&join(path, key), before.get(key), after.get(key), changes);
    }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => compare_maps(path, before, after, changes),
        (Some(Value::Array(before)), Some(Value::Array(after))) => compare_lists(path, before, after, changes),
        (before, after) => changes.push(FieldChange {
            path: path.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

fn compare_lists(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<FieldChange>) {
    let Some(field) = key_field(before, after) else {
        for index in 0..before.len().max(after.len()) {
            compare(
                &format!("{path}[{index}]"),
                before.get(index),
                after.get(index),
                changes,
            );
        }
        return;
    };
    let find = |list: &'_ [Value], key: &Value| list.iter().position(|item| item.get(field) == Some(key));
    for item in after {
        let key = &item[field];
        let old = find(before, key).map(|index| &before[index]);
        compare(&format!("{path}[{field}={key}]"), old, Some(item), changes);
    }
    for item in before.iter().filter(|item| find(after, &item[field]).is_none()) {
        compare(&format!("{path}[{field}={}]", item[field]), Some(item), None, changes);
    }
}

/// The field by which every item of both lists can be told apart.
fn key_field(before: &[Value], after: &[Value]) -> Option<&'static str> {
    ["name", "mountPath", "type", "containerPort", "port", "key", "ip"]
        .into_iter()
        .find(|field| {
            [before, after].iter().all(|list| {
                let keys: Vec<_> = list.iter().filter_map(|item| item.get(field)).collect();
                keys.len() == list.len() && keys.iter().enumerate().all(|(i, key)| !keys[..i].contains(key))
            })
        })
}

fn join(path: &str, key: &str) -> String {
    if key.contains(['.', '/']) {
        format!("{path}[{key:?}]")
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(before: Value, after: Value) -> Vec<String> {
        let object = |value| Object::from_value(value).unwrap();
        field_changes(&object(before), &object(after))
            .into_iter()
            .map(|change| change.path)
            .collect()
    }

    #[test]
    fn server_fields_and_status_are_no_change() {
        let before =
            json!({"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": []}, "status": {"a": 1}});
        assert_eq!(
            paths(before, json!({"metadata": {"resourceVersion": "2", "generation": 2}})),
            Vec::<String>::new()
        );
    }

    #[test]
    fn list_items_are_matched_by_their_key() {
        let before = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
        let after = json!({"spec": {"containers": [{"name": "b", "image": "2"}]}});
        let expected = [".spec.containers[name=\"b\"].image", ".spec.containers[name=\"a\"]"];
        assert_eq!(paths(before, after), expected);
    }

    #[test]
    fn lists_of_scalars_are_matched_by_position() {
        assert_eq!(
            paths(json!({"a": ["x", "y"]}), json!({"a": ["x", "z", "w"]})),
            [".a[1]", ".a[2]"]
        );
    }

    #[test]
    fn keys_with_dots_are_quoted() {
        let after = json!({"metadata": {"labels": {"moorline.dev/profile": "p"}}});
        assert_eq!(
            paths(json!({"metadata": {"labels": {}}}), after),
            [".metadata.labels[\"moorline.dev/profile\"]"]
        );
    }

    #[test]
    fn secrets_are_withheld() {
        let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": value}});
        let object = |value| Object::from_value(value).unwrap();
        let changes = field_changes(&object(secret("b2xk")), &object(secret("bmV3")));
        assert_eq!(changes.len(), 1);
        assert!(!format!("{changes:?}").contains("b2xk") && !format!("{changes:?}").contains("bmV3"));
    }
}
