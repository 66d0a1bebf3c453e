//! From a claim to a volume.

use std::sync::Arc;

use moorline_sandbox_aws::{NewVolume, VolumeState};
use serde_json::{Value, json};

use super::{COMPONENT, FINALIZER, parameters, topology};
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::kinds::{CLAIMS, EBS_DRIVER, NODES, PROVISIONER, VOLUMES};
use crate::nodes::{ZONE, zone_of};
use crate::object::{annotation, child, is_deleting, name, namespace, sha256_hex, text, uid};
use crate::quantity::gib;
use crate::queue::Key;
use crate::storage::attachment::rpc_error;
use crate::storage::{
    PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, class_name, class_of, driver_for, is_delayed,
};

/// What has been asked of the cloud and is not finished, by claim. A driver finishes what it began even when the claim
/// goes meanwhile; one that dies forgets, and that is how volumes leak.
pub(crate) type UnderWay = std::collections::HashMap<Key, (Arc<Value>, Arc<Value>)>;

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    if !cluster.settings.csi {
        return Ok(());
    }
    let claim = cluster.get(CLAIMS, &key.namespace, &key.name);
    let begun = cluster.under_way.get(key).cloned();
    let (claim, class) = match (claim, begun) {
        (Some(claim), begun) if begun.as_ref().is_none_or(|(first, _)| uid(first) == uid(&claim)) => {
            let Some(class) = wanted_class(cluster, &claim) else {
                return Ok(());
            };
            (claim, class)
        }
        (_, Some(begun)) => begun,
        _ => return Ok(()),
    };
    let volume = format!("pvc-{}", uid(&claim));
    if cluster.get(VOLUMES, "", &volume).is_some() {
        cluster.under_way.remove(key);
        return Ok(());
    }
    if !cluster.under_way.contains_key(key) {
        let message = format!(
            "External provisioner is provisioning volume for claim \"{}/{}\"",
            key.namespace, key.name
        );
        cluster.event(&claim, "Provisioning", &message, COMPONENT);
    }
    let outcome = make(cluster, key, &claim, &class, &volume);
    if let Err(ControlError::Aws(_)) = &outcome {
        cluster.under_way.remove(key);
    }
    outcome
}

/// The class of a claim that is this driver's to serve now.
fn wanted_class(cluster: &Cluster, claim: &Value) -> Option<Arc<Value>> {
    let asked = annotation(claim, STORAGE_PROVISIONER) == Some(EBS_DRIVER);
    if !asked || !text(claim, "/spec/volumeName").is_empty() || is_deleting(claim) {
        return None;
    }
    let class = class_of(cluster, claim)?;
    let ours = driver_for(text(&class, "/provisioner")) == EBS_DRIVER;
    let waits = is_delayed(cluster, claim) && annotation(claim, SELECTED_NODE).is_none();
    (ours && !waits).then_some(class)
}

/// Makes the cloud volume, waits until it is there, and makes the object that names it.
fn make(cluster: &mut Cluster, key: &Key, claim: &Arc<Value>, class: &Arc<Value>, volume: &str) -> Outcome {
    let wanted = match describe(cluster, claim, class, volume) {
        Ok(wanted) => wanted,
        Err(why) => {
            failed(
                cluster,
                claim,
                &format!("rpc error: code = InvalidArgument desc = {why}"),
            );
            cluster.under_way.remove(key);
            return Ok(());
        }
    };
    let made = match cluster.aws.create_volume(wanted) {
        Ok(made) => made,
        Err(error) => {
            failed(
                cluster,
                claim,
                &rpc_error(&error, &format!("Could not create volume \"{volume}\"")),
            );
            return Err(error.into());
        }
    };
    cluster.under_way.insert(key.clone(), (claim.clone(), class.clone()));
    if made.state == VolumeState::Creating {
        let moment = made.settles_at.unwrap_or_else(|| cluster.now());
        cluster.wake_at(key, moment);
        return Ok(());
    }
    if cluster.settings.csi_stops_after_volume {
        cluster.under_way.remove(key);
        return Ok(());
    }
    let fs_type = parameters::read(class)
        .map(|parameters| parameters.fs_type)
        .unwrap_or_default();
    let object = object(claim, class, volume, &made, &fs_type);
    cluster.api.create(VOLUMES, object, PROVISIONER)?;
    cluster.under_way.remove(key);
    cluster.event(
        claim,
        "ProvisioningSucceeded",
        &format!("Successfully provisioned volume {volume}"),
        COMPONENT,
    );
    Ok(())
}

fn failed(cluster: &Cluster, claim: &Value, why: &str) {
    let message = format!(
        "failed to provision volume with StorageClass \"{}\": {why}",
        class_name(claim)
    );
    cluster.warn(claim, "ProvisioningFailed", &message, COMPONENT);
}

/// What to ask of the cloud.
fn describe(cluster: &Cluster, claim: &Value, class: &Value, volume: &str) -> Result<NewVolume, String> {
    let size = gib(text(claim, "/spec/resources/requests/storage")).and_then(|size| u32::try_from(size).ok());
    let size = size.ok_or("Invalid capacity range")?;
    let mut new = parameters::read(class)?.volume(size.max(1))?;
    let settings = cluster.aws.settings();
    let node = annotation(claim, SELECTED_NODE).and_then(|node| cluster.get(NODES, "", node));
    new.zone = if let Some(node) = node {
        zone_of(&node).to_owned()
    } else {
        let allowed = topology::zones_of(class).unwrap_or_else(|| settings.zone_names(&settings.region));
        topology::spread(name(claim), &allowed).cloned().unwrap_or_default()
    };
    let tags = [
        ("CSIVolumeName", volume),
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pvc/name", name(claim)),
        ("kubernetes.io/created-for/pvc/namespace", namespace(claim)),
        ("kubernetes.io/created-for/pv/name", volume),
    ];
    new.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    new.client_token = Some(sha256_hex(volume));
    Ok(new)
}

/// The volume object, reserved for the claim.
fn object(claim: &Value, class: &Value, volume: &str, made: &moorline_sandbox_aws::Volume, fs_type: &str) -> Value {
    let mut object = json!({
        "metadata": {
            "name": volume,
            "annotations": {
                PROVISIONED_BY: EBS_DRIVER,
                "volume.kubernetes.io/provisioner-deletion-secret-name": "",
                "volume.kubernetes.io/provisioner-deletion-secret-namespace": "",
            },
        },
        "spec": {
            "accessModes": claim["spec"]["accessModes"], "capacity": {"storage": format!("{}Gi", made.size_gib)},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name(claim), "namespace": namespace(claim),
                "resourceVersion": claim["metadata"]["resourceVersion"], "uid": uid(claim),
            },
            "csi": {
                "driver": EBS_DRIVER, "fsType": fs_type, "volumeHandle": made.id,
                "volumeAttributes": {"storage.kubernetes.io/csiProvisionerIdentity": format!("sandbox-{EBS_DRIVER}")},
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [made.zone]}]},
            ]}},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"], "storageClassName": class_name(claim),
            "volumeMode": claim["spec"]["volumeMode"],
        },
    });
    if class["reclaimPolicy"] == "Delete" {
        child(&mut object, "metadata").insert("finalizers".to_owned(), json!([FINALIZER]));
    }
    if let Some(options) = class.get("mountOptions") {
        child(&mut object, "spec").insert("mountOptions".to_owned(), options.clone());
    }
    object
}
