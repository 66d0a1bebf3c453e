//! Snapshots that a run took before it deleted a volume: each says until when it is kept, of which volume it is, and of which
//! cluster. A copy that somebody made of one has the same tags and another volume: it is not ours.

use jiff::Timestamp;
use moorline_api::{Origin, Recoverable, tags};

/// A snapshot with an expiry.
#[derive(Debug)]
pub(super) struct Expiring {
    /// `None` where what it says is no time.
    pub(super) expires: Option<Timestamp>,
    /// Whether it says that it is of the volume that it is of.
    pub(super) ours: bool,
    /// UID of the cluster whose claim made the volume.
    pub(super) cluster: Option<String>,
    pub(super) ready: bool,
}

impl Expiring {
    /// With its id; `None` for what is no snapshot, or has no expiry.
    pub(super) fn of(recoverable: &Recoverable) -> Option<(&str, Self)> {
        let Origin::Snapshot(id) = &recoverable.origin else {
            return None;
        };
        let tag = |key: &str| recoverable.tags.get(key);
        let facts = Self {
            expires: tag(tags::EXPIRES)?.parse().ok(),
            ours: tag(tags::SNAPSHOT_OF) == Some(&recoverable.volume.0),
            cluster: tag(tags::CLUSTER_UID).cloned(),
            ready: recoverable.ready,
        };
        Some((id, facts))
    }
}
