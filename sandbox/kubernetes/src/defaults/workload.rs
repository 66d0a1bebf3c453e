//! The workloads of `apps` and `batch`.

use serde_json::{Value, json};

use super::{pod, storage};
use crate::object::{child, default_text, default_to, entries, items_mut};

pub(super) fn stateful_set(set: &mut Value) {
    let spec = child(set, "spec");
    default_to(spec, "serviceName", "");
    default_to(spec, "replicas", 1);
    default_to(spec, "revisionHistoryLimit", 10);
    default_text(spec, "podManagementPolicy", "OrderedReady");
    let strategy = child(spec, "updateStrategy");
    default_text(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        default_to(child(strategy, "rollingUpdate"), "partition", 0);
    }
    let retention = child(spec, "persistentVolumeClaimRetentionPolicy");
    default_text(retention, "whenDeleted", "Retain");
    default_text(retention, "whenScaled", "Retain");
    pod::template(spec);
    for template in items_mut(spec, "volumeClaimTemplates") {
        default_text(template, "apiVersion", "v1");
        default_text(template, "kind", "PersistentVolumeClaim");
        storage::claim(template);
        template["status"] = json!({"phase": "Pending"});
    }
}

pub(super) fn deployment(deployment: &mut Value) {
    let spec = child(deployment, "spec");
    default_to(spec, "replicas", 1);
    default_to(spec, "revisionHistoryLimit", 10);
    default_to(spec, "progressDeadlineSeconds", 600);
    let strategy = child(spec, "strategy");
    default_text(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        default_to(rolling, "maxSurge", "25%");
        default_to(rolling, "maxUnavailable", "25%");
    }
    pod::template(spec);
}

pub(super) fn replica_set(set: &mut Value) {
    let spec = child(set, "spec");
    default_to(spec, "replicas", 1);
    pod::template(spec);
}

/// Selector and labels of an old-fashioned controller follow its template's labels.
pub(super) fn replication_controller(controller: &mut Value) {
    let labels = controller.pointer("/spec/template/metadata/labels").cloned();
    if let Some(labels) = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty())) {
        let is_empty = |map: &Value| map.as_object().is_none_or(serde_json::Map::is_empty);
        let spec = child(controller, "spec");
        if is_empty(&spec["selector"]) {
            spec["selector"] = labels.clone();
        }
        let metadata = child(controller, "metadata");
        if is_empty(&metadata["labels"]) {
            metadata["labels"] = labels;
        }
    }
    let spec = child(controller, "spec");
    default_to(spec, "replicas", 1);
    if spec.get("template").is_some() {
        pod::template(spec);
    }
}

pub(super) fn daemon_set(set: &mut Value) {
    let spec = child(set, "spec");
    default_to(spec, "revisionHistoryLimit", 10);
    let strategy = child(spec, "updateStrategy");
    default_text(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        default_to(rolling, "maxSurge", 0);
        default_to(rolling, "maxUnavailable", 1);
    }
    pod::template(spec);
}

pub(super) fn job(job: &mut Value) {
    let uid = job["metadata"]["uid"].clone();
    let name = job["metadata"]["name"].clone();
    let spec = child(job, "spec");
    job_spec(spec);
    if spec["manualSelector"] != true && spec.get("selector").is_none() && uid.is_string() {
        spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
        let labels = child(child(child(spec, "template"), "metadata"), "labels");
        for (key, value) in [("controller-uid", &uid), ("job-name", &name)] {
            default_to(labels, key, value.clone());
            default_to(labels, &format!("batch.kubernetes.io/{key}"), value.clone());
        }
    }
}

pub(super) fn cron_job(cron: &mut Value) {
    let spec = child(cron, "spec");
    default_text(spec, "concurrencyPolicy", "Allow");
    default_to(spec, "suspend", false);
    default_to(spec, "successfulJobsHistoryLimit", 3);
    default_to(spec, "failedJobsHistoryLimit", 1);
    let template = child(spec, "jobTemplate");
    child(template, "metadata");
    let job = child(template, "spec");
    if job.get("template").is_some() {
        pod::template(job);
    }
    entries(job).retain(|_, value| !value.is_null());
}

fn job_spec(spec: &mut Value) {
    if spec.get("parallelism").is_none() && spec.get("completions").is_none() {
        default_to(spec, "completions", 1);
    }
    default_to(spec, "parallelism", 1);
    default_to(spec, "backoffLimit", 6);
    default_text(spec, "completionMode", "NonIndexed");
    default_to(spec, "suspend", false);
    default_text(spec, "podReplacementPolicy", "TerminatingOrFailed");
    pod::template(spec);
}
