//! From a claim to a volume.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{FINALIZER, Made, Progress, Refusal, Request, create};
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::kinds::{CLAIMS, PROVISIONER, VOLUMES};
use crate::object::{annotation, child, is_deleting, name, namespace, text, uid};
use crate::queue::Key;
use crate::storage::driver::{Driver, driver_for};
use crate::storage::{PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, class_name, class_of, is_delayed};

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
    let Some(driver) = Driver::named(driver_for(text(&class, "/provisioner"))) else {
        return Ok(());
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
        cluster.event(&claim, "Provisioning", &message, driver.component());
    }
    let outcome = make(cluster, key, (&claim, &class), driver);
    if let Err(ControlError::Aws(_) | ControlError::Azure(_)) = &outcome {
        cluster.under_way.remove(key);
    }
    outcome
}

/// The class of a claim that is for a driver of this cluster to serve now.
fn wanted_class(cluster: &Cluster, claim: &Value) -> Option<Arc<Value>> {
    let driver = Driver::named(annotation(claim, STORAGE_PROVISIONER)?)?;
    let runs = Driver::of_cloud(cluster.settings.cloud).contains(&driver);
    if !runs || !text(claim, "/spec/volumeName").is_empty() || is_deleting(claim) {
        return None;
    }
    let class = class_of(cluster, claim)?;
    let ours = driver_for(text(&class, "/provisioner")) == driver.name();
    let waits = is_delayed(cluster, claim) && annotation(claim, SELECTED_NODE).is_none();
    (ours && !waits).then_some(class)
}

/// Makes the cloud volume, waits until it is there, and makes the object that names it.
fn make(cluster: &mut Cluster, key: &Key, (claim, class): (&Arc<Value>, &Arc<Value>), driver: Driver) -> Outcome {
    let volume = format!("pvc-{}", uid(claim));
    let request = Request {
        claim,
        class,
        volume: &volume,
    };
    let progress = match create(cluster, driver, &request) {
        Ok(progress) => progress,
        Err(Refusal::Invalid(why)) => {
            let why = format!("rpc error: code = InvalidArgument desc = {why}");
            failed(cluster, claim, driver, &why);
            cluster.under_way.remove(key);
            return Ok(());
        }
        Err(Refusal::Failed(why, error)) => {
            failed(cluster, claim, driver, &why);
            return Err(*error);
        }
    };
    cluster.under_way.insert(key.clone(), (claim.clone(), class.clone()));
    let made = match progress {
        Progress::Made(made) => made,
        Progress::Until(moment) => {
            cluster.wake_at(key, moment);
            return Ok(());
        }
    };
    if cluster.settings.csi_stops_after_volume {
        cluster.under_way.remove(key);
        return Ok(());
    }
    cluster
        .api
        .create(VOLUMES, object(&request, driver, made), PROVISIONER)?;
    cluster.under_way.remove(key);
    cluster.event(
        claim,
        "ProvisioningSucceeded",
        &format!("Successfully provisioned volume {volume}"),
        driver.component(),
    );
    Ok(())
}

fn failed(cluster: &Cluster, claim: &Value, driver: Driver, why: &str) {
    let message = format!(
        "failed to provision volume with StorageClass \"{}\": {why}",
        class_name(claim)
    );
    cluster.warn(claim, "ProvisioningFailed", &message, driver.component());
}

/// The volume object, reserved for the claim.
fn object(request: &Request, driver: Driver, made: Made) -> Value {
    let Request { claim, class, volume } = request;
    let mut object = json!({
        "metadata": {
            "name": volume,
            "annotations": {
                PROVISIONED_BY: driver.name(),
                "volume.kubernetes.io/provisioner-deletion-secret-name": "",
                "volume.kubernetes.io/provisioner-deletion-secret-namespace": "",
            },
        },
        "spec": {
            "accessModes": claim["spec"]["accessModes"], "capacity": {"storage": made.capacity},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name(claim), "namespace": namespace(claim),
                "resourceVersion": claim["metadata"]["resourceVersion"], "uid": uid(claim),
            },
            "csi": {"driver": driver.name(), "volumeHandle": made.handle, "volumeAttributes": made.attributes},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"], "storageClassName": class_name(claim),
            "volumeMode": claim["spec"]["volumeMode"],
        },
    });
    if let Some(fs_type) = made.fs_type {
        object["spec"]["csi"]["fsType"] = fs_type.into();
    }
    if let Some(secret) = node_stage_secret(request) {
        object["spec"]["csi"]["nodeStageSecretRef"] = secret;
    }
    if let Some((label, zone)) = made.zone {
        object["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": label, "operator": "In", "values": [zone]}]},
        ]}});
    }
    if class["reclaimPolicy"] == "Delete" {
        child(&mut object, "metadata").insert("finalizers".to_owned(), json!([FINALIZER]));
    }
    if let Some(options) = class.get("mountOptions") {
        child(&mut object, "spec").insert("mountOptions".to_owned(), options.clone());
    }
    object
}

/// The Secret with which nodes are to mount, where the class names one; its names may depend on the claim's.
fn node_stage_secret(request: &Request) -> Option<Value> {
    let parameter = |key: &str| {
        let value = request.class["parameters"][format!("csi.storage.k8s.io/node-stage-secret-{key}")].as_str()?;
        let value = value.replace("${pvc.namespace}", namespace(request.claim));
        let value = value.replace("${pvc.name}", name(request.claim));
        Some(value.replace("${pv.name}", request.volume))
    };
    Some(json!({"name": parameter("name")?, "namespace": parameter("namespace")?}))
}
