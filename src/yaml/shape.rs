//! Shapes: which fields a document has, of which type.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use serde_json::Number;

use crate::diagnostic::Findings;
use crate::node::{Entry, Node, Value};
use crate::source::{Source, Span};
use crate::words::{nearest, quote};

/// What a value must look like.
#[derive(Debug)]
enum Shape {
    Any,
    String,
    Boolean,
    Integer(RangeInclusive<i64>),
    Number,
    /// A Kubernetes quantity: `10Gi`, or a bare number.
    Quantity,
    /// A number with its unit: `7d`, `36h`.
    Duration,
    IntegerOrString,
    /// One of these strings.
    Word(Vec<&'static str>),
    List(Box<Shape>),
    /// A mapping with keys of the author's choice.
    Map(Box<Shape>),
    /// A mapping of a type of the table.
    Type(&'static str),
}

impl Shape {
    fn parse(text: &'static str) -> Self {
        let inner = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
        if let Some(item) = inner('[', ']') {
            return Self::List(Box::new(Self::parse(item)));
        }
        if let Some(value) = inner('{', '}') {
            return Self::Map(Box::new(Self::parse(value)));
        }
        if let Some(range) = text
            .split_once("..")
            .and_then(|(least, most)| Some(least.parse().ok()?..=most.parse().ok()?))
        {
            return Self::Integer(range);
        }
        match text {
            "string" => Self::String,
            "boolean" => Self::Boolean,
            "int32" => Self::Integer(i32::MIN.into()..=i32::MAX.into()),
            "int64" => Self::Integer(i64::MIN..=i64::MAX),
            "number" => Self::Number,
            "quantity" => Self::Quantity,
            "duration" => Self::Duration,
            "int-or-string" => Self::IntegerOrString,
            _ if text.starts_with('#') => Self::Type(&text[1..]),
            _ if text.contains('|') => Self::Word(text.split('|').collect()),
            _ => Self::Any,
        }
    }

    /// The type that it is, or that its items are.
    fn inner_type(&self) -> Option<&'static str> {
        match self {
            Self::Type(name) => Some(name),
            Self::List(inner) | Self::Map(inner) => inner.inner_type(),
            _ => None,
        }
    }

    /// The shape in words.
    fn describe(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::String | Self::Word(_) => "a string",
            Self::Boolean => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Number => "a number",
            Self::Quantity => "a quantity such as 10Gi",
            Self::Duration => "a duration such as 7d or 36h",
            Self::IntegerOrString => "a whole number or a string",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Type(_) => "a mapping",
        }
    }
}

#[derive(Debug)]
struct Field {
    required: bool,
    shape: Shape,
}

/// A table of shapes, read.
#[derive(Debug)]
pub struct Shapes(HashMap<&'static str, HashMap<&'static str, Field>>);

/// Where in a document the checker is; rendered only when something is wrong.
#[derive(Clone, Copy)]
struct Path<'a> {
    above: Option<&'a Path<'a>>,
    part: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    const ROOT: Self = Self {
        above: None,
        part: Part::Root,
    };

    fn then(&'a self, part: Part<'a>) -> Path<'a> {
        Path {
            above: Some(self),
            part,
        }
    }

    fn text(&self) -> String {
        let above = self.above.map(Path::text).unwrap_or_default();
        match self.part {
            Part::Root => above,
            Part::Key(key) if above.is_empty() => shown(key),
            Part::Key(key) => format!("{above}.{}", shown(key)),
            Part::Index(index) => format!("{above}[{index}]"),
        }
    }
}

/// A key as part of a path; an odd one in quotes.
fn shown(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.');
    if key.len() <= 80 && key.bytes().all(plain) {
        key.to_owned()
    } else {
        quote(key)
    }
}

impl Shapes {
    /// Reads a table: a type's name at the start of a line, its fields indented below, `!` behind those it must have.
    pub fn read(table: &'static str) -> Self {
        let mut types: HashMap<_, HashMap<_, _>> = HashMap::new();
        let mut current = "";
        for line in table.lines().filter(|line| !line.starts_with("//")) {
            if let Some((name, shape)) = line.strip_prefix("  ").and_then(|line| line.split_once(' ')) {
                let (name, required) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
                let field = Field {
                    required,
                    shape: Shape::parse(shape),
                };
                types.entry(current).or_default().insert(name, field);
            } else {
                current = line;
            }
        }
        Self(types)
    }

    /// Whether the table has a kind: `apps/v1 StatefulSet`.
    pub fn knows(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }

