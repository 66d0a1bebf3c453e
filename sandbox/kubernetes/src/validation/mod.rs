//! What the real server refuses, in its words: 422 with every cause at once.

mod meta;
pub(crate) mod names;
mod pod;
mod service;
mod storage;
mod workload;

use base64::Engine as _;
use serde_json::Value;

use crate::custom;
use crate::error::{ApiError, Cause};
use crate::object;
use crate::registry::Kind;
use crate::write::Part;

/// Collects field errors.
#[derive(Default)]
pub(crate) struct Check {
    causes: Vec<Cause>,
}

impl Check {
    fn add(&mut self, reason: &'static str, field: &str, message: String) {
        self.causes.push(Cause {
            reason,
            message,
            field: field.to_owned(),
        });
    }

    pub(crate) fn required(&mut self, field: &str, detail: &str) {
        let message = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        self.add("FieldValueRequired", field, message);
    }

    pub(crate) fn invalid(&mut self, field: &str, value: impl Into<Value>, detail: &str) {
        let separator = if detail.is_empty() { "" } else { ": " };
        self.add(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {}{separator}{detail}", value.into()),
        );
    }

    pub(crate) fn forbidden(&mut self, field: &str, detail: &str) {
        self.add("FieldValueForbidden", field, format!("Forbidden: {detail}"));
    }

    pub(crate) fn duplicate(&mut self, field: &str, value: impl Into<Value>) {
        self.add(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {}", value.into()),
        );
    }

    pub(crate) fn not_found(&mut self, field: &str, value: &str) {
        self.add(
            "FieldValueNotFound",
            field,
            format!("Not found: {}", Value::from(value)),
        );
    }

    pub(crate) fn too_long(&mut self, field: &str, limit: usize) {
        self.add(
            "FieldValueTooLong",
            field,
            format!("Too long: may not be more than {limit} bytes"),
        );
    }

    /// `value` must be one of `allowed`, which are listed in order.
    pub(crate) fn one_of(&mut self, field: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            self.not_supported(field, &Value::from(value), allowed);
        }
    }

    /// `value` is none of `allowed`.
    pub(crate) fn not_supported(&mut self, field: &str, value: &Value, allowed: &[&str]) {
        let shown: Vec<String> = allowed.iter().map(|one| format!("\"{one}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", shown.join(", "));
        self.add("FieldValueNotSupported", field, message);
    }

    /// The integer at `pointer` of `parent` must not be negative.
    pub(crate) fn not_negative(&mut self, parent: &Value, pointer: &str, field: &str) {
        if let Some(number) = object::number(parent, pointer).filter(|number| *number < 0) {
            self.invalid(field, number, "must be greater than or equal to 0");
        }
    }

    fn finish(self, kind: &Kind, object: &Value) -> Result<(), ApiError> {
        if self.causes.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(
            &kind.group,
            &kind.kind,
            object::name(object),
            self.causes,
        ))
    }
}

/// Checks a new object.
pub(crate) fn create(kind: &Kind, new: &Value) -> Result<(), ApiError> {
    let mut check = Check::default();
    meta::name(kind, object::name(new), &mut check);
    meta::metadata(new, "metadata", &mut check);
    contents(kind, new, true, &mut check);
    check.finish(kind, new)
}

/// Checks a changed object, and the change.
pub(crate) fn update(kind: &Kind, live: &Value, new: &Value, part: Part) -> Result<(), ApiError> {
    let mut check = Check::default();
    meta::metadata(new, "metadata", &mut check);
    meta::change(live, new, &mut check);
    if part != Part::Status {
        let change_first = matches!(&*kind.id, "configmaps" | "secrets" | "services");
        if !change_first {
            contents(kind, new, false, &mut check);
        }
        match &*kind.id {
            "pods" => pod::change(live, new, &mut check),
            "statefulsets.apps" => workload::stateful_set_change(live, new, &mut check),
            "deployments.apps" | "replicasets.apps" | "daemonsets.apps" => {
                workload::selector_change(live, new, &mut check);
            }
            "services" => service::change(live, new, &mut check),
            "persistentvolumeclaims" => storage::claim_change(live, new, &mut check),
            "persistentvolumes" => storage::volume_change(live, new, &mut check),
            "storageclasses.storage.k8s.io" => storage::class_change(live, new, &mut check),
            "configmaps" | "secrets" => immutable_data(live, new, &mut check),
            "controllerrevisions.apps" if live["data"] != new["data"] => {
                check.invalid("data", new["data"].clone(), "field is immutable");
            }
            _ => {}
        }
        if change_first {
            contents(kind, new, false, &mut check);
        }
    }
    check.finish(kind, new)
}

