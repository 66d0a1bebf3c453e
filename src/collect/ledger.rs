//! What one run tells the next: which claims and sets there were, and which deletions were begun and are not done.
//!
//! It is one document in the run store, replaced under the lease by whoever has read it. What it remembers of claims may be larger than
//! a value of the store; then it is cut in parts, which are there before the document says so. While a run is under way the document
//! names its journal: a run that is killed has left its last word there.
//!
//! Each policy has a document of its own, found by what it names: what a run of another one saw, began or forgot is none of its business.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use moorline_api::words::clean;
use moorline_api::{ErrorKind, RunStore, StoreKey, StoreVersion};
use moorline_gc::{Deletion, Records};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{CollectError, Result};
use crate::history::{Line, line_of};
use crate::report::{Leftover, LeftoverAction, Outcome};

/// The lease of runs.
pub(crate) const LEASE: &str = "gc/lease.json";
/// The journals.
pub(crate) const RUNS: &str = "gc/runs";
/// What policies remember, each below a name of its own.
const POLICIES: &str = "gc/policies";
/// The version of the document's form.
const FORM: u32 = 1;
/// Larger records are cut in parts of this size: half of what a value may have.
const PART: usize = 4 << 20;

/// A deletion that was begun and is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// The run that began it.
    pub(crate) run: String,
    pub(crate) deletion: Deletion,
    /// Whether a run has counted it as gone: the volume is, and what pointed to it is not.
    pub(crate) counted: bool,
}

/// A journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) started: Timestamp,
    pub(crate) run: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    form: u32,
    /// Whose it is: what the policy names.
    subject: String,
    /// How often it was written: no two are the same bytes.
    edition: u64,
    journal: Option<Journal>,
    open: Vec<Open>,
    open_leftovers: Vec<Leftover>,
    records: Option<Records>,
    /// The keys of the records' parts, where these are not here.
    parts: Vec<StoreKey>,
}

/// What is remembered, and which edition of it was read.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) records: Records,
    pub(crate) open: BTreeMap<String, Open>,
    /// Deletions of what is no volume, by their ids.
    pub(crate) open_leftovers: BTreeMap<String, Leftover>,
    pub(crate) journal: Option<Journal>,
    /// What the policy names.
    subject: String,
    store: Arc<dyn RunStore>,
    version: Option<StoreVersion>,
    edition: u64,
    parts: Vec<StoreKey>,
}

impl Ledger {
    /// Reads what earlier runs of the policy that names `subject` left, with the last word of one that was killed.
    pub(crate) async fn load(store: &Arc<dyn RunStore>, subject: &str) -> Result<Self> {
        let mut ledger = Self {
            records: Records::default(),
            open: BTreeMap::new(),
            open_leftovers: BTreeMap::new(),
            journal: None,
            subject: subject.to_owned(),
            store: Arc::clone(store),
            version: None,
            edition: 0,
            parts: Vec::new(),
        };
        let key = ledger.document()?;
        let Some(stored) = store.read(&key).await.map_err(CollectError::Store)? else {
            return Ok(ledger);
        };
        let document: Document = parsed(&key, &stored.value)?;
        if document.form != FORM {
            let why = format!("it has form {}, and this version knows {FORM}", document.form);
            return Err(CollectError::Records { key, why });
        }
        if document.subject != subject {
            let why = "it is of another policy".to_owned();
            return Err(CollectError::Records { key, why });
        }
        ledger.version = Some(stored.version);
        ledger.edition = document.edition;
        ledger.records = match document.records {
            Some(records) => records,
            None => ledger.joined(&document.parts).await?,
        };
        ledger.parts = document.parts;
        for open in document.open {
            ledger.open.insert(open.deletion.volume.0.clone(), open);
        }
        for open in document.open_leftovers {
            ledger.open_leftovers.insert(open.resource.to_string(), open);
        }
        if let Some(journal) = document.journal {
            ledger.replay(&journal).await?;
        }
        ledger.records.begun = ledger.open.keys().cloned().collect();
        Ok(ledger)
    }

    /// Whether no run of this policy has left anything.
    pub(crate) fn is_new(&self) -> bool {
        self.version.is_none()
    }

    fn document(&self) -> Result<StoreKey> {
        key(&format!("{POLICIES}/{}/records.json", short_name(&self.subject)))
    }

    async fn joined(&self, parts: &[StoreKey]) -> Result<Records> {
        let mut bytes = Vec::new();
        for part in parts {
            let stored = self.store.read(part).await.map_err(CollectError::Store)?;
            let missing = || CollectError::Records {
                key: part.clone(),
                why: "it is gone".to_owned(),
            };
            bytes.extend_from_slice(&stored.ok_or_else(missing)?.value);
        }
        parsed(&self.document()?, &bytes)
    }

