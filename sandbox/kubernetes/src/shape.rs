//! The shapes of kinds, and the walk that holds an object to one: wrong types and unknown fields are
//! found, nulls dropped, quantities written canonically, as decoding and encoding in the real server does.

mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::object;
use crate::protobuf::{self, Silence};
use crate::quantity::{MALFORMED, Quantity};
use words::{go_type, is_zero, schema_type, typed_got, typed_name};

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A struct with these fields; `open` keeps others (custom resources that preserve unknown fields).
    Fields {
        name: String,
        fields: HashMap<String, Shape>,
        open: bool,
        /// What encoding leaves out or adds.
        silence: Option<&'static Silence>,
    },
    /// A named definition, shared by all kinds that use it.
    Shared(&'static OnceLock<Shape>),
    Map(Box<Shape>),
    List(Box<Shape>),
    Text,
    Bytes,
    Time,
    /// A time with microseconds, all six digits of them.
    MicroTime,
    Int32,
    Int64,
    Number,
    Bool,
    IntOrString,
    Quantity,
    Anything,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// Paths of fields that the shape does not know: `spec.template.spec.containers[0].foo`. They were dropped.
    pub(crate) unknown: Vec<String>,
    /// Values of the wrong type.
    pub(crate) wrong: Vec<Wrong>,
}

/// One value of the wrong type.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Path with indices.
    pub(crate) path: String,
    /// The sentence of the JSON decoder.
    pub(crate) decoder: String,
    /// The sentence of server-side apply.
    pub(crate) typed: String,
    /// The type that was found, as schemas name it.
    pub(crate) got: &'static str,
    /// The type is right, but the value cannot be decoded.
    pub(crate) undecodable: bool,
}

/// The way from the root to a value, written out only when something is wrong.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    /// An entry of a map.
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, field) | Path::Key(Path::Root, field) => f.write_str(field),
            Path::Field(parent, field) | Path::Key(parent, field) => write!(f, "{parent}.{field}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    /// As Go's decoder writes it: without indices, and without keys of maps.
    fn without_indices(&self) -> String {
        match self {
            Path::Root => String::new(),
            Path::Field(Path::Root, field) => (*field).to_owned(),
            Path::Field(parent, field) => format!("{}.{field}", parent.without_indices()),
            Path::Index(parent, _) | Path::Key(parent, _) => parent.without_indices(),
        }
    }
}

impl Shape {
    /// The shape of a built-in type.
    pub(crate) fn of<T: JsonSchema>() -> &'static Shape {
        // One at a time, so that nobody sees a definition that another thread has not filled yet.
        static COMPILING: Mutex<()> = Mutex::new(());
        let _compiling = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut generator = generator();
        let root = generator.subschema_for::<T>();
        let definitions = generator.take_definitions(true);
        match compile(root.as_value(), Some(&definitions)) {
            Shape::Shared(cell) => cell.get().unwrap_or(&Shape::Anything),
            _ => &Shape::Anything,
        }
    }

    /// The shape of a custom resource, from its structural schema.
    pub(crate) fn custom(schema: &Value) -> Shape {
        let mut shape = compile(schema, None);
        if let Shape::Fields { fields, .. } = &mut shape {
            fields.insert("apiVersion".to_owned(), Shape::Text);
            fields.insert("kind".to_owned(), Shape::Text);
            fields.insert("metadata".to_owned(), object_meta());
        }
        shape
    }

    /// Holds `object` to this shape, as decoding and encoding does.
    pub(crate) fn walk(&self, object: &mut Value) -> Problems {
        self.walk_as(object, true)
    }

    /// Looks for problems in a configuration that is applied: what it says counts, also where it says nothing.
    pub(crate) fn look(&self, object: &mut Value) -> Problems {
        self.walk_as(object, false)
    }

    fn walk_as(&self, object: &mut Value, encode: bool) -> Problems {
        let mut walk = Walk {
            problems: Problems::default(),
            encode,
        };
        walk.value(self, object, &Path::Root, "");
        walk.problems
    }
}

fn object_meta() -> Shape {
    let _ = Shape::of::<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>();
    definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").map_or(Shape::Anything, Shape::Shared)
}

/// A generator whose definitions live where OpenAPI v3 keeps them.
pub(crate) fn generator() -> SchemaGenerator {
    SchemaSettings::openapi3()
        .with(|settings| settings.transforms.clear())
        .into_generator()
}

type Definitions = Mutex<HashMap<String, &'static OnceLock<Shape>>>;
static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(Definitions::default);

fn definition(name: &str) -> Option<&'static OnceLock<Shape>> {
    DEFINITIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(name)
        .copied()
}

