//! Parts of the cluster that do nothing. A wait cannot see a dead controller, only work that is ready for it and stays
//! undone: where that lasts, the deadline is not told as if more patience would help.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use moorline_api::{Object, ResourceKind};
use moorline_profile::Profile;
use tokio::time::Instant;

use super::{Events, pods, wanted_claims, workloads};
use crate::names;
use crate::outcome::Cause;
use crate::tracker::Snapshot;

/// For how long work must lie ready before it counts as undone; live parts take it up within a second or two.
const LASTING: Duration = Duration::from_secs(10);
/// Things named of those that one part leaves undone.
const NAMED: usize = 3;

/// A part of the cluster that takes up work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    ControllerManager,
    Scheduler,
    Kubelets,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControllerManager => f.write_str("kube-controller-manager"),
            Self::Scheduler => f.write_str("kube-scheduler"),
            Self::Kubelets => f.write_str("kubelets"),
        }
    }
}

/// Work that is ready for a part.
pub(super) struct Undone {
    pub(super) part: Part,
    /// `claim default/data-0 is not bound to its PersistentVolume`.
    pub(super) what: String,
}

/// Since when which parts do nothing.
pub(crate) struct Silence {
    since: Instant,
    causes: Vec<Cause>,
}

impl Silence {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            causes: Vec::new(),
        }
    }

    /// Looks again; any change is a sign of life.
    pub(crate) fn look(&mut self, profile: &Profile, snapshot: &Snapshot) {
        let causes = silent(profile, snapshot);
        if causes != self.causes {
            *self = Self {
                since: Instant::now(),
                causes,
            };
        }
    }

    /// The parts that have done nothing for long enough to say so.
    pub(crate) fn lasting(self) -> Vec<Cause> {
        if self.since.elapsed() >= LASTING {
            self.causes
        } else {
            Vec::new()
        }
    }
}

/// The parts that have work and do not show that they saw it, one cause for each.
pub(super) fn silent(profile: &Profile, snapshot: &Snapshot) -> Vec<Cause> {
    let events = Events::of(snapshot);
    let mut undone = Vec::new();
    for (namespace, name) in wanted_claims(profile, snapshot) {
        let live = snapshot.get(&ResourceKind::claim(), &namespace, &name);
        undone.extend(live.and_then(|claim| unbound(&events, claim)));
    }
    for manifest in &profile.manifests {
        let namespace = manifest.object.namespace().unwrap_or(&profile.namespace);
        if let Some(kind) = workloads::kind(&manifest.object.gvk()) {
            undone.extend(workloads::undone(
                snapshot,
                &events,
                &kind,
                namespace,
                manifest.object.name(),
            ));
        }
    }
    by_part(undone)
}

fn by_part(undone: Vec<Undone>) -> Vec<Cause> {
    let mut parts: BTreeMap<Part, Vec<String>> = BTreeMap::new();
    for Undone { part, what } in undone {
        parts.entry(part).or_default().push(what);
    }
    let cause = |(part, mut whats): (Part, Vec<String>)| {
        whats.sort();
        let more = whats.len().saturating_sub(NAMED);
        whats.truncate(NAMED);
        let more = if more == 0 {
            String::new()
        } else {
            format!("; and {more} more")
        };
        let (verb, hint) = if part == Part::Kubelets {
            ("give", "are they running?")
        } else {
            ("gives", "is it running?")
        };
        Cause {
            what: part.to_string(),
            why: format!("{verb} no sign of life: {}{more}", whats.join("; ")),
            hint: Some(hint.to_owned()),
            fatal: false,
        }
    };
    parts.into_iter().map(cause).collect()
}

/// A claim that was touched after its PersistentVolume was made: a live binder binds it at once, or says in an event why not.
fn unbound(events: &Events<'_>, claim: &Object) -> Option<Undone> {
    let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name());
    let ready = claim
        .str_at(&["spec", "volumeName"])
        .is_some_and(|volume| !volume.is_empty())
        && [names::VOLUME, names::RESUMED]
            .iter()
            .any(|key| claim.annotation(key).is_some());
    let bound = claim
        .str_at(&["status", "phase"])
        .is_some_and(|phase| phase != "Pending");
    if !ready || bound || events.latest("PersistentVolumeClaim", namespace, name).is_some() {
        return None;
    }
    Some(Undone {
        part: Part::ControllerManager,
        what: format!("claim {namespace}/{name} is not bound to its PersistentVolume"),
    })
}

/// What a pod waits for without a word from anyone.
pub(super) fn pod(pod: &Object) -> Option<Undone> {
    if pod.is_terminating() || !matches!(pod.str_at(&["status", "phase"]), None | Some("Pending")) {
        return None;
    }
    let name = format!("pod {}/{}", pod.namespace().unwrap_or_default(), pod.name());
    match pod.str_at(&["spec", "nodeName"]).filter(|node| !node.is_empty()) {
        Some(node) if pods::is_untouched(pod) => Some(Undone {
            part: Part::Kubelets,
            what: format!("{name} on {node} is not started"),
        }),
        // The scheduler says why it cannot place a pod, and gates say so by themselves.
        None if pods::condition(pod, "PodScheduled").is_none() => Some(Undone {
            part: Part::Scheduler,
            what: format!("{name} has no node"),
        }),
        _ => None,
    }
}
