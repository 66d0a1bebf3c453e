//! What a Deployment's status says.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::replica_sets::newest;
use super::rollout::unavailable;
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{DEPLOYMENTS, MANAGER};
use crate::object::{child, condition, name, number, set_condition, text, time};
use crate::queue::Key;
use crate::workload::pods::replicas;

/// What is counted.
#[derive(PartialEq, Eq)]
struct Counts {
    all: i64,
    updated: i64,
    ready: i64,
    available: i64,
}

/// Writes the counts and the conditions, and wakes the Deployment when its deadline is due.
pub(super) fn write(cluster: &mut Cluster, key: &Key, deployment: &Value, sets: &[Arc<Value>]) -> Outcome {
    let newest = newest(deployment, sets);
    let sum = |pointer: &str| sets.iter().map(|set| number(set, pointer)).sum::<i64>();
    let counts = Counts {
        all: sum("/status/replicas"),
        updated: newest.map_or(0, |set| number(set, "/status/replicas")),
        ready: sum("/status/readyReplicas"),
        available: sum("/status/availableReplicas"),
    };
    let now = cluster.now();
    let wanted = i64::try_from(replicas(deployment)).unwrap_or(i64::MAX);
    let complete = counts.updated == wanted && counts.all == wanted && counts.available == wanted;
    let progressing = progressing(deployment, newest.map(|set| name(set)), &counts, complete, now);
    let deadline = deadline(deployment, &progressing).filter(|deadline| !complete && *deadline > now);
    if let Some(deadline) = deadline {
        cluster.wake_at(key, deadline);
    }
    cluster.change_status(DEPLOYMENTS, deployment, MANAGER, |live| {
        let status = child(live, "status");
        status.insert(
            "observedGeneration".to_owned(),
            deployment["metadata"]["generation"].clone(),
        );
        let fields = [
            ("replicas", counts.all),
            ("updatedReplicas", counts.updated),
            ("readyReplicas", counts.ready),
            ("availableReplicas", counts.available),
            (
                "unavailableReplicas",
                (counts.all.max(wanted) - counts.available).max(0),
            ),
        ];
        for (field, count) in fields {
            if count > 0 {
                status.insert(field.to_owned(), count.into());
            } else {
                status.remove(field);
            }
        }
        // Zero counts here.
        status.insert(
            "terminatingReplicas".to_owned(),
            sum("/status/terminatingReplicas").into(),
        );
        let mut available = available_condition(deployment, counts.available);
        available["lastUpdateTime"] = match condition(live, "Available") {
            Some(present) if present["status"] == available["status"] => present["lastUpdateTime"].clone(),
            _ => time(now),
        };
        set_condition(live, available, now);
        set_condition(live, progressing, now);
    })
}

fn available_condition(deployment: &Value, available: i64) -> Value {
    let least = replicas(deployment).saturating_sub(unavailable(deployment));
    if usize::try_from(available).unwrap_or_default() >= least {
        json!({
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        })
    } else {
        json!({
            "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
            "message": "Deployment does not have minimum availability.",
        })
    }
}

/// The condition with the time of the last progress as its `lastUpdateTime`.
fn progressing(deployment: &Value, newest: Option<&str>, counts: &Counts, complete: bool, now: Timestamp) -> Value {
    let present = condition(deployment, "Progressing");
    let set = newest.unwrap_or_default();
    let value = |status: &str, reason: &str, message: String| json!({"type": "Progressing", "status": status, "reason": reason, "message": message});
    let before = |key: &str| number(deployment, &format!("/status/{key}"));
    let moved = counts.updated > before("updatedReplicas")
        || counts.ready > before("readyReplicas")
        || counts.available > before("availableReplicas")
        || counts.all - counts.updated < before("replicas") - before("updatedReplicas");
    let mut next = if complete {
        value(
            "True",
            "NewReplicaSetAvailable",
            format!("ReplicaSet \"{set}\" has successfully progressed."),
        )
    } else if present.is_none()
        || (newest.is_some() && !present.is_some_and(|present| text(present, "/message").contains(set)))
    {
        value(
            "True",
            "NewReplicaSetCreated",
            format!("Created new replica set \"{set}\""),
        )
    } else if moved {
        value(
            "True",
            "ReplicaSetUpdated",
            format!("ReplicaSet \"{set}\" is progressing."),
        )
    } else if present
        .and_then(|present| deadline(deployment, present))
        .is_some_and(|deadline| deadline <= now)
        && present.is_some_and(|present| present["reason"] != "NewReplicaSetAvailable")
    {
        value(
            "False",
            "ProgressDeadlineExceeded",
            format!("ReplicaSet \"{set}\" has timed out progressing."),
        )
    } else if present.is_some_and(|present| present["reason"] == "NewReplicaSetAvailable") {
        value(
            "True",
            "ReplicaSetUpdated",
            format!("ReplicaSet \"{set}\" is progressing."),
        )
    } else {
        return present.cloned().unwrap_or_default();
    };
    let progressed = moved && !complete;
    let same = present.filter(|present| present["reason"] == next["reason"] && !progressed);
    next["lastUpdateTime"] = same.map_or_else(|| time(now), |present| present["lastUpdateTime"].clone());
    next
}

fn deadline(deployment: &Value, progressing: &Value) -> Option<Timestamp> {
    let since: Timestamp = text(progressing, "/lastUpdateTime").parse().ok()?;
    Some(since + SignedDuration::from_secs(number(deployment, "/spec/progressDeadlineSeconds")))
}
