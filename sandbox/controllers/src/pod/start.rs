//! Starting a pod on its node.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::containers::{crashes, full_name, has_image, running, statuses, waiting};
use super::volumes;
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{KUBELET, NODES, PODS};
use crate::nodes::address_of;
use crate::object::{child, list, number, set_condition, text, time, uid};
use crate::queue::Key;
use crate::workload::containers;

/// How long the kubelet lets a missing source be before it looks again.
const SOURCE_RETRY: SignedDuration = SignedDuration::from_secs(2);
/// From a failed pull to the first back-off, in milliseconds.
const PULL_BACK_OFF_MILLIS: u64 = 1_000;

pub(super) fn start(cluster: &mut Cluster, key: &Key, pod: &Value) -> Outcome {
    let Some(node) = cluster.get(NODES, "", text(pod, "/spec/nodeName")) else {
        return Ok(());
    };
    if text(pod, "/status/startTime").is_empty() {
        let now = cluster.now();
        return cluster.change_status(PODS, pod, KUBELET, |live| {
            set_condition(live, json!({"type": "PodScheduled", "status": "True"}), now);
            creating(live, &node, now);
        });
    }
    if text(pod, "/status/phase") == "Running" {
        return restart_crashed(cluster, key, pod);
    }
    if !volumes::are_ready(cluster, pod)? {
        let moment = cluster.now() + SOURCE_RETRY;
        cluster.wake_at(key, moment);
        return Ok(());
    }
    if !cluster.passed(key, uid(pod), "start", cluster.settings.pod_start_millis) {
        return Ok(());
    }
    if containers(&pod["spec"]).iter().all(has_image) {
        run(cluster, key, pod, &node)
    } else {
        fail_to_pull(cluster, key, pod)
    }
}

/// The status of a pod whose node has just heard of it.
pub(super) fn creating(pod: &mut Value, node: &Value, now: Timestamp) {
    let message = unready_message(pod);
    for (type_, ready) in [("PodReadyToStartContainers", false), ("Initialized", true)] {
        set_condition(
            pod,
            json!({"type": type_, "status": if ready { "True" } else { "False" }}),
            now,
        );
    }
    for type_ in ["Ready", "ContainersReady"] {
        let condition = json!({"type": type_, "status": "False", "reason": "ContainersNotReady", "message": message});
        set_condition(pod, condition, now);
    }
    let shown = statuses(pod, |_| waiting("ContainerCreating", ""));
    let address = address_of(node);
    let status = child(pod, "status");
    status.insert("phase".to_owned(), "Pending".into());
    status.insert("startTime".to_owned(), time(now));
    status.insert("hostIP".to_owned(), address.into());
    status.insert("hostIPs".to_owned(), json!([{"ip": address}]));
    status.insert("containerStatuses".to_owned(), shown.into());
}

fn unready_message(pod: &Value) -> String {
    let names: Vec<&str> = containers(&pod["spec"])
        .iter()
        .map(|container| text(container, "/name"))
        .collect();
    format!("containers with unready status: [{}]", names.join(" "))
}

fn run(cluster: &mut Cluster, key: &Key, pod: &Value, node: &Value) -> Outcome {
    let now = cluster.now();
    let address = pod_address(cluster, pod, node);
    let crash = containers(&pod["spec"]).iter().any(|container| crashes(pod, container));
    cluster.change_status(PODS, pod, KUBELET, |live| {
        for type_ in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"] {
            set_condition(live, json!({"type": type_, "status": "True"}), now);
        }
        let shown = statuses(live, |_| running(&time(now)));
        let status = child(live, "status");
        status.insert("phase".to_owned(), "Running".into());
        status.insert("podIP".to_owned(), address.as_str().into());
        status.insert("podIPs".to_owned(), json!([{"ip": address}]));
        status.insert("containerStatuses".to_owned(), shown.into());
        if crash {
            crashed(live, 0, now);
        }
    })?;
    for container in containers(&pod["spec"]) {
        let (image, container_name) = (text(container, "/image"), text(container, "/name"));
        let pulled = format!("Container image \"{image}\" already present on machine");
        cluster.event(pod, "Pulled", &pulled, KUBELET);
        cluster.event(pod, "Created", &format!("Container created: {container_name}"), KUBELET);
        cluster.event(pod, "Started", &format!("Container started: {container_name}"), KUBELET);
    }
    if crash {
        restart_crashed(cluster, key, pod)
    } else {
        Ok(())
    }
}

/// A free address of the node's network; which one follows from the pod, so that a restart of the sandbox keeps it.
fn pod_address(cluster: &Cluster, pod: &Value, node: &Value) -> String {
    if pod["spec"]["hostNetwork"] == true {
        return address_of(node).to_owned();
    }
    let network = text(node, "/spec/podCIDR");
    let mut numbers = network
        .split(['.', '/'])
        .filter_map(|number| number.parse::<u32>().ok());
    let (first, second, third) = (
        numbers.next().unwrap_or(10),
        numbers.next().unwrap_or(244),
        numbers.next().unwrap_or_default(),
    );
    let start = uid(pod)
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let addresses = (0..4_000).map(|step| {
        let host = start.wrapping_add(step) % 4_000 + 2;
        format!("{first}.{second}.{}.{}", third + host / 256, host % 256)
    });
    addresses
        .into_iter()
        .find(|address| !cluster.index.has_address(address))
        .unwrap_or_default()
}

