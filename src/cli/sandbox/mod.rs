//! `moorline sandbox`: the embedded cloud and cluster as servers, and what can be asked of them.

mod choice;
mod embedded;
mod inspect;
mod serve;

use clap::{Args as ClapArgs, Subcommand};

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;

pub(crate) use embedded::Embedded;

/// The embedded clouds and cluster: serve them to kubectl and the clouds' own tools, look into them, make them fail
///
/// Every command takes --sandbox to use it. Its state is kept in the folder of --sandbox-dir between commands.
#[derive(ClapArgs, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    /// Stop the sandbox that is being served; its state is kept
    Stop,
    /// Print the environment of the sandbox that is being served, to eval in a shell
    Env,
    /// Forget everything: what is in the clouds, objects, audit, faults; the clock's offset too where nothing serves it
    Reset,
    Settings(inspect::SettingsArgs),
    Audit(inspect::AuditArgs),
    /// Count volumes, shares, containers, accounts, load balancers, snapshots, and objects by kind
    State,
    Usage(inspect::UsageArgs),
    Seed(inspect::SeedArgs),
    Clock(inspect::ClockArgs),
    Fault(inspect::FaultArgs),
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::Serve(args) => serve::run(app, args).await,
        Command::Stop => serve::stop(app).await,
        Command::Env => serve::environment(app),
        Command::Reset => serve::reset(app).await,
        Command::Settings(args) => inspect::settings(app, &args).await,
        Command::Audit(args) => inspect::audit(app, &args).await,
        Command::State => inspect::state(app).await,
        Command::Usage(args) => inspect::usage(app, &args).await,
        Command::Seed(args) => inspect::seed(app, &args).await,
        Command::Clock(args) => inspect::clock(app, &args).await,
        Command::Fault(args) => inspect::fault(app, &args).await,
    }
}
