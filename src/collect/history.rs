//! The journal of runs: one line before and one after each deletion, and what was seen and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use moorline_api::words::clean;
use moorline_api::{Resource, StoreKey, VolumeId};
use moorline_gc::caps::{Exceeded, Sum};
use moorline_gc::coverage::Gap;
use moorline_gc::plan::{Keep, SetMark, Unmark};
use moorline_gc::{Deletion, Verdict};
use moorline_store::{Records, RunRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Collector;
use crate::error::{CollectError, Result};
use crate::ledger::{self, RUNS};
use crate::report::{Done, Leftover, LeftoverAction, Outcome, Seen};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
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

/// A line as it was written.
pub(crate) fn line_of(line: Value, runs: &StoreKey) -> Result<Line> {
    serde_json::from_value(line).map_err(|error| CollectError::Records {
        key: runs.clone(),
        why: clean(&error.to_string()),
    })
}

impl RunHistory {
    fn of(record: RunRecord, runs: &StoreKey) -> Result<Self> {
        let lines: Result<Vec<Line>> = record.lines.into_iter().map(|line| line_of(line, runs)).collect();
        let mut history = Self {
            run: record.run,
            started: record.started,
            holder: String::new(),
            finished: None,
            saved: Sum::default(),
            open: Vec::new(),
            open_leftovers: Vec::new(),
            lines: lines?,
        };
        let lines = std::mem::take(&mut history.lines);
        for line in &lines {
            history.take(line);
        }
        history.lines = lines;
        Ok(history)
    }

    fn take(&mut self, line: &Line) {
        match line {
            Line::Start { holder, .. } => self.holder.clone_from(holder),
            Line::Begin(deletion) => self.open.push(deletion.volume.clone()),
            Line::End(done) => {
                if !matches!(done.outcome, Outcome::Failed(_)) {
                    self.open.retain(|open| *open != done.volume);
                }
                if done.confirmed {
                    self.saved.add(done.gib, done.monthly);
                }
            }
            Line::BeginLeftover(leftover) => self.open_leftovers.push(leftover.resource.clone()),
            Line::EndLeftover(leftover) => {
                if !matches!(leftover.action, LeftoverAction::Failed(_)) {
                    self.open_leftovers.retain(|open| *open != leftover.resource);
                }
                if leftover.action == LeftoverAction::Gone {
                    self.saved.add(leftover.gib, leftover.monthly);
                }
            }
            // A run that came to its end says itself what it comes to.
            Line::Finish { at, saved, .. } => {
                self.finished = Some(*at);
                self.saved = *saved;
            }
            _ => {}
        }
    }
}

impl Collector {
    /// The last runs that set out to do something, the newest first. Dry runs leave nothing behind.
    pub async fn history(&self, most: usize) -> Result<Vec<RunHistory>> {
        let runs = ledger::key(RUNS)?;
        let records = Records::new(Arc::clone(&self.store), runs.clone());
        let newest = records
            .newest(most, self.clock.wall())
            .await
            .map_err(CollectError::Store)?;
        let found: Vec<RunRecord> = newest.try_collect().await.map_err(CollectError::Store)?;
        found.into_iter().map(|record| RunHistory::of(record, &runs)).collect()
    }

    /// One run by its id.
    pub async fn history_of(&self, run: &str) -> Result<RunHistory> {
        let runs = ledger::key(RUNS)?;
        let records = Records::new(Arc::clone(&self.store), runs.clone());
        let newest = records.newest(usize::MAX, self.clock.wall()).await;
        let mut newest = newest.map_err(CollectError::Store)?;
        while let Some(record) = newest.try_next().await.map_err(CollectError::Store)? {
            if record.run == run {
                return RunHistory::of(record, &runs);
            }
        }
        Err(CollectError::NoRun { run: run.to_owned() })
    }
}