/// `ErrImagePull` at first, `ImagePullBackOff` from then on; a changed image is tried at once.
fn fail_to_pull(cluster: &mut Cluster, key: &Key, pod: &Value) -> Outcome {
    let missing: Vec<&Value> = containers(&pod["spec"])
        .iter()
        .filter(|container| !has_image(container))
        .collect();
    let images: String = missing
        .iter()
        .map(|container| text(container, "/image"))
        .collect::<Vec<_>>()
        .join(" ");
    let first = !cluster.waits.has_begun(uid(pod), &images);
    let backed_off = cluster.passed(key, uid(pod), &images, PULL_BACK_OFF_MILLIS);
    let reason = if backed_off { "ImagePullBackOff" } else { "ErrImagePull" };
    let not_found = |image: &str| format!("failed to resolve image: {image}: not found");
    cluster.change_status(PODS, pod, KUBELET, |live| {
        let shown = statuses(live, |container| {
            let image = text(container, "/image");
            match (has_image(container), backed_off) {
                (true, _) => waiting("ContainerCreating", ""),
                (false, false) => waiting(reason, &not_found(image)),
                (false, true) => waiting(
                    reason,
                    &format!("Back-off pulling image \"{image}\": ErrImagePull: {}", not_found(image)),
                ),
            }
        });
        child(live, "status").insert("containerStatuses".to_owned(), shown.into());
    })?;
    let present = list(pod, "/status/containerStatuses");
    let told = |reason: &str| {
        present
            .iter()
            .any(|status| status["state"]["waiting"]["reason"] == reason)
    };
    for container in missing {
        let image = text(container, "/image");
        if first {
            cluster.event(pod, "Pulling", &format!("Pulling image \"{image}\""), KUBELET);
            cluster.warn(
                pod,
                "Failed",
                &format!("Failed to pull image \"{image}\": {}", not_found(image)),
                KUBELET,
            );
            cluster.warn(pod, "Failed", "Error: ErrImagePull", KUBELET);
        } else if backed_off && !told("ImagePullBackOff") {
            cluster.event(pod, "BackOff", &format!("Back-off pulling image \"{image}\""), KUBELET);
            cluster.warn(pod, "Failed", "Error: ImagePullBackOff", KUBELET);
        }
    }
    Ok(())
}

/// Marks the crashing containers as ended for the `restarts`th time, and the pod with them.
fn crashed(pod: &mut Value, restarts: u32, now: Timestamp) {
    let original = pod.clone();
    let never = text(pod, "/spec/restartPolicy") == "Never";
    let ended = json!({"terminated": {
        "exitCode": 1, "reason": "Error", "startedAt": time(now), "finishedAt": time(now),
    }});
    let mut shown = statuses(&original, |container| {
        if !crashes(&original, container) {
            return running(&time(now));
        }
        if never {
            return ended.clone();
        }
        let message = format!(
            "back-off {}s restarting failed container={}",
            back_off(restarts).as_secs(),
            full_name(&original, container)
        );
        waiting("CrashLoopBackOff", &message)
    });
    for status in shown
        .iter_mut()
        .filter(|status| !status["state"]["running"].is_object() && !never)
    {
        status["restartCount"] = restarts.into();
        status["lastState"] = ended.clone();
    }
    let message = unready_message(pod);
    for type_ in ["Ready", "ContainersReady"] {
        let condition = json!({"type": type_, "status": "False", "reason": "ContainersNotReady", "message": message});
        set_condition(pod, condition, now);
    }
    let status = child(pod, "status");
    status.insert("containerStatuses".to_owned(), shown.into());
    if never {
        status.insert("phase".to_owned(), "Failed".into());
    }
}

/// 10 s, and twice as long with each restart, up to five minutes.
fn back_off(restarts: u32) -> Duration {
    Duration::from_secs(10 << restarts.min(5)).min(Duration::from_mins(5))
}

/// Starts the crashed containers of a running pod again when their back-off is over; they crash again.
fn restart_crashed(cluster: &mut Cluster, key: &Key, pod: &Value) -> Outcome {
    let Some(pod) = cluster
        .get(PODS, &key.namespace, &key.name)
        .filter(|live| uid(live) == uid(pod))
    else {
        return Ok(());
    };
    let statuses = list(&pod, "/status/containerStatuses");
    let Some(status) = statuses
        .iter()
        .find(|status| status["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    else {
        return Ok(());
    };
    let restarts = u32::try_from(number(status, "/restartCount")).unwrap_or_default();
    let millis = u64::try_from(back_off(restarts).as_millis()).unwrap_or(u64::MAX);
    let crashing = containers(&pod["spec"])
        .iter()
        .find(|container| container["name"] == status["name"]);
    if let Some(container) = crashing {
        let message = format!("Back-off restarting failed container {}", full_name(&pod, container));
        if !cluster.waits.has_begun(uid(&pod), &format!("restart {restarts}")) {
            cluster.warn(&pod, "BackOff", &message, KUBELET);
        }
    }
    if cluster.passed(key, uid(&pod), &format!("restart {restarts}"), millis) {
        let now = cluster.now();
        cluster.change_status(PODS, &pod, KUBELET, |live| crashed(live, restarts + 1, now))?;
    }
    Ok(())
}
