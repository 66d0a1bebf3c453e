//! A lease: that only one run at a time does something, whatever becomes of it.
//!
//! The lease is a small JSON document under a key: who holds it, until when, and a number, the fence, that is larger for each
//! holder than for all before. A holder renews it while it works; one that died is followed by the next when the time is over.
//!
//! Clocks differ. A holder stops a margin before its time is over, by the clock of the day and by one that nobody sets, and counts from
//! before the request was sent; the next one begins a margin after it. So two machines whose clocks differ by less than two
//! margins never both believe that it is theirs. A holder that was stopped between a look at its lease and the deed cannot be helped
//! by clocks: it asks the store again ([`Lease::confirm`]) right before what cannot be undone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use moorline_api::words::clean;
use moorline_api::{Error, ErrorKind, RunStore, StoreKey, StoreVersion};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;
use tokio_util::sync::CancellationToken;

use crate::Clock;

/// How often a lease is tried for while others change it.
const ATTEMPTS: usize = 8;

/// On which terms a lease is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who, for people: `gc on build-7, process 4711`.
    pub holder: String,
    /// For how long, without renewal.
    pub span: Duration,
    /// How far clocks may be wrong, and answers late.
    pub margin: Duration,
}

impl Terms {
    /// Two minutes with a margin of fifteen seconds: a run that died is in nobody's way for long.
    pub fn new(holder: impl Into<String>) -> Self {
        Self {
            holder: holder.into(),
            span: Duration::from_mins(2),
            margin: Duration::from_secs(15),
        }
    }
}

/// Why a lease is not held.
#[derive(Debug, ThisError)]
pub enum LeaseError {
    /// By another one.
    #[error("held by {holder} until {until}; wait for it, or until then if it died")]
    Held {
        /// Who, safe to show.
        holder: String,
        /// When it is free if it is not renewed, by this machine's clock.
        until: Timestamp,
    },
    /// No longer: nothing more may be done.
    #[error("the lease {key} is lost: {why}")]
    Lost {
        /// The key of the lease.
        key: StoreKey,
        /// What happened.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

type Result<T> = std::result::Result<T, LeaseError>;

/// What is under the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    holder: String,
    fence: u64,
    /// Of this tenure: to be known again though the answer was lost.
    token: String,
    /// Counts the renewals, so that no two notes are the same bytes.
    renewals: u64,
    acquired: Timestamp,
    until: Timestamp,
    released: bool,
}

/// A lease that was acquired. Dropped without [`Lease::release`], it runs out.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn RunStore>,
    key: StoreKey,
    clock: Arc<dyn Clock>,
    terms: Terms,
    fence: u64,
    held: Mutex<Held>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    note: Note,
    version: StoreVersion,
    /// When it is over, by the clock that nobody sets.
    running_until: Duration,
    lost: Option<String>,
}

impl Lease {
    /// Acquires a lease that nobody has, or whose time is over. Does not wait for it.
    pub async fn acquire(store: Arc<dyn RunStore>, key: StoreKey, terms: Terms, clock: Arc<dyn Clock>) -> Result<Self> {
        if terms.span <= terms.margin * 2 {
            let why = "a lease has to be longer than twice its margin";
            return Err(Error::new(ErrorKind::Invalid, "acquire", key.as_str(), why).into());
        }
        let token = uuid::Uuid::new_v4().to_string();
        let contender = Contender {
            store,
            key,
            terms,
            clock,
            token,
        };
        let mut looked_again = false;
        for _ in 1..ATTEMPTS {
            match contender.attempt().await {
                // Somebody else was faster, and might have released it already.
                Err(LeaseError::Store(error)) if matches!(error.kind, ErrorKind::Stale | ErrorKind::AlreadyExists) => {}
                // What was written may be there: the next look shows it.
                Err(LeaseError::Store(error)) if error.is_transient() && !looked_again => looked_again = true,
                outcome => return outcome,
            }
        }
        contender.attempt().await
    }

    /// The number of this tenure: larger than that of everyone who held the lease before, even where someone deleted the lease
    /// in between by hand.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// That the lease is still held, by the clocks alone. To be asked before each deed.
    pub fn check(&self) -> Result<()> {
        let held = self.held();
        if let Some(why) = &held.lost {
            return Err(self.lost(why));
        }
        let by_wall = after(self.clock.wall(), self.terms.margin) >= held.note.until;
        let by_running = self.clock.running() + self.terms.margin >= held.running_until;
        if by_wall || by_running {
            return Err(self.lost(&format!("its time is over, at {}; it was not renewed", held.note.until)));
        }
        Ok(())
    }

    /// That the lease is still held, by the clocks and by the store, which is read. To be asked before what cannot be undone.
    pub async fn confirm(&self) -> Result<()> {
        self.check()?;
        let found = self.store.read(&self.key).await?;
        let note = found.map(|found| parsed(&self.key, &found.value)).transpose()?;
        let token = self.held().note.token.clone();
        if note.as_ref().is_none_or(|note| note.token != token || note.released) {
            return Err(self.lose(note));
        }
        // Reading took time.
        self.check()
    }

    /// Holds the lease for another span from now, also where its time is over and nobody took it meanwhile.
    pub async fn renew(&self) -> Result<()> {
        self.change(false).await
    }

    /// Gives the lease up, for the next one to take it at once.
    pub async fn release(self) -> Result<()> {
        self.change(true).await
    }

