//! From a released volume to nothing.

use serde_json::Value;

use super::{COMPONENT, FINALIZER};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{EBS_DRIVER, PROVISIONER, VOLUMES};
use crate::object::{add_finalizer, annotation, has_finalizer, is_deleting, remove_finalizer, text};
use crate::queue::Key;
use crate::storage::attachment::{is_not_found, rpc_error};
use crate::storage::{PROVISIONED_BY, ebs_volume_id};

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(volume) = cluster.get(VOLUMES, "", &key.name) else {
        return Ok(());
    };
    if !cluster.settings.csi || annotation(&volume, PROVISIONED_BY) != Some(EBS_DRIVER) {
        return Ok(());
    }
    let held = has_finalizer(&volume, FINALIZER);
    if text(&volume, "/spec/persistentVolumeReclaimPolicy") != "Delete" {
        return if held {
            cluster.change(VOLUMES, &volume, PROVISIONER, |live| remove_finalizer(live, FINALIZER))
        } else {
            Ok(())
        };
    }
    if text(&volume, "/status/phase") != "Released" {
        let guard = !held && !is_deleting(&volume) && text(&volume, "/status/phase") == "Bound";
        return if guard {
            cluster.change(VOLUMES, &volume, PROVISIONER, |live| add_finalizer(live, FINALIZER))
        } else {
            Ok(())
        };
    }
    if !cluster.index.attachments(&key.name).is_empty() {
        // The end of the last attachment wakes this again.
        return Ok(());
    }
    delete_behind(cluster, &volume)?;
    if !is_deleting(&volume) {
        cluster.delete(VOLUMES, &volume)?;
    }
    cluster.change(VOLUMES, &volume, PROVISIONER, |live| remove_finalizer(live, FINALIZER))
}

/// Deletes the EBS volume; one that is gone already is as good.
fn delete_behind(cluster: &Cluster, volume: &Value) -> Outcome {
    let Some(ebs) = ebs_volume_id(volume) else {
        return Ok(());
    };
    match cluster.aws.delete_volume(ebs) {
        Err(error) if !is_not_found(&error) => {
            let message = rpc_error(&error, &format!("Could not delete volume ID \"{ebs}\""));
            cluster.warn(volume, "VolumeFailedDelete", &message, COMPONENT);
            Err(error.into())
        }
        _ => Ok(()),
    }
}
