//! OpenAPI documents, from the schemas of `k8s-openapi`: enough for kubectl to explain, validate, diff and apply.
//!
//! PATCH lists no strategic merge patch: these schemas carry no merge keys, so kubectl must take those of its own types.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::registry::{Kind, Registry};
use crate::shape::generator;

/// `/openapi/v3`: where the document of each group and version is.
pub(crate) fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let place = if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            };
            let custom: Vec<String> = registry
                .kinds()
                .iter()
                .filter(|kind| kind.group == group && kind.version == version)
                .filter_map(|kind| kind.custom().map(|custom| format!("{}{}", kind.kind, custom.schema)))
                .collect();
            let hash = fingerprint(&format!("{place}{}", custom.concat()));
            paths.insert(
                place.clone(),
                json!({"serverRelativeURL": format!("/openapi/v3/{place}?hash={hash:016X}")}),
            );
        }
    }
    json!({"paths": paths})
}

fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The OpenAPI v3 document of the kinds of one group and version.
pub(crate) fn v3(kinds: &[&Kind]) -> Value {
    static BUILT_IN: LazyLock<Mutex<HashMap<String, Value>>> = LazyLock::new(Mutex::default);
    let is_built_in = kinds.iter().all(|kind| kind.custom().is_none());
    let key = kinds
        .first()
        .map(|kind| kind.api_version().into_owned())
        .unwrap_or_default();
    if is_built_in {
        let mut known = BUILT_IN.lock().unwrap_or_else(PoisonError::into_inner);
        return known.entry(key).or_insert_with(|| build_v3(kinds)).clone();
    }
    build_v3(kinds)
}

fn build_v3(kinds: &[&Kind]) -> Value {
    let schemas = schemas(kinds, generator(), "#/components/schemas/");
    let mut paths = Map::new();
    for kind in kinds {
        add_paths(kind, &mut paths, true);
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths, "components": {"schemas": schemas},
    })
}

/// The OpenAPI v2 document of everything.
pub(crate) fn v2(registry: &Registry) -> Value {
    let kinds: Vec<&Kind> = registry.kinds().iter().map(|kind| &**kind).collect();
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.transforms.clear();
        settings.definitions_path = "/definitions".into();
    });
    let definitions = schemas(&kinds, settings.into_generator(), "#/definitions/");
    let mut paths = Map::new();
    for kind in kinds {
        add_paths(kind, &mut paths, false);
    }
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.3"}, "paths": paths, "definitions": definitions})
}

fn gvk(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn schemas(kinds: &[&Kind], mut generator: SchemaGenerator, prefix: &str) -> Map<String, Value> {
    let mut roots: Vec<(String, &Kind)> = Vec::new();
    for kind in kinds {
        if let Some(schema) = kind.openapi(&mut generator) {
            let reference = schema
                .as_value()
                .get("$ref")
                .and_then(Value::as_str)
                .unwrap_or_default();
            roots.push((reference.rsplit('/').next().unwrap_or_default().to_owned(), kind));
        }
    }
    if kinds.iter().any(|kind| kind.custom().is_some()) {
        let _ = generator.subschema_for::<ObjectMeta>();
    }
    let mut schemas = generator.take_definitions(true);
    for (name, kind) in roots {
        if let Some(schema) = schemas.get_mut(&name) {
            schema["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
        }
    }
    for kind in kinds {
        let Some(custom) = kind.custom() else { continue };
        let mut schema = if custom.schema.is_object() {
            custom.schema.clone()
        } else {
            json!({"type": "object"})
        };
        let properties = crate::object::child(&mut schema, "properties");
        properties["apiVersion"] = json!({"type": "string"});
        properties["kind"] = json!({"type": "string"});
        properties["metadata"] = json!({"$ref": format!("{prefix}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")});
        schema["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
        let reversed: Vec<&str> = kind.group.split('.').rev().collect();
        schemas.insert(format!("{}.{}.{}", reversed.join("."), kind.version, kind.kind), schema);
    }
    if let Some(quantity) = schemas.get_mut("io.k8s.apimachinery.pkg.api.resource.Quantity") {
        quantity["type"] = json!("string");
    }
    schemas
}

/// The paths of a kind with the operations that kubectl looks at.
fn add_paths(kind: &Kind, paths: &mut Map<String, Value>, v3: bool) {
    let base = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let collection = if kind.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{base}/{}", kind.plural)
    };
    let parameter = |name: &str| {
        if v3 {
            json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
        } else {
            json!({"name": name, "in": "query", "type": "string", "uniqueItems": true})
        }
    };
    let operation = |action: &str, parameters: &[&str]| {
        let mut operation = json!({
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk(kind),
            "parameters": parameters.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
            "responses": {"200": {"description": "OK"}},
        });
        if action == "patch" {
            let types = [
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
            ];
            if v3 {
                let content: Map<String, Value> = types
                    .iter()
                    .map(|name| ((*name).to_owned(), json!({"schema": {"type": "object"}})))
                    .collect();
                operation["requestBody"] = json!({"content": content});
            } else {
                operation["consumes"] = json!(types);
            }
        }
        operation
    };
    let write = ["dryRun", "fieldManager", "fieldValidation"];
    let list = [
        "labelSelector",
        "fieldSelector",
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "watch",
    ];
    paths.insert(collection.clone(), json!({
        "get": operation("list", &list), "post": operation("post", &write), "delete": operation("deletecollection", &["dryRun"]),
    }));
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "get": operation("get", &[]), "put": operation("put", &write), "delete": operation("delete", &["dryRun"]),
            "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
        }),
    );
}
