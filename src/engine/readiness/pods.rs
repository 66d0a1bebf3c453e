//! What a pod is doing, in kubectl's words, and why it is not ready.

use moorline_api::Object;
use serde_json::Value;

use super::Events;
use crate::outcome::Cause;

/// The columns READY, STATUS and RESTARTS of `kubectl get pods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodSummary {
    pub(crate) ready: usize,
    pub(crate) containers: usize,
    pub(crate) status: String,
    pub(crate) restarts: i64,
}

pub(crate) fn pod_summary(pod: &Object) -> PodSummary {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    let init = pod.list_at(&["status", "initContainerStatuses"]);
    let restarts = statuses.iter().filter_map(|s| s.get("restartCount")?.as_i64()).sum();
    let ready = statuses
        .iter()
        .filter(|s| s.get("ready") == Some(&Value::Bool(true)))
        .count();
    let phase = pod
        .str_at(&["status", "reason"])
        .or_else(|| pod.str_at(&["status", "phase"]))
        .unwrap_or("Pending");
    let failed_init = init.iter().find_map(|s| Some(format!("Init:{}", waiting(s)?.0)));
    let status = if pod.is_terminating() {
        "Terminating".to_owned()
    } else {
        let container = || {
            statuses
                .iter()
                .find_map(|s| waiting(s).map(|(reason, _)| reason).or_else(|| terminated(s)))
        };
        failed_init
            .or_else(|| container().map(str::to_owned))
            .unwrap_or_else(|| phase.to_owned())
    };
    PodSummary {
        ready,
        containers: pod.list_at(&["spec", "containers"]).len(),
        status,
        restarts,
    }
}

/// Why this pod is not ready; `None` when it is.
pub(crate) fn cause(events: &Events<'_>, pod: &Object) -> Option<Cause> {
    let namespace = pod.namespace().unwrap_or_default();
    if is_ready(pod) && !pod.is_terminating() {
        return None;
    }
    let (why, hint) = why(events, pod, namespace);
    Some(Cause {
        what: format!("pod {namespace}/{}", pod.name()),
        why,
        hint: hint.map(str::to_owned),
        fatal: false,
    })
}

fn why(events: &Events<'_>, pod: &Object, namespace: &str) -> (String, Option<&'static str>) {
    if pod.is_terminating() {
        return ("terminating".to_owned(), None);
    }
    if let Some(condition) = condition(pod, "PodScheduled").filter(|c| c["status"] == "False") {
        return (format!("unschedulable: {}", text(condition, "message")), None);
    }
    let statuses = pod
        .list_at(&["status", "initContainerStatuses"])
        .iter()
        .chain(pod.list_at(&["status", "containerStatuses"]));
    for status in statuses {
        let Some((reason, message)) = waiting(status) else {
            continue;
        };
        let image = text(status, "image");
        match reason {
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" => {
                return (
                    format!("image pull: {image}: {reason} {message}").trim_end().to_owned(),
                    Some("check the image's name and the pull secret"),
                );
            }
            "ContainerCreating" | "PodInitializing" => {
                let event = events.latest("Pod", namespace, pod.name());
                return (
                    event.map_or_else(
                        || "container is being created".to_owned(),
                        |e| format!("container is being created: {e}"),
                    ),
                    None,
                );
            }
            "CrashLoopBackOff" => {
                return (
                    format!("crash loop: {message}"),
                    Some("read its logs: kubectl logs --previous"),
                );
            }
            reason => return (format!("{reason} {message}").trim_end().to_owned(), None),
        }
    }
    match pod.str_at(&["status", "phase"]) {
        Some("Running") => ("running, not ready yet (readiness probe)".to_owned(), None),
        Some("Pending") | None => (pending(pod), None),
        Some(phase) => (phase.to_owned(), None),
    }
}

/// Whose turn it is with a pod that has not begun.
fn pending(pod: &Object) -> String {
    match pod.str_at(&["spec", "nodeName"]) {
        Some(node) if is_untouched(pod) => format!("pending: the kubelet of node {node} has not taken it up yet"),
        None if condition(pod, "PodScheduled").is_none() => "pending: no scheduler has looked at it yet".to_owned(),
        _ => "pending".to_owned(),
    }
}

/// Whether the kubelet has said nothing about the pod; its first word is a set of conditions.
pub(super) fn is_untouched(pod: &Object) -> bool {
    let conditions = pod.list_at(&["status", "conditions"]);
    conditions.iter().all(|condition| condition["type"] == "PodScheduled")
        && pod.list_at(&["status", "containerStatuses"]).is_empty()
}

pub(super) fn is_ready(pod: &Object) -> bool {
    condition(pod, "Ready").is_some_and(|c| c["status"] == "True")
}

pub(super) fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    object
        .list_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition["type"] == kind)
}

fn waiting(status: &Value) -> Option<(&str, &str)> {
    let waiting = status.pointer("/state/waiting")?;
    Some((
        waiting.get("reason")?.as_str()?,
        waiting.get("message").and_then(Value::as_str).unwrap_or_default(),
    ))
}

fn terminated(status: &Value) -> Option<&str> {
    status.pointer("/state/terminated/reason")?.as_str()
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
