//! Ownership after a create, update or patch.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::Schema;
use crate::compare::compare;
use crate::fields::{FieldSet, field_step};
use crate::managed::{Entry, Managers, Operation, unowned, whole_seconds};

/// Brings `metadata.managedFields` of `new` up to date: fields that differ from `old` now belong to `manager`, with
/// operation `Update`, and to nobody else.
///
/// `new` is the object as it will be stored: patched, defaulted, its read-only parts restored. `old` is absent on create.
/// What `new` says about managed fields counts when it is well-formed (`[]` resets them), except through a subresource;
/// otherwise those of `old` are carried over. An object whose owners were reset is not tracked again until the next
/// apply, as on a real server. Nothing changes, times included, when `new` differs from `old` in nothing.
pub fn track_update(
    schema: &Schema,
    old: Option<&Value>,
    new: &mut Value,
    manager: &str,
    now: Timestamp,
    subresource: Option<&str>,
) {
    let mut managers = stated_or_old(old, new, subresource.is_some());
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if old.is_none() || !managers.is_empty() {
        let by = Updater {
            manager,
            now,
            subresource,
        };
        own_changes(schema, &mut managers, (old.unwrap_or(&Value::Null), new), &by);
    }
    managers.store(new);
}

/// Who updates, when and through what.
pub(crate) struct Updater<'a> {
    pub(crate) manager: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) subresource: Option<&'a str>,
}

/// Gives what differs between `old` and `new` to the updater.
pub(crate) fn own_changes(schema: &Schema, managers: &mut Managers, (old, new): (&Value, &Value), by: &Updater<'_>) {
    let mut changes = compare(&schema.root, old, new);
    if schema.has_status && by.subresource.is_none() {
        // Such a write never reaches the status, whatever the object says.
        let status = field_step("status");
        for set in [&mut changes.added, &mut changes.modified, &mut changes.removed] {
            set.take(&status);
        }
    }
    if schema.drops_nulls {
        disown_embedded(&mut changes.added, new);
    }
    managers.lose(&changes);
    let mut fields = changes.added;
    fields.add(&changes.modified);
    fields.subtract(&unowned());
    if !fields.is_empty() {
        let mut entry = Entry {
            manager: if by.manager.is_empty() {
                "unknown".to_owned()
            } else {
                by.manager.to_owned()
            },
            operation: Operation::Update,
            api_version: new["apiVersion"].as_str().unwrap_or_default().to_owned(),
            subresource: by.subresource.map(str::to_owned),
            time: Some(whole_seconds(by.now)),
            fields,
        };
        let before = managers.take(&entry);
        if by.subresource == Some("scale") {
            // The real server translates these from the Scale, and the time gets lost on the way.
            entry.time = before.as_ref().and_then(|before| before.time);
        }
        if let Some(before) = before {
            entry.fields.add(&before.fields);
        }
        managers.put(entry);
    }
    managers.cap_updaters();
}

fn stated_or_old(old: Option<&Value>, new: &Value, keep_old: bool) -> Managers {
    let stated = if keep_old {
        &Value::Null
    } else {
        &new["metadata"]["managedFields"]
    };
    let is_reset = stated.as_array().is_some_and(|entries| match &entries[..] {
        [] => true,
        [only] => only.as_object().is_some_and(Map::is_empty),
        _ => false,
    });
    if is_reset {
        return Managers::default();
    }
    if stated.is_array()
        && let Ok(managers) = Managers::of(new)
    {
        return managers;
    }
    old.and_then(|old| Managers::of(old).ok()).unwrap_or_default()
}

/// The structs that Go embeds by value are there before their first field is set, so nobody comes to own them. The same
/// goes for the list of containers, which is null then.
fn disown_embedded(added: &mut FieldSet, object: &Value) {
    const EMBEDDED: [&str; 10] = [
        "metadata",
        "spec",
        "status",
        "template",
        "jobTemplate",
        "strategy",
        "updateStrategy",
        "resources",
        "source",
        "containers",
    ];
    for name in EMBEDDED {
        let value = &object[name];
        let step = field_step(name);
        if (value.is_object() || value.is_array())
            && let Some(mut node) = added.take(&step)
        {
            node.member = false;
            disown_embedded(&mut node.below, value);
            added.put(step, node);
        }
    }
}

/// Whether two objects differ at most in the times of their `managedFields`: such a change must not be written.
pub fn same_but_for_times(old: &Value, new: &Value) -> bool {
    same_but_for_managers(old, new)
        && match (&old["metadata"]["managedFields"], &new["metadata"]["managedFields"]) {
            (Value::Array(old), Value::Array(new)) => {
                // The order depends on the times.
                old.len() == new.len() && new.iter().all(|new| old.iter().any(|old| same_entry(old, new)))
            }
            (old, new) => old == new,
        }
}

fn same_entry(old: &Value, new: &Value) -> bool {
    match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) => same_members(old, new, "time"),
        _ => false,
    }
}

/// Whether two objects are equal, whoever owns them.
pub(crate) fn same_but_for_managers(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return old == new;
    };
    same_members(old, new, "metadata")
        && match (old.get("metadata"), new.get("metadata")) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => same_members(old, new, "managedFields"),
            (old, new) => old == new,
        }
}

/// Whether two maps are equal but for one member.
fn same_members(old: &Map<String, Value>, new: &Map<String, Value>, except: &str) -> bool {
    let count = |members: &Map<String, Value>| members.len() - usize::from(members.contains_key(except));
    count(old) == count(new)
        && old
            .iter()
            .filter(|(name, _)| *name != except)
            .all(|(name, old)| new.get(name) == Some(old))
}