    /// Renews the lease until told to stop; ends early with an error when it is lost. Failures of the store are sat out for as long as
    /// the lease lasts. To be run beside the work, which ends when this does.
    pub async fn keep(&self, stop: &CancellationToken) -> Result<()> {
        let mut pause = self.terms.span / 3;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            pause = match self.renew().await {
                Ok(()) => self.terms.span / 3,
                Err(LeaseError::Store(error)) => {
                    tracing::warn!(%error, lease = %self.key, "the lease could not be renewed yet");
                    self.check()?;
                    self.terms.span / 20
                }
                Err(error) => return Err(error),
            };
        }
    }

    async fn change(&self, released: bool) -> Result<()> {
        let _changing = self.changing.lock().await;
        let mut held = self.held().clone();
        if let Some(why) = &held.lost {
            return Err(self.lost(why));
        }
        // Where an earlier answer was lost, the version there is a newer one of our own.
        for _ in 0..2 {
            let (wall, running) = (self.clock.wall(), self.clock.running());
            let note = Note {
                renewals: held.note.renewals + 1,
                until: after(wall, self.terms.span),
                released,
                ..held.note.clone()
            };
            match self.store.replace(&self.key, &note.bytes(), &held.version).await {
                Ok(version) => {
                    *self.held() = Held {
                        note,
                        version,
                        running_until: running + self.terms.span,
                        lost: None,
                    };
                    return Ok(());
                }
                Err(error) if error.kind != ErrorKind::Stale => return Err(error.into()),
                Err(_) => {}
            }
            let found = self.store.read(&self.key).await?;
            let there = found.map(|found| Ok::<_, Error>((parsed(&self.key, &found.value)?, found.version)));
            match there.transpose()? {
                Some((note, _)) if note.token == held.note.token && note.released && released => return Ok(()),
                Some((note, version)) if note.token == held.note.token && !note.released => {
                    held.note = note;
                    held.version = version;
                }
                other => return Err(self.lose(other.map(|(note, _)| note))),
            }
        }
        let why = "it changes under its own holder";
        Err(Error::new(ErrorKind::Stale, "renew", self.key.as_str(), why).into())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self, why: &str) -> LeaseError {
        LeaseError::Lost {
            key: self.key.clone(),
            why: why.to_owned(),
        }
    }

    /// For good: `now` is what is there instead.
    fn lose(&self, now: Option<Note>) -> LeaseError {
        let why = match now {
            Some(note) if note.token != self.held().note.token => format!("{} has it now", clean(&note.holder)),
            Some(_) => "it was released".to_owned(),
            None => "somebody deleted it".to_owned(),
        };
        self.held().lost = Some(why.clone());
        self.lost(&why)
    }
}

/// Someone who wants the lease.
struct Contender {
    store: Arc<dyn RunStore>,
    key: StoreKey,
    terms: Terms,
    clock: Arc<dyn Clock>,
    token: String,
}

impl Contender {
    async fn attempt(&self) -> Result<Lease> {
        let found = self.store.read(&self.key).await?;
        // The time of a lease begins before its request is sent.
        let (wall, running) = (self.clock.wall(), self.clock.running());
        let Some(found) = found else {
            let note = Note::first(&self.key, &self.terms, &self.token, wall, None)?;
            let version = self.store.create(&self.key, &note.bytes()).await?;
            return Ok(self.holding(note, version, running));
        };
        let last = parsed(&self.key, &found.value)?;
        if last.token == self.token {
            // By the attempt whose answer was lost; its time began then.
            let lease = self.holding(last, found.version, running);
            lease.renew().await?;
            return Ok(lease);
        }
        if !last.is_free(wall, self.terms.margin) {
            return Err(last.into_holder(self.terms.margin));
        }
        let note = Note::first(&self.key, &self.terms, &self.token, wall, Some(&last))?;
        let version = self.store.replace(&self.key, &note.bytes(), &found.version).await?;
        Ok(self.holding(note, version, running))
    }

    fn holding(&self, note: Note, version: StoreVersion, since: Duration) -> Lease {
        Lease {
            fence: note.fence,
            held: Mutex::new(Held {
                note,
                version,
                running_until: since + self.terms.span,
                lost: None,
            }),
            store: Arc::clone(&self.store),
            key: self.key.clone(),
            clock: Arc::clone(&self.clock),
            terms: self.terms.clone(),
            changing: tokio::sync::Mutex::default(),
        }
    }
}

impl Note {
    fn first(key: &StoreKey, terms: &Terms, token: &str, now: Timestamp, last: Option<&Self>) -> Result<Self> {
        // The seconds of the clock are more than all fences of a lease that was deleted: nobody acquires one each second.
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let next = last.map_or(Some(1), |last| last.fence.checked_add(1));
        let used_up = || malformed(key, "its fence is used up");
        Ok(Self {
            holder: terms.holder.clone(),
            fence: next.ok_or_else(used_up)?.max(seconds),
            token: token.to_owned(),
            renewals: 0,
            acquired: now,
            until: after(now, terms.span),
            released: false,
        })
    }

    fn is_free(&self, now: Timestamp, margin: Duration) -> bool {
        self.released || now > after(self.until, margin)
    }

    fn into_holder(self, margin: Duration) -> LeaseError {
        LeaseError::Held {
            holder: clean(&self.holder),
            until: after(self.until, margin),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// A note that cannot be read might be anybody's: nobody takes the lease then.
fn parsed(key: &StoreKey, bytes: &[u8]) -> std::result::Result<Note, Error> {
    serde_json::from_slice(bytes).map_err(|error| malformed(key, &clean(&error.to_string())))
}

fn malformed(key: &StoreKey, why: &str) -> Error {
    let why = format!("it is no lease of this version of moorline: {why}; delete it when no run is under way");
    Error::new(ErrorKind::Invalid, "read the lease", key.as_str(), why)
}

/// The end of time is late enough.
fn after(time: Timestamp, span: Duration) -> Timestamp {
    time.saturating_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
