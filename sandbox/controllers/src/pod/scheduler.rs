//! Choosing a node for a pod, and for the claims that wait for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::start;
use crate::cluster::{Cluster, Outcome};
use crate::index::claims_of;
use crate::kinds::{CLAIMS, NODES, PODS, SCHEDULER, VOLUMES};
use crate::nodes::{fits_selector, zone_of};
use crate::object::{annotate, annotation, condition, is_deleting, list, name, namespace, set_condition, text};
use crate::quantity::bytes;
use crate::queue::Key;
use crate::storage::binder::{matching::smallest_free, reserve};
use crate::storage::provisioner::zones_of;
use crate::storage::{SELECTED_NODE, class_of, is_bound, is_delayed};
use crate::workload::containers;

/// How events name their source.
const COMPONENT: &str = "default-scheduler";

/// The claims of a pod, as far as they matter to its place.
#[derive(Default)]
struct Claims {
    /// The volumes that are there already.
    volumes: Vec<Arc<Value>>,
    /// The claims that wait for the pod's node.
    delayed: Vec<Arc<Value>>,
}

pub(super) fn schedule(cluster: &mut Cluster, _key: &Key, pod: &Value) -> Outcome {
    if !list(pod, "/spec/schedulingGates").is_empty() || text(pod, "/spec/schedulerName") != "default-scheduler" {
        return Ok(());
    }
    let claims = match claims(cluster, pod) {
        Ok(claims) => claims,
        Err(why) => return unschedulable(cluster, pod, &why),
    };
    let nodes = cluster.api.list(NODES, None);
    let mut refusals: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    for node in &nodes {
        match refusal(cluster, pod, &claims, node) {
            Some(why) => *refusals.entry(why).or_default() += 1,
            None => fitting.push(node),
        }
    }
    let Some(node) = fitting
        .into_iter()
        .min_by_key(|node| (cluster.index.pods_on(name(node)), name(node).to_owned()))
    else {
        let mut reasons: Vec<String> = refusals.iter().map(|(why, count)| format!("{count} {why}")).collect();
        reasons.sort_unstable();
        return unschedulable(cluster, pod, &reasons.join(", "));
    };
    if claims.delayed.is_empty() {
        assign(cluster, pod, node)
    } else {
        prepare_volumes(cluster, &claims.delayed, node)
    }
}

/// The pod's claims; an error in the scheduler's words where one rules out every node.
fn claims(cluster: &Cluster, pod: &Value) -> Result<Claims, String> {
    let mut found = Claims::default();
    for claim_name in claims_of(pod) {
        let Some(claim) = cluster.get(CLAIMS, namespace(pod), claim_name) else {
            return Err(format!("persistentvolumeclaim \"{claim_name}\" not found"));
        };
        if is_deleting(&claim) {
            return Err(format!("persistentvolumeclaim \"{claim_name}\" is being deleted"));
        }
        let volume = text(&claim, "/spec/volumeName");
        if is_bound(&claim) {
            let gone = || {
                format!("persistentvolumeclaim \"{claim_name}\" bound to non-existent persistentvolume \"{volume}\"")
            };
            found.volumes.push(cluster.get(VOLUMES, "", volume).ok_or_else(gone)?);
        } else if volume.is_empty() && is_delayed(cluster, &claim) {
            found.delayed.push(claim);
        } else {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    Ok(found)
}

/// Why a node cannot take the pod; `None` when it can.
fn refusal(cluster: &Cluster, pod: &Value, claims: &Claims, node: &Value) -> Option<&'static str> {
    if node["spec"]["unschedulable"] == true {
        return Some("node(s) were unschedulable");
    }
    if !list(node, "/spec/taints").iter().all(|taint| is_tolerated(pod, taint)) {
        return Some("node(s) had untolerated taint(s)");
    }
    let labels = node.pointer("/metadata/labels");
    let wanted = pod
        .pointer("/spec/nodeSelector")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let selected = wanted
        .into_iter()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    let affinity = pod.pointer("/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    if !selected || !fits_selector(node, affinity) {
        return Some("node(s) didn't match Pod's node affinity/selector");
    }
    for (resource, why) in [("cpu", "Insufficient cpu"), ("memory", "Insufficient memory")] {
        let asked: u64 = containers(&pod["spec"])
            .iter()
            .filter_map(|container| amount(&container["resources"]["requests"][resource]))
            .sum();
        if amount(&node["status"]["allocatable"][resource]).is_some_and(|offered| asked > offered) {
            return Some(why);
        }
    }
    if !claims
        .volumes
        .iter()
        .all(|volume| fits_selector(node, volume.pointer("/spec/nodeAffinity/required")))
    {
        return Some("node(s) didn't match PersistentVolume's node affinity");
    }
    let served = |claim: &Arc<Value>| serves(cluster, claim, node);
    (!claims.delayed.iter().all(served)).then_some("node(s) didn't find available persistent volumes to bind")
}

/// A quantity of cpu or memory in thousandths.
fn amount(quantity: &Value) -> Option<u64> {
    let text = quantity.as_str()?;
    match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().ok(),
        None => bytes(text).map(|whole| whole.saturating_mul(1000)),
    }
}

