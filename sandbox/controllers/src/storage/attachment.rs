//! Attaching volumes to nodes and detaching them: one VolumeAttachment for each pair.

use std::sync::Arc;

use moorline_sandbox_aws::AwsError;
use serde_json::{Value, json};

use super::backing::{Backing, DiskName};
use super::driver::Driver;
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::kinds::{ATTACHER, ATTACHMENTS, MANAGER, NODES, PODS, VOLUMES};
use crate::nodes::{instance_of, machine_of};
use crate::object::{annotation, has_finalizer, is_deleting, name, remove_finalizer, sha256_hex, text, time, uid};
use crate::queue::Key;
use crate::workload::has_ended;

/// Which volume of the cloud it is about: the volume object may be gone before the detachment.
const HANDLE: &str = "sandbox.moorline.dev/volume-handle";
/// How events name their source.
const COMPONENT: &str = "attachdetach-controller";

/// Whether a volume is where a pod needs it.
pub(crate) enum Attached {
    Yes,
    NotYet,
    /// Another node has it, and its access mode allows one only.
    Elsewhere,
}

/// Asks for `volume` on `node`.
pub(crate) fn request(cluster: &Cluster, volume: &Value, node: &str) -> Result<Attached, ControlError> {
    let Some((driver, handle)) = attachable(volume) else {
        // Nothing that is attached: a path, a share.
        return Ok(Attached::Yes);
    };
    let mut elsewhere = false;
    for attachment in cluster.index.attachments(name(volume)) {
        let Some(attachment) = cluster.get(ATTACHMENTS, "", &attachment) else {
            continue;
        };
        if text(&attachment, "/spec/nodeName") != node {
            elsewhere = true;
        } else if is_deleting(&attachment) || attachment["status"]["attached"] != true {
            return Ok(Attached::NotYet);
        } else {
            return Ok(Attached::Yes);
        }
    }
    if elsewhere {
        return Ok(Attached::Elsewhere);
    }
    let attachment = json!({
        "metadata": {
            "name": format!("csi-{}", sha256_hex(&format!("{handle}{}{node}", driver.name()))),
            "annotations": {HANDLE: handle}, "finalizers": [finalizer(driver)],
        },
        "spec": {"attacher": driver.name(), "nodeName": node, "source": {"persistentVolumeName": name(volume)}},
    });
    cluster.api.create(ATTACHMENTS, attachment, MANAGER)?;
    Ok(Attached::NotYet)
}

/// The driver and the handle of a volume that has to be attached.
fn attachable(volume: &Value) -> Option<(Driver, String)> {
    match Backing::by_handle(volume)? {
        Backing::Ebs(id) => Some((Driver::Ebs, id)),
        Backing::Disk(_) => {
            let of_forerunner = text(volume, "/spec/azureDisk/diskURI");
            let handle = match text(volume, "/spec/csi/volumeHandle") {
                "" => of_forerunner,
                handle => handle,
            };
            Some((Driver::Disk, handle.to_owned()))
        }
        Backing::Share(_) | Backing::Container(_) => None,
    }
}

fn finalizer(driver: Driver) -> String {
    format!("external-attacher/{}", driver.name().replace('.', "-"))
}

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(attachment) = cluster.get(ATTACHMENTS, "", &key.name) else {
        return Ok(());
    };
    let driver = Driver::named(text(&attachment, "/spec/attacher"));
    let (Some(driver), Some(handle)) = (driver, annotation(&attachment, HANDLE)) else {
        return Ok(());
    };
    let pods = pods_in_need(cluster, &attachment);
    if is_deleting(&attachment) || pods.is_empty() {
        return detach(cluster, key, &attachment, (driver, handle));
    }
    if attachment["status"]["attached"] == true {
        return Ok(());
    }
    if !cluster.passed(key, uid(&attachment), "attach", cluster.settings.attach_millis) {
        return Ok(());
    }
    attach(cluster, &attachment, &pods, (driver, handle))
}

/// The pods on the attachment's node that use its volume.
fn pods_in_need(cluster: &Cluster, attachment: &Value) -> Vec<Arc<Value>> {
    let node = text(attachment, "/spec/nodeName");
    let Some(volume) = cluster.get(VOLUMES, "", text(attachment, "/spec/source/persistentVolumeName")) else {
        return Vec::new();
    };
    let namespace = text(&volume, "/spec/claimRef/namespace");
    let pods = cluster
        .index
        .pods_of_claim(namespace, text(&volume, "/spec/claimRef/name"))
        .into_iter();
    let pods = pods.filter_map(|pod| cluster.get(PODS, namespace, &pod));
    pods.filter(|pod| text(pod, "/spec/nodeName") == node && !has_ended(pod))
        .collect()
}

