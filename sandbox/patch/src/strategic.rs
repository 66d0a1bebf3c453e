//! Strategic merge patch: a merge patch that knows which lists merge, and by which key.
//!
//! The directives are those of
//! [the Kubernetes contributors' guide](https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md);
//! where the guide and the API server differ (`$patch: merge` is refused), this does what the server does.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::schema::{PatchRule, Shape, Type, plain};
use crate::{PatchError, Schema};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch and returns the patched object.
///
/// The kinds of custom resources have no rules for it: the API server answers 415 for them.
pub fn strategic_merge(schema: &Schema, live: &Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else {
        return Err(PatchError::Malformed("invalid JSON document".to_owned()));
    };
    let mut merged = live.as_object().cloned().unwrap_or_default();
    merge_object(type_of(&schema.root), &mut merged, patch)?;
    Ok(Value::Object(merged))
}

fn merge_object(of: &Type, live: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), PatchError> {
    match patch.get(PATCH) {
        None => {}
        Some(Value::String(directive)) if directive == "replace" => {
            *live = patch
                .iter()
                .filter(|(name, _)| *name != PATCH)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            return Ok(());
        }
        Some(Value::String(directive)) if directive == "delete" => {
            live.clear();
            return Ok(());
        }
        Some(directive) => return Err(unknown_directive(directive)),
    }
    retain_keys(live, patch)?;
    for (name, deleted) in directives(patch, DELETE_FROM_LIST) {
        let deleted = list(deleted, name)?;
        if let Some(Value::Array(items)) = live.get_mut(name) {
            items.retain(|item| !deleted.contains(item));
        }
    }
    for (name, order) in directives(patch, ELEMENT_ORDER) {
        merge_ordered(of, live, patch, (name, list(order, name)?))?;
    }
    for (name, value) in patch {
        let is_done = name.starts_with('$') || patch.contains_key(&format!("{ELEMENT_ORDER}{name}"));
        if value.is_null() {
            live.remove(name);
        } else if !is_done {
            merge_member(of, live, name, value)?;
        }
    }
    Ok(())
}

fn merge_member(of: &Type, live: &mut Map<String, Value>, name: &str, value: &Value) -> Result<(), PatchError> {
    let rule = rule_of(of, name);
    match (live.get_mut(name), value) {
        (Some(Value::Object(live)), Value::Object(patch)) if rule != PatchRule::Replace => {
            merge_object(type_of(of.member(name).0), live, patch)?;
        }
        (Some(Value::Array(live)), Value::Array(patch)) if matches!(rule, PatchRule::ByKey(_) | PatchRule::AsSet) => {
            let merged = merge_list(of, name, std::mem::take(live), patch)?;
            let order: Vec<String> = keys_of(rule, patch.iter().filter(|item| item.get(PATCH).is_none()))?;
            *live = arrange(merged.items, &order, &merged.live_order);
        }
        _ => match without_directives(value) {
            Some(value) => {
                live.insert(name.to_owned(), value);
            }
            None => {
                live.remove(name);
            }
        },
    }
    Ok(())
}

/// A merging list whose patch says in which order the items come.
fn merge_ordered(
    of: &Type,
    live: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    (name, order): (&str, &[Value]),
) -> Result<(), PatchError> {
    let rule = rule_of(of, name);
    if !matches!(rule, PatchRule::ByKey(_) | PatchRule::AsSet) {
        // Clients send an order for merging lists only; any other is replaced and has the order that it has.
        return patch
            .get(name)
            .filter(|value| !value.is_null())
            .map_or(Ok(()), |value| merge_member(of, live, name, value));
    }
    let patched = match patch.get(name) {
        None | Some(Value::Null) => &[],
        Some(value) => list(value, name)?,
    };
    let order = keys_of(rule, order.iter())?;
    check_order(rule, patched, &order)?;
    let before = match live.remove(name) {
        None | Some(Value::Null) => None,
        Some(Value::Array(items)) => Some(items),
        Some(_) => return Err(malformed_order(name)),
    };
    if before.is_none() && !patch.contains_key(name) {
        return Ok(());
    }
    let before = before.unwrap_or_default();
    let live_order = keys_of(rule, before.iter())?;
    let merged = merge_list(of, name, before, patched)?;
    live.insert(
        name.to_owned(),
        Value::Array(arrange(merged.items, &order, &live_order)),
    );
    Ok(())
}

/// The items of the patch must be among those of the order, and come in that order.
fn check_order(rule: PatchRule, patched: &[Value], order: &[String]) -> Result<(), PatchError> {
    let mut rest = order.iter();
    let stated = keys_of(rule, patched.iter().filter(|item| item.get(PATCH).is_none()))?;
    if order.is_empty() || stated.iter().all(|key| rest.any(|other| other == key)) {
        return Ok(());
    }
    Err(PatchError::Malformed(format!(
        "The order in patch list:\n[{}]\n doesn't match $setElementOrder list:\n[{}]\n",
        stated.join(" "),
        order.join(" ")
    )))
}

/// A merged list, in no particular order yet: live items where they were, new ones at the end.
struct Merged {
    items: Vec<(String, Value)>,
    /// The keys of the live items that the patch did not delete.
    live_order: Vec<String>,
}

