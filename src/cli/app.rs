//! What every command stands on: settings, progress, and when to stop.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{ErrorKind, Write as _, stderr, stdout};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use jiff::Timestamp;
use moorline_collect::{Collector, EventSink};
use moorline_engine::Context;
use moorline_profile::Profile;
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::options::Output;
use super::policy::Policy;
use super::registry;
use super::settings::Settings;
use crate::report::progress::{Mode, Progress, listener};
use crate::report::{View, document};

/// One run of the program.
pub(crate) struct App {
    /// What it was told.
    pub(crate) settings: Settings,
    /// Progress on stderr.
    pub(crate) progress: Arc<Progress>,
    /// Cancelled by the first Ctrl-C.
    pub(crate) stop: CancellationToken,
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
        }
    }

    /// Connects, does the work, and ends what was started for it, whatever came of the work.
    pub(crate) async fn with_context<T>(
        &self,
        profile: Option<&Profile>,
        force_conflicts: bool,
        work: impl AsyncFnOnce(&Context) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = registry::connect(&self.settings, profile).await?;
        let context = Context {
            cluster: connection.cluster.clone(),
            cloud: connection.cloud.clone(),
            others: connection.others.clone(),
            events: self.progress.clone(),
            stop: self.stop.clone(),
            limits: self.settings.limits(force_conflicts),
            now: Timestamp::now,
            entropy: random,
        };
        let result = work(&context).await;
        self.progress.finish();
        connection.close().await;
        result
    }

    /// Connects to what a policy names, does the work, and ends what was started for it.
    pub(crate) async fn with_collector<T>(
        &self,
        policy: &Policy,
        events: Arc<dyn EventSink>,
        work: impl AsyncFnOnce(&Collector) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // Large, and awaited once.
        let collection = Box::pin(registry::collection(self, &policy.file, &policy.store, events)).await?;
        let result = work(&collection.collector).await;
        self.progress.finish();
        collection.close().await;
        result
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
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
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
    let _ = stderr().lock().write_all(text.as_bytes());
}

/// 64 bits from the seed that the standard library draws from the system for its hash maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
