//! The binder's look at a claim.

use serde_json::Value;

use super::bind::bind;
use super::matching::{best, mismatch_of_named};
use super::{BIND_COMPLETED, COMPONENT, names, refers_to};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, CLASSES, MANAGER, VOLUMES};
use crate::object::{annotate, annotation, child, is_deleting, name, namespace, text};
use crate::queue::Key;
use crate::storage::driver::{Driver, driver_for};
use crate::storage::{SELECTED_NODE, STORAGE_PROVISIONER, STORAGE_PROVISIONER_BETA, class_name, class_of, is_delayed};
use crate::workload::has_ended;

/// Marks the class of claims that name none.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(claim) = cluster.get(CLAIMS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if annotation(&claim, BIND_COMPLETED).is_some() {
        check_bound(cluster, &claim)
    } else if text(&claim, "/spec/volumeName").is_empty() {
        find(cluster, &claim)
    } else {
        take_named(cluster, &claim)
    }
}

/// A claim that takes any volume that suits.
fn find(cluster: &Cluster, claim: &Value) -> Outcome {
    let delayed = is_delayed(cluster, claim);
    if let Some(volume) = best(cluster, claim, delayed) {
        return bind(cluster, &volume, claim);
    }
    if is_deleting(claim) {
        return Ok(());
    }
    if let Some(class) = missed_class(cluster, claim) {
        return cluster.change(CLAIMS, claim, MANAGER, |live| {
            child(live, "spec").insert("storageClassName".to_owned(), class.into());
        });
    }
    if delayed && annotation(claim, SELECTED_NODE).is_none() {
        let (reason, message) = match waiting_pod(cluster, claim) {
            Some(pod) => ("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
            None => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".to_owned(),
            ),
        };
        cluster.event(claim, reason, &message, COMPONENT);
    } else if class_name(claim).is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        cluster.event(claim, "FailedBinding", message, COMPONENT);
    } else {
        ask_provisioner(cluster, claim)?;
    }
    set_phase(cluster, claim, "Pending")
}

/// The default class that a claim did not get because there was none when it was made.
fn missed_class(cluster: &Cluster, claim: &Value) -> Option<String> {
    let said = claim["spec"].get("storageClassName").is_some() || !class_name(claim).is_empty();
    if said {
        return None;
    }
    let mut classes = cluster.api.scan(CLASSES, None);
    let class = classes.find(|class| annotation(class, DEFAULT_CLASS) == Some("true"))?;
    Some(name(&class).to_owned())
}

/// The first pod that waits for the claim; it has no node yet.
fn waiting_pod(cluster: &Cluster, claim: &Value) -> Option<String> {
    cluster
        .index
        .pods_of_claim(namespace(claim), name(claim))
        .into_iter()
        .find(|pod| {
            let pod = cluster.get(crate::kinds::PODS, namespace(claim), pod);
            pod.is_some_and(|pod| text(&pod, "/spec/nodeName").is_empty() && !has_ended(&pod))
        })
}

/// Hands the claim to the provisioner of its class.
fn ask_provisioner(cluster: &Cluster, claim: &Value) -> Outcome {
    let Some(class) = class_of(cluster, claim) else {
        let message = format!("storageclass.storage.k8s.io \"{}\" not found", class_name(claim));
        cluster.warn(claim, "ProvisioningFailed", &message, COMPONENT);
        return Ok(());
    };
    let driver = driver_for(text(&class, "/provisioner"));
    if driver.starts_with("kubernetes.io/") {
        let message = format!("no volume plugin matched name: {driver}");
        cluster.warn(claim, "ProvisioningFailed", &message, COMPONENT);
        return Ok(());
    }
    let told = annotation(claim, STORAGE_PROVISIONER) == Some(driver);
    if !told {
        cluster.change(CLAIMS, claim, MANAGER, |live| {
            annotate(live, STORAGE_PROVISIONER, driver);
            annotate(live, STORAGE_PROVISIONER_BETA, driver);
        })?;
    }
    // Said again only where nobody seems to listen.
    let runs = Driver::of_cloud(cluster.settings.cloud)
        .iter()
        .any(|one| one.name() == driver);
    if !told || !runs || !cluster.settings.csi {
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{driver}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        cluster.event(claim, "ExternalProvisioning", &message, COMPONENT);
    }
    Ok(())
}

/// A claim that asks for one volume by name.
fn take_named(cluster: &Cluster, claim: &Value) -> Outcome {
    let Some(volume) = cluster.get(VOLUMES, "", text(claim, "/spec/volumeName")) else {
        return set_phase(cluster, claim, "Pending");
    };
    if text(&volume, "/spec/claimRef/name").is_empty() {
        if let Some(why) = mismatch_of_named(&volume, claim) {
            let message = format!("Cannot bind to requested volume \"{}\": {why}", name(&volume));
            cluster.warn(claim, "VolumeMismatch", &message, COMPONENT);
            return set_phase(cluster, claim, "Pending");
        }
        bind(cluster, &volume, claim)
    } else if names(&volume, claim) {
        bind(cluster, &volume, claim)
    } else {
        let message = format!("volume \"{}\" already bound to a different claim.", name(&volume));
        cluster.warn(claim, "FailedBinding", &message, COMPONENT);
        set_phase(cluster, claim, "Pending")
    }
}

/// A claim that was bound: is its volume still there and its own?
fn check_bound(cluster: &Cluster, claim: &Value) -> Outcome {
    let wanted = text(claim, "/spec/volumeName");
    if wanted.is_empty() {
        let message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lose(cluster, claim, "ClaimLost", message);
    }
    let Some(volume) = cluster.get(VOLUMES, "", wanted) else {
        let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lose(cluster, claim, "ClaimLost", message);
    };
    if text(&volume, "/spec/claimRef/name").is_empty() || refers_to(&volume, claim) {
        return bind(cluster, &volume, claim);
    }
    let message = "Two claims are bound to the same volume, this one is bound incorrectly";
    lose(cluster, claim, "ClaimMisbound", message)
}

fn lose(cluster: &Cluster, claim: &Value, reason: &str, message: &str) -> Outcome {
    if text(claim, "/status/phase") != "Lost" {
        cluster.warn(claim, reason, message, COMPONENT);
    }
    set_phase(cluster, claim, "Lost")
}

fn set_phase(cluster: &Cluster, claim: &Value, phase: &str) -> Outcome {
    if text(claim, "/status/phase") == phase {
        return Ok(());
    }
    cluster.change_status(CLAIMS, claim, MANAGER, |live| {
        let status = child(live, "status");
        status.insert("phase".to_owned(), phase.into());
        status.retain(|key, _| !matches!(key.as_str(), "accessModes" | "capacity"));
    })
}
