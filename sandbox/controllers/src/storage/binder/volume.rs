//! The binder's look at a volume.

use serde_json::Value;

use super::bind::set_volume_phase;
use super::{BOUND_BY_CONTROLLER, COMPONENT};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, MANAGER, VOLUMES};
use crate::object::{annotation, child, entries, name, text, uid};
use crate::queue::{Key, Work};
use crate::storage::{PROVISIONED_BY, protection};

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(volume) = cluster.get(VOLUMES, "", &key.name) else {
        return Ok(());
    };
    protection::volume(cluster, &volume)?;
    let reference = |key: &str| text(&volume, &format!("/spec/claimRef/{key}"));
    // Without a UID it is reserved, and waits for the claim to come and take it.
    if reference("uid").is_empty() {
        return set_volume_phase(cluster, &volume, "Available", "");
    }
    let claim = cluster
        .get(CLAIMS, reference("namespace"), reference("name"))
        .filter(|claim| uid(claim) == reference("uid"));
    let Some(claim) = claim else {
        if !matches!(text(&volume, "/status/phase"), "Released" | "Failed") {
            set_volume_phase(cluster, &volume, "Released", "")?;
        }
        return reclaim(cluster, &volume);
    };
    match text(&claim, "/spec/volumeName") {
        "" => {
            // Half of a bind: the claim's side finishes it.
            cluster.wake(Work::Claim, reference("namespace"), reference("name"));
            Ok(())
        }
        wanted if wanted == name(&volume) => set_volume_phase(cluster, &volume, "Bound", ""),
        _ => give_up(cluster, &volume),
    }
}

/// The claim is bound elsewhere.
fn give_up(cluster: &Cluster, volume: &Value) -> Outcome {
    let dynamic = annotation(volume, PROVISIONED_BY).is_some();
    if dynamic && text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
        set_volume_phase(cluster, volume, "Released", "")?;
        return reclaim(cluster, volume);
    }
    cluster.change(VOLUMES, volume, MANAGER, |live| {
        if annotation(live, BOUND_BY_CONTROLLER).is_some() {
            child(live, "spec").remove("claimRef");
            if let Some(annotations) = live.pointer_mut("/metadata/annotations") {
                entries(annotations).remove(BOUND_BY_CONTROLLER);
            }
        } else if let Some(reference) = live.pointer_mut("/spec/claimRef") {
            // A person reserved it by name; that stays.
            entries(reference).retain(|key, _| !matches!(key.as_str(), "uid" | "resourceVersion"));
        }
    })?;
    set_volume_phase(cluster, volume, "Available", "")
}

/// Deleting is left to the driver of a CSI volume, and to whoever provisioned another; one that nobody can delete fails.
fn reclaim(cluster: &Cluster, volume: &Value) -> Outcome {
    let wants_deletion = text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete";
    let is_anothers = volume["spec"]["csi"].is_object()
        || annotation(volume, PROVISIONED_BY).is_some_and(|driver| !driver.starts_with("kubernetes.io/"));
    if !wants_deletion || is_anothers || text(volume, "/status/phase") == "Failed" {
        return Ok(());
    }
    let message = format!(
        "error getting deleter volume plugin for volume \"{}\": no deletable volume plugin matched",
        name(volume)
    );
    cluster.warn(volume, "VolumeFailedDelete", &message, COMPONENT);
    set_volume_phase(cluster, volume, "Failed", &message)
}