    /// What a run that was killed had begun and ended.
    async fn replay(&mut self, journal: &Journal) -> Result<()> {
        let runs = moorline_store::Records::new(Arc::clone(&self.store), key(RUNS)?);
        let record = runs
            .of(journal.started, &journal.run)
            .await
            .map_err(CollectError::Store)?;
        // A run that was killed before its first line has begun nothing.
        for line in record.map(|record| record.lines).unwrap_or_default() {
            match line_of(line, &key(RUNS)?)? {
                Line::Begin(deletion) => {
                    let id = deletion.volume.0.clone();
                    let counted = self.open.get(&id).is_some_and(|open| open.counted);
                    let run = journal.run.clone();
                    let open = Open { run, deletion, counted };
                    self.open.insert(id, open);
                }
                Line::End(done) => self.ended(&done.volume.0, &done.outcome, done.confirmed),
                Line::BeginLeftover(leftover) => {
                    self.open_leftovers.insert(leftover.resource.to_string(), leftover);
                }
                Line::EndLeftover(leftover) => self.ended_leftover(&leftover),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes note that this run began a deletion.
    pub(crate) fn begin(&mut self, volume: String, run: String, deletion: &Deletion) {
        self.open.entry(volume).or_insert_with(|| Open {
            run,
            deletion: deletion.clone(),
            counted: false,
        });
    }

    /// Takes note of how a deletion ended.
    pub(crate) fn ended(&mut self, volume: &str, outcome: &Outcome, confirmed: bool) {
        match outcome {
            Outcome::Gone | Outcome::Kept(_) | Outcome::Unsettled(_) => {
                self.open.remove(volume);
            }
            Outcome::Failed(_) | Outcome::NotBegun(_) => {
                if let Some(open) = self.open.get_mut(volume) {
                    open.counted |= confirmed;
                }
            }
        }
    }

    /// Takes note of what became of something that is no volume.
    pub(crate) fn ended_leftover(&mut self, leftover: &Leftover) {
        let id = leftover.resource.to_string();
        match leftover.action {
            LeftoverAction::Failed(_) => {
                self.open_leftovers.insert(id, leftover.clone());
            }
            // It was not begun in this run, and may have been in another.
            LeftoverAction::Delete | LeftoverAction::Wait(_) | LeftoverAction::Mark => {}
            LeftoverAction::Gone | LeftoverAction::Keep | LeftoverAction::Unmark => {
                self.open_leftovers.remove(&id);
            }
        }
    }

    /// Keeps what is remembered. Fails where somebody else has written it meanwhile.
    pub(crate) async fn save(&mut self, journal: Option<Journal>) -> Result<()> {
        self.journal = journal;
        self.records.begun.clear();
        self.edition += 1;
        let records = serde_json::to_vec(&self.records).map_err(|error| unwritable(&error))?;
        let small = records.len() <= PART;
        let parts = if small { Vec::new() } else { self.cut(&records).await? };
        let document = Document {
            form: FORM,
            subject: self.subject.clone(),
            edition: self.edition,
            journal: self.journal.clone(),
            open: self.open.values().cloned().collect(),
            open_leftovers: self.open_leftovers.values().cloned().collect(),
            records: small.then(|| self.records.clone()),
            parts: parts.clone(),
        };
        let bytes = serde_json::to_vec(&document).map_err(|error| unwritable(&error))?;
        let key = self.document()?;
        let written = match &self.version {
            Some(version) => self.store.replace(&key, &bytes, version).await,
            None => self.store.create(&key, &bytes).await,
        };
        let version = written.map_err(|error| match error.kind {
            ErrorKind::Stale | ErrorKind::AlreadyExists => CollectError::Records {
                key,
                why: "somebody else has written it meanwhile".to_owned(),
            },
            _ => CollectError::Store(error),
        })?;
        self.version = Some(version);
        let before = std::mem::replace(&mut self.parts, parts);
        self.records.begun = self.open.keys().cloned().collect();
        self.sweep(&before).await;
        Ok(())
    }

    async fn cut(&self, records: &[u8]) -> Result<Vec<StoreKey>> {
        let mut parts = Vec::new();
        for (number, part) in records.chunks(PART).enumerate() {
            let name = part_name(self.edition, number);
            let key = key(&format!("{POLICIES}/{}/records/{name}", short_name(&self.subject)))?;
            match self.store.create(&key, part).await {
                // Of a run that was killed before the document named it.
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    let stored = self.store.read(&key).await.map_err(CollectError::Store)?;
                    if let Some(stored) = stored {
                        let replaced = self.store.replace(&key, part, &stored.version).await;
                        replaced.map_err(CollectError::Store)?;
                    }
                }
                created => {
                    created.map_err(CollectError::Store)?;
                }
            }
            parts.push(key);
        }
        Ok(parts)
    }

    /// Parts that no document names are of no use; one that stays does no harm.
    async fn sweep(&self, parts: &[StoreKey]) {
        for part in parts.iter().filter(|part| !self.parts.contains(part)) {
            if let Ok(Some(stored)) = self.store.read(part).await {
                let _ = self.store.delete(part, &stored.version).await;
            }
        }
    }
}

/// What a policy is called in the store: the same for ever, and another one for whatever else a policy may name.
fn short_name(subject: &str) -> String {
    let digest = Sha256::digest(subject.as_bytes());
    let number = digest[..8]
        .iter()
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:016x}")
}

/// A part's name: of its edition, so that the parts that a document names are never written again.
fn part_name(edition: u64, number: usize) -> String {
    format!("{edition:08}-{number:03}")
}

pub(crate) fn key(text: &str) -> Result<StoreKey> {
    StoreKey::new(text).map_err(CollectError::Store)
}

fn parsed<T: serde::de::DeserializeOwned>(key: &StoreKey, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| CollectError::Records {
        key: key.clone(),
        why: clean(&error.to_string()),
    })
}

fn unwritable(error: &serde_json::Error) -> CollectError {
    let why = error.to_string();
    CollectError::Store(moorline_api::Error::new(
        ErrorKind::Invalid,
        "write",
        "the records of runs",
        why,
    ))
}
