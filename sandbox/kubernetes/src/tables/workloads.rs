//! Pods and what makes them.

use serde_json::{Value, json};

use super::{Layout, Row};
use crate::object::{is_deleting, list, number, text};

const REPLICATED: &str = "Name|Desired#|Current#|Ready#|Age|Containers+|Images+|Selector+";

pub(super) fn layout(id: &str) -> Option<Layout> {
    Some(match id {
        "pods" => Layout {
            columns: "Name|Ready|Status|Restarts|Age|IP+|Node+|Nominated Node+|Readiness Gates+",
            row: pod,
        },
        "statefulsets.apps" => Layout {
            columns: "Name|Ready|Age|Containers+|Images+",
            row: |row| {
                let (names, images) = row.containers("/spec/template/spec/containers");
                let ready = format!(
                    "{}/{}",
                    row.number("/status/readyReplicas"),
                    row.number("/spec/replicas")
                );
                vec![row.name(), json!(ready), row.age(), names, images]
            },
        },
        "deployments.apps" => Layout {
            columns: "Name|Ready|Up-to-date#|Available#|Age|Containers+|Images+|Selector+",
            row: |row| {
                let (names, images) = row.containers("/spec/template/spec/containers");
                let ready = format!(
                    "{}/{}",
                    row.number("/status/readyReplicas"),
                    row.number("/spec/replicas")
                );
                let (updated, available) = (
                    row.number("/status/updatedReplicas"),
                    row.number("/status/availableReplicas"),
                );
                vec![
                    row.name(),
                    json!(ready),
                    json!(updated),
                    json!(available),
                    row.age(),
                    names,
                    images,
                    row.labels("/spec/selector/matchLabels"),
                ]
            },
        },
        "replicasets.apps" => Layout {
            columns: REPLICATED,
            row: |row| replicated(row, "/spec/selector/matchLabels"),
        },
        "replicationcontrollers" => Layout {
            columns: REPLICATED,
            row: |row| replicated(row, "/spec/selector"),
        },
        "daemonsets.apps" => Layout {
            columns: "Name|Desired#|Current#|Ready#|Up-to-date#|Available#|Node Selector|Age|Containers+|Images+|Selector+",
            row: |row| {
                let (names, images) = row.containers("/spec/template/spec/containers");
                let counts = [
                    "desiredNumberScheduled",
                    "currentNumberScheduled",
                    "numberReady",
                    "updatedNumberScheduled",
                    "numberAvailable",
                ];
                let mut cells = vec![row.name()];
                cells.extend(counts.map(|key| json!(row.number(&format!("/status/{key}")))));
                cells.extend([
                    row.labels("/spec/template/spec/nodeSelector"),
                    row.age(),
                    names,
                    images,
                    row.labels("/spec/selector/matchLabels"),
                ]);
                cells
            },
        },
        "controllerrevisions.apps" => Layout {
            columns: "Name|Controller|Revision#|Age",
            row: |row| {
                let owner = list(row.object, "/metadata/ownerReferences")
                    .iter()
                    .find(|owner| owner["controller"] == true);
                let shown = owner.map_or_else(
                    || "<none>".to_owned(),
                    |owner| {
                        let api_version = text(owner, "/apiVersion");
                        let group = api_version
                            .split_once('/')
                            .map(|(group, _)| format!(".{group}"))
                            .unwrap_or_default();
                        format!(
                            "{}{group}/{}",
                            text(owner, "/kind").to_lowercase(),
                            text(owner, "/name")
                        )
                    },
                );
                vec![row.name(), json!(shown), json!(row.number("/revision")), row.age()]
            },
        },
        "jobs.batch" => Layout {
            columns: "Name|Status|Completions|Duration|Age|Containers+|Images+|Selector+",
            row: |row| {
                let (names, images) = row.containers("/spec/template/spec/containers");
                let holds = |kind: &str| {
                    list(row.object, "/status/conditions")
                        .iter()
                        .any(|c| c["type"] == kind && c["status"] == "True")
                };
                let status = ["Complete", "Failed", "Suspended"]
                    .into_iter()
                    .find(|kind| holds(kind))
                    .unwrap_or("Running");
                let done = format!(
                    "{}/{}",
                    row.number("/status/succeeded"),
                    number(row.object, "/spec/completions").unwrap_or(1)
                );
                let duration = if row.text("/status/startTime").is_empty() {
                    String::new()
                } else {
                    row.since("/status/startTime")
                };
                vec![
                    row.name(),
                    json!(status),
                    json!(done),
                    json!(duration),
                    row.age(),
                    names,
                    images,
                    row.labels("/spec/selector/matchLabels"),
                ]
            },
        },
        "cronjobs.batch" => Layout {
            columns: "Name|Schedule|Timezone|Suspend|Active#|Last Schedule|Age|Containers+|Images+",
            row: |row| {
                let (names, images) = row.containers("/spec/jobTemplate/spec/template/spec/containers");
                let suspend = if row.object["spec"]["suspend"] == true {
                    "True"
                } else {
                    "False"
                };
                let last = if row.text("/status/lastScheduleTime").is_empty() {
                    "<none>".to_owned()
                } else {
                    row.since("/status/lastScheduleTime")
                };
                let active = list(row.object, "/status/active").len();
                vec![
                    row.name(),
                    json!(row.text("/spec/schedule")),
                    row.text_or("/spec/timeZone", "<none>"),
                    json!(suspend),
                    json!(active),
                    json!(last),
                    row.age(),
                    names,
                    images,
                ]
            },
        },
        _ => return None,
    })
}

