//! What a run saw, what it would do, and what became of it.

use jiff::Timestamp;
use moorline_api::{Resource, VolumeId};
use moorline_gc::caps::Sum;
use moorline_gc::{Plan, Verdict};
use serde::{Deserialize, Serialize};

/// How one deletion ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The cloud confirmed that the volume is gone, and the cluster that claim and PersistentVolume are.
    Gone,
    /// The second look said no, or a cluster or cloud did when it came to it: nothing of the volume was deleted.
    Kept(String),
    /// Its claim changed whenever it was looked at: nothing of the volume was deleted, and the next run looks again.
    Unsettled(String),
    /// It was begun, and is not done: the next run takes it up. Never counted as saved.
    Failed(String),
    /// The run was told to stop, or lost its lease, before its turn.
    NotBegun(String),
}

/// One deletion and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// Why it was unused.
    pub verdict: Verdict,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the cloud confirmed in this run that the volume is gone: what counts as saved, also where the PersistentVolume that
    /// pointed to it is still held by a finalizer.
    pub confirmed: bool,
    /// The snapshot that was taken first.
    pub snapshot: Option<String>,
    /// Its size.
    pub gib: u32,
    /// What it cost in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// The earlier run that began it, where this one only finished it.
    pub resumed: Option<String>,
}

impl Done {
    /// Whether it is gone with everything that pointed to it.
    pub fn is_gone(&self) -> bool {
        self.outcome == Outcome::Gone
    }
}

/// What a run does about something that is no volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftoverAction {
    /// It stays, for the reason given.
    Keep,
    /// It is marked: grace begins.
    Mark,
    /// Its mark is taken off: it is used.
    Unmark,
    /// It waits for grace to be over.
    Wait(Timestamp),
    /// It goes; after a run that was to do it: it was not begun.
    Delete,
    /// It went, and the cloud confirmed it.
    Gone,
    /// It was to go and did not.
    Failed(String),
}

/// A load balancer without its Service, a storage account that holds nothing, a snapshot past its expiry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// What it is.
    pub resource: Resource,
    /// Its name, for people.
    pub name: String,
    /// Its scope.
    pub scope: String,
    /// Whether it can be wanted.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// Since when runs have seen it unused; of a snapshot, since when it has expired.
    pub since: Option<Timestamp>,
    /// The size of a snapshot's volume; 0 of everything else.
    pub gib: u32,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// What becomes of it.
    pub action: LeftoverAction,
}

/// How far a scope was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeSeen {
    /// The scope's or cluster's name.
    pub name: String,
    /// How many volumes, or objects.
    pub count: usize,
    /// Whether everything was read to its end; what was not is among the plan's gaps.
    pub complete: bool,
}

/// What a run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The scopes of clouds.
    pub scopes: Vec<ScopeSeen>,
    /// The clusters.
    pub clusters: Vec<ScopeSeen>,
}

/// A run, from what it saw to what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// Whether it was to do anything; else everything below `plan` is empty.
    pub applied: bool,
    /// What it saw.
    pub seen: Seen,
    /// What it would do, or what it set out to do.
    pub plan: Plan,
    /// How many marks were set and taken off.
    pub marks_written: usize,
    /// Marks that could not be written, and why.
    pub marks_failed: Vec<String>,
    /// Deletions, also those that an earlier run began.
    pub done: Vec<Done>,
    /// What is no volume.
    pub leftovers: Vec<Leftover>,
    /// What is gone, by the word of the cloud: volumes and leftovers.
    pub saved: Sum,
    /// Why it ended before its time: interrupted, or its lease lost.
    pub ended_early: Option<String>,
    /// Worth knowing, and no failure.
    pub notices: Vec<String>,
}

impl Report {
    /// Whether something was not read, or left for the next run: exit code 3.
    pub fn is_incomplete(&self) -> bool {
        let not_begun = |done: &Done| matches!(done.outcome, Outcome::NotBegun(_) | Outcome::Unsettled(_));
        let unknown = |leftover: &Leftover| {
            leftover.verdict == Verdict::Unknown || (self.applied && leftover.action == LeftoverAction::Delete)
        };
        self.plan.is_incomplete()
            || self.ended_early.is_some()
            || self.done.iter().any(not_begun)
            || self.leftovers.iter().any(unknown)
    }

    /// Whether something was tried and failed: exit code 1.
    pub fn has_failures(&self) -> bool {
        let failed = |done: &Done| matches!(done.outcome, Outcome::Failed(_));
        let left = |leftover: &Leftover| matches!(leftover.action, LeftoverAction::Failed(_));
        !self.marks_failed.is_empty() || self.done.iter().any(failed) || self.leftovers.iter().any(left)
    }

    /// Whether anything is unused, so that it is marked, waits, is withheld or is to go: exit code 4 where that is asked for.
    pub fn has_findings(&self) -> bool {
        let unused = |leftover: &Leftover| leftover.verdict.is_unused() && leftover.action != LeftoverAction::Gone;
        let gone = |volume: &VolumeId| self.done.iter().any(|done| done.is_gone() && done.volume == *volume);
        self.plan.kept.iter().any(|keep| keep.verdict.is_unused())
            || self.plan.deletions.iter().any(|deletion| !gone(&deletion.volume))
            || self.leftovers.iter().any(unused)
    }
}
