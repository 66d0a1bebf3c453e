//! Makes tables of shapes and JSON Schemas from the structs that describe files, for tests that keep both current.
//!
//! It is for tests: what is impossible in them panics.

#![expect(clippy::panic, clippy::unwrap_used, reason = "only tests call it")]
#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// A type, a field of it, and the shape it has in place of that which its schema says.
pub type Refinement = (&'static str, &'static str, &'static str);

/// A table of shapes under construction: types, their fields and shapes.
#[derive(Debug)]
pub struct Table {
    types: BTreeMap<String, BTreeMap<String, String>>,
    refined: &'static [Refinement],
    plain: &'static [(&'static str, &'static str)],
}

impl Table {
    /// A table without types. `plain` are the shapes of types that are no mappings, by name.
    pub fn new(refined: &'static [Refinement], plain: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            types: BTreeMap::new(),
            refined,
            plain,
        }
    }

    /// Adds a type under this name, and all that it is made of.
    pub fn add<T: JsonSchema>(&mut self, name: &str) {
        let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
        let root = generator.subschema_for::<T>().to_value();
        let definitions = generator.take_definitions(true);
        let reference = root["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        self.of_object(name, &definitions[reference]);
        for (reference, definition) in &definitions {
            if matches!(definition["type"].as_str(), Some("object")) || definition.get("oneOf").is_some() {
                self.of_object(&type_name(reference), definition);
            }
        }
    }

    /// Lets a field be anything.
    pub fn free(&mut self, name: &str, field: &str) {
        let fields = self.types.get_mut(name).unwrap();
        fields
            .entry(field.to_owned())
            .and_modify(|shape| "any".clone_into(shape));
    }

    fn of_object(&mut self, name: &str, schema: &Value) {
        let mut fields = BTreeMap::new();
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        for object in std::iter::once(schema).chain(alternatives.clone()) {
            for (field, schema) in object["properties"].as_object().into_iter().flatten() {
                let required = object["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|required| required == field);
                if schema["properties"].is_object() {
                    self.of_object(&format!("{name}.{field}"), schema);
                }
                let mark = if required && alternatives.clone().next().is_none() {
                    "!"
                } else {
                    ""
                };
                let inline = schema["properties"].is_object().then(|| format!("#{name}.{field}"));
                fields.insert(format!("{field}{mark}"), inline.unwrap_or_else(|| self.shape(schema)));
            }
        }
        for (_, field, shape) in self.refined.iter().filter(|(of, ..)| *of == name) {
            let key = if fields.contains_key(*field) {
                (*field).to_owned()
            } else {
                format!("{field}!")
            };
            let known = fields.get_mut(&key).unwrap_or_else(|| panic!("{name} has no {field}"));
            (*shape).clone_into(known);
        }
        if !fields.is_empty() {
            self.types.insert(name.to_owned(), fields);
        }
    }

    fn shape(&self, schema: &Value) -> String {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.of_reference(reference.rsplit('/').next().unwrap());
        }
        if let Some(alternatives) = schema["anyOf"].as_array() {
            return self.shape(alternatives.iter().find(|one| one["type"] != "null").unwrap());
        }
        let types: Vec<_> = match &schema["type"] {
            Value::Array(types) => types
                .iter()
                .filter_map(Value::as_str)
                .filter(|one| *one != "null")
                .collect(),
            one => one.as_str().into_iter().collect(),
        };
        match types[..] {
            ["string"] => "string".to_owned(),
            ["boolean"] => "boolean".to_owned(),
            ["number"] => "number".to_owned(),
            ["integer"] if schema["format"] == "int32" => "int32".to_owned(),
            ["integer"] => "int64".to_owned(),
            ["array"] => format!("[{}]", self.shape(&schema["items"])),
            ["object"] if schema["additionalProperties"].is_object() => {
                format!("{{{}}}", self.shape(&schema["additionalProperties"]))
            }
            _ => "any".to_owned(),
        }
    }

    fn of_reference(&self, reference: &str) -> String {
        let plain = self.plain.iter().find(|(name, _)| *name == reference);
        match plain {
            Some((_, shape)) => (*shape).to_owned(),
            None if reference.ends_with(".Quantity") => "quantity".to_owned(),
            None if reference.ends_with(".IntOrString") => "int-or-string".to_owned(),
            None if reference.ends_with("Time") => "string".to_owned(),
            None if reference.ends_with(".FieldsV1") || reference.ends_with(".RawExtension") => "any".to_owned(),
            None => format!("#{}", type_name(reference)),
        }
    }

    /// The table as text, made by `maker`: kinds, the type `root`, and what they are made of.
    pub fn text(&self, root: &str, maker: &str) -> String {
        let mut wanted: Vec<&str> = self
            .types
            .keys()
            .map(String::as_str)
            .filter(|name| name.contains(' ') || *name == root)
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if let Some(fields) = self.types.get(name).filter(|_| reached.insert(name)) {
                wanted.extend(
                    fields
                        .values()
                        .filter_map(|shape| shape.trim_matches(['[', ']', '{', '}']).strip_prefix('#')),
                );
            }
        }
        let mut text = format!("// Generated: see {maker}. `!` marks what must be given.\n");
        for name in reached {
            writeln!(text, "{name}").unwrap();
            for (field, shape) in &self.types[name] {
                writeln!(text, "  {field} {shape}").unwrap();
            }
        }
        text
    }
}

/// `core.v1.PodSpec` of `io.k8s.api.core.v1.PodSpec`.
fn type_name(reference: &str) -> String {
    let prefixes = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis."];
    prefixes
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .unwrap_or(reference)
        .to_owned()
}

/// The JSON Schema of a file as text, under this address and title, after `adapt` has said what structs cannot.
pub fn schema_of<T: JsonSchema>(id: &str, title: &str, adapt: impl FnOnce(&mut Value)) -> String {
    let mut schema = schemars::schema_for!(T).to_value();
    adapt(&mut schema);
    let mut schema = Schema::try_from(schema).unwrap();
    schema.insert("$id".to_owned(), id.into());
    schema.insert("title".to_owned(), title.into());
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
}

/// Compares a committed file with what it should be, or writes it where `MOORLINE_REGENERATE` is set.
pub fn assert_current(file: &Path, expected: &str) {
    if std::env::var_os("MOORLINE_REGENERATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, expected).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let name = file.display();
    assert!(
        committed == expected,
        "{name} is not current: run the same test with MOORLINE_REGENERATE=1"
    );
}

/// Asserts that every field of a schema says what it is.
pub fn assert_described(schema: &str, root: &str) {
    described(&serde_json::from_str(schema).unwrap(), root);
}

fn described(schema: &Value, at: &str) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        // What is one of several is described as the alternative that it is.
        let described = [field, schema].iter().any(|schema| schema["description"].is_string());
        assert!(described, "{at}.{name} has no description");
    }
    for part in [&schema["$defs"], &schema["properties"]] {
        part.as_object()
            .into_iter()
            .flatten()
            .for_each(|(name, part)| described(part, &format!("{at}.{name}")));
    }
    schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|part| described(part, at));
}
