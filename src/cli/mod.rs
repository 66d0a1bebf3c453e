//! The command line: one file a command, with its arguments and one function.

mod admin;
mod app;
mod check;
mod completions;
mod confirm;
mod df;
mod down;
mod exit;
mod explain;
mod failure;
mod gc;
mod lb;
mod lock;
mod options;
mod plan;
mod policy;
mod process;
mod registry;
mod restore;
mod sandbox;
mod scale;
mod settings;
mod signals;
mod status;
mod up;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use moorline_programs::Inherited;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use tracing_subscriber::EnvFilter;

use app::App;
use exit::Exit;
use failure::Failure;
use options::Options;
use settings::Settings;

use crate::report::Guarded;
use crate::report::progress::break_silence;

const AFTER_HELP: &str = "\
Examples:
  moorline up profiles/aws-nginx-stateful --sandbox      bring the first tutorial up, with no account and no cluster
  moorline status profiles/aws-nginx-stateful --sandbox
  moorline down profiles/aws-nginx-stateful --sandbox
  moorline up profiles/azure-counter --sandbox           the second tutorial, on Azure

Exit codes:
  0 done   1 failed   2 usage or a bad profile   3 incomplete: unreachable, refused, or left for the next run
  4 changes (with --detailed-exitcode)   5 held by another run, or a field conflict   6 timed out   130 interrupted";

/// Cloud volumes for Kubernetes StatefulSets: created first, bound at once, never leaked
#[derive(Debug, Parser)]
#[command(name = "moorline", version, propagate_version = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Plan(plan::Args),
    Status(status::Args),
    Df(df::Args),
    Scale(scale::Args),
    Down(down::Args),
    Lb(lb::Args),
    Gc(gc::Args),
    Explain(explain::Args),
    Check(check::Args),
    Restore(restore::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
    /// Print the JSON Schema of profile.yaml, for editors
    Schema,
}

/// Parses, runs, and says how it ended. Nothing is started before the arguments are understood.
pub(crate) fn main() -> ExitCode {
    leave_no_core();
    keep_files_private();
    let Cli { options, command } = Cli::parse();
    let settings = Settings::new(options);
    start_log(&settings.log_filter, settings.stderr_paint.is_on());
    let app = App::new(settings);
    let result = match command {
        Command::Completions(args) => completions::run(&args),
        Command::Schema => app::print(registry::SCHEMA).map(|()| Exit::Done),
        command => run(&app, command),
    };
    app.progress.finish();
    let exit = result.unwrap_or_else(|failure| {
        app::complain(&failure.render(app.settings.stderr_paint));
        failure.exit
    });
    exit.into()
}

/// A core is a copy of memory, with keys and tokens in it: a crash leaves none. Where that cannot be had, work goes on.
fn leave_no_core() {
    let limit = getrlimit(Resource::Core);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    let _ = setrlimit(Resource::Core, none);
}

/// What is written is for its owner: states, kubeconfigs, records and logs tell much, and some hold keys.
fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Runs a command that talks to others.
fn run(app: &App, command: Command) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, format!("no threads to work with: {error}")))?;
    let programs = Arc::new(Programs::of(&command));
    let result = runtime.block_on(async {
        signals::listen(app.stop.clone(), app.progress.clone(), programs.clone());
        // Ends with the runtime.
        tokio::spawn(break_silence(app.progress.clone()));
        match command {
            Command::Up(args) => up::run(app, args).await,
            Command::Plan(args) => plan::run(app, args).await,
            Command::Status(args) => status::run(app, args).await,
            Command::Df(args) => df::run(app, args).await,
            Command::Scale(args) => scale::run(app, args).await,
            Command::Down(args) => down::run(app, args).await,
            Command::Lb(args) => lb::run(app, args).await,
            Command::Gc(args) => gc::run(app, args).await,
            Command::Explain(args) => explain::run(app, args).await,
            Command::Check(args) => check::run(app, args).await,
            Command::Restore(args) => restore::run(app, args).await,
            Command::Sandbox(args) => sandbox::run(app, args).await,
            Command::Completions(_) | Command::Schema => Ok(Exit::Done),
        }
    });
    // A question that no one answered still sits in a blocking read; it must not hold the exit up.
    runtime.shutdown_timeout(Duration::from_millis(100));
    programs.end();
    result
}

/// The programs that providers have started to get credentials. None outlives the run.
struct Programs(Option<Inherited>);

impl Programs {
    /// Those of a command that is about to begin. The sandbox has none, and starts one that is to stay: itself, as a server.
    fn of(command: &Command) -> Self {
        Self((!matches!(command, Command::Sandbox(_))).then(Inherited::note))
    }

    /// Ends those that hang.
    fn end(&self) {
        if let Some(inherited) = &self.0 {
            inherited.end_others();
        }
    }
}

/// Logs go to stderr, and only where they were asked for.
fn start_log(filter: &str, coloured: bool) {
    if filter != "off" {
        let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| Guarded(std::io::stderr()))
            .with_ansi(coloured)
            .init();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
