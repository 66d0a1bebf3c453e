//! Reading and writing the usual places of an object.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The string at a JSON pointer, or `""`.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer, or zero.
pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The list at a JSON pointer, or an empty one.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|at| !at.is_null())
}

/// The value of an annotation, where there is one.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The value of a label, or `""`.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    let value = object.pointer("/metadata/labels").and_then(|labels| labels.get(key));
    value.and_then(Value::as_str).unwrap_or_default()
}

/// The owner reference marked as controller.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| owner["controller"] == true)
}

/// Whether every pair of `wanted` is among the labels; an absent or empty selector selects nothing.
pub(crate) fn labels_match(wanted: Option<&Map<String, Value>>, object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    wanted.is_some_and(|wanted| {
        !wanted.is_empty()
            && wanted
                .iter()
                .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    })
}

/// Whether a label selector selects an object; an absent or empty one selects nothing.
pub(crate) fn selector_matches(selector: Option<&Value>, object: &Value) -> bool {
    let Some(selector) = selector else { return false };
    let labels = object.pointer("/metadata/labels");
    let expressions = list(selector, "/matchExpressions");
    let equal = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .filter(|equal| !equal.is_empty());
    if equal.is_none() && expressions.is_empty() {
        return false;
    }
    let expressed = expressions.iter().all(|expression| {
        let value = labels.and_then(|labels| labels.get(text(expression, "/key")));
        let among = value.is_some_and(|value| list(expression, "/values").contains(value));
        match text(expression, "/operator") {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    expressed && (equal.is_none() || labels_match(equal, object))
}

/// A controlling owner reference to `owner`.
pub(crate) fn controlled_by(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

pub(crate) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers")
        .iter()
        .any(|present| present == finalizer)
}

/// Adds a finalizer unless it is there.
pub(crate) fn add_finalizer(object: &mut Value, finalizer: &str) {
    if !has_finalizer(object, finalizer) {
        let finalizers = child(object, "metadata")
            .entry("finalizers")
            .or_insert_with(|| json!([]));
        if let Some(finalizers) = finalizers.as_array_mut() {
            finalizers.push(finalizer.into());
        }
    }
}

/// Removes a finalizer where it is there.
pub(crate) fn remove_finalizer(object: &mut Value, finalizer: &str) {
    if let Some(finalizers) = object.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|present| present != finalizer);
    }
}

/// Sets an annotation.
pub(crate) fn annotate(object: &mut Value, key: &str, value: &str) {
    let metadata = child(object, "metadata");
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    entries(annotations).insert(key.to_owned(), value.into());
}

/// The map under `key`, made where it is missing.
pub(crate) fn child<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    entries(entries(object).entry(key).or_insert(Value::Null))
}

/// The value itself as a map; anything else becomes an empty one first.
pub(crate) fn entries(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("was made a map above"),
    }
}

/// Seconds precision, UTC, as Kubernetes writes times.
pub(crate) fn time(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

/// The condition of this type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    list(object, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == type_)
}

/// Whether the condition of this type is `True`.
pub(crate) fn is_true(object: &Value, type_: &str) -> bool {
    condition(object, type_).is_some_and(|condition| condition["status"] == "True")
}

/// Puts `condition` (with a `type` and a `status`) into the object's status; the transition time moves only with the status.
pub(crate) fn set_condition(object: &mut Value, mut condition: Value, now: Timestamp) {
    let type_ = condition["type"].as_str().unwrap_or_default().to_owned();
    let conditions = child(object, "status").entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    condition["lastTransitionTime"] = time(now);
    let Some(present) = conditions.iter_mut().find(|present| present["type"] == *type_) else {
        return conditions.push(condition);
    };
    if present["status"] == condition["status"] {
        condition["lastTransitionTime"] = present["lastTransitionTime"].clone();
    }
    *present = condition;
}

/// A hash of a value in the ten letters and digits that Kubernetes uses for names: no vowels, so no words.
pub(crate) fn safe_hash(value: &Value) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(canonical(value));
    digest
        .iter()
        .take(10)
        .map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
        .collect()
}

/// The SHA-256 of some text in hexadecimal.
pub(crate) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// JSON with the keys in order, whatever order `serde_json` keeps them in.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pairs: Vec<String> = pairs
                .into_iter()
                .map(|(key, value)| format!("{key:?}:{}", canonical(value)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_stays() {
        let mut pod = json!({});
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        set_condition(
            &mut pod,
            json!({"type": "Ready", "status": "False", "reason": "a"}),
            early,
        );
        set_condition(
            &mut pod,
            json!({"type": "Ready", "status": "False", "reason": "b"}),
            late,
        );
        assert_eq!(condition(&pod, "Ready").unwrap()["lastTransitionTime"], time(early));
        assert_eq!(condition(&pod, "Ready").unwrap()["reason"], "b");
        set_condition(&mut pod, json!({"type": "Ready", "status": "True"}), late);
        assert_eq!(condition(&pod, "Ready").unwrap()["lastTransitionTime"], time(late));
    }

    #[test]
    fn hashes_do_not_depend_on_the_order_of_keys() {
        assert_eq!(
            safe_hash(&json!({"a": 1, "b": [true]})),
            safe_hash(&json!({"b": [true], "a": 1}))
        );
        assert_ne!(safe_hash(&json!({"a": 1})), safe_hash(&json!({"a": 2})));
    }
}