/// The shared cell of a definition, filled from `definitions` the first time. The set of built-in types is
/// finite, so leaking one cell each is bounded.
fn shared(name: &str, definitions: &Map<String, Value>) -> Shape {
    match name.rsplit_once('/').map_or(name, |(_, last)| last) {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => return Shape::Quantity,
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => return Shape::IntOrString,
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => return Shape::MicroTime,
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1" => return Shape::Anything,
        _ => {}
    }
    let cell = {
        let mut known = DEFINITIONS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = known.get(name) {
            return Shape::Shared(cell);
        }
        let cell: &'static OnceLock<Shape> = Box::leak(Box::default());
        known.insert(name.to_owned(), cell);
        cell
    };
    let mut shape = definitions
        .get(name)
        .map_or(Shape::Anything, |schema| compile(schema, Some(definitions)));
    if let Shape::Fields {
        name: shown, silence, ..
    } = &mut shape
    {
        name.rsplit('.').next().unwrap_or(name).clone_into(shown);
        *silence = protobuf::silence(name);
    }
    cell.get_or_init(|| shape);
    Shape::Shared(cell)
}

fn compile(schema: &Value, definitions: Option<&Map<String, Value>>) -> Shape {
    let flag = |key: &str| schema.get(key).and_then(Value::as_bool).unwrap_or(false);
    if let (Some(reference), Some(definitions)) = (schema.get("$ref").and_then(Value::as_str), definitions) {
        return shared(reference.rsplit('/').next().unwrap_or(reference), definitions);
    }
    if let Some([one]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
        && one.get("$ref").is_some()
    {
        return compile(one, definitions);
    }
    if flag("x-kubernetes-int-or-string") {
        return Shape::IntOrString;
    }
    let format = schema.get("format").and_then(Value::as_str);
    match (schema.get("type").and_then(Value::as_str), format) {
        (Some("string"), Some("byte")) => Shape::Bytes,
        (Some("string"), Some("date-time")) => Shape::Time,
        (Some("string"), _) => Shape::Text,
        (Some("integer"), Some("int32")) => Shape::Int32,
        (Some("integer"), _) => Shape::Int64,
        (Some("number"), _) => Shape::Number,
        (Some("boolean"), _) => Shape::Bool,
        (Some("array"), _) => Shape::List(Box::new(
            schema
                .get("items")
                .map_or(Shape::Anything, |items| compile(items, definitions)),
        )),
        (Some("object"), _) => compile_object(schema, definitions),
        _ => Shape::Anything,
    }
}

fn compile_object(schema: &Value, definitions: Option<&Map<String, Value>>) -> Shape {
    let open = schema
        .get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let fields = properties
            .iter()
            .map(|(key, value)| (key.clone(), compile(value, definitions)))
            .collect();
        return Shape::Fields {
            name: String::new(),
            fields,
            open,
            silence: None,
        };
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(true)) | None if open || definitions.is_some() => Shape::Anything,
        Some(items @ Value::Object(_)) => Shape::Map(Box::new(compile(items, definitions))),
        Some(Value::Bool(true)) => Shape::Anything,
        _ => Shape::Fields {
            name: String::new(),
            fields: HashMap::new(),
            open,
            silence: None,
        },
    }
}

struct Walk {
    problems: Problems,
    /// Whether nulls and what encoding leaves out are dropped.
    encode: bool,
}

impl Walk {
    fn value(&mut self, shape: &Shape, value: &mut Value, path: &Path<'_>, owner: &str) {
        match (shape, &mut *value) {
            (Shape::Shared(cell), _) => {
                if let Some(shape) = cell.get() {
                    self.value(shape, value, path, owner);
                }
            }
            (
                Shape::Fields {
                    name,
                    fields,
                    open,
                    silence,
                },
                Value::Object(map),
            ) => {
                self.fields(name, fields, *open, map, path);
                if let (true, Some(silence)) = (self.encode, silence) {
                    map.retain(|key, item| !(is_zero(item) && silence.left_out.contains(key.as_str())));
                    for key in &silence.always {
                        map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
                    }
                }
            }
            (Shape::Map(inner), Value::Object(map)) => {
                for (key, item) in map.iter_mut() {
                    if item.is_null() && matches!(**inner, Shape::Text | Shape::Bytes) {
                        *item = Value::from("");
                    }
                    self.value(inner, item, &Path::Key(path, key), owner);
                }
            }
            (Shape::List(inner), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(inner, item, &Path::Index(path, index), owner);
                }
            }
            (Shape::Quantity, Value::String(_) | Value::Number(_)) => self.quantity(value, path),
            (Shape::Int32, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {}
            (Shape::Int64, Value::Number(n)) if n.is_i64() => {}
            (Shape::IntOrString, Value::Number(n)) if n.is_i64() => {}
            (Shape::Time, Value::String(text)) => {
                if !text.is_empty() && text.parse::<jiff::Timestamp>().is_err() {
                    self.bad_time(text, "", path);
                }
            }
            (Shape::MicroTime, Value::String(text)) => {
                let fraction = text.get(19..).unwrap_or_default();
                let digits = fraction.bytes().skip(1).take_while(u8::is_ascii_digit).count();
                let exact = fraction.starts_with('.') && digits == 6;
                if text.parse::<jiff::Timestamp>().is_err() || !exact {
                    self.bad_time(text, ".000000", path);
                }
            }
            (Shape::Bytes, Value::String(text)) => self.base64(text, path),
            (Shape::Anything, _)
            | (Shape::Text | Shape::IntOrString, Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Bool, Value::Bool(_))
            | (_, Value::Null) => {}
            _ => self.wrong_type(shape, value, path, owner),
        }
    }

