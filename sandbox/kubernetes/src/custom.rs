//! Custom resource definitions: their status, the kinds they add, and their structural schemas.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::{ApiError, Cause};
use crate::object::{self, child, default_text, default_to, entries};
use crate::registry::{Kind, Registry};
use crate::shape::Wrong;
use crate::write::State;

pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Fills a new definition and accepts its names at once; the real server takes a moment.
pub(crate) fn accept(definition: &mut Value, now: Timestamp) {
    let spec = child(definition, "spec");
    default_to(spec, "conversion", json!({"strategy": "None"}));
    let names = child(spec, "names");
    let kind = object::text(names, "/kind").to_owned();
    default_text(names, "singular", &kind.to_lowercase());
    default_text(names, "listKind", &format!("{kind}List"));
    let names = names.clone();
    let stored = object::list(spec, "/versions")
        .iter()
        .filter(|version| version["storage"] == true);
    let stored: Vec<Value> = stored.map(|version| version["name"].clone()).collect();
    let condition = |type_: &str, reason: &str, message: &str| json!({"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": object::time(now)});
    definition["status"] = json!({
        "acceptedNames": names,
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}

/// Serves the kinds of the definitions that exist now; the objects of a kind whose definition is gone go with it.
pub(crate) fn refresh(state: &mut State) {
    let mut kinds = Vec::new();
    for definition in state.store.values(DEFINITIONS, None) {
        let storage = object::list(&definition, "/spec/versions")
            .iter()
            .find(|version| version["storage"] == true);
        kinds.extend(storage.and_then(|version| Kind::from_definition(&definition, version)));
    }
    state.registry = Arc::new(Registry::new(kinds));
    for resource in state.store.resources() {
        if state.registry.by_id(&resource).is_some() {
            continue;
        }
        let orphans: Vec<Arc<Value>> = state.store.values(&resource, None).collect();
        for object in orphans {
            if let Err(error) = state.store.remove(&resource, &object) {
                tracing::error!(%error, %resource, "an object of a removed kind could not be removed");
            }
        }
    }
}

/// 422 for values that a structural schema does not allow.
pub(crate) fn wrong_types(kind: &Kind, name: &str, wrong: &[Wrong]) -> ApiError {
    let causes = wrong.iter().map(|wrong| {
        let wanted = wrong.typed.strip_prefix("expected ").unwrap_or(&wrong.typed);
        let wanted = wanted.split_once(", got ").map_or(wanted, |(wanted, _)| wanted);
        let got = wrong.got;
        let wanted = match wanted {
            "numeric (int or float)" => "integer",
            "list" => "array",
            "map" => "object",
            other => other,
        };
        Cause {
            reason: "FieldValueTypeInvalid",
            message: format!(
                "Invalid value: \"{got}\": {} in body must be of type {wanted}: \"{got}\"",
                wrong.path
            ),
            field: wrong.path.clone(),
        }
    });
    ApiError::invalid(&kind.group, &kind.kind, name, causes.collect())
}

/// Sets the `default`s of a structural schema.
pub(crate) fn fill_defaults(schema: &Value, value: &mut Value) {
    if let (Some(properties), true) = (schema.get("properties").and_then(Value::as_object), value.is_object()) {
        for (key, property) in properties {
            if let Some(default) = property.get("default") {
                default_to(value, key, default.clone());
            }
            if let Some(inner) = value.get_mut(key) {
                fill_defaults(property, inner);
            }
        }
    }
    if let Some(items) = schema.get("items") {
        value
            .as_array_mut()
            .into_iter()
            .flatten()
            .for_each(|item| fill_defaults(items, item));
    }
    if let (Some(items), true) = (
        schema.get("additionalProperties").filter(|items| items.is_object()),
        value.is_object(),
    ) {
        entries(value).values_mut().for_each(|item| fill_defaults(items, item));
    }
}

/// Checks `minItems` and `maxItems`.
fn list_bounds(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(items) = value.as_array() else { return };
    let limit = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_u64)
            .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
    };
    if let Some(most) = limit("maxItems").filter(|most| items.len() > *most) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {}: must have at most {most} items", items.len()),
            field: path.to_owned(),
        });
    }
    if let Some(least) = limit("minItems").filter(|least| items.len() < *least) {
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {path} in body should have at least {least} items"),
            field: path.to_owned(),
        });
    }
}

