//! Kinds that no table has: custom resources with a schema, and those without.

use moorline_sandbox_patch::Schema;
use serde_json::{Value, json};

use crate::world::World;

fn schema() -> &'static Schema {
    let schema = json!({
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "hosts": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "steps": {"type": "array", "items": {"type": "string"}},
                    "where": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
                    "groups": {"type": "object", "additionalProperties": {
                        "type": "object", "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}},
                    }},
                    "ports": {
                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "items": {"type": "object", "properties": {
                            "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
                            "note": {"type": "string", "nullable": true},
                        }},
                    },
                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "pod": {"type": "object", "x-kubernetes-embedded-resource": true,
                            "x-kubernetes-preserve-unknown-fields": true},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    Box::leak(Box::new(Schema::from_openapi(&schema).with_status()))
}

fn mooring(spec: Value) -> Value {
    json!({"apiVersion": "moorline.dev/v1", "kind": "Mooring", "metadata": {"name": "m"}, "spec": spec})
}

#[test]
fn a_custom_resource_merges_as_its_schema_says() {
    let mut world = World::with(schema());
    let first = mooring(json!({
        "size": 1, "hosts": ["a"], "steps": ["x"], "where": {"zone": "a"}, "groups": {"g": {"min": 1}},
        "ports": [{"port": 80}], "any": {"deep": {"list": [1]}}, "pod": {"metadata": {"finalizers": ["f"]}},
    }));
    world.apply("first", &first);
    assert_eq!(
        world.fields_of("first", "Apply"),
        json!({"f:spec": {
            "f:size": {},
            "f:hosts": {"v:\"a\"": {}},
            "f:steps": {},
            "f:where": {},
            "f:groups": {"f:g": {".": {}, "f:min": {}}},
            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
            "f:any": {"f:deep": {".": {}, "f:list": {}}},
            "f:pod": {"f:metadata": {"f:finalizers": {"v:\"f\"": {}}}},
        }})
    );
    world.apply(
        "second",
        &mooring(json!({
            "hosts": ["b"], "groups": {"g": {"max": 3}, "h": {}}, "ports": [{"port": 80, "protocol": "UDP"}],
            "any": {"deep": {"more": true}},
        })),
    );
    world.apply("first", &mooring(json!({"size": 1})));
    assert_eq!(
        world.at("/spec"),
        &json!({
            "size": 1, "hosts": ["b"], "groups": {"g": {"max": 3}, "h": {}},
            "ports": [{"port": 80, "protocol": "UDP"}], "any": {"deep": {"more": true}},
        })
    );
}

#[test]
fn atomic_parts_conflict_as_one() {
    let mut world = World::with(schema());
    world.apply("first", &mooring(json!({"where": {"zone": "a"}, "steps": ["x"]})));
    let conflicts = world.conflicts("second", &mooring(json!({"where": {"rack": "b"}, "steps": ["y"]})));
    let fields: Vec<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
    assert_eq!(fields, [".spec.steps", ".spec.where"]);
}

#[test]
fn an_item_must_have_one_of_its_keys() {
    let mut world = World::with(schema());
    let mut object = mooring(json!({}));
    object["spec"]["ports"] = json!([{"note": "x"}]);
    // The protocol has a default, so the item has a key, if an odd one.
    world.apply("first", &object);

    let keyed = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"items": {
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
        "items": {"type": "object", "properties": {"id": {"type": "string"}}},
    }}}}});
    let mut world = World::with(Box::leak(Box::new(Schema::from_openapi(&keyed))));
    let refusal = world.refusal("first", &mooring(json!({"items": [{"note": "x"}]})));
    assert!(
        refusal.contains(
            ".spec.items: element 0: associative list with keys has an element that omits all key fields [\"id\"]"
        ),
        "{refusal}"
    );
}

#[test]
fn a_null_of_a_custom_resource_is_kept() {
    let mut world = World::with(schema());
    world.apply("first", &mooring(json!({"ports": [{"port": 1, "note": null}]})));
    assert_eq!(world.at("/spec/ports/0"), &json!({"port": 1, "note": null}));
}

#[test]
fn a_kind_without_schema_has_granular_maps_and_atomic_lists() {
    let mut world = World::new("unknown.example.org/v1", "Thing");
    let thing = |spec: Value| json!({"apiVersion": "unknown.example.org/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec});
    world.apply("first", &thing(json!({"a": {"b": 1}, "list": [{"name": "x"}]})));
    assert_eq!(
        world.fields_of("first", "Apply"),
        json!({"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:list": {}}})
    );
    world.apply("second", &thing(json!({"a": {"c": 2}})));
    assert_eq!(
        world.conflicts("second", &thing(json!({"list": []})))[0].field,
        ".spec.list"
    );
    world.apply("first", &thing(json!({})));
    assert_eq!(world.at("/spec"), &json!({"a": {"c": 2}}));
}
