//! Makes `shapes.txt` and `schemas/profile.schema.json`, and keeps both current. After a change of `config`, of the kinds
//! below or of k8s-openapi's version, run
//!
//! ```text
//! MOORLINE_REGENERATE=1 cargo test -p moorline-profile generate
//! ```
//!
//! and read the difference before committing it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use k8s_openapi::api;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::Value;

use crate::config::ProfileFile;

/// What the API server checks beyond types: words and ranges of fields (Kubernetes 1.36, `pkg/apis/*/validation`).
const REFINED: &[(&str, &str, &str)] = &[
    ("apps.v1.DeploymentSpec", "replicas", "0..2147483647"),
    ("apps.v1.DeploymentStrategy", "type", "Recreate|RollingUpdate"),
    ("apps.v1.ReplicaSetSpec", "replicas", "0..2147483647"),
    ("apps.v1.StatefulSetOrdinals", "start", "0..2147483647"),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenDeleted",
        "Delete|Retain",
    ),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenScaled",
        "Delete|Retain",
    ),
    (
        "apps.v1.StatefulSetSpec",
        "podManagementPolicy",
        "OrderedReady|Parallel",
    ),
    ("apps.v1.StatefulSetSpec", "replicas", "0..2147483647"),
    ("apps.v1.StatefulSetUpdateStrategy", "type", "OnDelete|RollingUpdate"),
    ("core.v1.Container", "imagePullPolicy", "Always|IfNotPresent|Never"),
    ("core.v1.ContainerPort", "containerPort", "1..65535"),
    ("core.v1.ContainerPort", "hostPort", "0..65535"),
    ("core.v1.ContainerPort", "protocol", "SCTP|TCP|UDP"),
    (
        "core.v1.PersistentVolumeClaimSpec",
        "accessModes",
        "[ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]",
    ),
    ("core.v1.PersistentVolumeClaimSpec", "volumeMode", "Block|Filesystem"),
    (
        "core.v1.PersistentVolumeSpec",
        "persistentVolumeReclaimPolicy",
        "Delete|Recycle|Retain",
    ),
    ("core.v1.PodSpec", "restartPolicy", "Always|Never|OnFailure"),
    ("core.v1.ServicePort", "nodePort", "0..65535"),
    ("core.v1.ServicePort", "port", "1..65535"),
    ("core.v1.ServicePort", "protocol", "SCTP|TCP|UDP"),
    ("core.v1.ServiceSpec", "externalTrafficPolicy", "Cluster|Local"),
    ("core.v1.ServiceSpec", "internalTrafficPolicy", "Cluster|Local"),
    ("core.v1.ServiceSpec", "sessionAffinity", "ClientIP|None"),
    (
        "core.v1.ServiceSpec",
        "type",
        "ClusterIP|ExternalName|LoadBalancer|NodePort",
    ),
    (
        "meta.v1.LabelSelectorRequirement",
        "operator",
        "DoesNotExist|Exists|In|NotIn",
    ),
    ("storage.k8s.io/v1 StorageClass", "reclaimPolicy", "Delete|Retain"),
    (
        "storage.k8s.io/v1 StorageClass",
        "volumeBindingMode",
        "Immediate|WaitForFirstConsumer",
    ),
];

/// The table under construction: types, their fields and shapes.
#[derive(Default)]
struct Table(BTreeMap<String, BTreeMap<String, String>>);

impl Table {
    fn kind<T: schemars::JsonSchema + k8s_openapi::Resource>(&mut self) {
        let name = format!("{} {}", T::API_VERSION, T::KIND);
        self.root::<T>(&name);
        // What the server writes is not ours to judge.
        self.0
            .get_mut(&name)
            .unwrap()
            .entry("status".to_owned())
            .and_modify(|shape| "any".clone_into(shape));
    }

