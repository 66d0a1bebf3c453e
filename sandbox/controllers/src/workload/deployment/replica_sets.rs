//! A Deployment's replica sets.

use std::sync::Arc;

use serde_json::{Value, json};

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

/// Makes the ReplicaSet of the present template, without pods yet.
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
    let set = json!({
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment), "labels": labels,
            "annotations": annotations, "ownerReferences": [controlled_by(deployment)],
        },
        "spec": {
            "replicas": 0, "minReadySeconds": integer(deployment, "/spec/minReadySeconds"), "selector": selector, "template": template,
        },
    });
    cluster.api.create(REPLICA_SETS, set, MANAGER)?;
    Ok(())
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
    for (resource, object) in [(REPLICA_SETS, newest), (DEPLOYMENTS, deployment)] {
        if annotation(object, REVISION) != Some(&revision) {
            cluster.change(resource, object, MANAGER, |live| annotate(live, REVISION, &revision))?;
        }
    }
    Ok(())
}

/// Scales a ReplicaSet, and says so in an event.
pub(super) fn scale(cluster: &Cluster, deployment: &Value, set: &Value, to: usize) -> Outcome {
    let from = replicas(set);
    if from == to {
        return Ok(());
    }
    cluster.change(REPLICA_SETS, set, MANAGER, |live| live["spec"]["replicas"] = to.into())?;
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