fn contents(kind: &Kind, new: &Value, creating: bool, check: &mut Check) {
    match &*kind.id {
        "pods" => pod::pod(new, check),
        "statefulsets.apps" => workload::stateful_set(new, creating, check),
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps" => workload::workload(new, check),
        "replicationcontrollers" => workload::replication_controller(new, check),
        "jobs.batch" => workload::job(&new["spec"], "spec", check),
        "cronjobs.batch" => workload::cron_job(new, check),
        "services" => service::service(new, check),
        "persistentvolumeclaims" => storage::claim(new, "", check),
        "persistentvolumes" => storage::volume(new, check),
        "storageclasses.storage.k8s.io" => storage::class(new, check),
        "configmaps" => data_keys(new, check),
        "secrets" => {
            data_keys(new, check);
            secret_type(new, check);
        }
        "leases.coordination.k8s.io" => lease(new, check),
        "customresourcedefinitions.apiextensions.k8s.io" => definition(new, check),
        _ => {
            if let Some(custom) = kind.custom() {
                custom::check(&custom.schema, new, "", &mut check.causes);
                if let Some(replicas) =
                    object::number(new, "/spec/replicas").filter(|replicas| kind.scale && *replicas < 0)
                {
                    check.invalid(".spec.replicas", replicas, "should be a non-negative integer");
                }
                custom::check_duplicates(&custom.schema, new, "", &mut check.causes);
            }
        }
    }
}

/// What the real server accepts, but warns of.
pub(crate) fn warnings(kind: &Kind, new: &Value) -> Vec<String> {
    let is_tls = &*kind.id == "secrets" && new["type"] == "kubernetes.io/tls";
    let parts = [("tls.crt", "certificate"), ("tls.key", "key")];
    let without_pem = parts.into_iter().find(|(field, _)| {
        let encoded = new["data"][*field].as_str().unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .unwrap_or_default();
        !String::from_utf8_lossy(&decoded).contains("-----BEGIN ")
    });
    if &*kind.id == "services" && !object::list(new, "/spec/externalIPs").is_empty() {
        return vec!["spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned()];
    }
    match without_pem.filter(|_| is_tls) {
        Some((_, what)) => vec![format!("tls: failed to find any PEM data in {what} input")],
        None => Vec::new(),
    }
}

fn lease(new: &Value, check: &mut Check) {
    let spec = &new["spec"];
    if let Some(seconds) = object::number(spec, "/leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        check.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    check.not_negative(spec, "/leaseTransitions", "spec.leaseTransitions");
}

fn data_keys(new: &Value, check: &mut Check) {
    let mut size = 0;
    for group in ["data", "binaryData"] {
        for (key, value) in object::map(new, &format!("/{group}")).into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            if !names::is_config_key(key) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                check.invalid(&format!("{group}[{key}]"), key.as_str(), detail);
            }
            if group == "data"
                && new
                    .pointer("/binaryData")
                    .is_some_and(|binary| binary.get(key).is_some())
            {
                check.invalid(
                    &format!("data[{key}]"),
                    key.as_str(),
                    "duplicate of key present in binaryData",
                );
            }
        }
    }
    if size > 1_048_576 {
        check.too_long("data", 1_048_576);
    }
}

/// What the well-known types of Secrets must hold.
fn secret_type(new: &Value, check: &mut Check) {
    let data = &new["data"];
    let (all, any): (&[&str], &[&str]) = match object::text(new, "/type") {
        "kubernetes.io/tls" => (&["tls.crt", "tls.key"], &[]),
        "kubernetes.io/ssh-auth" => (&["ssh-privatekey"], &[]),
        "kubernetes.io/dockercfg" => (&[".dockercfg"], &[]),
        "kubernetes.io/dockerconfigjson" => (&[".dockerconfigjson"], &[]),
        "kubernetes.io/basic-auth" => (&[], &["username", "password"]),
        _ => return,
    };
    for key in all.iter().filter(|key| data.get(**key).is_none()) {
        check.required(&format!("data[{key}]"), "");
    }
    if any.iter().all(|key| data.get(*key).is_none()) {
        for key in any {
            check.required(&format!("data[{key}]"), "");
        }
    }
}

fn immutable_data(live: &Value, new: &Value, check: &mut Check) {
    if live.get("type").is_some() && live["type"] != new["type"] {
        check.invalid("type", new["type"].clone(), "field is immutable");
    }
    if live["immutable"] != true {
        return;
    }
    let detail = "field is immutable when `immutable` is set";
    for key in ["immutable", "data", "binaryData"] {
        if live.get(key) != new.get(key) {
            check.forbidden(key, detail);
        }
    }
}

fn definition(new: &Value, check: &mut Check) {
    let text = |pointer: &str| object::text(new, pointer);
    for field in ["spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"] {
        if text(&format!("/{}", field.replace('.', "/"))).is_empty() {
            check.required(field, "");
        }
    }
    check.one_of("spec.scope", text("/spec/scope"), &["Cluster", "Namespaced"]);
    let wanted = format!("{}.{}", text("/spec/names/plural"), text("/spec/group"));
    if object::name(new) != wanted {
        check.invalid(
            "metadata.name",
            object::name(new),
            "must be spec.names.plural+\".\"+spec.group",
        );
    }
    let versions = object::list(new, "/spec/versions");
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        check.invalid(
            "spec.versions",
            Value::from(versions.to_vec()),
            "must have exactly one version marked as storage version",
        );
    }
    for (index, version) in versions.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            check.required(
                &format!("spec.versions[{index}].schema.openAPIV3Schema"),
                "schemas are required",
            );
        }
    }
}
