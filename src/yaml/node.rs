//! YAML values that remember where they stand.

use serde_json::Number;

use crate::source::Span;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its place.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A value as Kubernetes reads it.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<Entry>),
}

/// One key of a mapping. A mapping has no key twice.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its place.
    pub key_span: Span,
    /// What it is the key of.
    pub value: Node,
}

impl Node {
    /// The value's sort, for messages.
    pub fn sort(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where it is whole.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The number, as it is computed with.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The keys of a mapping; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// A key of a mapping, whatever its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key; null is as good as missing, as it is to the API server.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key)
            .map(|entry| &entry.value)
            .filter(|value| !value.is_null())
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The string at a path of keys.
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The items of the list at a path; none where there is no list.
    pub fn items_at(&self, path: &[&str]) -> &[Node] {
        self.at(path).map_or(&[], Node::items)
    }

    /// The keys of the mapping at a path; none where there is no mapping.
    pub fn entries_at(&self, path: &[&str]) -> &[Entry] {
        self.at(path).map_or(&[], Node::entries)
    }

    /// The place of the value at a path of keys and indices, or of as much of the path as there is: the last key found.
    pub fn place<S: AsRef<str>>(&self, path: &[S]) -> Span {
        let mut node = self;
        let mut span = self.start();
        for part in path {
            let part = part.as_ref();
            let next = match &node.value {
                Value::List(items) => part
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get(index))
                    .map(|item| (item, item.start())),
                _ => node.entry(part).map(|entry| (&entry.value, entry.key_span)),
            };
            let Some((found, place)) = next else { return span };
            (node, span) = (found, place);
        }
        node.scalar_span().unwrap_or(span)
    }

    /// The place of the key at a path together with its value, where both are in one piece.
    pub fn place_of_entry<S: AsRef<str>>(&self, path: &[S]) -> Span {
        let found = path.split_last().and_then(|(last, above)| {
            let holder = above.iter().try_fold(self, |node, key| node.get(key.as_ref()))?;
            let entry = holder.entry(last.as_ref())?;
            Some(Span {
                start: entry.key_span.start,
                end: entry.value.scalar_span()?.end,
            })
        });
        found.unwrap_or_else(|| self.place(path))
    }

    /// The place to point at: a scalar as a whole, a collection's first key or item.
    pub fn start(&self) -> Span {
        match &self.value {
            Value::Map(entries) => entries.first().map_or(self.span, |entry| entry.key_span),
            Value::List(items) => items.first().map_or(self.span, Node::start),
            _ => self.span,
        }
    }

    fn scalar_span(&self) -> Option<Span> {
        (!matches!(self.value, Value::Map(_) | Value::List(_) | Value::Null)).then_some(self.span)
    }

    /// The same as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => serde_json::Value::String(text.clone()),
            Value::List(items) => serde_json::Value::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }
}
