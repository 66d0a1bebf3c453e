//! Tying the two ends together.

use serde_json::{Value, json};

use super::{BIND_COMPLETED, BOUND_BY_CONTROLLER, refers_to};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, MANAGER, VOLUMES};
use crate::object::{annotate, annotation, child, name, namespace, text, uid};

/// Binds `claim` and `volume` to each other. Each of the four steps is skipped where it is done already, so that a bind
/// that stopped half way is finished by the next.
pub(super) fn bind(cluster: &Cluster, volume: &Value, claim: &Value) -> Outcome {
    if !refers_to(volume, claim) {
        cluster.change(VOLUMES, volume, MANAGER, |live| reserve(live, claim))?;
    }
    set_volume_phase(cluster, volume, "Bound", "")?;
    if text(claim, "/spec/volumeName") != name(volume) || annotation(claim, BIND_COMPLETED).is_none() {
        cluster.change(CLAIMS, claim, MANAGER, |live| {
            if text(live, "/spec/volumeName") != name(volume) {
                child(live, "spec").insert("volumeName".to_owned(), name(volume).into());
                annotate(live, BOUND_BY_CONTROLLER, "yes");
            }
            annotate(live, BIND_COMPLETED, "yes");
        })?;
    }
    cluster.change_status(CLAIMS, claim, MANAGER, |live| {
        let status = child(live, "status");
        status.insert("phase".to_owned(), "Bound".into());
        status.insert("accessModes".to_owned(), volume["spec"]["accessModes"].clone());
        status.insert(
            "capacity".to_owned(),
            json!({"storage": volume["spec"]["capacity"]["storage"]}),
        );
    })
}

/// Makes a volume's `claimRef` mean `claim`, noting that no person did unless it named the claim already.
pub(crate) fn reserve(volume: &mut Value, claim: &Value) {
    if text(volume, "/spec/claimRef/name").is_empty() {
        annotate(volume, BOUND_BY_CONTROLLER, "yes");
    }
    child(volume, "spec").insert(
        "claimRef".to_owned(),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace(claim), "name": name(claim),
            "uid": uid(claim), "resourceVersion": claim["metadata"]["resourceVersion"],
        }),
    );
}

/// Sets a volume's phase, and when it entered it.
pub(super) fn set_volume_phase(cluster: &Cluster, volume: &Value, phase: &str, message: &str) -> Outcome {
    if text(volume, "/status/phase") == phase {
        return Ok(());
    }
    let now = crate::object::time(cluster.now());
    cluster.change_status(VOLUMES, volume, MANAGER, |live| {
        let status = child(live, "status");
        status.insert("phase".to_owned(), phase.into());
        status.insert("lastPhaseTransitionTime".to_owned(), now);
        if message.is_empty() {
            status.remove("message");
        } else {
            status.insert("message".to_owned(), message.into());
        }
    })
}
