//! What the collector tells while it works. Reporters consume it; nothing here is written by the collector itself.

use moorline_api::VolumeId;
use serde::Serialize;

use crate::Outcome;

/// The stages of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Listing the volumes of every scope.
    Clouds,
    /// Listing every kind of every cluster.
    Clusters,
    /// Reading by themselves the volumes whose tags lists leave out.
    Details,
    /// Setting marks and taking them off.
    Marks,
    /// Looking again, and deleting.
    Deletions,
    /// Load balancers, target groups, storage accounts and snapshots.
    Leftovers,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage begins; `total` things will be done in it (0 where that is not known): listings, marks, deletions.
    Stage {
        /// Which.
        stage: Stage,
        /// How many things.
        total: usize,
    },
    /// Some of a listing was read: `volumes` of `aws 123456789012 eu-central-1`, `pods` of `cluster prod`.
    Read {
        /// The scope or cluster.
        place: String,
        /// The kind.
        what: String,
        /// How many there are so far.
        count: usize,
        /// Whether that is all of them.
        complete: bool,
    },
    /// Something could not be read; what depends on it is unknown, and the rest goes on.
    Gap {
        /// The scope or cluster.
        place: String,
        /// The kind.
        what: String,
        /// Why.
        why: String,
    },
    /// Marks were set or taken off.
    Marked {
        /// How many volumes.
        count: usize,
        /// Why it failed for them.
        failed: Option<String>,
    },
    /// The evidence for some volumes is read again.
    Looking {
        /// How many volumes.
        count: usize,
    },
    /// A deletion is at this point: `claim default/data-web-0 goes`.
    Step {
        /// The volume.
        volume: VolumeId,
        /// In words.
        what: String,
    },
    /// A deletion ended.
    Done {
        /// The volume.
        volume: VolumeId,
        /// How.
        outcome: Outcome,
        /// What it saves in US dollars a month: nothing unless the cloud confirmed that it is gone.
        saved: f64,
    },
    /// What is waited for, and how long the rate seen so far needs for the rest. Sent when it changes, a few times a second at most.
    Pace {
        /// Deletions that are not done.
        left: usize,
        /// What they wait for: `the cloud's budget for deletions`.
        waiting: String,
        /// Seconds, by the rate so far; `None` while that says nothing.
        seconds: Option<f64>,
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
