//! The evidence for one volume, link by link.

use jiff::Timestamp;
use moorline_api::VolumeId;
use moorline_gc::coverage::Gap;
use moorline_gc::{Judgement, Verdict};
use serde::{Deserialize, Serialize};

/// Why a volume is what it is, and what a run would do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// When this was found out, by the cloud's clock.
    pub at: Timestamp,
    /// Verdict, reason, chain of evidence with the source and time of each link.
    pub judgement: Judgement,
    /// Since when runs have seen it unused, where they have and nothing ended that.
    pub since: Option<Timestamp>,
    /// What the next `gc --apply` would do with it, in words: `it waits until 2026-11-28T15:00:00Z`.
    pub action: String,
    /// Its size in GiB.
    pub gib: u32,
    /// Its type or SKU: `gp3`.
    pub volume_type: String,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// What was not read of clouds and clusters.
    pub gaps: Vec<Gap>,
}

impl Explanation {
    /// Whether the answer depends on something that was not read: exit code 3.
    pub fn is_incomplete(&self) -> bool {
        self.judgement.verdict == Verdict::Unknown
    }
}
