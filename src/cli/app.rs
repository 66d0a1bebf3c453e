//! What every command stands on: settings, progress, and when to stop.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{ErrorKind, Write as _, stderr, stdout};
use std::os::fd::AsFd as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moorline_collect::{Collector, EventSink};
use moorline_engine::Context;
use moorline_profile::Profile;
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::options::Output;
use super::policy::Policy;
use super::registry::{self, Connection};
use super::settings::Settings;
use crate::report::progress::{Mode, Progress, listener};
use crate::report::{View, document, guarded};

/// How long calls under way may take to end when a run is stopped. With what is released after it, less than the 30 s that
/// Kubernetes gives a pod to end.
const DRAIN: Duration = Duration::from_secs(20);

/// No call takes longer. Work that knows its deadline ends within one call of it, and says best itself what it waited for.
const LAST_CALL: Duration = Duration::from_secs(30);

/// How much longer than its deadline a run waits for a call that ends at the deadline, too.
const LAST_WORD: Duration = Duration::from_secs(10);

/// One run of the program.
pub(crate) struct App {
    /// What it was told.
    pub(crate) settings: Settings,
    /// Progress on stderr.
    pub(crate) progress: Arc<Progress>,
    /// Cancelled by the first Ctrl-C, or by a deadline.
    pub(crate) stop: CancellationToken,
    late: AtomicBool,
}

impl App {
    /// A run with these settings.
    pub(crate) fn new(settings: Settings) -> Self {
        let progress = Arc::new(Progress::new(settings.progress));
        settings.rates.listen(listener(&progress));
        Self {
            settings,
            progress,
            stop: CancellationToken::new(),
            late: AtomicBool::new(false),
        }
    }

    /// Connects, does the work, and ends what was started for it, whatever came of the work.
    pub(crate) async fn with_context<T>(
        &self,
        profile: Option<&Profile>,
        force_conflicts: bool,
        work: impl AsyncFnOnce(&Context) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = self.reading(registry::connect(&self.settings, profile)).await?;
        let result = work(&self.context(&connection, force_conflicts)).await;
        self.progress.finish();
        connection.close().await;
        result
    }

    /// What work stands on that has this connection.
    pub(crate) fn context(&self, connection: &Connection, force_conflicts: bool) -> Context {
        Context {
            cluster: connection.cluster.clone(),
            beside: connection.beside.clone(),
            cloud: connection.cloud.clone(),
            others: connection.others.clone(),
            events: self.progress.clone(),
            stop: self.stop.clone(),
            limits: self.settings.limits(force_conflicts),
            now: Timestamp::now,
            entropy: random,
        }
    }

    /// Connects to what a policy names, does the work, and ends what was started for it.
    pub(crate) async fn with_collector<T>(
        &self,
        policy: &Policy,
        events: Arc<dyn EventSink>,
        work: impl AsyncFnOnce(&Collector) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // Large, and awaited once.
        let collection = registry::collection(self, &policy.file, &policy.store, events);
        let collection = Box::pin(self.reading(collection)).await?;
        let result = work(&collection.collector).await;
        self.progress.finish();
        collection.close().await;
        result
    }

    /// Work that changes nothing: it ends when it is done, when the user stops it, or when its time is over.
    pub(crate) async fn reading<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let limit = self.settings.limits(false).timeout;
        let begun = Instant::now();
        tokio::select! {
            done = work => done.map_err(|error| {
                let late = begun.elapsed() >= limit / 10 * 9;
                Failure::from(error).after(late.then_some(limit))
            }),
            () = self.stop.cancelled() => Err(Failure::new(Exit::Interrupted, "interrupted; nothing was changed")),
            // A call under way that has as long says better than this what does not answer.
            () = sleep(limit + LAST_WORD.min(limit)) => Err(Failure::new(
                Exit::TimedOut,
                format!("timed out after {} s: cluster and cloud were still being read; nothing was changed", limit.as_secs_f32()),
            )
            .hint("pass a longer --timeout")),
        }
    }

    /// Work that changes something. When the user stops it, or `limit` is over, nothing new begins and what is under way may end; what
    /// does not in time is left to the next run.
    pub(crate) async fn changing<T, E>(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let mut work = pin!(work);
        let over = async {
            match limit {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = &mut work => return done.map_err(Failure::from),
            () = self.stop.cancelled() => {}
            () = over => {
                self.late.store(true, Ordering::Relaxed);
                self.stop.cancel();
            }
        }
        let done = timeout(DRAIN, work).await;
        let late = limit.filter(|_| self.late.load(Ordering::Relaxed));
        match done {
            Ok(done) => done.map_err(|error| Failure::from(error).after(late)),
            Err(_) => Err(Failure::new(
                self.stopped(),
                format!(
                    "calls under way did not end within {} s; what they do may be done all the same",
                    DRAIN.as_secs()
                ),
            )
            .hint("nothing was undone: run the same command again to go on")),
        }
    }

    /// How long changing something may take: the time of the options, what rate limits need at least, and a last call.
    pub(crate) fn limit(&self, floor_seconds: f64) -> Duration {
        let floor = Duration::try_from_secs_f64(floor_seconds).unwrap_or_default();
        self.settings.limits(false).timeout + floor + LAST_CALL
    }

    /// How a run ends that was stopped before it was done: by the user, or by its deadline.
    pub(crate) fn stopped(&self) -> Exit {
        if self.late.load(Ordering::Relaxed) {
            Exit::TimedOut
        } else {
            Exit::Interrupted
        }
    }

    /// Prints a result on stdout in the format that was asked for.
    pub(crate) fn show<T: Serialize>(
        &self,
        value: &T,
        render: impl FnOnce(&T, &View) -> String,
    ) -> Result<(), Failure> {
        self.progress.finish();
        let failed = |error: &dyn std::error::Error| {
            Failure::new(Exit::Failed, format!("the result cannot be written: {error}"))
        };
        let text = match self.settings.output {
            Output::Table | Output::Wide => render(value, &self.settings.view()),
            Output::Json => document::json(value).map_err(|error| failed(&error))?,
            Output::Yaml => document::yaml(value).map_err(|error| failed(&error))?,
        };
        print(&text)
    }

    /// Says something on stderr, unless asked to be quiet.
    pub(crate) fn tell(&self, text: &str) {
        if self.settings.progress != Mode::Silent {
            self.progress.say(text.trim_end_matches('\n'));
        }
    }
}

/// Writes data to stdout. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(guarded(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Ends when nobody can read stdout any more: `| head` has had enough, the terminal is closed. Where that cannot be told (a
/// file) it never does.
pub(crate) async fn reader_gone() {
    // Unchecked, because the checks would make stdout non-blocking, for our own writes too.
    let out = stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(Sender::from_owned_fd_unchecked);
    let Ok(out) = out else {
        return std::future::pending().await;
    };
    // Fails only where the runtime ends, and with it the program.
    let _ = out.ready(Interest::ERROR).await;
}

/// Writes to stderr, whatever the mode. Nowhere to say that this failed.
pub(crate) fn complain(text: &str) {
    let _ = stderr().lock().write_all(guarded(text).as_bytes());
}

/// 64 bits from the seed that the standard library draws from the system for its hash maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
