//! What stands between a run and every call that changes something: the lease, and the journal.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use moorline_api::{Error, ErrorKind};
use moorline_store::{Lease, LeaseError, RunLog};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::history::Line;
use crate::leftovers::Pen;

/// How often lines are written again that a store which answers badly may not have.
const ATTEMPTS: u32 = 4;

/// Lines, and whoever waits until they are kept.
type Entry = (Vec<Line>, oneshot::Sender<Result<(), String>>);

/// Writes the journal and asks for the lease.
pub(crate) struct Writer<'a> {
    lease: &'a Lease,
    patience: Patience,
    entries: mpsc::UnboundedSender<Entry>,
    broken: Arc<Mutex<Option<String>>>,
    /// The scribe, a task of its own so that nobody who waits for a line can keep another line from being written. It ends with the writer.
    _scribe: JoinSet<()>,
}

/// How a store that answers badly is put up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Between two attempts, at first.
    pub(crate) pause: Duration,
    /// For how long it is asked again whether the lease is held, at most.
    pub(crate) confirming: Duration,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(lease: &'a Lease, log: RunLog, patience: Patience) -> Self {
        let (entries, received) = mpsc::unbounded_channel();
        let broken = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(scribe((log, patience.pause), received, Arc::clone(&broken)));
        Self {
            lease,
            patience,
            entries,
            broken,
            _scribe: tasks,
        }
    }

    /// That the lease is still held, by the clocks and by the store: to be asked directly before each call that changes something. A store
    /// that does not answer is asked again for a while, and never once the clocks say that the time is over.
    pub(crate) async fn confirm(&self) -> Result<(), String> {
        let began = Instant::now();
        let mut pause = self.patience.pause;
        loop {
            match self.lease.confirm().await {
                Err(LeaseError::Store(error))
                    if error.is_transient()
                        && began.elapsed() + pause < self.patience.confirming
                        && self.lease.check().is_ok() =>
                {
                    tracing::warn!(%error, "the lease could not be confirmed yet");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome.map_err(|error| error.to_string()),
            }
        }
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

    /// Writes lines; when this returns they are kept. Many are written at once where many wait. Once it has failed nothing more is
    /// written, and nothing may be begun.
    pub(crate) async fn write(&self, lines: Vec<Line>) -> Result<(), String> {
        let (answer, kept) = oneshot::channel();
        let gone = || "the journal cannot be written: nobody writes it any more".to_owned();
        self.entries.send((lines, answer)).map_err(|_| gone())?;
        kept.await.map_err(|_| gone())?
    }

    /// Why nothing more can be written, once that is so.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes what comes, all that waits at once.
async fn scribe(
    (mut log, pause): (RunLog, Duration),
    mut entries: mpsc::UnboundedReceiver<Entry>,
    broken: Arc<Mutex<Option<String>>>,
) {
    let mut waiting = Vec::new();
    while entries.recv_many(&mut waiting, usize::MAX).await > 0 {
        let (lines, answers): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let known = broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outcome = match known {
            Some(why) => Err(why),
            None => append(&mut log, &lines.concat(), pause)
                .await
                .map_err(|error| format!("the journal cannot be written: {error}")),
        };
        if let Err(why) = &outcome {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        }
        for answer in answers {
            // Whoever does not wait any more does not need to know.
            let _ = answer.send(outcome.clone());
        }
    }
}

impl Pen for Writer<'_> {
    async fn confirm(&self) -> Result<(), String> {
        self.confirm().await
    }

    async fn write(&self, lines: Vec<Line>) -> Result<(), Error> {
        let written = self.write(lines).await;
        written.map_err(|why| Error::new(ErrorKind::Unreachable, "append to the journal", "", why))
    }

    async fn guarded<T: Send>(&self, call: impl Future<Output = T> + Send) -> Result<T, String> {
        self.guarded(call).await
    }
}

/// Appending the same lines again after a failure does not write them twice.
async fn append(log: &mut RunLog, lines: &[Line], pause: Duration) -> Result<(), Error> {
    for attempt in 1.. {
        match log.append(lines).await {
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                tracing::warn!(%error, "the journal could not be written yet");
                tokio::time::sleep(pause * attempt).await;
            }
            outcome => return outcome,
        }
    }
    Ok(())
}