    /// The kinds of the table as (`apps/v1`, `StatefulSet`).
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.keys().filter_map(|name| name.split_once(' '))
    }

    /// Reports every field of a document that its type does not have, lacks, or has with another type.
    pub fn check(&self, name: &str, source: &Source, document: &Node, findings: &mut Findings) {
        if let Some((name, _)) = self.0.get_key_value(name) {
            let mut checker = Checker {
                shapes: self,
                root: name,
                source,
                findings,
            };
            checker.value(document, &Shape::Type(name), document.start(), Path::ROOT);
        }
    }

    /// The types of a document that have a field of this name; for fields that stand at the wrong level.
    fn owners_of(&self, root: &'static str, field: &str) -> Vec<&'static str> {
        let (mut open, mut reached, mut owners) = (vec![root], HashSet::new(), Vec::new());
        while let Some(name) = open.pop() {
            let Some(fields) = self.0.get(name).filter(|_| reached.insert(name)) else {
                continue;
            };
            open.extend(fields.values().filter_map(|field| field.shape.inner_type()));
            owners.extend(fields.contains_key(field).then(|| short(name)));
        }
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}

/// `StatefulSetSpec` of `apps.v1.StatefulSetSpec`, `StatefulSet` of `apps/v1 StatefulSet`.
fn short(name: &str) -> &str {
    name.rsplit([' ', '.']).next().unwrap_or(name)
}

/// The number of a text that has signs or units around it: `10%`, `$500`.
fn number_in(text: &str) -> Option<&str> {
    let number = text.trim_matches(|c: char| !c.is_ascii_digit());
    (text.len() <= 16 && number.parse::<f64>().is_ok()).then_some(number)
}

/// Whether a type is a cloud's part of something: `provider.aws`.
fn is_of_a_cloud(name: &str) -> bool {
    matches!(short(name), "aws" | "azure")
}

struct Checker<'a> {
    shapes: &'a Shapes,
    /// The document's type.
    root: &'static str,
    source: &'a Source,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    /// Checks a value; `place` is where to point when the value itself shows nothing.
    fn value(&mut self, node: &Node, shape: &Shape, place: Span, path: Path<'_>) {
        match (shape, &node.value) {
            // Null is as good as missing.
            (_, Value::Null)
            | (Shape::Any, _)
            | (Shape::String | Shape::Quantity | Shape::Duration | Shape::IntegerOrString, Value::String(_))
            | (Shape::Number | Shape::Quantity, Value::Number(_))
            | (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::IntegerOrString, Value::Number(number)) => {
                self.integer(node, &(i32::MIN.into()..=i32::MAX.into()), number, path);
            }
            (Shape::Integer(range), Value::Number(number)) => self.integer(node, range, number, path),
            (Shape::Word(words), Value::String(word)) => self.word(node, words, word, path),
            (Shape::List(shape), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = path.then(Part::Index(index));
                    if item.is_null() {
                        self.mismatch(item, shape, place, path);
                    }
                    self.value(item, shape, item.span, path);
                }
            }
            (Shape::Map(shape), Value::Map(entries)) => {
                for entry in entries {
                    self.value(&entry.value, shape, entry.key_span, path.then(Part::Key(&entry.key)));
                }
            }
            (Shape::Type(name), Value::Map(entries)) => self.fields(node, entries, name, place, path),
            _ => self.mismatch(node, shape, place, path),
        }
    }

    fn fields(&mut self, node: &Node, entries: &[Entry], name: &'static str, place: Span, path: Path<'_>) {
        let Some(fields) = self.shapes.0.get(name) else { return };
        for entry in entries {
            let path = path.then(Part::Key(&entry.key));
            match fields.get(&*entry.key) {
                Some(field) => self.value(&entry.value, &field.shape, entry.key_span, path),
                None => self.unknown(entry, name, path),
            }
        }
        let mut missing: Vec<_> = fields
            .iter()
            .filter(|(key, field)| field.required && node.get(key).is_none())
            .collect();
        missing.sort_unstable_by_key(|(key, _)| **key);
        for (key, field) in missing {
            let at = node.entry(key).map_or(place, |entry| entry.key_span);
            let cure = match &field.shape {
                Shape::Type(name) if self.fields_of(name).len() <= 4 => {
                    format!("add {key}: it is a mapping with {}", self.fields_of(name).join(" or "))
                }
                shape => format!("add {key}: it is {}", shape.describe()),
            };
            self.findings.error(
                self.source,
                at,
                format!("{} is missing", path.then(Part::Key(key)).text()),
                cure,
            );
        }
    }

    /// The names of a type's fields, sorted.
    fn fields_of(&self, name: &str) -> Vec<&'static str> {
        let mut names: Vec<_> = self
            .shapes
            .0
            .get(name)
            .into_iter()
            .flat_map(HashMap::keys)
            .copied()
            .collect();
        names.sort_unstable();
        names
    }

    fn unknown(&mut self, entry: &Entry, name: &str, path: Path<'_>) {
        let cause = format!("{} is unknown: {} has no such field", path.text(), short(name));
        let known = self.fields_of(name);
        let cure = match (
            nearest(&entry.key, known.iter().copied()),
            &*self.shapes.owners_of(self.root, &entry.key),
        ) {
            (Some(nearest), _) => format!("did you mean {nearest}?"),
            // A cloud's fields are not another one's, wherever they stand.
            (None, owners @ ([_] | [_, _] | [_, _, _])) if !is_of_a_cloud(name) => {
                format!("it is a field of {}: check the indentation", owners.join(", "))
            }
            (None, _) if known.len() == 1 => format!("remove it; the only field is {}", known.join("")),
            _ if known.len() <= 12 => format!("remove it; fields are {}", known.join(", ")),
            _ => "remove it, or check the indentation".to_owned(),
        };
        self.findings.error(self.source, entry.key_span, cause, cure);
    }

    fn integer(&mut self, node: &Node, range: &RangeInclusive<i64>, number: &Number, path: Path<'_>) {
        if number.as_i64().is_some_and(|number| range.contains(&number)) {
            return;
        }
        let (least, most) = (range.start(), range.end());
        let number = number.to_string();
        let (cause, cure) = if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            (
                format!("{} must be a whole number, not {number}", path.text()),
                "write it without fraction and exponent".to_owned(),
            )
        } else if *least == 0 && *most >= i64::from(i32::MAX) && number.starts_with('-') {
            (
                format!("{} is negative: {number}", path.text()),
                "use 0 or more".to_owned(),
            )
        } else {
            (
                format!("{} is out of range: {number}", path.text()),
                format!("use {least} to {most}"),
            )
        };
        self.findings.error(self.source, node.span, cause, cure);
    }

    fn word(&mut self, node: &Node, words: &[&str], word: &str, path: Path<'_>) {
        if words.contains(&word) {
            return;
        }
        let cause = format!("{} cannot be {}", path.text(), quote(word));
        let cure = match nearest(word, words.iter().copied()) {
            Some(nearest) => format!("did you mean {nearest}? it is one of {}", words.join(", ")),
            None => format!("use one of {}", words.join(", ")),
        };
        self.findings.error(self.source, node.span, cause, cure);
    }

    fn mismatch(&mut self, node: &Node, shape: &Shape, place: Span, path: Path<'_>) {
        let written = self.source.slice(node.span);
        let scalar = !matches!(node.value, Value::List(_) | Value::Map(_) | Value::Null);
        let what = path.text();
        let what = if what.is_empty() { "the document" } else { &what };
        let cause = format!("{what} must be {}, not {}", shape.describe(), node.sort());
        let cure = match (shape, &node.value) {
            (Shape::String | Shape::Word(_), Value::Bool(_) | Value::Number(_)) if written.len() <= 64 => {
                format!("quote it: {written:?}")
            }
            (Shape::Integer(_) | Shape::Number | Shape::IntegerOrString, Value::String(text))
                if text.parse::<f64>().is_ok() =>
            {
                format!("remove the quotes: {text}")
            }
            (Shape::Integer(_) | Shape::Number, Value::String(text)) if number_in(text).is_some() => {
                format!("write the number alone: {}", number_in(text).unwrap_or_default())
            }
            (Shape::Boolean, Value::String(text)) if matches!(&*text.to_lowercase(), "true" | "yes" | "on") => {
                "write true, without quotes".to_owned()
            }
            (Shape::Boolean, Value::String(text)) if matches!(&*text.to_lowercase(), "false" | "no" | "off") => {
                "write false, without quotes".to_owned()
            }
            (Shape::Duration, Value::Number(_)) if written.len() <= 64 => {
                format!("write its unit, one of d, h, m and s: {written}d, {written}h")
            }
            (Shape::List(_), _) => "write it as a list: begin each item with -".to_owned(),
            (Shape::Type(name), _) if self.fields_of(name).len() <= 12 => {
                format!("give it fields: {}", self.fields_of(name).join(", "))
            }
            _ => format!("write {}", shape.describe()),
        };
        let place = if scalar { node.span } else { place };
        self.findings.error(self.source, place, cause, cure);
    }
}
