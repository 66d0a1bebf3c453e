//! Whether applying a manifest again would change nothing, proved from the live object alone. Pure.
//!
//! A live object says in `metadata.managedFields` which fields our last apply stated. Where the manifest states the very
//! same fields and each has the live value, server-side apply merges nothing, removes nothing and takes no ownership: there
//! is nothing to ask the server about, and three hundred unchanged objects cost a listing instead of three hundred dry runs.
//! The proof errs on one side only. Whatever it does not understand (a value that the server writes in another way,
//! an order that differs, an owner's list that could mean two things) is not proved, and the server is asked.

use moorline_api::Object;
use serde_json::{Map, Value};

use crate::names;

/// API groups whose merge rules come with Kubernetes. Those of custom resources may have changed since the last apply.
const GROUPS: [&str; 9] = [
    "",
    "apps",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Kinds that the server's own admission edits on each write.
const EDITED: [&str; 1] = ["Pod"];

/// Objects that Kubernetes owns as one and never fills in by itself. Another one that is owned without its members may
/// have been empty when it was applied.
const WHOLE: [&str; 11] = [
    "selector",
    "labelSelector",
    "namespaceSelector",
    "podSelector",
    "nodeSelector",
    "configMapKeyRef",
    "secretKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "roleRef",
    "scaleTargetRef",
];

/// Fields that say which object this is, which no one owns; `metadata` is looked at by itself.
const IDENTITY: [&str; 3] = ["apiVersion", "kind", "metadata"];
/// The same within `metadata`.
const NAMES: [&str; 2] = ["name", "namespace"];

/// Whether a dry run of applying `manifest` would certainly give `live`, as far as no webhook or policy edits it.
pub(crate) fn is_proved(live: &Object, manifest: &Object) -> bool {
    let gvk = manifest.gvk();
    GROUPS.contains(&&*gvk.group)
        && !EDITED.contains(&&*gvk.kind)
        && live.gvk() == gvk
        && live.name() == manifest.name()
        && live.namespace() == manifest.namespace()
        && proof(live, manifest).is_some()
}

fn proof(live: &Object, manifest: &Object) -> Option<()> {
    let entries = live.list_at(&["metadata", "managedFields"]);
    let (ours, others): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(|entry| is_ours(entry));
    let [ours] = ours[..] else { return None };
    if text(ours, "apiVersion") != manifest.str_at(&["apiVersion"])? || text(ours, "fieldsType") != "FieldsV1" {
        return None;
    }
    let owned = ours.get("fieldsV1")?.as_object()?;
    let proof = Proof {
        others: others.iter().filter_map(|entry| entry.get("fieldsV1")).collect(),
    };
    proof.same_members(manifest.fields(), live.fields(), owned, &IDENTITY)?;
    let (metadata, live) = (manifest.at(&["metadata"])?, live.at(&["metadata"])?);
    let nothing = Map::new();
    let owned = owned.get("f:metadata").and_then(Value::as_object).unwrap_or(&nothing);
    let proof = proof.below("f:metadata");
    proof.same_members(metadata.as_object()?, live.as_object()?, owned, &NAMES)
}

fn is_ours(entry: &Value) -> bool {
    text(entry, "manager") == names::FIELD_MANAGER
        && text(entry, "operation") == "Apply"
        && text(entry, "subresource").is_empty()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A place in the object, with what everyone else owns there.
struct Proof<'a> {
    others: Vec<&'a Value>,
}

impl Proof<'_> {
    fn below(&self, path_element: &str) -> Self {
        let others = self.others.iter().filter_map(|owned| owned.get(path_element)).collect();
        Self { others }
    }

    /// An object that merges by field: the same fields stated as owned, each with the live value. Those `aside` do not count.
    fn same_members(
        &self,
        stated: &Map<String, Value>,
        live: &Map<String, Value>,
        owned: &Map<String, Value>,
        aside: &[&str],
    ) -> Option<()> {
        let counts = |name: &str| !aside.contains(&name);
        let members = owned.keys().filter_map(|element| element.strip_prefix("f:"));
        let odd = owned
            .keys()
            .filter(|element| *element != "." && !element.starts_with("f:"));
        if odd.count() > 0 || members.filter(|name| counts(name)).count() != stated.keys().filter(|k| counts(k)).count()
        {
            return None;
        }
        for (name, value) in stated.iter().filter(|(name, _)| counts(name)) {
            let element = format!("f:{name}");
            let owned = owned.get(&element)?.as_object()?;
            self.below(&element).same(name, value, live.get(name)?, owned)?;
        }
        Some(())
    }

    fn same(&self, name: &str, stated: &Value, live: &Value, owned: &Map<String, Value>) -> Option<()> {
        if owned.is_empty() {
            return (stated == live && self.is_owned_as_one(name, stated)).then_some(());
        }
        match (stated, live) {
            (Value::Object(stated), Value::Object(live)) => self.same_members(stated, live, owned, &[]),
            (Value::Array(stated), Value::Array(live)) if stated.len() == live.len() => {
                self.same_items(stated, live, owned)
            }
            _ => None,
        }
    }

    /// Whether a field that is owned without members is one whole, and not something that was empty when it was applied.
    fn is_owned_as_one(&self, name: &str, stated: &Value) -> bool {
        let shared_in_parts = || {
            self.others
                .iter()
                .any(|owned| owned.as_object().is_some_and(|o| !o.is_empty()))
        };
        match stated {
            Value::Null => false,
            Value::Object(members) => members.is_empty() || (WHOLE.contains(&name) && !shared_in_parts()),
            Value::Array(_) => !shared_in_parts(),
            _ => true,
        }
    }

    /// A list that merges by key or by value: the same items in the same order, and no one else's among them.
    fn same_items(&self, stated: &[Value], live: &[Value], owned: &Map<String, Value>) -> Option<()> {
        if owned.len() != stated.len() {
            return None;
        }
        let mut left: Vec<(&String, &Value)> = owned.iter().collect();
        for (stated, live) in stated.iter().zip(live) {
            let found = left.iter().position(|(element, _)| names_item(element, stated, live))?;
            let (element, owned) = left.swap_remove(found);
            if element.starts_with("k:") {
                let (stated, live) = (stated.as_object()?, live.as_object()?);
                // Someone else's edit may take the item itself from us and leave its fields ours.
                let owned = owned.as_object().filter(|owned| owned.contains_key("."))?;
                self.below(element).same_members(stated, live, owned, &[])?;
            }
        }
        Some(())
    }
}

/// Whether a path element (`k:{"name":"web"}`, `v:"x"`) names this item, both as it is stated and as it lives.
fn names_item(element: &str, stated: &Value, live: &Value) -> bool {
    if let Some(value) = element.strip_prefix("v:") {
        return serde_json::from_str::<Value>(value).is_ok_and(|value| value == *stated && value == *live);
    }
    let Some(Ok(keys)) = element
        .strip_prefix("k:")
        .map(serde_json::from_str::<Map<String, Value>>)
    else {
        return false;
    };
    keys.iter().all(|(key, value)| {
        // The one key that Kubernetes' own kinds default: a port's protocol.
        let by_default = key == "protocol" && value == "TCP" && stated.get(key).is_none();
        live.get(key) == Some(value) && (by_default || stated.get(key) == Some(value))
    })
}

#[cfg(test)]
mod tests;