    fn fields(
        &mut self,
        name: &str,
        fields: &HashMap<String, Shape>,
        open: bool,
        map: &mut Map<String, Value>,
        path: &Path<'_>,
    ) {
        map.retain(|key, item| match fields.get(key) {
            Some(_) if item.is_null() => !self.encode,
            Some(shape) => {
                self.value(shape, item, &Path::Field(path, key), name);
                true
            }
            None if open => true,
            None => {
                self.problems.unknown.push(Path::Field(path, key).to_string());
                false
            }
        });
    }

    fn quantity(&mut self, value: &mut Value, path: &Path<'_>) {
        let text = match &*value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match Quantity::parse(&text) {
            Some(quantity) => *value = Value::from(quantity.to_string()),
            None => self.undecodable(path, MALFORMED.to_owned()),
        }
    }

    fn bad_time(&mut self, text: &str, fraction: &str, path: &Path<'_>) {
        let layout = format!("2006-01-02T15:04:05{fraction}Z07:00");
        let (rest, wanted) = match text.get(..19).zip(text.get(19..)) {
            Some((seconds, rest)) if format!("{seconds}Z").parse::<jiff::Timestamp>().is_ok() => {
                (rest, if fraction.is_empty() { "Z07:00" } else { fraction })
            }
            _ => (text, "2006"),
        };
        self.undecodable(
            path,
            format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{rest}\" as \"{wanted}\""),
        );
    }

    fn base64(&mut self, text: &str, path: &Path<'_>) {
        if let Err(error) = base64::engine::general_purpose::STANDARD.decode(text) {
            let at = object::illegal_byte(&error);
            // Server-side apply says where it came from.
            let prefix = if self.encode { "" } else { "error decoding from json: " };
            self.undecodable(path, format!("{prefix}illegal base64 data at input byte {at}"));
        }
    }

    fn undecodable(&mut self, path: &Path<'_>, why: String) {
        self.problems.wrong.push(Wrong {
            path: path.to_string(),
            typed: why.clone(),
            decoder: why,
            got: "string",
            undecodable: true,
        });
    }

    fn wrong_type(&mut self, shape: &Shape, value: &Value, path: &Path<'_>, owner: &str) {
        let got = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let got = match value {
            Value::Number(n) if matches!(shape, Shape::Int32 | Shape::Int64) => format!("number {n}"),
            _ => got.to_owned(),
        };
        let place = path.without_indices();
        let decoder = format!(
            "json: cannot unmarshal {got} into Go struct field {owner}.{place} of type {}",
            go_type(shape, place.rsplit('.').next().unwrap_or_default())
        );
        let typed = format!("expected {}, got {}", typed_name(shape), typed_got(shape, value));
        self.problems.wrong.push(Wrong {
            path: path.to_string(),
            decoder,
            typed,
            got: schema_type(value),
            undecodable: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::StatefulSet;
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_unknown_fields_and_drops_them() {
        let mut object =
            json!({"spec": {"replicas": 3, "foo": 1, "template": {"spec": {"containers": [{"name": "a", "bar": 2}]}}}});
        let problems = Shape::of::<StatefulSet>().walk(&mut object);
        assert_eq!(problems.unknown, ["spec.foo", "spec.template.spec.containers[0].bar"]);
        assert_eq!(object["spec"].get("foo"), None);
        assert!(problems.wrong.is_empty());
    }

    #[test]
    fn says_wrong_types_as_the_decoder_does() {
        let mut object = json!({"spec": {"replicas": "3", "template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}});
        let problems = Shape::of::<StatefulSet>().walk(&mut object);
        let said: Vec<&str> = problems.wrong.iter().map(|w| w.decoder.as_str()).collect();
        assert_eq!(
            said,
            [
                "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32",
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ]
        );
    }

    #[test]
    fn writes_quantities_canonically_and_drops_nulls() {
        let mut object = json!({"metadata": {"creationTimestamp": null},
            "spec": {"volumeClaimTemplates": [{"spec": {"resources": {"requests": {"storage": "1024Mi"}}}}]}});
        let problems = Shape::of::<StatefulSet>().walk(&mut object);
        assert!(problems.unknown.is_empty() && problems.wrong.is_empty(), "{problems:?}");
        assert_eq!(
            object["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"],
            "1Gi"
        );
        assert_eq!(object["metadata"], json!({}));
    }

    #[test]
    fn keeps_to_a_custom_schema() {
        let shape = Shape::custom(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}));
        let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x"}, "spec": {"size": "big", "y": 1}, "free": {"z": 1}});
        let problems = shape.walk(&mut object);
        assert_eq!(problems.unknown, ["spec.y"]);
        assert_eq!(problems.wrong.len(), 1);
        assert_eq!(object["free"]["z"], 1);
    }
}
