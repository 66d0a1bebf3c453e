//! Marks taken off and protection set by hand.

use moorline_api::VolumeId;
use serde::{Deserialize, Serialize};

/// Which volumes are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These. One that is in no scope is an error for it alone.
    These(Vec<VolumeId>),
    /// Every one with a mark.
    All,
}

/// What became of a volume's tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tagging {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope, where it is in one.
    pub scope: Option<String>,
    /// Why it failed.
    pub failed: Option<String>,
}
