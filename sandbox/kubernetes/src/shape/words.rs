//! How Go, its decoder and the library of server-side apply name types and print values.

use serde_json::Value;

use super::Shape;

/// Whether Go has this value for what was never set.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

pub(super) fn go_type(shape: &Shape, field: &str) -> String {
    match shape {
        Shape::Shared(cell) => cell.get().map_or_else(String::new, |shape| go_type(shape, field)),
        Shape::Fields { name, .. } if name.is_empty() => "map[string]interface {}".to_owned(),
        Shape::Fields { name, .. } => format!("v1.{name}"),
        Shape::Map(inner) => format!("map[string]{}", go_type(inner, "")),
        Shape::List(inner) => format!("[]{}", go_type(inner, "")),
        Shape::Text if field == "uid" => "types.UID".to_owned(),
        Shape::Text | Shape::Time | Shape::MicroTime | Shape::Quantity => "string".to_owned(),
        Shape::Bytes => "[]uint8".to_owned(),
        Shape::Int32 => "int32".to_owned(),
        Shape::Int64 => "int64".to_owned(),
        Shape::Number => "float64".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::IntOrString => "intstr.IntOrString".to_owned(),
        Shape::Anything => "interface {}".to_owned(),
    }
}

pub(super) fn typed_name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Shared(cell) => cell.get().map_or("map", typed_name),
        Shape::Fields { .. } | Shape::Map(_) | Shape::Anything => "map",
        Shape::List(_) => "list",
        Shape::Text | Shape::Bytes | Shape::Time | Shape::MicroTime | Shape::Quantity | Shape::IntOrString => "string",
        Shape::Int32 | Shape::Int64 | Shape::Number => "numeric (int or float)",
        Shape::Bool => "boolean",
    }
}

/// The type of a value, as schemas name it.
pub(super) fn schema_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What the library of server-side apply prints of a value that does not fit.
pub(super) fn typed_got(shape: &Shape, value: &Value) -> String {
    match typed_name(shape) {
        "string" => format!("&value.valueUnstructured{{Value:{}}}", go_syntax(value)),
        "numeric (int or float)" => match value {
            Value::Object(_) => "map[string]interface {}".to_owned(),
            Value::Array(_) => "[]interface {}".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            _ => "string".to_owned(),
        },
        _ => format!("&{{{}}}", go_text(value)),
    }
}

/// A value as Go prints it.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, item)| format!("{key}:{}", go_text(item)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as Go would have it in a program.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, item)| format!("{key:?}:{}", go_syntax(item)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
