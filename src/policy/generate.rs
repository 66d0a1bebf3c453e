//! Makes `shapes.txt` and `schemas/policy.schema.json`, and keeps both current. After a change of `schema` run
//!
//! ```text
//! MOORLINE_REGENERATE=1 cargo test -p moorline-policy generate
//! ```
//!
//! and read the difference before committing it.

use std::path::Path;

use moorline_yaml::generate::{Refinement, Table, assert_current, assert_described, schema_of};
use serde_json::{Value, json};

use crate::schema::Policy;

const REFINED: &[Refinement] = &[
    ("caps", "percent", "1..100"),
    ("policy", "concurrency", "1..256"),
    // `container` is refused with a reason of its own.
    ("policy", "snapshotFirst", "{duration}"),
];

fn table() -> String {
    let mut table = Table::new(REFINED, &[("duration", "duration")]);
    table.add::<Policy>("policy");
    table.text("policy", "generate.rs")
}

fn schema() -> String {
    let id = "https://moorline.dev/schemas/policy.schema.json";
    schema_of::<Policy>(id, "A policy of moorline's garbage collection", with_values)
}

/// A list or a mapping may be left blank, all of it being in comments. What is one value may not; schemars lets every `Option`
/// be null.
fn with_values(schema: &mut Value) {
    for (key, part) in schema.as_object_mut().into_iter().flatten() {
        if key == "properties" {
            part.as_object_mut().unwrap().values_mut().for_each(without_null);
        }
        with_values(part);
    }
    for part in schema.as_array_mut().into_iter().flatten() {
        with_values(part);
    }
}

fn without_null(property: &mut Value) {
    let of_many = |name: &Value| name == "array" || name == "object";
    if let Some(types) = property["type"].as_array().filter(|types| !types.iter().any(of_many)) {
        property["type"] = types[0].clone();
    }
    let duration = json!({"$ref": "#/$defs/duration"});
    if property["anyOf"]
        .as_array()
        .is_some_and(|one_of| one_of.contains(&duration))
    {
        let fields = property.as_object_mut().unwrap();
        fields.remove("anyOf");
        fields.insert("$ref".to_owned(), duration["$ref"].clone());
    }
}

#[test]
fn the_table_of_shapes_is_current() {
    assert_current(&here().join("shapes.txt"), &table());
}

#[test]
fn the_schema_of_policies_is_current() {
    assert_current(&here().join("../../schemas/policy.schema.json"), &schema());
}

#[test]
fn every_field_of_the_schema_is_described() {
    assert_described(&schema(), "policy");
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
