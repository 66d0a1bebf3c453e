//! What changed between two versions of an object, as sets of fields.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::fields::{FieldSet, Node, field_step};
use crate::schema::{Shape, Type};
use crate::typed::{item_step, set_step};

/// The fields that differ between an old and a new version.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

/// The same for one place.
#[derive(Default)]
struct Difference {
    added: Node,
    modified: Node,
    removed: Node,
}

/// Compares two objects of one shape.
pub(crate) fn compare(shape: &Shape, old: &Value, new: &Value) -> Changes {
    let Difference {
        added,
        modified,
        removed,
    } = difference(shape, Some(old), Some(new));
    Changes {
        added: added.below,
        modified: modified.below,
        removed: removed.below,
    }
}

fn difference(shape: &Shape, old: Option<&Value>, new: Option<&Value>) -> Difference {
    if old == new {
        return Difference::default();
    }
    let inner = match shape {
        Shape::Object(of) if !of.atomic => members(of, old, new),
        Shape::List { keys, item } => {
            let compare = |old: Option<&Value>, new: Option<&Value>| item_difference(item, old, new);
            items(old, new, |value| item_step(keys, value), compare)
        }
        Shape::Set => items(old, new, set_step, leaf),
        Shape::Object(_) | Shape::Atomic => None,
    };
    match inner {
        Some(mut inner) => {
            inner.added.member |= old.is_none();
            inner.removed.member |= new.is_none();
            inner
        }
        None => leaf(old, new),
    }
}

fn item_difference(item: &Type, old: Option<&Value>, new: Option<&Value>) -> Difference {
    match if item.atomic { None } else { members(item, old, new) } {
        Some(mut inner) => {
            inner.added.member |= old.is_none();
            inner.removed.member |= new.is_none();
            inner
        }
        None => leaf(old, new),
    }
}

/// The difference of what is only ever owned whole.
fn leaf(old: Option<&Value>, new: Option<&Value>) -> Difference {
    let mut difference = Difference::default();
    match (old, new) {
        (None, _) => difference.added.member = true,
        (_, None) => difference.removed.member = true,
        (Some(old), Some(new)) => difference.modified.member = !same(old, new),
    }
    difference
}

/// The difference of two objects by member; none where they count as leaves, because neither has members.
fn members(of: &Type, old: Option<&Value>, new: Option<&Value>) -> Option<Difference> {
    let empty = Map::new();
    let old = as_members(old, &empty)?;
    let new = as_members(new, &empty)?;
    if old.is_empty() && new.is_empty() {
        return None;
    }
    let mut difference = Difference::default();
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    for name in new.keys().chain(gone) {
        let (shape, _) = of.member(name);
        difference.put(
            || field_step(name),
            self::difference(shape, old.get(name), new.get(name)),
        );
    }
    Some(difference)
}

fn as_members<'a>(value: Option<&'a Value>, empty: &'a Map<String, Value>) -> Option<&'a Map<String, Value>> {
    match value {
        None | Some(Value::Null) => Some(empty),
        Some(Value::Object(members)) => Some(members),
        Some(_) => None,
    }
}

/// The difference of two lists by item; none where they count as leaves, because neither has items.
fn items(
    old: Option<&Value>,
    new: Option<&Value>,
    step: impl Fn(&Value) -> Result<String, String>,
    compare: impl Fn(Option<&Value>, Option<&Value>) -> Difference,
) -> Option<Difference> {
    let (old, new) = (as_items(old)?, as_items(new)?);
    if old.is_empty() && new.is_empty() {
        return None;
    }
    let old = by_step(old, &step);
    let new = by_step(new, &step);
    let mut difference = Difference::default();
    let gone = old.keys().filter(|step| !new.contains_key(*step));
    for step in new.keys().chain(gone) {
        let none = Vec::new();
        let one = match (&old.get(step).unwrap_or(&none)[..], &new.get(step).unwrap_or(&none)[..]) {
            ([] | [_], [] | [_]) => compare(
                old.get(step).and_then(|v| v.first()).copied(),
                new.get(step).and_then(|v| v.first()).copied(),
            ),
            (old, new) => twins(old, new, &compare),
        };
        difference.put(|| step.clone(), one);
    }
    Some(difference)
}

/// Items that share a key are owned as one, without their fields.
fn twins(old: &[&Value], new: &[&Value], compare: impl Fn(Option<&Value>, Option<&Value>) -> Difference) -> Difference {
    let mut difference = match (old, new) {
        ([_, _, ..], [only]) => compare(None, Some(only)),
        ([only], [_, _, ..]) => compare(Some(only), None),
        _ => Difference::default(),
    };
    match (old.len() > 1, new.len() > 1) {
        (true, true) => difference.modified.member |= old != new,
        (true, false) => difference.removed.member = true,
        _ => difference.added.member = true,
    }
    difference
}

fn as_items(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None | Some(Value::Null) => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

fn by_step(items: &[Value], step: impl Fn(&Value) -> Result<String, String>) -> HashMap<String, Vec<&Value>> {
    let mut found: HashMap<String, Vec<&Value>> = HashMap::with_capacity(items.len());
    for item in items {
        // An item without a key is nobody's.
        if let Ok(step) = step(item) {
            found.entry(step).or_default().push(item);
        }
    }
    found
}

impl Difference {
    fn put(&mut self, step: impl Fn() -> String, one: Difference) {
        for (set, node) in [
            (&mut self.added.below, one.added),
            (&mut self.modified.below, one.modified),
            (&mut self.removed.below, one.removed),
        ] {
            if !node.is_empty() {
                set.put(step(), node);
            }
        }
    }
}

/// Whether two values are equal, with `1` and `1.0` the same number.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}
