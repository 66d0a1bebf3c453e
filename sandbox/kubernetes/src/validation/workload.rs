//! The workloads of `apps` and `batch`.

use std::collections::HashSet;

use serde_json::Value;

use super::{Check, meta, names, pod, storage};
use crate::object::{self, copy_key, list, map, text};
use crate::selectors::label_selector_matches;

/// The selector, and the template that it must match; `claims` are volumes that claim templates add.
fn selected(object: &Value, kind: &str, claims: &[&str], check: &mut Check) {
    let spec = &object["spec"];
    let mut understood = true;
    if let Some(selector) = spec.get("selector").filter(|selector| selector.is_object()) {
        let empty = |key: &str| {
            selector.get(key).is_none_or(|part| {
                part.as_object().is_none_or(serde_json::Map::is_empty) && list(selector, &format!("/{key}")).is_empty()
            })
        };
        for (index, expression) in list(selector, "/matchExpressions").iter().enumerate() {
            let operator = text(expression, "/operator");
            if !matches!(operator, "In" | "NotIn" | "Exists" | "DoesNotExist") {
                understood = false;
                check.invalid(
                    &format!("spec.selector.matchExpressions[{index}].operator"),
                    operator,
                    "not a valid selector operator",
                );
            }
        }
        if empty("matchLabels") && empty("matchExpressions") {
            check.invalid(
                "spec.selector",
                selector.clone(),
                &format!("empty selector is invalid for {kind}"),
            );
        }
    } else {
        check.required("spec.selector", "");
    }
    let labels = map(spec, "/template/metadata/labels");
    let selector = &spec["selector"];
    if !understood {
        // Without a selector that can be read, the template is not looked at.
        let detail = if kind == "statefulset" {
            ""
        } else {
            "invalid label selector"
        };
        return check.invalid("spec.selector", selector.clone(), detail);
    }
    let matches_all = selector.is_object()
        && map(selector, "/matchLabels").is_none_or(serde_json::Map::is_empty)
        && list(selector, "/matchExpressions").is_empty();
    if !matches_all && (!selector.is_object() || !label_selector_matches(selector, labels)) {
        let shown = spec
            .pointer("/template/metadata/labels")
            .cloned()
            .unwrap_or(Value::Null);
        check.invalid(
            "spec.template.metadata.labels",
            shown,
            "`selector` does not match template `labels`",
        );
    }
    template(spec, "spec", claims, check);
}

/// The pod template of the spec at `path`.
fn template(spec: &Value, path: &str, claims: &[&str], check: &mut Check) {
    meta::metadata(&spec["template"], &format!("{path}.template.metadata"), check);
    pod::spec(
        &spec["template"]["spec"],
        &format!("{path}.template.spec"),
        claims,
        check,
    );
}

fn always_restarts(spec: &Value, check: &mut Check) {
    let policy = text(spec, "/template/spec/restartPolicy");
    if !policy.is_empty() {
        check.one_of("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
}

pub(super) fn workload(object: &Value, check: &mut Check) {
    let spec = &object["spec"];
    check.not_negative(spec, "/replicas", "spec.replicas");
    let kind = match text(object, "/kind") {
        "DaemonSet" => "daemonset",
        _ => "deployment",
    };
    selected(object, kind, &[], check);
    always_restarts(spec, check);
    if let Some(kind) = object.pointer("/spec/strategy/type").and_then(Value::as_str) {
        check.one_of("spec.strategy.type", kind, &["Recreate", "RollingUpdate"]);
        if kind == "Recreate" && object.pointer("/spec/strategy/rollingUpdate").is_some() {
            check.forbidden(
                "spec.strategy.rollingUpdate",
                "may not be specified when strategy `type` is 'Recreate'",
            );
        }
    }
    let zero = |pointer: &str| {
        object
            .pointer(pointer)
            .is_some_and(|value| value == 0 || value == "0%" || value == "0")
    };
    if zero("/spec/strategy/rollingUpdate/maxSurge") && zero("/spec/strategy/rollingUpdate/maxUnavailable") {
        check.invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            0,
            "may not be 0 when `maxSurge` is 0",
        );
    }
    check.not_negative(spec, "/minReadySeconds", "spec.minReadySeconds");
    check.not_negative(spec, "/revisionHistoryLimit", "spec.revisionHistoryLimit");
    if let Some(deadline) = object::number(spec, "/progressDeadlineSeconds") {
        check.not_negative(spec, "/progressDeadlineSeconds", "spec.progressDeadlineSeconds");
        if deadline <= object::number(spec, "/minReadySeconds").unwrap_or(0) {
            check.invalid(
                "spec.progressDeadlineSeconds",
                deadline,
                "must be greater than minReadySeconds",
            );
        }
    }
}

/// The controller that `ReplicaSet` came after: its selector is a plain map.
pub(super) fn replication_controller(object: &Value, check: &mut Check) {
    let spec = &object["spec"];
    check.not_negative(spec, "/minReadySeconds", "spec.minReadySeconds");
    let selector = map(spec, "/selector").filter(|selector| !selector.is_empty());
    if selector.is_none() {
        check.required("spec.selector", "");
    }
    check.not_negative(spec, "/replicas", "spec.replicas");
    if spec.get("template").is_none_or(Value::is_null) {
        return check.required("spec.template", "");
    }
    let labels = map(spec, "/template/metadata/labels");
    let has = |(key, value): (&String, &Value)| labels.and_then(|labels| labels.get(key)) == Some(value);
    if !selector.into_iter().flatten().all(has) {
        let shown = labels.cloned().map_or(Value::Null, Value::Object);
        check.invalid(
            "spec.template.metadata.labels",
            shown,
            "`selector` does not match template `labels`",
        );
    }
    template(spec, "spec", &[], check);
    always_restarts(spec, check);
}

/// The spec of a Job, or that of the template of a `CronJob`, at `path`.
pub(super) fn job(spec: &Value, path: &str, check: &mut Check) {
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        check.not_negative(spec, &format!("/{field}"), &format!("{path}.{field}"));
    }
    template(spec, path, &[], check);
    if text(spec, "/template/spec/restartPolicy") == "Always" {
        let field = format!("{path}.template.spec.restartPolicy");
        check.one_of(&field, "Always", &["OnFailure", "Never"]);
    }
}

