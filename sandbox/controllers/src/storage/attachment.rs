//! Attaching volumes to nodes and detaching them: one VolumeAttachment for each pair.

use std::sync::Arc;

use moorline_sandbox_aws::AwsError;
use serde_json::{Value, json};

use super::ebs_volume_id;
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::kinds::{ATTACHER, ATTACHMENTS, EBS_DRIVER, MANAGER, NODES, PODS, VOLUMES};
use crate::nodes::instance_of;
use crate::object::{annotation, has_finalizer, is_deleting, name, remove_finalizer, sha256_hex, text, time, uid};
use crate::queue::Key;
use crate::workload::has_ended;

const FINALIZER: &str = "external-attacher/ebs-csi-aws-com";
/// Which EBS volume it is about: the volume object may be gone before the detachment.
const EBS_VOLUME: &str = "sandbox.moorline.dev/ebs-volume";
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
    let Some(ebs) = ebs_volume_id(volume) else {
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
            "name": format!("csi-{}", sha256_hex(&format!("{ebs}{EBS_DRIVER}{node}"))),
            "annotations": {EBS_VOLUME: ebs}, "finalizers": [FINALIZER],
        },
        "spec": {"attacher": EBS_DRIVER, "nodeName": node, "source": {"persistentVolumeName": name(volume)}},
    });
    cluster.api.create(ATTACHMENTS, attachment, MANAGER)?;
    Ok(Attached::NotYet)
}

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(attachment) = cluster.get(ATTACHMENTS, "", &key.name) else {
        return Ok(());
    };
    if text(&attachment, "/spec/attacher") != EBS_DRIVER || annotation(&attachment, EBS_VOLUME).is_none() {
        return Ok(());
    }
    let pods = pods_in_need(cluster, &attachment);
    if is_deleting(&attachment) || pods.is_empty() {
        return detach(cluster, key, &attachment);
    }
    if attachment["status"]["attached"] == true {
        return Ok(());
    }
    if !cluster.passed(key, uid(&attachment), "attach", cluster.settings.attach_millis) {
        return Ok(());
    }
    attach(cluster, &attachment, &pods)
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

fn attach(cluster: &Cluster, attachment: &Value, pods: &[Arc<Value>]) -> Outcome {
    let node = text(attachment, "/spec/nodeName");
    let volume = text(attachment, "/spec/source/persistentVolumeName");
    let instance = cluster
        .get(NODES, "", node)
        .map(|node| instance_of(&node).to_owned())
        .unwrap_or_default();
    let ebs = annotation(attachment, EBS_VOLUME).unwrap_or_default();
    match cluster.aws.attach(ebs, &instance, &free_device(cluster, node)) {
        Ok(attached) => {
            let device = attached
                .attachment
                .map(|attachment| attachment.device)
                .unwrap_or_default();
            cluster.change_status(ATTACHMENTS, attachment, ATTACHER, |live| {
                live["status"] = json!({"attached": true, "attachmentMetadata": {"devicePath": device}});
            })?;
            let message = format!("AttachVolume.Attach succeeded for volume \"{volume}\" ");
            for pod in pods {
                cluster.event(pod, "SuccessfulAttachVolume", &message, COMPONENT);
            }
            Ok(())
        }
        Err(error) => {
            let cause = rpc_error(
                &error,
                &format!("Could not attach volume \"{ebs}\" to node \"{instance}\""),
            );
            let now = time(cluster.now());
            cluster.change_status(ATTACHMENTS, attachment, ATTACHER, |live| {
                live["status"] = json!({"attached": false, "attachError": {"message": cause, "time": now}});
            })?;
            let message = format!("AttachVolume.Attach failed for volume \"{volume}\" : {cause}");
            for pod in pods {
                cluster.warn(pod, "FailedAttachVolume", &message, COMPONENT);
            }
            Err(error.into())
        }
    }
}

fn detach(cluster: &mut Cluster, key: &Key, attachment: &Value) -> Outcome {
    if !is_deleting(attachment) {
        cluster.delete(ATTACHMENTS, attachment)?;
    }
    if !has_finalizer(attachment, FINALIZER) {
        return Ok(());
    }
    if attachment["status"]["attached"] == true {
        if !cluster.passed(key, uid(attachment), "detach", cluster.settings.detach_millis) {
            return Ok(());
        }
        match cluster
            .aws
            .detach(annotation(attachment, EBS_VOLUME).unwrap_or_default())
        {
            Err(error) if !is_not_found(&error) => return Err(error.into()),
            _ => {}
        }
    }
    cluster.change(ATTACHMENTS, attachment, ATTACHER, |live| {
        remove_finalizer(live, FINALIZER);
    })
}

/// The first device name from `/dev/xvdba` on that the node has free.
fn free_device(cluster: &Cluster, node: &str) -> String {
    let names = ('b'..='z').flat_map(|first| ('a'..='z').map(move |second| format!("/dev/xvd{first}{second}")));
    names
        .into_iter()
        .find(|device| !cluster.index.has_device(node, device))
        .unwrap_or_else(|| "/dev/xvdzz".to_owned())
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
