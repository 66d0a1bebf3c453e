//! The two ways in which an apply changes an object: what is stated goes in, what is no longer stated goes out.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::fields::{FieldSet, field_step};
use crate::schema::{Shape, Type};
use crate::typed::{item_step, set_step};

/// Puts what `applied` states into `live`. Nothing is removed.
///
/// Items of keyed lists and sets keep the order of the applied list; those that only the live list has stay between the
/// neighbours that they had.
pub(crate) fn merge(shape: &Shape, live: &mut Value, applied: &Value) {
    match (shape, live, applied) {
        (Shape::Object(of), live, applied) => merge_object(of, live, applied),
        (Shape::List { .. } | Shape::Set, Value::Array(live), Value::Null) if !live.is_empty() => {}
        (Shape::List { keys, item }, Value::Array(live), Value::Array(applied)) if !live.is_empty() => {
            let step = |value: &Value| item_step(keys, value);
            merge_items(live, applied, step, |live, applied| merge_object(item, live, applied));
        }
        (Shape::Set, Value::Array(live), Value::Array(applied)) if !live.is_empty() => {
            merge_items(live, applied, set_step, Value::clone_from);
        }
        (_, live, applied) => live.clone_from(applied),
    }
}

fn merge_object(of: &Type, live: &mut Value, applied: &Value) {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !of.atomic => {
            for (name, value) in applied {
                match live.get_mut(name) {
                    Some(live) => merge(of.member(name).0, live, value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        // A null object states that it is there, not that it is empty.
        (Value::Object(live), Value::Null) if !of.atomic && !live.is_empty() => {}
        (live, applied) => live.clone_from(applied),
    }
}

/// The order is that of the real server: walk both lists at once; where the next items differ, take a live item that is
/// not applied, else the next applied one.
fn merge_items(
    live: &mut Vec<Value>,
    applied: &[Value],
    step: impl Fn(&Value) -> Result<String, String>,
    merge: impl Fn(&mut Value, &Value),
) {
    if applied.is_empty() {
        return;
    }
    let applied: Vec<(String, &Value)> = applied
        .iter()
        .filter_map(|item| Some((step(item).ok()?, item)))
        .collect();
    let is_applied: HashMap<&str, usize> = applied
        .iter()
        .enumerate()
        .map(|(index, (step, _))| (step.as_str(), index))
        .collect();
    // Live items by place; each applied one is taken from its place when its turn comes.
    let old: Vec<(Option<usize>, Value)> = std::mem::take(live)
        .into_iter()
        .map(|item| {
            (
                step(&item).ok().and_then(|step| is_applied.get(step.as_str()).copied()),
                item,
            )
        })
        .collect();
    let mut partner: Vec<Option<usize>> = vec![None; applied.len()];
    let mut twins = vec![false; applied.len()];
    for (place, (of, _)) in old.iter().enumerate() {
        if let Some(of) = *of {
            twins[of] |= partner[of].replace(place).is_some();
        }
    }
    let order = interleave(&old.iter().map(|(of, _)| *of).collect::<Vec<_>>(), &partner);
    let mut old: Vec<Option<Value>> = old.into_iter().map(|(_, item)| Some(item)).collect();
    for source in order {
        match source {
            Source::Live(place) => live.extend(old[place].take()),
            Source::Applied(index) => {
                let value = applied[index].1;
                let partner = partner[index].filter(|_| !twins[index]);
                match partner.and_then(|place| old[place].take()) {
                    Some(mut item) => {
                        merge(&mut item, value);
                        live.push(item);
                    }
                    None => live.push(value.clone()),
                }
            }
        }
    }
}

/// Where the next item of a merged list comes from.
enum Source {
    /// A live item that is not applied.
    Live(usize),
    /// An applied item, merged with its live partner where it has one.
    Applied(usize),
}

/// `live` says for each live item which applied item it is, `partner` for each applied item where it is in the live list.
fn interleave(live: &[Option<usize>], partner: &[Option<usize>]) -> Vec<Source> {
    let mut order = Vec::with_capacity(live.len() + partner.len());
    let mut done = vec![false; partner.len()];
    let mut shared = (0..partner.len()).filter(|index| partner[*index].is_some()).peekable();
    let (mut left, mut right) = (0, 0);
    while left < live.len() || right < partner.len() {
        if let (Some(of), true) = (live.get(left), right < partner.len()) {
            if *of == Some(right) {
                order.push(Source::Applied(right));
                done[right] = true;
                shared.next();
                left += 1;
                right += 1;
                continue;
            }
            // A shared item whose turn has not come: it is placed where the applied list has it.
            if of.is_some() && shared.peek().is_some() && shared.peek() != of.as_ref() {
                left += 1;
                continue;
            }
        }
        match live.get(left) {
            Some(None) => {
                order.push(Source::Live(left));
                left += 1;
                continue;
            }
            Some(Some(of)) if done[*of] => left += 1,
            _ => {}
        }
        if right < partner.len() {
            order.push(Source::Applied(right));
            done[right] = true;
            if shared.peek() == Some(&right) {
                shared.next();
            }
            right += 1;
        }
    }
    order
}

/// Takes the members of `fields` out of an object. What is empty then becomes null, so that whoever owns the emptied map
/// or list still does; [`drop_emptied`] ends that.
pub(crate) fn remove(shape: &Shape, object: &mut Value, fields: &FieldSet) {
    let emptied = |value: &mut Value| {
        *value = Value::Null;
        true
    };
    remove_below(shape, object, fields, &emptied);
}

/// Drops what [`remove`] emptied with the same fields.
pub(crate) fn drop_emptied(shape: &Shape, object: &mut Value, fields: &FieldSet) {
    remove_below(shape, object, fields, &|_| false);
}

/// Removes what `fields` holds below a place. `emptied` says whether a member that is empty then stays.
fn remove_below(shape: &Shape, value: &mut Value, fields: &FieldSet, emptied: &impl Fn(&mut Value) -> bool) {
    match (shape, value) {
        (Shape::Object(of), Value::Object(members)) => remove_members(of, members, fields, emptied),
        (Shape::List { keys, item }, Value::Array(items)) => {
            items.retain_mut(|value| {
                let node = item_step(keys, value).ok().and_then(|step| fields.get(&step));
                let Some(node) = node else { return true };
                if let (false, Value::Object(members)) = (node.member, value) {
                    remove_members(item, members, &node.below, emptied);
                }
                !node.member
            });
        }
        (Shape::Set, Value::Array(items)) => {
            items.retain(|value| {
                let node = set_step(value).ok().and_then(|step| fields.get(&step));
                !node.is_some_and(|node| node.member)
            });
        }
        _ => {}
    }
}

fn remove_members(
    of: &Type,
    members: &mut Map<String, Value>,
    fields: &FieldSet,
    emptied: &impl Fn(&mut Value) -> bool,
) {
    if of.atomic {
        return;
    }
    members.retain(|name, value| match fields.get(&field_step(name)) {
        None => true,
        Some(node) if node.member => false,
        Some(node) => {
            remove_below(of.member(name).0, value, &node.below, emptied);
            !is_empty(value) || emptied(value)
        }
    });
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Drops the members that are null, as decoding into a Go type and encoding again does.
pub(crate) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Whether a null is somewhere in a value.
pub(crate) fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().any(has_null),
        Value::Array(items) => items.iter().any(has_null),
        _ => false,
    }
}
