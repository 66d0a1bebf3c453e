//! What was read, and what was not. Absence is told only by a listing that came to its end.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The kinds of objects that verdicts depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// PersistentVolumes.
    PersistentVolumes,
    /// `PersistentVolumeClaims`.
    Claims,
    /// Pods.
    Pods,
    /// StatefulSets of `apps`.
    StatefulSets,
    /// Deployments.
    Deployments,
    /// `ReplicaSets`.
    ReplicaSets,
    /// `DaemonSets`.
    DaemonSets,
    /// Jobs.
    Jobs,
    /// `CronJobs`.
    CronJobs,
    /// `ReplicationControllers`.
    ReplicationControllers,
    /// `VolumeAttachments`.
    VolumeAttachments,
    /// `VolumeSnapshots`; complete and empty where the cluster does not serve them.
    VolumeSnapshots,
    /// Another kind that may start pods with claims, or a group whose server does not answer: `rollouts.argoproj.io`.
    Other(String),
}

impl Kind {
    /// The kinds that every cluster has.
    pub const BUILT_IN: [Self; 12] = [
        Self::PersistentVolumes,
        Self::Claims,
        Self::Pods,
        Self::StatefulSets,
        Self::Deployments,
        Self::ReplicaSets,
        Self::DaemonSets,
        Self::Jobs,
        Self::CronJobs,
        Self::ReplicationControllers,
        Self::VolumeAttachments,
        Self::VolumeSnapshots,
    ];

    /// As `kubectl` names it: `statefulsets.apps`.
    pub fn name(&self) -> &str {
        match self {
            Self::PersistentVolumes => "persistentvolumes",
            Self::Claims => "persistentvolumeclaims",
            Self::Pods => "pods",
            Self::StatefulSets => "statefulsets.apps",
            Self::Deployments => "deployments.apps",
            Self::ReplicaSets => "replicasets.apps",
            Self::DaemonSets => "daemonsets.apps",
            Self::Jobs => "jobs.batch",
            Self::CronJobs => "cronjobs.batch",
            Self::ReplicationControllers => "replicationcontrollers",
            Self::VolumeAttachments => "volumeattachments.storage.k8s.io",
            Self::VolumeSnapshots => "volumesnapshots.snapshot.storage.k8s.io",
            Self::Other(name) => name,
        }
    }

    /// Whether its objects can keep a claim from being left behind.
    pub(crate) fn may_use_claims(&self) -> bool {
        !matches!(self, Self::PersistentVolumes | Self::Claims)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far one kind of one cluster, or one scope of a cloud, was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// Not to its end: nobody asked, or the listing broke off.
    Not,
    /// To its end, everywhere.
    Complete {
        /// When the listing began.
        began: Timestamp,
    },
    /// To its end, in these namespaces.
    Within {
        /// The namespaces.
        namespaces: BTreeSet<String>,
        /// When the first of the listings began.
        began: Timestamp,
    },
    /// It was forbidden, or failed, or was cut short.
    Failed {
        /// What the server said.
        why: String,
    },
}

/// How old a reading may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) now: Timestamp,
    pub(crate) stale_after: SignedDuration,
}

impl Freshness {
    fn problem(self, began: Timestamp) -> Option<String> {
        let age = self.now.duration_since(began);
        if age > self.stale_after {
            return Some(format!("was read at {began}, which is too long ago"));
        }
        // A listing from the future says that a clock is wrong, and then nothing that is timed can be trusted.
        (age < SignedDuration::ZERO).then(|| format!("was read at {began}, which is not yet"))
    }
}

impl Reading {
    /// When it was read, where it was.
    pub fn began(&self) -> Option<Timestamp> {
        match self {
            Self::Complete { began } | Self::Within { began, .. } => Some(*began),
            Self::Not | Self::Failed { .. } => None,
        }
    }

    /// Why absence cannot be told from it: in one namespace, or anywhere.
    pub(crate) fn problem(&self, namespace: Option<&str>, fresh: Freshness) -> Option<String> {
        match self {
            Self::Not => Some("was not read to its end".to_owned()),
            Self::Failed { why } => Some(format!("could not be read: {why}")),
            Self::Complete { began } => fresh.problem(*began),
            Self::Within { namespaces, began } => {
                if !namespace.is_some_and(|namespace| namespaces.contains(namespace)) {
                    return Some("was read in other namespaces only".to_owned());
                }
                fresh.problem(*began)
            }
        }
    }
}

/// Something that was not read, or not lately.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The cluster or scope.
    pub place: String,
    /// The kind, or `volumes`.
    pub what: String,
    /// Why it does not count.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, why } = self;
        write!(f, "{what} of {place}: {why}")
    }
}
