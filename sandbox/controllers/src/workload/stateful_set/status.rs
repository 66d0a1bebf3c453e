//! What a set's status says.

use serde_json::{Value, json};

use super::revisions::Revisions;
use super::{REVISION, wanted_replicas};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{MANAGER, STATEFUL_SETS};
use crate::object::{entries, is_deleting, label, name, number, text};
use crate::workload::pods::{controlled, has_ended, is_available, is_ready};

/// Counts the set's pods as they are now.
pub(super) fn write(cluster: &Cluster, set: &Value, revisions: &Revisions) -> Outcome {
    let seconds = number(set, "/spec/minReadySeconds");
    let now = cluster.now();
    let (mut all, mut ready, mut available, mut current, mut updated) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for pod in controlled(cluster, set) {
        if has_ended(&pod) {
            continue;
        }
        all += 1;
        if is_ready(&pod) && text(&pod, "/status/phase") == "Running" {
            ready += 1;
            available += u64::from(is_available(&pod, seconds, now));
        }
        if !is_deleting(&pod) {
            let revision = label(&pod, REVISION);
            current += u64::from(revision == name(&revisions.current));
            updated += u64::from(revision == name(&revisions.update));
        }
    }
    let mut current_revision = name(&revisions.current);
    let wanted = wanted_replicas(set);
    let rolling = text(set, "/spec/updateStrategy/type") == "RollingUpdate";
    if rolling && updated == wanted && ready == wanted && all == wanted {
        current_revision = name(&revisions.update);
        current = updated;
    }
    let mut status = json!({
        "observedGeneration": set["metadata"]["generation"], "replicas": all, "availableReplicas": available,
        "currentRevision": current_revision, "updateRevision": name(&revisions.update), "collisionCount": 0,
    });
    for (key, count) in [
        ("readyReplicas", ready),
        ("currentReplicas", current),
        ("updatedReplicas", updated),
    ] {
        if count > 0 {
            entries(&mut status).insert(key.to_owned(), count.into());
        }
    }
    cluster.change_status(STATEFUL_SETS, set, MANAGER, |live| live["status"] = status)
}
