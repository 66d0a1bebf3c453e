//! The schema of a custom resource, from its OpenAPI v3 schema with the `x-kubernetes-` extensions.

use serde_json::Value;

use super::meta::OBJECT_META;
use super::{Field, Key, KeyDefault, PatchRule, Ref, Rest, Schema, Shape, Type};

pub(super) fn read(schema: &Value) -> Schema {
    let root = Shape::Object(Ref::Owned(Box::new(resource(schema))));
    Schema {
        root,
        has_status: false,
        drops_nulls: false,
    }
}

fn shape(schema: &Value) -> Shape {
    if schema["x-kubernetes-embedded-resource"] == true {
        return Shape::Object(Ref::Owned(Box::new(resource(schema))));
    }
    match (schema["type"].as_str(), schema["x-kubernetes-list-type"].as_str()) {
        (Some("array"), Some("set")) => Shape::Set,
        (Some("array"), Some("map")) => {
            let item = &schema["items"];
            let names = schema["x-kubernetes-list-map-keys"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let keys = names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| key(name, item))
                .collect::<Box<[Key]>>();
            Shape::List {
                keys: Ref::Owned(keys),
                item: Ref::Owned(Box::new(object_type(item))),
            }
        }
        (Some("array"), _) => Shape::Atomic,
        _ => Shape::Object(Ref::Owned(Box::new(object_type(schema)))),
    }
}

fn object_type(schema: &Value) -> Type {
    let atomic = schema["x-kubernetes-map-type"] == "atomic";
    Type {
        fields: Ref::Owned(fields(schema).into()),
        rest: rest(schema),
        atomic,
    }
}

fn fields(schema: &Value) -> Vec<Field> {
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| field(name, shape(schema)))
        .collect()
}

fn rest(schema: &Value) -> Rest {
    match &schema["additionalProperties"] {
        items @ Value::Object(_) => Rest::Items(Box::new(shape(items))),
        _ if schema["properties"].is_object() && schema["x-kubernetes-preserve-unknown-fields"] != true => Rest::Fields,
        _ => Rest::Unknown,
    }
}

/// A whole object, whose metadata is what it always is.
fn resource(schema: &Value) -> Type {
    let mut fields = fields(schema);
    fields.retain(|field| &*field.name != "metadata");
    fields.push(field("metadata", Shape::Object(Ref::Static(&OBJECT_META))));
    Type {
        fields: Ref::Owned(fields.into()),
        rest: rest(schema),
        atomic: false,
    }
}

fn field(name: &str, shape: Shape) -> Field {
    Field {
        name: Ref::Owned(name.into()),
        shape,
        patch: PatchRule::Default,
    }
}

fn key(name: &str, item: &Value) -> Key {
    let default = match &item["properties"][name]["default"] {
        Value::Null => KeyDefault::Absent,
        value => KeyDefault::Value(value.clone()),
    };
    Key {
        name: Ref::Owned(name.into()),
        default,
    }
}
