//! Records of runs: what each of them saw, why, and what it did.
//!
//! A run is a folder named by when it began, and each line or batch of lines is a value of its own in it, written once: what was
//! appended is there whatever becomes of the run, and two runs never write to the same place. The lines are JSON, for people and `jq`:
//! `runs/2026-11/20261121t152203.123z-0a1b2c3d/000001.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use moorline_api::store::MAX_VALUE;
use moorline_api::words::clean;
use moorline_api::{Error, ErrorKind, Result, RunStore, StoreKey};
use serde::Serialize;
use serde_json::Value;

/// How a run's time is written: as text in the order of time.
const TIME: &str = "%Y%m%dt%H%M%S.%3fz";

const MONTH: &str = "%Y-%m";

/// How often a number is passed over because something is there that nobody knew of.
const PASSED_OVER: u32 = 16;

/// The records in one folder of a store.
#[derive(Clone, Debug)]
pub struct Records {
    store: Arc<dyn RunStore>,
    folder: StoreKey,
}

/// The record of a run that is under way.
#[derive(Debug)]
pub struct RunLog {
    store: Arc<dyn RunStore>,
    folder: StoreKey,
    next: u32,
}

/// The record of a run, as far as it got.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// When it began.
    pub started: Timestamp,
    /// What tells it from others that began then.
    pub run: String,
    /// Its lines, in order.
    pub lines: Vec<Value>,
}

impl Records {
    /// The records in a folder: `runs`.
    pub fn new(store: Arc<dyn RunStore>, folder: StoreKey) -> Self {
        Self { store, folder }
    }

    /// A record for a run that begins. `run` tells it from others that begin in the same millisecond, on other machines: letters and
    /// digits by chance. Nothing is written before the first line is.
    pub fn begin(&self, started: Timestamp, run: &str) -> Result<RunLog> {
        Ok(RunLog {
            store: Arc::clone(&self.store),
            folder: self.folder_of(started, run)?,
            next: 1,
        })
    }

    /// The record of one run, as far as it got; `None` where it has no line.
    pub async fn of(&self, started: Timestamp, run: &str) -> Result<Option<RunRecord>> {
        let folder = self.folder_of(started, run)?;
        let chunks: BTreeSet<StoreKey> = self.store.list(Some(&folder)).try_collect().await?;
        if chunks.is_empty() {
            return Ok(None);
        }
        self.read(started, run.to_owned(), chunks).await.map(Some)
    }

    fn folder_of(&self, started: Timestamp, run: &str) -> Result<StoreKey> {
        let month = started.strftime(MONTH);
        let time = started.strftime(TIME);
        self.folder.join(&format!("{month}/{time}-{run}"))
    }

    /// The last records, the newest first; each is read when it is asked for. `now` only says where to look first.
    pub async fn newest(&self, most: usize, now: Timestamp) -> Result<BoxStream<'_, Result<RunRecord>>> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut runs = Runs::new();
        // A clock may be wrong, and then a month is not over yet.
        for months in [1, 0, -1] {
            let month = today
                .first_of_month()
                .checked_add(months.months())
                .unwrap_or(Date::ZERO);
            let folder = self.folder.join(&month.strftime(MONTH).to_string())?;
            self.collect(&folder, &mut runs).await?;
        }
        if runs.len() < most {
            self.collect(&self.folder, &mut runs).await?;
        }
        let newest = runs.into_iter().rev().take(most);
        let read = stream::iter(newest).then(|((started, run), chunks)| self.read(started, run, chunks));
        Ok(read.boxed())
    }

    async fn collect(&self, folder: &StoreKey, runs: &mut Runs) -> Result<()> {
        let mut keys = self.store.list(Some(folder));
        while let Some(key) = keys.try_next().await? {
            if let Some(run) = key.below(&self.folder).and_then(run_of) {
                runs.entry(run).or_default().insert(key);
            }
        }
        Ok(())
    }

    async fn read(&self, started: Timestamp, run: String, chunks: BTreeSet<StoreKey>) -> Result<RunRecord> {
        let mut lines = Vec::new();
        for key in chunks {
            let failed = |kind, why: String| Error::new(kind, "read the record", key.as_str(), why);
            let gone = || failed(ErrorKind::NotFound, "it was deleted meanwhile".to_owned());
            let chunk = self.store.read(&key).await?.ok_or_else(gone)?;
            for line in chunk.value.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let line = serde_json::from_slice(line);
                lines.push(line.map_err(|error| failed(ErrorKind::Invalid, clean(&error.to_string())))?);
            }
        }
        Ok(RunRecord { started, run, lines })
    }
}

/// The values of each run by when it began and what it is called.
type Runs = BTreeMap<(Timestamp, String), BTreeSet<StoreKey>>;

/// The run of `2026-11/20261121t152203.123z-0a1b2c3d/000001.jsonl`; `None` of what is no record.
fn run_of(below: &str) -> Option<(Timestamp, String)> {
    let (_month, rest) = below.split_once('/')?;
    let (folder, chunk) = rest.split_once('/')?;
    let number = chunk.strip_suffix(".jsonl")?;
    let (time, run) = folder.split_once('-')?;
    let time = time.strip_suffix('z')?;
    let started = jiff::civil::DateTime::strptime("%Y%m%dt%H%M%S%.f", time).ok()?;
    let started = started.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (started, run.to_owned()))
}

impl RunLog {
    /// Appends lines; when this returns they are kept. Where it fails with a transient error they may be there or not, and may be
    /// appended again without being there twice.
    pub async fn append(&mut self, lines: &[impl Serialize]) -> Result<()> {
        let mut chunk = Vec::new();
        for line in lines {
            let line = serde_json::to_vec(line).map_err(|error| {
                Error::new(
                    ErrorKind::Invalid,
                    "append to the record",
                    self.folder.as_str(),
                    error.to_string(),
                )
            })?;
            if !chunk.is_empty() && chunk.len() + line.len() + 1 > MAX_VALUE {
                self.write(&std::mem::take(&mut chunk)).await?;
            }
            chunk.extend_from_slice(&line);
            chunk.push(b'\n');
        }
        if chunk.is_empty() {
            Ok(())
        } else {
            self.write(&chunk).await
        }
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        for _ in 0..PASSED_OVER {
            let key = self.folder.join(&format!("{:06}.jsonl", self.next))?;
            let written = self.store.create(&key, chunk).await;
            match written {
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    self.next += 1;
                    // What was reported as failed, and was not.
                    let there = self.store.read(&key).await?;
                    if there.is_some_and(|there| there.value == chunk) {
                        return Ok(());
                    }
                }
                written => {
                    written?;
                    self.next += 1;
                    return Ok(());
                }
            }
        }
        let why = "somebody else writes to this record; each run needs a name of its own";
        Err(Error::new(
            ErrorKind::AlreadyExists,
            "append to the record",
            self.folder.as_str(),
            why,
        ))
    }
}

#[cfg(test)]
mod tests;
