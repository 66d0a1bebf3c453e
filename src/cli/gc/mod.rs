//! `moorline gc` and what goes with it.

mod history;
mod init;
mod protect;
mod run;
mod unmark;

use clap::{Args as ClapArgs, Subcommand};

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;

/// Find the volumes that nobody can want any more, prove it, and remove them
///
/// Without --apply nothing is changed: it shows every unused volume with its price and the reason, and what a run would do. With
/// --apply a volume is marked when it is first seen unused, and deleted when it has been so for the policy's grace: claim, then
/// volume, then PersistentVolume, each looked at again right before. What is used, claimed, protected, foreign or not known is
/// never touched. Made for cron: it asks nothing, and two runs never overlap.
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:
  moorline gc init                     write a policy from what can be seen, to be read and corrected
  moorline gc                          what is unused, and why; nothing is changed
  moorline gc --apply                  mark what is new, delete what is past its grace
  moorline gc -o json | jq '.plan.totals'
  moorline gc history
  moorline gc --sandbox

Exit codes: 0 done, 1 a deletion failed, 3 something was not read or is left for the next run, 4 something is unused (with
--detailed-exitcode), 5 another run is under way")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: run::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    History(history::Args),
    Unmark(unmark::Args),
    Protect(protect::Args),
    Init(init::Args),
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    if args.command.is_some() && args.run.says_anything() {
        let message = "options of a run stand before one of gc's commands, which is none";
        return Err(Failure::usage(message).hint("--policy and --run-store go behind the command; no other is for it"));
    }
    match args.command {
        None => run::run(app, args.run).await,
        Some(Command::History(args)) => history::run(app, args).await,
        Some(Command::Unmark(args)) => unmark::run(app, args).await,
        Some(Command::Protect(args)) => protect::run(app, args).await,
        Some(Command::Init(args)) => init::run(app, args).await,
    }
}
