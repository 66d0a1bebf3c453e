//! Server-side apply.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::compare::{Changes, compare};
use crate::fields::FieldSet;
use crate::managed::{Entry, Managers, Operation, unowned, whole_seconds};
use crate::merge::{drop_emptied, drop_nulls, has_null, merge, remove};
use crate::schema::Shape;
use crate::typed::{field_set, validate};
use crate::update::{Updater, own_changes, same_but_for_managers};
use crate::{ApplyError, Conflict, Schema};

/// Where `kubectl apply` without `--server-side` remembers what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct ApplyRequest<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Take fields that others own with other values.
    pub force: bool,
    /// The time for the manager's entry, should it change. Cut to seconds.
    pub now: Timestamp,
    /// The subresource applied to, such as `status`.
    pub subresource: Option<&'a str>,
}

/// Merges `applied` into `live` and returns the object with its new `metadata.managedFields`.
///
/// - Fields stated in `applied` take its values and belong to the manager; fields that the manager stated the last time
///   and no longer does are removed, unless someone else owns them.
/// - A field of another manager whose value would change is a conflict, unless forced; one whose value is the same is
///   shared.
/// - Applied again, the same object gives an identical one, times included.
///
/// `status` of a kind with such a subresource is left out, except through that subresource, where it is all that counts.
/// The result is neither defaulted nor validated.
pub fn apply(
    schema: &Schema,
    live: Option<&Value>,
    applied: &Value,
    request: &ApplyRequest<'_>,
) -> Result<Value, ApplyError> {
    if !applied["metadata"]["managedFields"].is_null() {
        return Err(ApplyError::Invalid("metadata.managedFields must be nil".to_owned()));
    }
    let relevant = relevant_part(schema, applied, request.subresource);
    validate(&schema.root, &relevant).map_err(|problem| {
        ApplyError::Invalid(format!(
            "failed to create typed patch object ({}): {problem}",
            identify(applied)
        ))
    })?;
    let nothing = Value::Object(Map::new());
    let mut managers = Managers::of(live.unwrap_or(&nothing))
        .map_err(|problem| ApplyError::Invalid(format!("failed to decode managed fields: {problem}")))?;
    if let (Some(live), true) = (live, managers.is_empty()) {
        // Nobody tracked the object so far: what is there belongs to whoever came before.
        let by = Updater {
            manager: "before-first-apply",
            now: request.now,
            subresource: request.subresource,
        };
        own_changes(schema, &mut managers, (&nothing, live), &by);
    }
    let mut merged = merge_and_own(schema, live.unwrap_or(&nothing), &relevant, &mut managers, request)?;
    if request.manager == "kubectl" {
        refresh_last_applied(&mut merged, applied);
    }
    managers.store(&mut merged);
    Ok(merged)
}

fn merge_and_own(
    schema: &Schema,
    live: &Value,
    applied: &Value,
    managers: &mut Managers,
    request: &ApplyRequest<'_>,
) -> Result<Value, ApplyError> {
    let mut entry = Entry {
        manager: if request.manager.is_empty() {
            "unknown".to_owned()
        } else {
            request.manager.to_owned()
        },
        operation: Operation::Apply,
        api_version: applied["apiVersion"].as_str().unwrap_or_default().to_owned(),
        subresource: request.subresource.map(str::to_owned),
        time: Some(whole_seconds(request.now)),
        fields: field_set(&schema.root, applied),
    };
    let before = managers.take(&entry);
    let mut merged = live.clone();
    if let Some(metadata) = merged.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    merge(&schema.root, &mut merged, applied);
    let pruned = match &before {
        Some(before) => prune(&schema.root, &mut merged, managers, &entry.fields, &before.fields),
        None => FieldSet::default(),
    };

    let changes = compare(&schema.root, live, &merged);
    if !request.force {
        let mut conflicts = conflicts(managers, &changes);
        if request.manager == "kubectl" && !conflicts.is_empty() {
            let own = applied_by_client(schema, live);
            conflicts.retain(|conflict| !own.contains(&conflict.field));
        }
        if !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
    }
    managers.lose(&changes);

    drop_emptied(&schema.root, &mut merged, &pruned);
    if schema.drops_nulls && has_null(applied) {
        drop_nulls(&mut merged);
    }
    entry.fields.subtract(&unowned());
    if same_but_for_managers(live, &merged) {
        // Who changed nothing has no time, or still that of an earlier change.
        entry.time = before.and_then(|before| before.time);
    }
    managers.put(entry);
    Ok(merged)
}

