//! What an object owns and whether it can be owned: one walk over a value beside its shape each.

use serde_json::{Map, Value};

use crate::fields::{FieldSet, Node, field_step, key_step, spell, value_step};
use crate::schema::{Key, KeyDefault, Schema, Shape, Type};

/// The fields that an object states, as the manager that applied it owns them.
pub(crate) fn field_set(shape: &Shape, object: &Value) -> FieldSet {
    stated(shape, object).below
}

fn stated(shape: &Shape, value: &Value) -> Node {
    match (shape, value) {
        (Shape::Object(of), Value::Object(members)) if !of.atomic => Node {
            member: members.is_empty(),
            below: stated_members(of, members),
        },
        (Shape::List { keys, item }, Value::Array(items)) => {
            items_of(items, |value| item_step(keys, value), |value| stated_item(item, value))
        }
        (Shape::Set, Value::Array(items)) => items_of(items, set_step, |_| Node::leaf()),
        _ => Node::leaf(),
    }
}

fn stated_item(item: &Type, value: &Value) -> Node {
    match value {
        Value::Object(members) if !item.atomic => Node {
            member: true,
            below: stated_members(item, members),
        },
        _ => Node::leaf(),
    }
}

fn stated_members(of: &Type, members: &Map<String, Value>) -> FieldSet {
    let mut below = FieldSet::default();
    for (name, value) in members {
        let (shape, named) = of.member(name);
        let mut node = stated(shape, value);
        // Structs are owned through their fields. An item of a map is owned by itself too, and so is a null.
        node.member |= !named || value.is_null();
        below.put(field_step(name), node);
    }
    below
}

fn items_of(items: &[Value], step: impl Fn(&Value) -> Result<String, String>, node: impl Fn(&Value) -> Node) -> Node {
    let mut below = FieldSet::default();
    // An item without a key cannot be owned; applied objects with one are refused before.
    for (step, value) in items.iter().filter_map(|value| Some((step(value).ok()?, value))) {
        match below.get_mut(&step) {
            // Of items that share a key, only the fact that they are there is owned.
            Some(twin) => *twin = Node::leaf(),
            None => below.put(step, node(value)),
        }
    }
    Node { member: false, below }
}

/// The step to an item of a keyed list, or what is wrong with the item.
pub(crate) fn item_step(keys: &[Key], item: &Value) -> Result<String, String> {
    let Value::Object(members) = item else {
        let what = if item.is_null() {
            "a null element"
        } else {
            "non-map elements"
        };
        return Err(format!("associative list with keys may not have {what}"));
    };
    let defaults: Vec<(&Key, Option<Value>)> = keys
        .iter()
        .map(|key| {
            (
                key,
                if members.contains_key(&*key.name) {
                    None
                } else {
                    default_of(key)
                },
            )
        })
        .collect();
    let mut present: Vec<(&str, &Value)> = defaults
        .iter()
        .filter_map(|(key, default)| Some((&*key.name, members.get(&*key.name).or(default.as_ref())?)))
        .collect();
    if present.is_empty() {
        let names: Vec<String> = keys.iter().map(|key| format!("{:?}", &*key.name)).collect();
        let names = names.join(" ");
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{names}] \
             (and doesn't have default values for any key fields)"
        ));
    }
    present.sort_unstable_by_key(|(name, _)| *name);
    Ok(key_step(present.into_iter()))
}

fn default_of(key: &Key) -> Option<Value> {
    match &key.default {
        KeyDefault::Absent => None,
        KeyDefault::Text(text) => Some(Value::from(*text)),
        KeyDefault::Zero => Some(Value::from(0)),
        KeyDefault::Value(value) => Some(value.clone()),
    }
}

/// The step to an item of a set, or what is wrong with the item.
pub(crate) fn set_step(item: &Value) -> Result<String, String> {
    let what = match item {
        Value::Object(_) => "associative list without keys has an element that's a map type",
        Value::Array(_) => "not supported: associative list with lists as elements",
        Value::Null => "associative list without keys has an element that's an explicit null",
        Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(value_step(item)),
    };
    Err(what.to_owned())
}

/// What is wrong with the items of an applied object's lists: without a key, or two with the same one.
pub fn item_problems(schema: &Schema, applied: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(&schema.root, applied, "", &mut problems);
    problems.retain(|problem| problem.contains(": element ") || problem.contains(": duplicate entries "));
    problems
}

/// Whether an applied object fits its shape: lists are lists, items have keys, no two the same one.
pub(crate) fn validate(shape: &Shape, object: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    check(shape, object, "", &mut problems);
    match &problems[..] {
        [] => Ok(()),
        [only] => Err(only.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn check(shape: &Shape, value: &Value, path: &str, problems: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Object(of), _) => check_members(of, value, path, problems),
        (Shape::List { keys, item }, Value::Array(items)) => {
            for (step, value) in check_items(items, |value| item_step(keys, value), path, problems) {
                check_members(item, value, &format!("{path}{}", spell(&step)), problems);
            }
        }
        (Shape::Set, Value::Array(items)) => {
            check_items(items, set_step, path, problems);
        }
        (Shape::List { .. } | Shape::Set, Value::Null) | (Shape::Atomic, _) => {}
        (Shape::List { .. } | Shape::Set, other) => problems.push(format!("{path}: expected list, got {other}")),
    }
}

fn check_members(of: &Type, value: &Value, path: &str, problems: &mut Vec<String>) {
    if let (false, Value::Object(members)) = (of.atomic, value) {
        for (name, value) in members {
            // Most members are scalars, and a path for each would cost more than the check.
            if value.is_object() || value.is_array() || of.field(name).is_some() {
                let (shape, _) = of.member(name);
                check(shape, value, &format!("{path}.{name}"), problems);
            }
        }
    }
}

fn check_items<'a>(
    items: &'a [Value],
    step: impl Fn(&Value) -> Result<String, String>,
    path: &str,
    problems: &mut Vec<String>,
) -> Vec<(String, &'a Value)> {
    let mut seen = std::collections::HashSet::new();
    let mut good = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        match step(value) {
            Err(problem) => problems.push(format!("{path}: element {index}: {problem}")),
            Ok(step) if seen.insert(step.clone()) => good.push((step, value)),
            Ok(step) => problems.push(format!("{path}: duplicate entries for key {}", spell(&step))),
        }
    }
    good
}