fn attach(cluster: &Cluster, attachment: &Value, pods: &[Arc<Value>], (driver, handle): (Driver, &str)) -> Outcome {
    let volume = text(attachment, "/spec/source/persistentVolumeName");
    match attach_in_cloud(cluster, driver, handle, text(attachment, "/spec/nodeName")) {
        Ok(metadata) => {
            cluster.change_status(ATTACHMENTS, attachment, ATTACHER, |live| {
                live["status"] = json!({"attached": true, "attachmentMetadata": metadata});
            })?;
            let message = format!("AttachVolume.Attach succeeded for volume \"{volume}\" ");
            for pod in pods {
                cluster.event(pod, "SuccessfulAttachVolume", &message, COMPONENT);
            }
            Ok(())
        }
        Err((cause, error)) => {
            let now = time(cluster.now());
            cluster.change_status(ATTACHMENTS, attachment, ATTACHER, |live| {
                live["status"] = json!({"attached": false, "attachError": {"message": cause, "time": now}});
            })?;
            let message = format!("AttachVolume.Attach failed for volume \"{volume}\" : {cause}");
            for pod in pods {
                cluster.warn(pod, "FailedAttachVolume", &message, COMPONENT);
            }
            Err(*error)
        }
    }
}

/// What the driver says of the attachment; or of why there is none, with the error itself.
fn attach_in_cloud(
    cluster: &Cluster,
    driver: Driver,
    handle: &str,
    node: &str,
) -> Result<Value, (String, Box<ControlError>)> {
    let machine = cluster.get(NODES, "", node).unwrap_or_default();
    if driver == Driver::Ebs {
        let instance = instance_of(&machine);
        let attached = cluster.aws.attach(handle, instance, &free_device(cluster, node));
        return match attached {
            Ok(volume) => {
                let device = volume
                    .attachment
                    .map(|attachment| attachment.device)
                    .unwrap_or_default();
                Ok(json!({"devicePath": device}))
            }
            Err(error) => {
                let what = format!("Could not attach volume \"{handle}\" to node \"{instance}\"");
                Err((rpc_error(&error, &what), Box::new(error.into())))
            }
        };
    }
    let Some(disk) = DiskName::of_id(handle) else {
        return Ok(json!({}));
    };
    let machine = machine_of(&machine);
    let held = cluster.azure.hold_disk(&disk.resource_group, &disk.name, &[&machine]);
    held.map(|()| json!({"LUN": free_number(cluster, node)}))
        .map_err(|error| {
            let cause = format!(
                "rpc error: code = Internal desc = Attach volume {handle} to instance {node} failed with {error}"
            );
            (cause, Box::new(error.into()))
        })
}

fn detach(cluster: &mut Cluster, key: &Key, attachment: &Value, (driver, handle): (Driver, &str)) -> Outcome {
    if !is_deleting(attachment) {
        cluster.delete(ATTACHMENTS, attachment)?;
    }
    let finalizer = finalizer(driver);
    if !has_finalizer(attachment, &finalizer) {
        return Ok(());
    }
    if attachment["status"]["attached"] == true {
        if !cluster.passed(key, uid(attachment), "detach", cluster.settings.detach_millis) {
            return Ok(());
        }
        detach_in_cloud(cluster, driver, handle)?;
    }
    cluster.change(ATTACHMENTS, attachment, ATTACHER, |live| {
        remove_finalizer(live, &finalizer);
    })
}

/// Detaches the volume; one that is gone is as good.
fn detach_in_cloud(cluster: &Cluster, driver: Driver, handle: &str) -> Outcome {
    if driver == Driver::Ebs {
        return match cluster.aws.detach(handle) {
            Err(error) if !is_not_found(&error) => Err(error.into()),
            _ => Ok(()),
        };
    }
    match DiskName::of_id(handle).map(|disk| cluster.azure.hold_disk(&disk.resource_group, &disk.name, &[])) {
        Some(Err(error)) if error.code != "ResourceNotFound" => Err(error.into()),
        _ => Ok(()),
    }
}

/// The first device name from `/dev/xvdba` on that the node has free.
fn free_device(cluster: &Cluster, node: &str) -> String {
    let names = ('b'..='z').flat_map(|first| ('a'..='z').map(move |second| format!("/dev/xvd{first}{second}")));
    names
        .into_iter()
        .find(|device| !cluster.index.has_device(node, device))
        .unwrap_or_else(|| "/dev/xvdzz".to_owned())
}

/// The first number that the node has free for a disk.
fn free_number(cluster: &Cluster, node: &str) -> String {
    let mut numbers = (0..64).map(|number: u32| number.to_string());
    let free = numbers.find(|number| !cluster.index.has_device(node, number));
    free.unwrap_or_default()
}

/// A cloud's error as the CSI driver passes it on.
pub(super) fn rpc_error(error: &AwsError, what: &str) -> String {
    let code = match error.code.as_str() {
        code if code.contains("NotFound") => "NotFound",
        code if code.starts_with("InvalidParameter") || code == "UnknownVolumeType" => "InvalidArgument",
        code if code.contains("LimitExceeded") => "ResourceExhausted",
        _ => "Internal",
    };
    format!(
        "rpc error: code = {code} desc = {what}: api error {}: {}",
        error.code, error.message
    )
}

pub(super) fn is_not_found(error: &AwsError) -> bool {
    error.code == "InvalidVolume.NotFound"
}
