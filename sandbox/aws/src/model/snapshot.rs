//! EBS snapshots.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is kept of a snapshot; its state follows from it and the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotRecord {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) volume_id: String,
    pub(crate) size_gib: u32,
    pub(crate) description: String,
    pub(crate) encrypted: bool,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) started: Timestamp,
    pub(crate) completed_at: Timestamp,
    /// When it is gone, once its deletion was accepted.
    pub(crate) gone_at: Option<Timestamp>,
}

impl SnapshotRecord {
    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        self.gone_at.is_none_or(|gone| now < gone)
    }

    pub(crate) fn state(&self, now: Timestamp) -> &'static str {
        if now < self.completed_at {
            "pending"
        } else {
            "completed"
        }
    }
}

/// A snapshot as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// `snap-` and 17 hexadecimal digits.
    pub id: String,
    /// The volume it was taken of.
    pub volume_id: String,
    /// The size of that volume in GiB.
    pub size_gib: u32,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was asked for.
    pub started: Timestamp,
    /// Whether it is complete.
    pub completed: bool,
}