/// The part of an applied object that counts: its status or everything else, without the metadata that only the server
/// sets (clients send `creationTimestamp: null`).
fn relevant_part<'a>(schema: &Schema, applied: &'a Value, subresource: Option<&str>) -> Cow<'a, Value> {
    let Value::Object(members) = applied else {
        return Cow::Borrowed(applied);
    };
    let null_metadata = |value: &Value| {
        value
            .as_object()
            .is_some_and(|metadata| metadata.values().any(Value::is_null))
    };
    let of_status = subresource == Some("status");
    let drops_status = schema.has_status && subresource.is_none() && members.contains_key("status");
    if !of_status && !drops_status && !members.get("metadata").is_some_and(null_metadata) {
        return Cow::Borrowed(applied);
    }
    let mut relevant = members.clone();
    if of_status {
        relevant.retain(|name, _| ["apiVersion", "kind", "metadata", "status"].contains(&name.as_str()));
    } else if drops_status {
        relevant.remove("status");
    }
    if let Some(metadata) = relevant.get_mut("metadata").and_then(Value::as_object_mut) {
        let server_set = [
            "creationTimestamp",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "resourceVersion",
            "selfLink",
            "uid",
        ];
        metadata.retain(|name, value| !(value.is_null() && server_set.contains(&name.as_str())));
        if of_status {
            metadata.retain(|name, _| ["name", "namespace", "resourceVersion", "uid"].contains(&name.as_str()));
        }
    }
    Cow::Owned(Value::Object(relevant))
}

/// `namespace/name; group/version, Kind=kind`, as the server names what it could not read; the core group has no name.
fn identify(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (metadata, namespace) = (&object["metadata"], text(&object["metadata"]["namespace"]));
    let (mut version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    if !version.contains('/') {
        version.insert(0, '/');
    }
    format!("{namespace}/{}; {version}, Kind={kind}", text(&metadata["name"]))
}

/// Removes what the manager stated before and no longer states, if nobody else owns it, and says what that was.
///
/// The detour over what is *left* is the real server's: an item of a list goes with all its fields once nobody owns the
/// item itself, and a struct stays as long as someone owns something in it.
fn prune(shape: &Shape, merged: &mut Value, others: &Managers, now: &FieldSet, before: &FieldSet) -> FieldSet {
    if before.is_within(now) {
        return FieldSet::default();
    }
    let before = before.with_named_fields(shape);
    let all = field_set(shape, merged).with_named_fields(shape);
    let left_after = |gone: &FieldSet| {
        let mut rest = merged.clone();
        remove(shape, &mut rest, gone);
        field_set(shape, &rest).with_named_fields(shape)
    };

    let mut owned = now.clone();
    for entry in others.iter() {
        owned.add(&entry.fields);
    }
    let mut nobodys = all.clone();
    nobodys.subtract(&left_after(&before));
    nobodys.subtract(&owned.with_named_fields(shape));

    let mut gone = all;
    gone.subtract(&left_after(&nobodys));
    let gone = gone.intersection(&before);
    remove(shape, merged, &gone);
    gone
}

/// What others own and would change, by owner and field.
fn conflicts(others: &Managers, changes: &Changes) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for entry in others.iter() {
        let mut fields = entry.fields.intersection(&changes.modified);
        fields.add(&entry.fields.intersection(&changes.added));
        conflicts.extend(fields.paths().into_iter().map(|field| Conflict {
            manager: entry.manager.clone(),
            subresource: entry.subresource.clone(),
            api_version: entry.api_version.clone(),
            operation: entry.operation.name().to_owned(),
            time: entry.time,
            field,
        }));
    }
    // A stable sort: the fields of one owner keep their order.
    conflicts.sort_by(|left, right| {
        let key = |conflict: &Conflict| {
            (
                conflict.manager.clone(),
                conflict.operation.clone(),
                conflict.api_version.clone(),
            )
        };
        key(left)
            .cmp(&key(right))
            .then_with(|| left.subresource.cmp(&right.subresource))
    });
    conflicts
}

/// The fields that `kubectl apply` without `--server-side` set and nobody changed since. To `kubectl apply --server-side`
/// they are its own.
fn applied_by_client(schema: &Schema, live: &Value) -> HashSet<String> {
    let last = live["metadata"]["annotations"][LAST_APPLIED]
        .as_str()
        .unwrap_or_default();
    let Ok(last) = serde_json::from_str::<Value>(last) else {
        return HashSet::new();
    };
    if last["apiVersion"] != live["apiVersion"] {
        return HashSet::new();
    }
    let mut fields = field_set(&schema.root, &last);
    let changes = compare(&schema.root, &last, live);
    for changed in [&changes.modified, &changes.added, &changes.removed] {
        fields.subtract(changed);
    }
    fields.paths().into_iter().collect()
}

/// Keeps the annotation of client-side apply true, where an object has one.
fn refresh_last_applied(merged: &mut Value, applied: &Value) {
    let annotation = merged
        .pointer_mut("/metadata/annotations")
        .and_then(|annotations| annotations.get_mut(LAST_APPLIED));
    let Some(annotation) = annotation.filter(|text| text.as_str().is_some_and(|text| !text.is_empty())) else {
        return;
    };
    let mut applied = applied.clone();
    if let Some(annotations) = applied
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    *annotation = Value::from(format!("{applied}\n"));
}
