//! The journal of runs: one line before and one after each deletion, and what was seen and why.

use jiff::Timestamp;
use moorline_api::{Resource, VolumeId};
use moorline_gc::caps::{Exceeded, Sum};
use moorline_gc::coverage::Gap;
use moorline_gc::plan::{Keep, SetMark, Unmark};
use moorline_gc::{Deletion, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::report::{Done, Leftover, Seen};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "lines are written one by one and never kept in numbers"
)]
pub enum Line {
    /// A run begins.
    Start {
        /// Its id.
        run: String,
        /// When, by the cloud's clock.
        at: Timestamp,
        /// Who: `gc on build-7, process 4711`.
        holder: String,
        /// The number of its tenure of the lease.
        fence: u64,
        /// moorline's version.
        version: String,
    },
    /// What it saw, and what it comes to.
    Seen {
        /// How far scopes and clusters were read.
        seen: Seen,
        /// All volumes by verdict.
        totals: BTreeMap<Verdict, Sum>,
        /// What was not read.
        gaps: Vec<Gap>,
        /// The caps that hold it back.
        exceeded: Vec<Exceeded>,
    },
    /// An unused volume stays, and why.
    Kept(Keep),
    /// A mark is to be set.
    Mark(SetMark),
    /// A mark is to be taken off.
    Unmark(Unmark),
    /// A deletion begins: written before its first call.
    Begin(Deletion),
    /// A deletion ended: written after its last call.
    End(Done),
    /// The deletion of something that is no volume begins.
    BeginLeftover(Leftover),
    /// It ended.
    EndLeftover(Leftover),
    /// The run ends by itself. Where this line is missing it was killed, or lost its store.
    Finish {
        /// When.
        at: Timestamp,
        /// What is gone, by the word of the cloud.
        saved: Sum,
        /// Why it ended before its time.
        ended_early: Option<String>,
    },
}

/// A run as its journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunHistory {
    /// The run's id.
    pub run: String,
    /// When it began.
    pub started: Timestamp,
    /// Who ran it.
    pub holder: String,
    /// When it ended by itself; `None` where it was killed or is under way.
    pub finished: Option<Timestamp>,
    /// What is gone, by the word of the cloud.
    pub saved: Sum,
    /// Deletions whose end is not written down: the next run finished them, or will.
    pub open: Vec<VolumeId>,
    /// The same of what is no volume.
    pub open_leftovers: Vec<Resource>,
    /// Every line, as it was written.
    pub lines: Vec<Line>,
}