/// Checks that sets and maps hold nothing twice.
pub(crate) fn check_duplicates(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (key, property) in object::map(schema, "/properties").into_iter().flatten() {
        if let Some(inner) = value.get(key) {
            let at = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            check_duplicates(property, inner, &at, causes);
        }
    }
    let Some(items) = value.as_array() else { return };
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check_duplicates(schema, item, &format!("{path}[{index}]"), causes);
        }
    }
    let keys = object::list(schema, "/x-kubernetes-list-map-keys");
    let key_of = |item: &Value| match object::text(schema, "/x-kubernetes-list-type") {
        "set" => Some(item.clone()),
        "map" => Some(
            keys.iter()
                .filter_map(Value::as_str)
                .map(|key| (key.to_owned(), item[key].clone()))
                .collect(),
        ),
        _ => None,
    };
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(key) = key_of(item) else { return };
        if seen.contains(&key) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {key}"),
                field: format!("{path}[{index}]"),
            });
        }
        seen.push(key);
    }
}

/// Checks `required`, `enum`, `pattern`, bounds and lengths.
pub(crate) fn check(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let at = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let mut invalid = |why: String| {
        let message = format!("Invalid value: {value}: {path} in body {why}");
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message,
            field: path.to_owned(),
        });
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    if let (Some(number), Some(minimum)) = (value.as_f64(), bound("minimum"))
        && number < minimum
    {
        invalid(format!("should be greater than or equal to {minimum}"));
    }
    if let (Some(number), Some(maximum)) = (value.as_f64(), bound("maximum"))
        && number > maximum
    {
        invalid(format!("should be less than or equal to {maximum}"));
    }
    if let Some(text) = value.as_str() {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        if let Some(minimum) = limit("minLength").filter(|minimum| length < *minimum) {
            invalid(format!("should be at least {minimum} chars long"));
        }
        if let Some(maximum) = limit("maxLength").filter(|maximum| length > *maximum) {
            // What is too long is not looked at any further.
            causes.push(Cause {
                reason: "FieldValueTooLong",
                message: format!("Too long: may not be more than {maximum} bytes"),
                field: path.to_owned(),
            });
            return;
        }
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema.get("pattern").and_then(Value::as_str)) {
        // What cannot be compiled was written for another dialect, and is not held against anyone.
        if regex::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
            invalid(format!("should match '{pattern}'"));
        }
    }
    list_bounds(schema, value, path, causes);
    let allowed = object::list(schema, "/enum");
    if !allowed.is_empty() && !allowed.contains(value) {
        let shown: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", shown.join(", "));
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message,
            field: path.to_owned(),
        });
    }
    for (key, property) in object::map(schema, "/properties").into_iter().flatten() {
        if let Some(inner) = value.get(key) {
            check(property, inner, &at(key), causes);
        }
    }
    for key in object::list(schema, "/required").iter().filter_map(Value::as_str) {
        if value.is_object() && value.get(key).is_none() {
            causes.push(Cause {
                reason: "FieldValueRequired",
                message: "Required value".to_owned(),
                field: at(key),
            });
        }
    }
    if let Some(items) = schema.get("items") {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            check(items, item, &format!("{path}[{index}]"), causes);
        }
    }
    if let Some(items) = schema.get("additionalProperties").filter(|items| items.is_object()) {
        for (key, item) in value.as_object().into_iter().flatten() {
            check(items, item, &at(key), causes);
        }
    }
}
