//! The history of a set's template.

use std::sync::Arc;

use serde_json::{Value, json};

use super::REVISION;
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::kinds::{MANAGER, REVISIONS};
use crate::object::{controlled_by, label, name, namespace, number, safe_hash, text, uid};
use crate::workload::pods::controlled;

/// The revision that the pods had, and the one they are to get; often the same.
pub(super) struct Revisions {
    pub(super) current: Arc<Value>,
    pub(super) update: Arc<Value>,
}

impl Revisions {
    /// The revision for a pod that is made now.
    pub(super) fn of_new_pod(&self, set: &Value, ordinal: u64) -> &Value {
        let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition");
        let first = number(set, "/spec/ordinals/start") + partition;
        let rolling = text(set, "/spec/updateStrategy/type") == "RollingUpdate";
        let keeps = rolling && i64::try_from(ordinal).is_ok_and(|ordinal| ordinal < first);
        if keeps { &self.current } else { &self.update }
    }
}

/// The set's revisions, the oldest first.
fn history(cluster: &Cluster, set: &Value) -> Vec<Arc<Value>> {
    let mut history: Vec<_> = cluster
        .index
        .owned_of(uid(set), REVISIONS)
        .filter_map(|place| cluster.at(place))
        .collect();
    history.sort_by_key(|revision| number(revision, "/revision"));
    history
}

/// Finds the revisions, and records the template as a new one where it changed.
pub(super) fn current_and_update(cluster: &Cluster, set: &Value) -> Result<Revisions, ControlError> {
    let history = history(cluster, set);
    let data = json!({"spec": {"template": patch_of(set)}});
    let next = history.last().map_or(1, |last| number(last, "/revision") + 1);
    let update = match history.iter().rfind(|revision| revision["data"] == data) {
        Some(found) if number(found, "/revision") + 1 == next => found.clone(),
        // A roll back: the old revision becomes the newest.
        Some(found) => {
            let raised = cluster
                .api
                .modify(REVISIONS, Some(namespace(set)), name(found), None, MANAGER, |live| {
                    live["revision"] = next.into();
                })?;
            raised.unwrap_or_else(|| found.clone())
        }
        None => create(cluster, set, &data, next)?,
    };
    let current = text(set, "/status/currentRevision");
    let current = history
        .into_iter()
        .find(|revision| name(revision) == current)
        .unwrap_or_else(|| update.clone());
    Ok(Revisions { current, update })
}

fn patch_of(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    template
}

fn create(cluster: &Cluster, set: &Value, data: &Value, number: i64) -> Result<Arc<Value>, ControlError> {
    let hash = safe_hash(data);
    let mut labels = set
        .pointer("/spec/template/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}));
    labels["controller.kubernetes.io/hash"] = hash.as_str().into();
    let revision = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(set)), "namespace": namespace(set), "labels": labels,
            "annotations": set["metadata"]["annotations"], "ownerReferences": [controlled_by(set)],
        },
        "revision": number, "data": data,
    });
    Ok(cluster.api.create(REVISIONS, revision, MANAGER)?)
}

/// Deletes the oldest revisions that nothing uses, beyond `revisionHistoryLimit`.
pub(super) fn trim(cluster: &Cluster, set: &Value, revisions: &Revisions) -> Outcome {
    let limit = usize::try_from(number(set, "/spec/revisionHistoryLimit")).unwrap_or_default();
    let history = history(cluster, set);
    if history.len() <= limit + 1 {
        return Ok(());
    }
    let pods = controlled(cluster, set);
    let in_use = |revision: &Value| {
        let used = |one: &str| one == name(revision);
        used(name(&revisions.current))
            || used(name(&revisions.update))
            || pods.iter().any(|pod| used(label(pod, REVISION)))
    };
    let unused: Vec<_> = history.iter().filter(|revision| !in_use(revision)).collect();
    for revision in unused.iter().take(unused.len().saturating_sub(limit)) {
        cluster.delete(REVISIONS, revision)?;
    }
    Ok(())
}
