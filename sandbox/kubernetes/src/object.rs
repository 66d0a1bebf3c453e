//! Reading and writing the usual places of an object.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The object as JSON: what it is comes first, so that lists, whose items do not say it, can leave it out.
pub(crate) fn json(object: &Value) -> Vec<u8> {
    let Value::Object(map) = object else {
        return serde_json::to_vec(object).unwrap_or_default();
    };
    let mut bytes = vec![b'{'];
    let is_type = |key: &str| key == "kind" || key == "apiVersion";
    let typed = ["kind", "apiVersion"]
        .into_iter()
        .filter_map(|key| Some((key, map.get(key)?)));
    let others = map
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(key, _)| !is_type(key));
    for (key, value) in typed.chain(others) {
        if bytes.len() > 1 {
            bytes.push(b',');
        }
        // Writing to memory does not fail, and neither does a value.
        let _ = serde_json::to_writer(&mut bytes, key);
        bytes.push(b':');
        let _ = serde_json::to_writer(&mut bytes, value);
    }
    bytes.push(b'}');
    bytes
}

/// Where a text stops being base64.
pub(crate) fn illegal_byte(error: &base64::DecodeError) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        base64::DecodeError::InvalidLength(length) => length / 4 * 4,
        base64::DecodeError::InvalidPadding => 0,
    }
}

/// The string at a JSON pointer, or `""`.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The list at a JSON pointer, or an empty one.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The items of the list under `key`, to change; none where there is no list.
pub(crate) fn items_mut<'a>(parent: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    parent.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// The map at a JSON pointer, where there is one.
pub(crate) fn map<'a>(object: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(pointer).and_then(Value::as_object)
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

pub(crate) fn has_finalizers(object: &Value) -> bool {
    !list(object, "/metadata/finalizers").is_empty()
}

/// The value of a label, or `""`.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    map(object, "/metadata/annotations")
        .and_then(|all| all.get(key))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The map under `key`, made where it is missing or not a map.
pub(crate) fn child<'a>(parent: &'a mut Value, key: &str) -> &'a mut Value {
    let slot = entries(parent).entry(key).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = json!({});
    }
    slot
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

/// Sets `key` unless it is there with a value other than null.
pub(crate) fn default_to(parent: &mut Value, key: &str, value: impl Into<Value>) {
    let slot = entries(parent).entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

/// Sets `key` unless it is there with a value other than null or `""`.
pub(crate) fn default_text(parent: &mut Value, key: &str, value: &str) {
    let slot = entries(parent).entry(key).or_insert(Value::Null);
    if slot.is_null() || slot == "" {
        *slot = Value::from(value);
    }
}

/// Copies `key` from `from`, or removes it where `from` has none.
pub(crate) fn copy_key(to: &mut Value, from: &Value, key: &str) {
    match from.get(key) {
        Some(value) => {
            if to.get(key) != Some(value) {
                entries(to).insert(key.to_owned(), value.clone());
            }
        }
        None => {
            entries(to).remove(key);
        }
    }
}

/// Seconds precision, UTC, as `metav1.Time` is written.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time at a JSON pointer.
pub(crate) fn time_at(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}
