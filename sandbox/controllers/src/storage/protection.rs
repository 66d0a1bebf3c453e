//! Claims in use and bound volumes stay until nobody needs them.

use serde_json::Value;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, MANAGER, PODS, VOLUMES};
use crate::object::{has_finalizer, is_deleting, remove_finalizer, text};
use crate::queue::Key;
use crate::workload::has_ended;

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";

/// Lets a deleted claim go once no pod uses it.
pub(crate) fn claim(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(claim) = cluster.get(CLAIMS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if !is_deleting(&claim) || !has_finalizer(&claim, CLAIM) {
        return Ok(());
    }
    let users = cluster.index.pods_of_claim(&key.namespace, &key.name);
    let used = users
        .iter()
        .filter_map(|pod| cluster.get(PODS, &key.namespace, pod))
        .any(|pod| {
            // A pod that ended, or that goes before any node ran it, holds nothing.
            let never_ran = text(&pod, "/spec/nodeName").is_empty() && is_deleting(&pod);
            !never_ran && !has_ended(&pod)
        });
    if used {
        return Ok(());
    }
    cluster.change(CLAIMS, &claim, MANAGER, |live| remove_finalizer(live, CLAIM))
}

/// Lets a deleted volume go unless it is bound.
pub(super) fn volume(cluster: &Cluster, volume: &Value) -> Outcome {
    if is_deleting(volume) && has_finalizer(volume, VOLUME) && text(volume, "/status/phase") != "Bound" {
        cluster.change(VOLUMES, volume, MANAGER, |live| remove_finalizer(live, VOLUME))?;
    }
    Ok(())
}
