//! A Deployment's replica sets.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rollout::{first_replicas, surge};
use super::{COMPONENT, REVISION};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{DEPLOYMENTS, MANAGER, REPLICA_SETS};
use crate::object::{
    annotate, annotation, child, controlled_by, entries, name, namespace, number as integer, safe_hash, uid,
};
use crate::workload::pods::replicas;

const HASH: &str = "pod-template-hash";

/// The replica sets that the Deployment controls, the oldest first.
pub(super) fn owned(cluster: &Cluster, deployment: &Value) -> Vec<Arc<Value>> {
    let mut sets: Vec<_> = cluster
        .index
        .owned_of(uid(deployment), REPLICA_SETS)
        .filter_map(|place| cluster.at(place))
        .collect();
    sets.sort_by_key(|set| (revision_of(set), name(set).to_owned()));
    sets
}

/// The ReplicaSet of the Deployment's present template.
pub(super) fn newest<'a>(deployment: &Value, sets: &'a [Arc<Value>]) -> Option<&'a Arc<Value>> {
    let wanted = &deployment["spec"]["template"];
    sets.iter().find(|set| {
        let mut template = set["spec"]["template"].clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels") {
            entries(labels).remove(HASH);
        }
        template == *wanted
    })
}

pub(super) fn revision_of(object: &Value) -> u64 {
    annotation(object, REVISION)
        .and_then(|revision| revision.parse().ok())
        .unwrap_or_default()
}

/// Makes the ReplicaSet of the present template, with as many pods as the rollout begins with.
pub(super) fn create(cluster: &Cluster, deployment: &Value, sets: &[Arc<Value>]) -> Outcome {
    let mut template = deployment["spec"]["template"].clone();
    let mut hash = safe_hash(&template);
    if sets
        .iter()
        .any(|set| name(set) == format!("{}-{hash}", name(deployment)))
    {
        hash = safe_hash(&json!([template, sets.len()]));
    }
    let mut selector = deployment["spec"]["selector"].clone();
    child(&mut selector, "matchLabels").insert(HASH.to_owned(), hash.as_str().into());
    let labels = entries(child(&mut template, "metadata").entry("labels").or_insert(Value::Null));
    labels.insert(HASH.to_owned(), hash.as_str().into());
    let labels = Value::Object(labels.clone());
    let mut annotations = deployment
        .pointer("/metadata/annotations")
        .cloned()
        .unwrap_or_else(|| json!({}));
    for dropped in ["kubectl.kubernetes.io/last-applied-configuration", REVISION] {
        entries(&mut annotations).remove(dropped);
    }
    let revision = sets.iter().map(|set| revision_of(set)).max().unwrap_or_default() + 1;
    entries(&mut annotations).insert(REVISION.to_owned(), revision.to_string().into());
    for (key, count) in sizes(deployment) {
        entries(&mut annotations).insert(key.to_owned(), count.into());
    }
    let first = first_replicas(deployment, sets);
    let set = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment), "labels": labels,
            "annotations": annotations, "ownerReferences": [controlled_by(deployment)],
        },
        "spec": {
            "replicas": first, "minReadySeconds": integer(deployment, "/spec/minReadySeconds"), "selector": selector, "template": template,
        },
    });
    let set = cluster.api.create(REPLICA_SETS, set, MANAGER)?;
    if first > 0 {
        let what = format!("Scaled up replica set {} from 0 to {first}", name(&set));
        cluster.event(deployment, "ScalingReplicaSet", &what, COMPONENT);
    }
    Ok(())
}

/// The size of the Deployment, and what a rollout may add to it, as its replica sets carry them.
fn sizes(deployment: &Value) -> [(&'static str, String); 2] {
    let wanted = replicas(deployment);
    let most = wanted + surge(deployment);
    [
        ("deployment.kubernetes.io/desired-replicas", wanted.to_string()),
        ("deployment.kubernetes.io/max-replicas", most.to_string()),
    ]
}

/// Numbers the newest ReplicaSet one above all others, and the Deployment with it.
pub(super) fn number(cluster: &Cluster, deployment: &Value, newest: &Value, sets: &[Arc<Value>]) -> Outcome {
    let others = sets
        .iter()
        .filter(|set| uid(set) != uid(newest))
        .map(|set| revision_of(set))
        .max()
        .unwrap_or_default();
    let revision = revision_of(newest).max(others + 1).to_string();
    if annotation(newest, REVISION) != Some(&revision) {
        cluster.change(REPLICA_SETS, newest, MANAGER, |live| {
            annotate(live, REVISION, &revision);
        })?;
    }
    if annotation(deployment, REVISION) != Some(&revision) {
        cluster.change_status(DEPLOYMENTS, deployment, MANAGER, |live| {
            annotate(live, REVISION, &revision);
        })?;
    }
    Ok(())
}

/// Scales a ReplicaSet, and says so in an event.
pub(super) fn scale(cluster: &Cluster, deployment: &Value, set: &Value, to: usize) -> Outcome {
    let from = replicas(set);
    let sizes = sizes(deployment);
    let stated = to == 0 || sizes.iter().all(|(key, count)| annotation(set, key) == Some(count));
    if from == to && stated {
        return Ok(());
    }
    cluster.change(REPLICA_SETS, set, MANAGER, |live| {
        live["spec"]["replicas"] = to.into();
        for (key, count) in &sizes {
            annotate(live, key, count);
        }
    })?;
    if from == to {
        return Ok(());
    }
    let direction = if to > from { "up" } else { "down" };
    let what = format!("Scaled {direction} replica set {} from {from} to {to}", name(set));
    cluster.event(deployment, "ScalingReplicaSet", &what, COMPONENT);
    Ok(())
}

/// Deletes the oldest replica sets without pods, beyond `revisionHistoryLimit`.
pub(super) fn trim(cluster: &Cluster, deployment: &Value, sets: &[Arc<Value>]) -> Outcome {
    let limit = usize::try_from(integer(deployment, "/spec/revisionHistoryLimit")).unwrap_or_default();
    let newest = newest(deployment, sets).map(|set| uid(set));
    let old = sets.iter().filter(|set| Some(uid(set)) != newest);
    let empty: Vec<_> = old
        .filter(|set| replicas(set) == 0 && integer(set, "/status/replicas") == 0)
        .collect();
    for set in empty.iter().take(empty.len().saturating_sub(limit)) {
        cluster.delete(REPLICA_SETS, set)?;
    }
    Ok(())
}
