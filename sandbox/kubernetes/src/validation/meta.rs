//! Metadata of every kind.

use serde_json::Value;

use super::{Check, names};
use crate::object;
use crate::registry::Kind;

/// The object's own name.
pub(super) fn name(kind: &Kind, name: &str, check: &mut Check) {
    let wrong = match (&*kind.group, &*kind.id) {
        (_, "namespaces") => names::dns_label(name),
        (_, "services") => names::dns_1035_label(name),
        ("rbac.authorization.k8s.io", _) => {
            (name.contains(['/', '%']) || name == "." || name == "..").then_some("may not contain '/' or '%'")
        }
        _ => names::dns_subdomain(name),
    };
    if let Some(detail) = wrong {
        check.invalid("metadata.name", name, detail);
    }
}

/// Labels, annotations, owners, finalizers; also of pod templates.
pub(super) fn metadata(object: &Value, path: &str, check: &mut Check) {
    let metadata = &object["metadata"];
    labels(metadata, &format!("{path}.labels"), check);
    let mut size = 0;
    for (key, value) in object::map(metadata, "/annotations").into_iter().flatten() {
        size += key.len() + value.as_str().map_or(0, str::len);
        if !names::is_qualified_name(&key.to_lowercase()) {
            check.invalid(&format!("{path}.annotations"), key.as_str(), names::QUALIFIED_NAME);
        }
    }
    if size > 262_144 {
        check.too_long(&format!("{path}.annotations"), 262_144);
    }
    for (index, owner) in object::list(metadata, "/ownerReferences").iter().enumerate() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if object::text(owner, &format!("/{key}")).is_empty() {
                check.invalid(
                    &format!("{path}.ownerReferences[{index}].{key}"),
                    "",
                    &format!("{key} must not be empty"),
                );
            }
        }
    }
    for finalizer in object::list(metadata, "/finalizers").iter().filter_map(Value::as_str) {
        if !names::is_qualified_name(finalizer) {
            check.invalid(&format!("{path}.finalizers"), finalizer, names::QUALIFIED_NAME);
        }
    }
}

fn labels(metadata: &Value, path: &str, check: &mut Check) {
    for (key, value) in object::map(metadata, "/labels").into_iter().flatten() {
        if !names::is_qualified_name(key) {
            check.invalid(path, key.as_str(), names::QUALIFIED_NAME);
        }
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            check.invalid(path, value, "must be no more than 63 bytes");
        } else if !names::is_label_value(value) {
            check.invalid(path, value, names::LABEL_VALUE);
        }
    }
}

/// A deleted object gets no new finalizers.
pub(super) fn change(live: &Value, new: &Value, check: &mut Check) {
    if !object::is_deleting(live) {
        return;
    }
    let before = object::list(live, "/metadata/finalizers");
    let added: Vec<String> = object::list(new, "/metadata/finalizers")
        .iter()
        .filter(|finalizer| !before.contains(finalizer))
        .map(Value::to_string)
        .collect();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        check.forbidden("metadata.finalizers", &detail);
    }
}