/// What makes pods and no more.
fn replicated(row: &Row<'_>, selector: &str) -> Vec<Value> {
    let (names, images) = row.containers("/spec/template/spec/containers");
    let mut cells = vec![row.name()];
    cells.extend(
        ["/spec/replicas", "/status/replicas", "/status/readyReplicas"].map(|pointer| json!(row.number(pointer))),
    );
    cells.extend([row.age(), names, images, row.labels(selector)]);
    cells
}

fn pod(row: &Row<'_>) -> Vec<Value> {
    let pod = row.object;
    let statuses = list(pod, "/status/containerStatuses");
    let total = list(pod, "/spec/containers").len();
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true && status.pointer("/state/running").is_some())
        .count();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|status| number(status, "/restartCount"))
        .sum();
    let last = statuses
        .iter()
        .map(|status| text(status, "/lastState/terminated/finishedAt"))
        .max()
        .unwrap_or_default();
    let shown_restarts = match last.parse() {
        Ok(at) if restarts > 0 => format!(
            "{restarts} ({} ago)",
            super::human(row.now.duration_since(at).as_secs())
        ),
        _ => restarts.to_string(),
    };
    let gates = list(pod, "/spec/readinessGates").len();
    let gates = if gates == 0 {
        "<none>".to_owned()
    } else {
        format!("0/{gates}")
    };
    vec![
        row.name(),
        json!(format!("{ready}/{total}")),
        json!(pod_status(pod)),
        json!(shown_restarts),
        row.age(),
        row.text_or("/status/podIP", "<none>"),
        row.text_or("/spec/nodeName", "<none>"),
        row.text_or("/status/nominatedNodeName", "<none>"),
        json!(gates),
    ]
}

/// The STATUS column: the phase, or why it is not what it should be.
fn pod_status(pod: &Value) -> String {
    let mut status = text(pod, "/status/phase").to_owned();
    if !text(pod, "/status/reason").is_empty() {
        text(pod, "/status/reason").clone_into(&mut status);
    }
    if let Some(condition) = list(pod, "/status/conditions")
        .iter()
        .find(|c| c["type"] == "PodScheduled")
        && condition["reason"] == "SchedulingGated"
    {
        "SchedulingGated".clone_into(&mut status);
    }
    let mut running = false;
    for container in list(pod, "/status/containerStatuses").iter().rev() {
        let waiting = text(container, "/state/waiting/reason");
        let ended = text(container, "/state/terminated/reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut status);
        } else if !ended.is_empty() {
            ended.clone_into(&mut status);
        } else if container.pointer("/state/terminated").is_some() {
            status = format!(
                "ExitCode:{}",
                number(container, "/state/terminated/exitCode").unwrap_or(0)
            );
        } else if container["ready"] == true && container.pointer("/state/running").is_some() {
            running = true;
        }
    }
    if status == "Completed" && running {
        let ready = list(pod, "/status/conditions")
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        if ready { "Running" } else { "NotReady" }.clone_into(&mut status);
    }
    if is_deleting(pod) {
        if text(pod, "/status/reason") == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        }
        .clone_into(&mut status);
    }
    status
}