pub(super) fn cron_job(object: &Value, check: &mut Check) {
    let spec = &object["spec"];
    let schedule = text(spec, "/schedule");
    if schedule.is_empty() {
        check.required("spec.schedule", "");
    } else if !schedule.starts_with('@') && schedule.split_whitespace().count() != 5 {
        let fields = schedule.split_whitespace().count();
        let detail = format!("expected exactly 5 fields, found {fields}: [{schedule}]");
        check.invalid("spec.schedule", schedule, &detail);
    }
    let policy = text(spec, "/concurrencyPolicy");
    if !policy.is_empty() {
        check.one_of("spec.concurrencyPolicy", policy, &["Allow", "Forbid", "Replace"]);
    }
    for field in [
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ] {
        check.not_negative(spec, &format!("/{field}"), &format!("spec.{field}"));
    }
    job(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", check);
}

pub(super) fn stateful_set(object: &Value, creating: bool, check: &mut Check) {
    let spec = &object["spec"];
    let templates = list(spec, "/volumeClaimTemplates");
    let claims: Vec<&str> = templates.iter().map(object::name).collect();
    match text(spec, "/podManagementPolicy") {
        "" | "OrderedReady" | "Parallel" => {}
        other => check.invalid(
            "spec.podManagementPolicy",
            other,
            "must be 'OrderedReady' or 'Parallel'",
        ),
    }
    let rolling = spec.pointer("/updateStrategy/rollingUpdate");
    match (text(spec, "/updateStrategy/type"), rolling) {
        ("OnDelete", Some(rolling)) => {
            // Quoted as Go has the struct.
            let (partition, most) = (&rolling["partition"], &rolling["maxUnavailable"]);
            let partition = partition.as_i64().unwrap_or(0);
            check.add(
                "FieldValueInvalid",
                "spec.updateStrategy.rollingUpdate",
                format!(
                    "Invalid value: {{\"Partition\":{partition},\"MaxUnavailable\":{most}}}: only allowed for updateStrategy 'RollingUpdate'"
                ),
            );
        }
        ("" | "OnDelete" | "RollingUpdate", _) => {}
        _ => check.invalid(
            "spec.updateStrategy",
            spec["updateStrategy"].clone(),
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
    check.not_negative(
        spec,
        "/updateStrategy/rollingUpdate/partition",
        "spec.updateStrategy.rollingUpdate.partition",
    );
    for key in ["whenDeleted", "whenScaled"] {
        let field = format!("spec.persistentVolumeClaimRetentionPolicy.{key}");
        check.one_of(
            &field,
            text(spec, &format!("/persistentVolumeClaimRetentionPolicy/{key}")),
            &["Retain", "Delete"],
        );
    }
    // Both are immutable: on an update it is the change that counts.
    if creating {
        claim_templates(templates, check);
    }
    check.not_negative(spec, "/replicas", "spec.replicas");
    check.not_negative(spec, "/minReadySeconds", "spec.minReadySeconds");
    check.not_negative(spec, "/ordinals/start", "spec.ordinals.start");
    let service = text(spec, "/serviceName");
    if let Some(detail) = (creating && !service.is_empty())
        .then(|| names::dns_label(service))
        .flatten()
    {
        check.invalid("spec.serviceName", service, detail);
    }
    selected(object, "statefulset", &claims, check);
    always_restarts(spec, check);
    check.not_negative(spec, "/revisionHistoryLimit", "spec.revisionHistoryLimit");
}

fn claim_templates(templates: &[Value], check: &mut Check) {
    let mut seen = HashSet::new();
    for (index, template) in templates.iter().enumerate() {
        let path = format!("spec.volumeClaimTemplates[{index}]");
        let name = object::name(template);
        if name.is_empty() {
            check.required(&format!("{path}.metadata.name"), "");
        } else if !seen.insert(name) {
            check.duplicate(&format!("{path}.metadata.name"), name);
        }
        storage::claim(template, &format!("{path}."), check);
    }
}

pub(super) fn stateful_set_change(live: &Value, new: &Value, check: &mut Check) {
    let mut masked = new["spec"].clone();
    for key in [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ] {
        copy_key(&mut masked, &live["spec"], key);
    }
    if masked != live["spec"] {
        check.forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
    }
}

pub(super) fn selector_change(live: &Value, new: &Value, check: &mut Check) {
    if live["spec"]["selector"] != new["spec"]["selector"] {
        check.invalid("spec.selector", new["spec"]["selector"].clone(), "field is immutable");
    }
}
