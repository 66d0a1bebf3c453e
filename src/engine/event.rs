//! What the engine tells while it works. Reporters consume it; nothing here is written by the engine itself.

use serde::Serialize;

use crate::outcome::Cause;

/// The stages of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Reading cluster and cloud.
    Observe,
    /// Namespaces and custom resource definitions.
    Foundations,
    /// Everything that nothing waits for.
    Objects,
    /// Claims, volumes and PersistentVolumes.
    Volumes,
    /// Workloads whose claims are bound.
    Workloads,
    /// Waiting until everything is Bound and Ready.
    Wait,
    /// `down`: workloads and load balancers go.
    Teardown,
    /// `down`: claims and volumes go.
    Reclaim,
}

/// What happened to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Made.
    Created,
    /// Changed.
    Configured,
    /// Deleted and made anew.
    Replaced,
    /// Found half-made by an earlier run and used.
    Adopted,
    /// Usable (a volume), bound (a claim).
    Settled,
    /// Told to go.
    Deleting,
    /// Proved gone.
    Deleted,
    /// Left alone on purpose.
    Kept,
    /// A snapshot of it is complete.
    Snapshotted,
    /// Brought back after it was deleted.
    Restored,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage begins; `total` things will be done in it (0 where that is not known).
    Stage {
        /// Which.
        stage: Stage,
        /// How many things.
        total: usize,
    },
    /// One thing was done. `what` names it as kubectl would: `statefulset.apps/home-deployment`, `volume/vol-0abc`.
    Done {
        /// The stage that it counts for.
        stage: Stage,
        /// The thing.
        what: String,
        /// What happened to it.
        change: Change,
        /// More, for people: `for claim default/data-0 in us-east-1a`.
        detail: String,
    },
    /// What is not ready, and why. Sent when it changes.
    Waiting {
        /// How many things are ready.
        ready: usize,
        /// How many things are waited for.
        total: usize,
        /// Why the others are not.
        causes: Vec<Cause>,
    },
    /// Rate limits rule: the least time that what is left needs.
    Pace {
        /// Calls left.
        calls: u32,
        /// Seconds at least.
        seconds: f64,
    },
    /// Something worth knowing that is no failure.
    Notice {
        /// One sentence.
        text: String,
    },
}

/// Where events go. Must not block.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: Event) {
        self(event);
    }
}
