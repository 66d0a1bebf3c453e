//! When a workload counts as ready, and why it does not.

use std::collections::BTreeSet;

use moorline_api::{Gvk, Object, ResourceKind};
use moorline_profile::Profile;
use serde_json::Value;

use super::silence::{self, Part, Undone};
use super::{Events, pods, selects};
use crate::fold::string_map;
use crate::outcome::Cause;
use crate::tracker::Snapshot;

/// The kinds that are waited for, with their plurals.
const KINDS: [(&str, &str, &str); 5] = [
    ("apps", "StatefulSet", "statefulsets"),
    ("apps", "Deployment", "deployments"),
    ("apps", "DaemonSet", "daemonsets"),
    ("apps", "ReplicaSet", "replicasets"),
    ("batch", "Job", "jobs"),
];

/// The kind as it is listed, where it is one that is waited for.
pub(super) fn kind(gvk: &Gvk) -> Option<ResourceKind> {
    let (group, kind, plural) = KINDS.iter().find(|(group, kind, _)| gvk.is(group, kind))?;
    let gvk = Gvk {
        group: (*group).to_owned(),
        version: "v1".to_owned(),
        kind: (*kind).to_owned(),
    };
    Some(ResourceKind {
        gvk,
        plural: (*plural).to_owned(),
        ..ResourceKind::stateful_set()
    })
}

/// The kinds among the profile's manifests that are waited for.
pub(super) fn kinds(profile: &Profile) -> BTreeSet<ResourceKind> {
    profile
        .manifests
        .iter()
        .filter_map(|manifest| kind(&manifest.object.gvk()))
        .collect()
}

/// Replica counts of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) desired: i64,
    pub(crate) ready: i64,
    pub(crate) updated: i64,
}

/// The workload's kind and counts, where its kind is waited for.
pub(crate) fn workload(
    snapshot: &Snapshot,
    gvk: &Gvk,
    namespace: &str,
    name: &str,
) -> Option<(ResourceKind, Option<(Workload, Object)>)> {
    let kind = kind(gvk)?;
    let live = snapshot
        .get(&kind, namespace, name)
        .map(|object| (counts(object), object.clone()));
    Some((kind, live))
}

fn counts(object: &Object) -> Workload {
    let status = |field: &str| object.i64_at(&["status", field]).unwrap_or(0);
    match &*object.gvk().kind {
        "DaemonSet" => Workload {
            desired: status("desiredNumberScheduled"),
            ready: status("numberReady"),
            updated: status("updatedNumberScheduled"),
        },
        "Job" => {
            let desired = object.i64_at(&["spec", "completions"]).unwrap_or(1);
            Workload {
                desired,
                ready: status("succeeded"),
                updated: status("succeeded"),
            }
        }
        "ReplicaSet" => {
            let ready = status("readyReplicas");
            Workload {
                desired: object.i64_at(&["spec", "replicas"]).unwrap_or(1),
                ready,
                updated: ready,
            }
        }
        _ => Workload {
            desired: object.i64_at(&["spec", "replicas"]).unwrap_or(1),
            ready: status("readyReplicas"),
            updated: status("updatedReplicas"),
        },
    }
}

/// Why a workload is not ready; empty when it is.
pub(super) fn causes(
    snapshot: &Snapshot,
    events: &Events<'_>,
    kind: &ResourceKind,
    namespace: &str,
    name: &str,
) -> Vec<Cause> {
    let what = format!("{} {namespace}/{name}", kind.gvk.kind.to_lowercase());
    let cause = |why: String, fatal| Cause {
        what: what.clone(),
        why,
        hint: None,
        fatal,
    };
    let Some(live) = snapshot.get(kind, namespace, name) else {
        return vec![cause("it does not exist yet".to_owned(), false)];
    };
    if let Some(why) = failed(live) {
        return vec![cause(why, true)];
    }
    let Some(why) = unfinished(live) else { return Vec::new() };
    let mut causes = pods_causes(snapshot, events, live, namespace);
    if causes.is_empty() {
        let event = events
            .latest(&kind.gvk.kind, namespace, name)
            .filter(|event| event.starts_with("Failed"));
        causes.push(cause(
            event.map_or(why.clone(), |event| format!("{why}; {event}")),
            false,
        ));
    }
    causes
}

/// What the cluster's parts leave undone for a workload.
pub(super) fn undone(
    snapshot: &Snapshot,
    events: &Events<'_>,
    kind: &ResourceKind,
    namespace: &str,
    name: &str,
) -> Vec<Undone> {
    let Some(live) = snapshot.get(kind, namespace, name) else {
        return Vec::new();
    };
    let mine = pods_of(snapshot, live, namespace);
    let mut undone: Vec<Undone> = mine.iter().filter_map(|pod| silence::pod(pod)).collect();
    if is_left_alone(events, live, namespace, &mine) {
        undone.push(Undone {
            part: Part::ControllerManager,
            what: format!(
                "{} {namespace}/{name}: {}",
                kind.gvk.kind.to_lowercase(),
                unfinished(live).unwrap_or_default()
            ),
        });
    }
    undone
}