    fn root<T: schemars::JsonSchema>(&mut self, name: &str) {
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
                fields.insert(format!("{field}{mark}"), inline.unwrap_or_else(|| shape(schema)));
            }
        }
        for (_, field, shape) in REFINED.iter().filter(|(of, ..)| *of == name) {
            let key = if fields.contains_key(*field) {
                (*field).to_owned()
            } else {
                format!("{field}!")
            };
            *fields.get_mut(&key).unwrap_or_else(|| panic!("{name} has no {field}")) = (*shape).to_owned();
        }
        if !fields.is_empty() {
            self.0.insert(name.to_owned(), fields);
        }
    }

    /// Types that nothing reaches are left out.
    fn text(&self) -> String {
        let mut wanted: Vec<&str> = self
            .0
            .keys()
            .map(String::as_str)
            .filter(|name| name.contains(' ') || *name == "profile")
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if let Some(fields) = self.0.get(name).filter(|_| reached.insert(name)) {
                wanted.extend(
                    fields
                        .values()
                        .filter_map(|shape| shape.trim_matches(['[', ']', '{', '}']).strip_prefix('#')),
                );
            }
        }
        let mut text = "// Generated: see shape/generate.rs. `!` marks what must be given.\n".to_owned();
        for name in reached {
            writeln!(text, "{name}").unwrap();
            for (field, shape) in &self.0[name] {
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

fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return of_reference(reference.rsplit('/').next().unwrap());
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return shape(alternatives.iter().find(|one| one["type"] != "null").unwrap());
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
        ["array"] => format!("[{}]", shape(&schema["items"])),
        ["object"] if schema["additionalProperties"].is_object() => {
            format!("{{{}}}", shape(&schema["additionalProperties"]))
        }
        _ => "any".to_owned(),
    }
}

fn of_reference(reference: &str) -> String {
    match reference {
        "onDown" => "delete|keep|reclaim-policy|snapshot".to_owned(),
        _ if reference.ends_with(".Quantity") => "quantity".to_owned(),
        _ if reference.ends_with(".IntOrString") => "int-or-string".to_owned(),
        _ if reference.ends_with("Time") => "string".to_owned(),
        _ if reference.ends_with(".FieldsV1") || reference.ends_with(".RawExtension") => "any".to_owned(),
        _ => format!("#{}", type_name(reference)),
    }
}

fn table() -> String {
    let mut table = Table::default();
    table.root::<ProfileFile>("profile");
    table.kind::<api::apps::v1::ControllerRevision>();
    table.kind::<api::apps::v1::DaemonSet>();
    table.kind::<api::apps::v1::Deployment>();
    table.kind::<api::apps::v1::ReplicaSet>();
    table.kind::<api::apps::v1::StatefulSet>();
    table.kind::<api::autoscaling::v2::HorizontalPodAutoscaler>();
    table.kind::<api::batch::v1::CronJob>();
    table.kind::<api::batch::v1::Job>();
    table.kind::<api::core::v1::ConfigMap>();
    table.kind::<api::core::v1::LimitRange>();
    table.kind::<api::core::v1::Namespace>();
    table.kind::<api::core::v1::PersistentVolume>();
    table.kind::<api::core::v1::PersistentVolumeClaim>();
    table.kind::<api::core::v1::Pod>();
    table.kind::<api::core::v1::ResourceQuota>();
    table.kind::<api::core::v1::Secret>();
    table.kind::<api::core::v1::Service>();
    table.kind::<api::core::v1::ServiceAccount>();
    table.kind::<api::networking::v1::Ingress>();
    table.kind::<api::networking::v1::IngressClass>();
    table.kind::<api::networking::v1::NetworkPolicy>();
    table.kind::<api::policy::v1::PodDisruptionBudget>();
    table.kind::<api::rbac::v1::ClusterRole>();
    table.kind::<api::rbac::v1::ClusterRoleBinding>();
    table.kind::<api::rbac::v1::Role>();
    table.kind::<api::rbac::v1::RoleBinding>();
    table.kind::<api::scheduling::v1::PriorityClass>();
    table.kind::<api::storage::v1::CSIDriver>();
    table.kind::<api::storage::v1::StorageClass>();
    table.text()
}

fn schema() -> String {
    let mut schema = schemars::schema_for!(ProfileFile);
    schema.insert(
        "$id".to_owned(),
        "https://moorline.dev/schemas/profile.schema.json".into(),
    );
    schema.insert("title".to_owned(), "A moorline profile".into());
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
}

/// Compares a committed file with what it should be, or writes it where that is asked for.
fn assert_current(file: &Path, expected: &str) {
    if std::env::var_os("MOORLINE_REGENERATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, expected).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let name = file.display();
    assert!(
        committed == expected,
        "{name} is not current: MOORLINE_REGENERATE=1 cargo test -p moorline-profile generate"
    );
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_table_of_shapes_is_current() {
    assert_current(&here().join("shapes.txt"), &table());
}

#[test]
fn the_schema_of_profiles_is_current() {
    assert_current(&here().join("../../schemas/profile.schema.json"), &schema());
}

#[test]
fn every_field_of_the_schema_is_described() {
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
    described(&serde_json::from_str(&schema()).unwrap(), "profile");
}