fn merge_list(of: &Type, name: &str, live: Vec<Value>, patch: &[Value]) -> Result<Merged, PatchError> {
    let rule = rule_of(of, name);
    let item_type = type_of(of.member(name).0);
    let mut items = keyed(rule, live)?;
    let mut stated: Vec<(String, &Value)> = Vec::with_capacity(patch.len());
    let mut replaces = false;
    for item in patch {
        match (rule, item.get(PATCH)) {
            (PatchRule::ByKey(_), Some(Value::String(directive))) if directive == "replace" => replaces = true,
            (PatchRule::ByKey(_), Some(Value::String(directive))) if directive == "delete" => {
                let gone = key_of(rule, item)?;
                items.retain(|(key, _)| *key != gone);
            }
            (PatchRule::ByKey(_), Some(Value::String(directive))) if directive == "merge" => {
                return Err(PatchError::DoesNotApply(
                    "merging lists cannot yet be specified in the patch".to_owned(),
                ));
            }
            (PatchRule::ByKey(_), Some(directive)) => return Err(unknown_directive(directive)),
            _ => stated.push((key_of(rule, item)?, item)),
        }
    }
    if replaces {
        items.clear();
    }
    let live_order: Vec<String> = items.iter().map(|(key, _)| key.clone()).collect();
    let mut places: HashMap<String, usize> = HashMap::with_capacity(items.len());
    for (place, (key, _)) in items.iter().enumerate() {
        places.entry(key.clone()).or_insert(place);
    }
    for (key, item) in stated {
        match (places.get(&key), item) {
            (Some(place), Value::Object(patch)) => {
                if let Value::Object(live) = &mut items[*place].1 {
                    merge_object(item_type, live, patch)?;
                }
            }
            (Some(_), _) => {}
            (None, item) => {
                places.insert(key.clone(), items.len());
                items.extend(without_directives(item).map(|item| (key, item)));
            }
        }
    }
    Ok(Merged { items, live_order })
}

/// Orders a merged list: items of the patch as in `order`, live ones as they were; of two next ones a live one comes first
/// if it came first before.
fn arrange(items: Vec<(String, Value)>, order: &[String], live_order: &[String]) -> Vec<Value> {
    let order = places_in(order);
    let live_order = places_in(live_order);
    let place = |places: &HashMap<&str, usize>, key: &str| places.get(key).copied().unwrap_or(usize::MAX);
    let (mut stated, mut others): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|(key, _)| order.contains_key(key.as_str()));
    stated.sort_by_key(|(key, _)| place(&order, key));
    others.sort_by_key(|(key, _)| place(&live_order, key));

    let mut arranged = Vec::with_capacity(stated.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (key, item) in stated {
        let before = live_order.get(key.as_str()).copied().unwrap_or(0);
        while let Some((_, other)) = others.next_if(|(key, _)| place(&live_order, key) < before) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others.map(|(_, item)| item));
    arranged
}

fn places_in(keys: &[String]) -> HashMap<&str, usize> {
    let mut places = HashMap::with_capacity(keys.len());
    for (place, key) in keys.iter().enumerate() {
        places.entry(key.as_str()).or_insert(place);
    }
    places
}

/// `$retainKeys` clears every other member, and the patch may not set one that it does not retain.
fn retain_keys(live: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), PatchError> {
    let Some(retained) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let malformed = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let retained = retained.as_array().ok_or_else(malformed)?;
    let is_retained = |name: &str| retained.iter().any(|key| key == name);
    if patch
        .iter()
        .any(|(name, value)| !name.starts_with('$') && !value.is_null() && !is_retained(name))
    {
        return Err(malformed());
    }
    live.retain(|name, _| is_retained(name));
    Ok(())
}

/// The members of a patch that say something about another member: its name, and what they say.
fn directives<'a>(patch: &'a Map<String, Value>, prefix: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    patch
        .iter()
        .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], PatchError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| malformed_order(name))
}

fn malformed_order(name: &str) -> PatchError {
    PatchError::Malformed(format!(
        "invalid patch format: {name} and what orders it or deletes from it must be lists"
    ))
}

fn unknown_directive(directive: &Value) -> PatchError {
    PatchError::DoesNotApply(format!("unknown patch type: {directive}"))
}

fn rule_of(of: &Type, name: &str) -> PatchRule {
    of.field(name).map_or(PatchRule::Default, |field| field.patch)
}

fn type_of(shape: &Shape) -> &Type {
    match shape {
        Shape::Object(of) | Shape::List { item: of, .. } => of,
        Shape::Atomic | Shape::Set => plain(),
    }
}

/// What tells an item apart, as JSON.
fn key_of(rule: PatchRule, item: &Value) -> Result<String, PatchError> {
    let PatchRule::ByKey(key) = rule else {
        return Ok(item.to_string());
    };
    match item.get(key) {
        Some(value) => Ok(value.to_string()),
        None => Err(PatchError::Malformed(format!(
            "map: {item} does not contain declared merge key: {key}"
        ))),
    }
}

fn keys_of<'a>(rule: PatchRule, items: impl Iterator<Item = &'a Value>) -> Result<Vec<String>, PatchError> {
    items.map(|item| key_of(rule, item)).collect()
}

fn keyed(rule: PatchRule, items: Vec<Value>) -> Result<Vec<(String, Value)>, PatchError> {
    items.into_iter().map(|item| Ok((key_of(rule, &item)?, item))).collect()
}

/// A part of a patch as a value of its own: no nulls, no directives. None for one that only says what to delete.
fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) if members.get(PATCH).is_some_and(|directive| directive != "replace") => None,
        Value::Object(members) => Some(Value::Object(
            members
                .iter()
                .filter(|(name, value)| !name.starts_with('$') && !value.is_null())
                .filter_map(|(name, value)| Some((name.clone(), without_directives(value)?)))
                .collect(),
        )),
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(without_directives).collect())),
        scalar => Some(scalar.clone()),
    }
}
