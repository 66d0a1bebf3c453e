//! Makes `shapes.txt` and `schemas/policy.schema.json`, and keeps both current. After a change of `schema` run
//!
//! ```text
//! MOORLINE_REGENERATE=1 cargo test -p moorline-policy generate
//! ```
//!
//! and read the difference before committing it.

use std::path::Path;

use moorline_yaml::generate::{Refinement, Table, assert_current, assert_described, schema_of};

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
    schema_of::<Policy>(id, "A policy of moorline's garbage collection")
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