fn is_tolerated(pod: &Value, taint: &Value) -> bool {
    if text(taint, "/effect") == "PreferNoSchedule" {
        return true;
    }
    list(pod, "/spec/tolerations").iter().any(|toleration| {
        let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
        let exists = text(toleration, "/operator") == "Exists";
        (key.is_empty() && exists || key == text(taint, "/key"))
            && (effect.is_empty() || effect == text(taint, "/effect"))
            && (exists || text(toleration, "/value") == text(taint, "/value"))
    })
}

/// Whether a node can get a volume for a claim that waits: a free one, or a new one.
fn serves(cluster: &Cluster, claim: &Value, node: &Value) -> bool {
    if let Some(chosen) = annotation(claim, SELECTED_NODE).filter(|chosen| cluster.get(NODES, "", chosen).is_some()) {
        return chosen == name(node);
    }
    if free_volume(cluster, claim, node).is_some() {
        return true;
    }
    class_of(cluster, claim).is_some_and(|class| {
        let provisions = text(&class, "/provisioner") != "kubernetes.io/no-provisioner";
        provisions && zones_of(&class).is_none_or(|zones| zones.iter().any(|zone| zone == zone_of(node)))
    })
}

fn free_volume(cluster: &Cluster, claim: &Value, node: &Value) -> Option<Arc<Value>> {
    smallest_free(cluster, claim, |volume| {
        fits_selector(node, volume.pointer("/spec/nodeAffinity/required"))
    })
}

/// Has the claims that waited for a node bound there; the pod follows when they are.
fn prepare_volumes(cluster: &Cluster, delayed: &[Arc<Value>], node: &Value) -> Outcome {
    for claim in delayed {
        if annotation(claim, SELECTED_NODE) == Some(name(node)) {
            continue;
        }
        match free_volume(cluster, claim, node) {
            Some(volume) => cluster.change(VOLUMES, &volume, SCHEDULER, |live| reserve(live, claim))?,
            None => cluster.change(CLAIMS, claim, SCHEDULER, |live| {
                annotate(live, SELECTED_NODE, name(node));
            })?,
        }
    }
    Ok(())
}

fn assign(cluster: &mut Cluster, pod: &Value, node: &Value) -> Outcome {
    cluster.change(PODS, pod, SCHEDULER, |live| {
        live["spec"]["nodeName"] = name(node).into();
    })?;
    let now = cluster.now();
    cluster.change_status(PODS, pod, SCHEDULER, |live| {
        set_condition(live, json!({"type": "PodScheduled", "status": "True"}), now);
        start::creating(live, node, now);
    })?;
    let message = format!(
        "Successfully assigned {}/{} to {}",
        namespace(pod),
        name(pod),
        name(node)
    );
    cluster.event(pod, "Scheduled", &message, COMPONENT);
    Ok(())
}

fn unschedulable(cluster: &Cluster, pod: &Value, why: &str) -> Outcome {
    let nodes = cluster.api.list(NODES, None).len();
    let message = format!(
        "0/{nodes} nodes are available: {why}. preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
    );
    let said = condition(pod, "PodScheduled").is_some_and(|present| present["message"] == message.as_str());
    if said {
        return Ok(());
    }
    let now = cluster.now();
    cluster.change_status(PODS, pod, SCHEDULER, |live| {
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        set_condition(live, condition, now);
    })?;
    cluster.warn(pod, "FailedScheduling", &message, COMPONENT);
    Ok(())
}
