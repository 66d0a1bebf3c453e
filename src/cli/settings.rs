//! What a run is told by its options and its surroundings. The only place of moorline's own that reads the environment;
//! what belongs to AWS and Kubernetes (`AWS_*`, `KUBECONFIG`) their providers read, by the rules of their own tools.

use std::env;
use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use moorline_engine::Limits;
use moorline_pacing::Registry;

use super::app::complain;
use super::failure::Failure;
use super::options::{Colour, Options, Output, Rate};
use crate::report::progress::Mode;
use crate::report::{Paint, View};

/// A variable of the environment, for providers whose tools are told by them.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The home folder, for paths of files that begin with `~`.
pub(crate) fn home() -> Option<PathBuf> {
    env::home_dir()
}

/// What a run is told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Use the embedded sandbox.
    pub(crate) sandbox: bool,
    /// The kubeconfig to use instead of kubectl's choice.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context to use instead of the current one.
    pub(crate) context: Option<String>,
    /// The region to use instead of the profile's or the environment's.
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration.
    pub(crate) aws_profile: Option<String>,
    /// How results are printed.
    pub(crate) output: Output,
    /// The rate for volumes, where it is not the published one.
    pub(crate) volume_rate: Option<Rate>,
    /// How progress is shown.
    pub(crate) progress: Mode,
    /// Whether someone is there to answer a question.
    pub(crate) interactive: bool,
    /// Colour of stdout.
    pub(crate) stdout_paint: Paint,
    /// Colour of stderr.
    pub(crate) stderr_paint: Paint,
    /// Whether stdout is a terminal.
    pub(crate) stdout_is_terminal: bool,
    /// The filter of logs.
    pub(crate) log_filter: String,
    /// The budgets of clouds, shared with all of this user's processes on this machine.
    pub(crate) rates: Registry,
    /// Who runs this, as the shell calls them.
    pub(crate) user: Option<String>,
    /// How long a run may take that says itself how long it needs; only where someone said so.
    pub(crate) deadline: Option<Duration>,
    sandbox_dir: Option<PathBuf>,
    limits: Limits,
    call_timeout: Option<Duration>,
}

impl Settings {
    /// From options and environment.
    pub(crate) fn new(options: Options) -> Self {
        let rust_log = env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
        let lines = options.verbose > 0 || rust_log.is_some() || !stderr().is_terminal() || is_dumb();
        let progress = match (options.quiet, lines) {
            (true, _) => Mode::Silent,
            (false, true) => Mode::Lines,
            (false, false) => Mode::Bars,
        };
        let limits = Limits::default();
        let rates = Registry::shared(&rates_dir()).unwrap_or_else(|problem| {
            if options.verbose > 0 {
                complain(&format!("note: rates are kept by this process alone: {problem}\n"));
            }
            Registry::alone()
        });
        let default_filter = match options.verbose {
            0 | 1 => "off",
            2 => "moorline=debug,moorline_aws=debug,moorline_kubernetes=debug,moorline_engine=debug",
            _ => "trace",
        };
        Self {
            sandbox: options.sandbox,
            sandbox_dir: options.sandbox_dir.or_else(default_sandbox_dir),
            kubeconfig: options.kubeconfig,
            context: options.context,
            region: options.region,
            aws_profile: options.aws_profile,
            output: options.output,
            volume_rate: options.volume_rate,
            progress,
            interactive: stdin().is_terminal() && stderr().is_terminal(),
            stdout_paint: Paint::new(colours(options.color, stdout().is_terminal())),
            stderr_paint: Paint::new(colours(options.color, stderr().is_terminal())),
            stdout_is_terminal: stdout().is_terminal(),
            user: variable("USER")
                .or_else(|| variable("LOGNAME"))
                .filter(|user| !user.is_empty()),
            deadline: options.timeout,
            rates,
            log_filter: rust_log.unwrap_or_else(|| default_filter.to_owned()),
            call_timeout: options.call_timeout,
            limits: Limits {
                timeout: options.timeout.unwrap_or(limits.timeout),
                concurrency: options.concurrency.into(),
                ..limits
            },
        }
    }

    /// The bounds of a run.
    pub(crate) fn limits(&self, force_conflicts: bool) -> Limits {
        Limits {
            force_conflicts,
            ..self.limits
        }
    }

    /// How long one try of a call may take, where its provider allows `usual`. No call outlasts the run: one that ends with its own
    /// error says more than a deadline does.
    pub(crate) fn call_timeout(&self, usual: Duration) -> Duration {
        self.call_timeout.unwrap_or(usual).min(self.limits.timeout)
    }

    /// How long one of many calls may take, repeats and all: of a run with a deadline a part, so that what fails for good is told, and the
    /// rest is done.
    pub(crate) fn share(&self) -> Duration {
        self.deadline.map_or(self.limits.timeout, |deadline| deadline / 4)
    }

    /// The folder of the sandbox's state.
    pub(crate) fn sandbox_dir(&self) -> Result<PathBuf, Failure> {
        let missing =
            || Failure::usage("no home folder to keep the sandbox's state in").hint("name a folder with --sandbox-dir");
        self.sandbox_dir.clone().ok_or_else(missing)
    }

    /// The folder in which runs of garbage collection in the sandbox are kept, where no policy says another.
    pub(crate) fn sandbox_runs(&self) -> Result<PathBuf, Failure> {
        Ok(self.sandbox_dir()?.join("gc"))
    }

    /// How results are shown on stdout now.
    pub(crate) fn view(&self) -> View {
        let width = if self.stdout_is_terminal {
            terminal_size::terminal_size_of(stdout()).map(|(width, _)| width.0)
        } else {
            None
        };
        View {
            wide: self.output == Output::Wide,
            width,
            paint: self.stdout_paint,
            now: Timestamp::now(),
        }
    }

    /// How plans and questions are shown on stderr.
    pub(crate) fn stderr_view(&self) -> View {
        let width = terminal_size::terminal_size_of(stderr()).map(|(width, _)| width.0);
        View {
            wide: self.output == Output::Wide,
            width,
            paint: self.stderr_paint,
            now: Timestamp::now(),
        }
    }
}

/// <https://no-color.org>: any value but the empty one.
fn colours(wanted: Colour, terminal: bool) -> bool {
    match wanted {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && !is_dumb() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// One place for all of a user's processes: those from cron and from a job of CI have no `XDG_RUNTIME_DIR`, or a home of their
/// own, and spend the same budgets.
fn rates_dir() -> PathBuf {
    env::temp_dir().join(format!("moorline-{}", rustix::process::getuid().as_raw()))
}

/// XDG Base Directory Specification: relative paths are ignored.
fn default_sandbox_dir() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let state = state.or_else(|| {
        env::home_dir()
            .and_then(absolute)
            .map(|home| home.join(".local").join("state"))
    });
    state.map(|state| state.join("moorline").join("sandbox"))
}
