//! What the reader takes, the schema takes: an editor never complains of a policy that is good.

use std::collections::HashMap;
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};

use super::good::{SCHEMA, as_json, remove};
use crate::parse;

const FULL: &str = include_str!("full.yaml");

/// Changes every part of a full policy in every way that comes to mind.
#[test]
fn whatever_the_reader_takes_is_good_by_the_schema() {
    let schema = Schema::ours();
    let full = as_json(FULL);
    assert!(schema.takes(&full), "the full policy itself");
    let mut paths = Vec::new();
    every_path(&full, &mut Vec::new(), &mut paths);
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(101),
        json!(0.5),
        json!(1e30),
        json!(""),
        json!("x"),
        json!("1"),
        json!("7d"),
        json!("7D"),
        json!("us-east-1"),
        json!([]),
        json!([null]),
        json!(["x"]),
        json!({}),
        json!({"x": "x"}),
        json!({"x": null}),
        json!({"disk": "1d", "container": "1d"}),
    ];
    let (mut taken, mut refused) = (0, 0);
    for path in &paths {
        let mut changed: Vec<_> = values.iter().map(|value| with(&full, path, value)).collect();
        let mut without = full.clone();
        remove(&mut without, path);
        changed.push(without);
        for document in changed {
            let text = serde_json::to_string_pretty(&document).unwrap();
            let is_good = parse(Path::new("/etc/gc.yaml"), &text, Some(Path::new("/home/me"))).is_ok();
            if is_good {
                taken += 1;
                assert!(
                    schema.takes(&document),
                    "{path:?}: the schema refuses what the reader takes: {document}"
                );
            } else {
                refused += 1;
            }
        }
    }
    assert!(taken > 200 && refused > 700, "{taken} taken, {refused} refused");
}

/// And what the schema can know to be wrong, it refuses: types, unknown keys, missing ones, values left blank.
#[test]
fn the_schema_refuses_what_it_can_know() {
    let schema = Schema::ours();
    let full = as_json(FULL);
    for (path, value) in [
        ("caps.percent", json!(101)),
        ("caps.percent", json!(0)),
        ("caps.count", json!(0)),
        ("caps.monthly", json!(0)),
        ("caps.count", json!(null)),
        ("grace.orphan", json!("7 days")),
        ("grace.orphan", json!("")),
        ("grace.orphan", json!(7)),
        ("grace.orphan", json!(null)),
        ("includeRetain", json!("no")),
        ("includeRetain", json!(null)),
        ("scopes", json!([])),
        ("clusters", json!([])),
        ("scopes.0", json!({"gcp": {}})),
        ("scopes.1.aws.regions", json!([])),
        ("scopes.2.azure", json!({})),
        ("concurrency", json!(0)),
        ("snapshotFirst", json!({"container": "7d"})),
        ("protect.names", json!("db")),
        ("prices", json!({"aws": {"us-east-1": {"gp3": "0.08"}}})),
    ] {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        let document = with(&full, &path, &value);
        assert!(!schema.takes(&document), "{path:?} = {value}");
        let text = serde_json::to_string(&document).unwrap();
        assert!(parse(Path::new("p.yaml"), &text, None).is_err(), "{path:?} = {value}");
    }
}

fn every_path(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => (0..).map(|index: u32| index.to_string()).zip(items).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        path.push(key);
        found.push(path.clone());
        every_path(child, path, found);
        path.pop();
    }
}

fn with(document: &Value, path: &[String], value: &Value) -> Value {
    let mut changed = document.clone();
    let mut place = &mut changed;
    for part in path {
        place = match place {
            Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
            other => &mut other[part.as_str()],
        };
    }
    *place = value.clone();
    changed
}

/// As much of JSON Schema as our schemas use.
struct Schema {
    whole: Value,
    /// By their text: there are few.
    patterns: HashMap<String, Regex>,
}

impl Schema {
    fn ours() -> Self {
        let whole: Value = serde_json::from_str(SCHEMA).unwrap();
        let mut patterns = HashMap::new();
        patterns_of(&whole, &mut patterns);
        Self { whole, patterns }
    }

    fn takes(&self, document: &Value) -> bool {
        self.good(&self.whole, document)
    }

    fn good(&self, schema: &Value, value: &Value) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return self.good(&self.whole["$defs"][name], value);
        }
        if let Some(alternatives) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            return alternatives.iter().any(|one| self.good(one, value));
        }
        let types: Vec<_> = match &schema["type"] {
            Value::Array(types) => types.iter().map(|one| one.as_str().unwrap()).collect(),
            one => one.as_str().into_iter().collect(),
        };
        types.iter().any(|one| is_of(one, value)) && self.parts(schema, value)
    }

    fn parts(&self, schema: &Value, value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                let required = schema["required"].as_array().into_iter().flatten();
                let has_all = required
                    .into_iter()
                    .all(|key| fields.contains_key(key.as_str().unwrap()));
                has_all
                    && fields
                        .iter()
                        .all(|(key, value)| match &schema["properties"][key.as_str()] {
                            Value::Null => match &schema["additionalProperties"] {
                                more @ Value::Object(_) => self.good(more, value),
                                more => more != &json!(false),
                            },
                            known => self.good(known, value),
                        })
            }
            Value::Array(items) => {
                let least = schema["minItems"].as_u64().unwrap_or_default();
                items.len() as u64 >= least && items.iter().all(|item| self.good(&schema["items"], item))
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap();
                let within = |bound: &str, holds: fn(f64, f64) -> bool| {
                    schema[bound].as_f64().is_none_or(|bound| holds(number, bound))
                };
                within("minimum", |number, bound| number >= bound)
                    && within("maximum", |number, bound| number <= bound)
                    && within("exclusiveMinimum", |number, bound| number > bound)
            }
            Value::String(text) => {
                let pattern = schema["pattern"].as_str();
                pattern.is_none_or(|pattern| self.patterns[pattern].is_match(text))
            }
            _ => true,
        }
    }
}

fn patterns_of(schema: &Value, found: &mut HashMap<String, Regex>) {
    if let Some(pattern) = schema["pattern"].as_str() {
        found.insert(pattern.to_owned(), Regex::new(pattern).unwrap());
    }
    for part in schema.as_object().into_iter().flat_map(|fields| fields.values()) {
        patterns_of(part, found);
    }
    for part in schema.as_array().into_iter().flatten() {
        patterns_of(part, found);
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => unreachable!("{other}"),
    }
}
