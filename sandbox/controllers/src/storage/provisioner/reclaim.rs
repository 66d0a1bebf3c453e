//! From a released volume to nothing.

use serde_json::Value;

use super::FINALIZER;
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{PROVISIONER, VOLUMES};
use crate::object::{add_finalizer, annotation, has_finalizer, is_deleting, remove_finalizer, text};
use crate::queue::Key;
use crate::storage::PROVISIONED_BY;
use crate::storage::attachment::{is_not_found, rpc_error};
use crate::storage::backing::Backing;
use crate::storage::driver::Driver;

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(volume) = cluster.get(VOLUMES, "", &key.name) else {
        return Ok(());
    };
    let Some(driver) = annotation(&volume, PROVISIONED_BY).and_then(Driver::named) else {
        return Ok(());
    };
    if !cluster.settings.csi || !Driver::of_cloud(cluster.settings.cloud).contains(&driver) {
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
    delete_behind(cluster, driver, &volume)?;
    if !is_deleting(&volume) {
        cluster.delete(VOLUMES, &volume)?;
    }
    cluster.change(VOLUMES, &volume, PROVISIONER, |live| remove_finalizer(live, FINALIZER))
}

/// Deletes the volume in the cloud; one that is gone already is as good. An account stays, be it empty.
fn delete_behind(cluster: &Cluster, driver: Driver, volume: &Value) -> Outcome {
    let failed = |message: &str| cluster.warn(volume, "VolumeFailedDelete", message, driver.component());
    let (what, deleted) = match Backing::by_handle(volume) {
        None => return Ok(()),
        Some(Backing::Ebs(id)) => {
            return match cluster.aws.delete_volume(&id) {
                Err(error) if !is_not_found(&error) => {
                    failed(&rpc_error(&error, &format!("Could not delete volume ID \"{id}\"")));
                    Err(error.into())
                }
                _ => Ok(()),
            };
        }
        Some(Backing::Share(inside)) => (
            format!(
                "DeleteFileShare {} under account({}) failed with error",
                inside.name, inside.account
            ),
            cluster.azure.delete_share(&inside.account, &inside.name),
        ),
        Some(Backing::Container(inside)) => (
            format!(
                "failed to delete container({}) under account({}), error",
                inside.name, inside.account
            ),
            cluster.azure.delete_container(&inside.account, &inside.name),
        ),
        Some(Backing::Disk(disk)) => (
            format!("failed to delete disk {}", disk.name),
            cluster.azure.delete_disk(&disk.resource_group, &disk.name),
        ),
    };
    deleted.map_err(|error| {
        failed(&format!("rpc error: code = Internal desc = {what}: {error}"));
        error.into()
    })
}
