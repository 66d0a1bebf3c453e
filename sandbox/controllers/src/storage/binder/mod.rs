//! The binder: brings claims and volumes together, one to one.
//!
//! It looks at a claim when the claim changes, and at every claim that waits in its resync; that a volume a claim waits
//! for has come does not wake it, exactly as in the real one.

mod bind;
pub(crate) mod claim;
pub(crate) mod matching;
pub(crate) mod volume;

pub(crate) use bind::reserve;

use jiff::SignedDuration;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::kinds::CLAIMS;
use crate::object::{name, namespace, text, uid};
use crate::queue::{Key, Place, Work};

/// The claim is bound for good.
pub(crate) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The binder, and not a person, set this side of the link.
pub(crate) const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// How events name their source.
const COMPONENT: &str = "persistentvolume-controller";

/// Wakes every claim and volume that is not settled, now and every `resync_seconds`.
pub(crate) fn resync(cluster: &mut Cluster, key: &Key) {
    // Asked of the index: to look through a hundred thousand objects for the few that wait would keep a processor busy.
    for Place {
        resource,
        namespace,
        name,
    } in cluster.index.unbound()
    {
        let concerned = match &*resource {
            CLAIMS => [Work::Claim, Work::Provision],
            _ => [Work::Volume, Work::Reclaim],
        };
        for work in concerned {
            cluster.wake(work, &namespace, &name);
        }
    }
    // One resync at a time, however often it is asked for.
    let period = SignedDuration::from_secs(i64::try_from(cluster.settings.resync_seconds.clamp(1, 3600)).unwrap_or(15));
    let now = cluster.now();
    if cluster.resync_due.is_none_or(|due| due <= now) {
        cluster.resync_due = Some(now + period);
        cluster.wake_at(key, now + period);
    }
}

/// Whether a volume's `claimRef` means this very claim.
fn refers_to(volume: &Value, claim: &Value) -> bool {
    names(volume, claim) && text(volume, "/spec/claimRef/uid") == uid(claim)
}

/// Whether a volume's `claimRef` names this claim, or would if it had a UID.
fn names(volume: &Value, claim: &Value) -> bool {
    let reference = |key: &str| text(volume, &format!("/spec/claimRef/{key}"));
    reference("name") == name(claim)
        && reference("namespace") == namespace(claim)
        && (reference("uid").is_empty() || reference("uid") == uid(claim))
}