/// Whether it is its controller's turn, and nothing shows that there is one. Jobs are at work while their pods run, and
/// `minReadySeconds` is a wait on purpose.
fn is_left_alone(events: &Events<'_>, live: &Object, namespace: &str, pods: &[&Object]) -> bool {
    if live.gvk().kind == "Job" || unfinished(live).is_none() {
        return false;
    }
    if !is_observed(live) {
        return true;
    }
    let waits = live.at(&["spec", "paused"]) == Some(&Value::Bool(true))
        || live.i64_at(&["spec", "minReadySeconds"]).unwrap_or(0) > 0;
    let failed = events
        .latest(&live.gvk().kind, namespace, live.name())
        .is_some_and(|event| event.starts_with("Failed"));
    let busy = pods.iter().any(|pod| pods::cause(events, pod).is_some());
    !waits && !failed && !busy
}

/// Whether the status speaks of the object as it is now; Jobs do not say.
fn is_observed(live: &Object) -> bool {
    let observed = live.i64_at(&["status", "observedGeneration"]).unwrap_or(0);
    live.gvk().kind == "Job" || observed >= live.i64_at(&["metadata", "generation"]).unwrap_or(0)
}

/// Why it will never be ready. A failure of the revision before says nothing about this one.
fn failed(live: &Object) -> Option<String> {
    if !is_observed(live) {
        return None;
    }
    let progressing = pods::condition(live, "Progressing").filter(|c| c["reason"] == "ProgressDeadlineExceeded");
    let failed = pods::condition(live, "Failed").filter(|c| c["status"] == "True");
    let condition = progressing.or(failed)?;
    Some(format!(
        "{}: {}",
        pods::text(condition, "reason"),
        pods::text(condition, "message")
    ))
}

/// Whether no pods are wanted and none are there: then its controller has nothing to do that anyone waits for.
fn is_empty(live: &Object) -> bool {
    let replicas = |part: &str| live.i64_at(&[part, "replicas"]);
    replicas("spec") == Some(0) && replicas("status").unwrap_or(0) == 0
}

/// What is still to come; `None` when it is ready.
fn unfinished(live: &Object) -> Option<String> {
    if is_empty(live) {
        return None;
    }
    if !is_observed(live) {
        return Some("its controller has not seen the change yet".to_owned());
    }
    let counts = counts(live);
    if live.gvk().kind == "Job" {
        let complete = pods::condition(live, "Complete").is_some_and(|c| c["status"] == "True");
        return (!complete).then(|| format!("{} of {} completed", counts.ready, counts.desired));
    }
    let wanted_updates = counts.desired - held_back(live);
    if counts.updated < wanted_updates {
        let paused = live.at(&["spec", "paused"]) == Some(&Value::Bool(true));
        return Some(format!(
            "{} of {} pods have the new revision{}",
            counts.updated,
            wanted_updates,
            if paused { "; its rollout is paused" } else { "" },
        ));
    }
    let existing = live.i64_at(&["status", "replicas"]).unwrap_or(counts.desired);
    if live.gvk().kind != "DaemonSet" && existing > counts.desired {
        return Some(format!(
            "{} surplus pods are still terminating",
            existing - counts.desired
        ));
    }
    (counts.ready < counts.desired).then(|| format!("{} of {} pods are ready", counts.ready, counts.desired))
}

/// Pods that keep an older revision on purpose: below a partition, or all under `OnDelete`.
fn held_back(live: &Object) -> i64 {
    let replicas = live.i64_at(&["spec", "replicas"]).unwrap_or(1);
    match live.str_at(&["spec", "updateStrategy", "type"]) {
        Some("OnDelete") => i64::MAX / 2,
        _ => live
            .i64_at(&["spec", "updateStrategy", "rollingUpdate", "partition"])
            .unwrap_or(0)
            .clamp(0, replicas),
    }
}

fn pods_causes(snapshot: &Snapshot, events: &Events<'_>, live: &Object, namespace: &str) -> Vec<Cause> {
    let mine = pods_of(snapshot, live, namespace);
    mine.into_iter().filter_map(|pod| pods::cause(events, pod)).collect()
}

fn pods_of<'a>(snapshot: &'a Snapshot, live: &Object, namespace: &str) -> Vec<&'a Object> {
    let selector = string_map(live, &["spec", "selector", "matchLabels"]);
    let mine = |pod: &&Object| {
        pod.namespace() == Some(namespace) && selects(&selector, &string_map(pod, &["metadata", "labels"]))
    };
    snapshot.all(&ResourceKind::pod()).filter(mine).collect()
}
