//! What stands between a run and every call that changes something: the lease, and the journal.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use moorline_api::{Error, ErrorKind};
use moorline_store::{Lease, RunLog};

use crate::history::Line;
use crate::leftovers::Pen;

/// How often a line is written again that a store which answers badly may not have.
const ATTEMPTS: u32 = 4;

/// Writes the journal and asks for the lease.
pub(crate) struct Writer<'a> {
    lease: &'a Lease,
    log: tokio::sync::Mutex<RunLog>,
    waiting: Mutex<Waiting>,
}

/// Lines that wait for the writer before them, so that many are written at once.
#[derive(Default)]
struct Waiting {
    lines: Vec<Line>,
    /// How many lines were handed over in all.
    handed: u64,
    /// How many of them are kept.
    kept: u64,
    /// Why no more can be.
    broken: Option<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(lease: &'a Lease, log: RunLog) -> Self {
        Self {
            lease,
            log: tokio::sync::Mutex::new(log),
            waiting: Mutex::default(),
        }
    }

    /// That the lease is still held, by the clocks and by the store: to be asked directly before each call that changes something.
    pub(crate) async fn confirm(&self) -> Result<(), String> {
        self.lease.confirm().await.map_err(|error| error.to_string())
    }

    /// Makes a call that changes something, for as long as the lease is held by the clocks. They are looked at before each step of the call,
    /// so that a run which was stopped while it waited for its turn, and wakes up late, does not send it.
    pub(crate) async fn guarded<T>(&self, call: impl Future<Output = T>) -> Result<T, String> {
        let mut call = pin!(call);
        std::future::poll_fn(|context| match self.lease.check() {
            Ok(()) => call.as_mut().poll(context).map(Ok),
            Err(error) => Poll::Ready(Err(error.to_string())),
        })
        .await
    }

    /// Writes lines; when this returns they are kept. Once it has failed nothing more is written, and nothing may be begun.
    pub(crate) async fn write(&self, lines: Vec<Line>) -> Result<(), String> {
        let mine = {
            let mut waiting = self.waiting();
            waiting.handed += lines.len() as u64;
            waiting.lines.extend(lines);
            waiting.handed
        };
        let mut log = self.log.lock().await;
        // They stay with those that wait until they are kept: whoever writes them may be dropped before that.
        let lines = {
            let waiting = self.waiting();
            if let Some(why) = &waiting.broken {
                return Err(why.clone());
            }
            if waiting.kept >= mine {
                return Ok(());
            }
            waiting.lines.clone()
        };
        let written = append(&mut log, &lines).await;
        let mut waiting = self.waiting();
        match written {
            Ok(()) => {
                waiting.kept += lines.len() as u64;
                waiting.lines.drain(..lines.len());
                Ok(())
            }
            Err(error) => {
                let why = format!("the journal cannot be written: {error}");
                waiting.broken = Some(why.clone());
                Err(why)
            }
        }
    }

    /// Why nothing more can be written, once that is so.
    pub(crate) fn broken(&self) -> Option<String> {
        self.waiting().broken.clone()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pen for Writer<'_> {
    async fn confirm(&self) -> Result<(), String> {
        self.confirm().await
    }

    async fn guarded<T: Send>(&self, call: impl Future<Output = T> + Send) -> Result<T, String> {
        self.guarded(call).await
    }

    async fn write(&self, lines: Vec<Line>) -> Result<(), Error> {
        let written = self.write(lines).await;
        written.map_err(|why| Error::new(ErrorKind::Unreachable, "append to the journal", "", why))
    }
}

/// Appending the same lines again after a failure does not write them twice.
async fn append(log: &mut RunLog, lines: &[Line]) -> Result<(), Error> {
    for attempt in 1.. {
        match log.append(lines).await {
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                tracing::warn!(%error, "the journal could not be written yet");
                tokio::time::sleep(Duration::from_millis(200) * attempt * attempt).await;
            }
            outcome => return outcome,
        }
    }
    Ok(())
}
