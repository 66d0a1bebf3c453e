//! Sets of fields, in the shape that `managedFields` gives them (`fieldsV1`).
//!
//! A set is a tree whose edges are the steps of a path, spelt as on the wire: `f:spec`, `k:{"name":"nginx"}`, `v:"a"`.
//! A path is in the set when its node is a member; a node that is none is only on the way to one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::schema::{Shape, Type};

/// A set of the fields below some place.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSet {
    nodes: BTreeMap<String, Node>,
}

/// One place: whether it is in the set itself, and what is in the set below it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) member: bool,
    pub(crate) below: FieldSet,
}

impl Node {
    /// A place without anything below it.
    pub(crate) fn leaf() -> Node {
        Node {
            member: true,
            below: FieldSet::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn get(&self, step: &str) -> Option<&Node> {
        self.nodes.get(step)
    }

    pub(crate) fn get_mut(&mut self, step: &str) -> Option<&mut Node> {
        self.nodes.get_mut(step)
    }

    pub(crate) fn take(&mut self, step: &str) -> Option<Node> {
        self.nodes.remove(step)
    }

    /// Puts a node where there is none yet; an empty one leaves no trace.
    pub(crate) fn put(&mut self, step: String, node: Node) {
        if !node.is_empty() {
            self.nodes.insert(step, node);
        }
    }

    /// Adds what is in `other`.
    pub(crate) fn add(&mut self, other: &FieldSet) {
        for (step, theirs) in &other.nodes {
            match self.nodes.entry(step.clone()) {
                Entry::Vacant(place) => {
                    place.insert(theirs.clone());
                }
                Entry::Occupied(mut place) => {
                    let ours = place.get_mut();
                    ours.member |= theirs.member;
                    ours.below.add(&theirs.below);
                }
            }
        }
    }

    /// Takes out what is in `other`, place by place: what is below a place stays when only the place is taken out.
    pub(crate) fn subtract(&mut self, other: &FieldSet) {
        for (step, theirs) in &other.nodes {
            let Some(ours) = self.nodes.get_mut(step) else {
                continue;
            };
            ours.member &= !theirs.member;
            ours.below.subtract(&theirs.below);
            if ours.is_empty() {
                self.nodes.remove(step);
            }
        }
    }

    /// What is in both.
    pub(crate) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut both = FieldSet::default();
        for (step, ours) in &self.nodes {
            if let Some(theirs) = other.nodes.get(step) {
                let below = ours.below.intersection(&theirs.below);
                both.put(
                    step.clone(),
                    Node {
                        member: ours.member && theirs.member,
                        below,
                    },
                );
            }
        }
        both
    }

    /// Whether everything in here is in `other`.
    pub(crate) fn is_within(&self, other: &FieldSet) -> bool {
        self.nodes.iter().all(|(step, ours)| {
            other
                .nodes
                .get(step)
                .is_some_and(|theirs| (theirs.member || !ours.member) && ours.below.is_within(&theirs.below))
        })
    }

    /// The same set with the named fields of structs that lead to a member made members too.
    ///
    /// A set never says who owns `spec`; whoever owns something in it keeps it alive.
    pub(crate) fn with_named_fields(&self, shape: &Shape) -> FieldSet {
        match shape {
            Shape::Object(of) => self.with_named_fields_of(of),
            Shape::List { item, .. } => self.map(|_, node| node.below.with_named_fields_of(item)),
            Shape::Atomic | Shape::Set => self.clone(),
        }
    }

    fn with_named_fields_of(&self, of: &Type) -> FieldSet {
        let mut set = self.map(|step, node| {
            let (shape, _) = of.member(step.strip_prefix("f:").unwrap_or_default());
            node.below.with_named_fields(shape)
        });
        for (step, node) in &mut set.nodes {
            let (_, named) = of.member(step.strip_prefix("f:").unwrap_or_default());
            node.member |= named && !node.below.is_empty();
        }
        set
    }

    fn map(&self, below: impl Fn(&str, &Node) -> FieldSet) -> FieldSet {
        let nodes = self.nodes.iter();
        let nodes = nodes.map(|(step, node)| {
            (
                step.clone(),
                Node {
                    member: node.member,
                    below: below(step, node),
                },
            )
        });
        FieldSet { nodes: nodes.collect() }
    }

    /// Every member as the API server prints paths, `.spec.containers[name="nginx"].image`; those nearest the root first.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let members = self.nodes.iter().filter(|(_, node)| node.member);
        paths.extend(members.map(|(step, _)| format!("{prefix}{}", spell(step))));
        for (step, node) in &self.nodes {
            if !node.below.is_empty() {
                node.below.collect_paths(&format!("{prefix}{}", spell(step)), paths);
            }
        }
    }

    /// The `fieldsV1` of an entry.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        for (step, node) in &self.nodes {
            let mut below = node.below.to_json();
            if let (true, false, Value::Object(below)) = (node.member, node.below.is_empty(), &mut below) {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            object.insert(step.clone(), below);
        }
        Value::Object(object)
    }

    /// Reads a `fieldsV1`, whoever wrote it.
    pub(crate) fn from_json(value: &Value) -> Result<FieldSet, String> {
        let Value::Object(object) = value else {
            return Err(format!("expected an object, got {value}"));
        };
        let mut set = FieldSet::default();
        for (step, below) in object {
            if step == "." {
                continue;
            }
            let member = below.get(".").is_some() || below.as_object().is_some_and(Map::is_empty);
            set.put(
                canonical(step)?,
                Node {
                    member,
                    below: FieldSet::from_json(below)?,
                },
            );
        }
        Ok(set)
    }
}

/// The step to a field of an object.
pub(crate) fn field_step(name: &str) -> String {
    let mut step = String::with_capacity(name.len() + 2);
    step.push_str("f:");
    step.push_str(name);
    step
}

/// The step to an item of a set.
pub(crate) fn value_step(value: &Value) -> String {
    format!("v:{value}")
}

/// The step to an item of a keyed list. The keys come sorted by name.
pub(crate) fn key_step<'a>(keys: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut step = String::from("k:{");
    for (index, (name, value)) in keys.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(step, "{comma}{}:{value}", Value::from(name));
    }
    step.push('}');
    step
}

/// The one way to spell a step: keys sorted, JSON without spaces.
fn canonical(step: &str) -> Result<String, String> {
    match step.split_at_checked(2) {
        Some(("f:" | "i:", _)) => Ok(step.to_owned()),
        Some(("v:", json)) => serde_json::from_str(json)
            .map(|value| value_step(&value))
            .map_err(|error| error.to_string()),
        Some(("k:", json)) => {
            let keys: BTreeMap<String, Value> = serde_json::from_str(json).map_err(|error| error.to_string())?;
            Ok(key_step(keys.iter().map(|(name, value)| (name.as_str(), value))))
        }
        _ => Err(format!("unknown path element {step:?}")),
    }
}

/// A step as it is printed in messages.
pub(crate) fn spell(step: &str) -> String {
    match step.split_at_checked(2) {
        Some(("f:", name)) => format!(".{name}"),
        Some(("v:", value)) => format!("[={value}]"),
        Some(("i:", index)) => format!("[{index}]"),
        Some(("k:", json)) => {
            let keys: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => step.to_owned(),
    }
}
