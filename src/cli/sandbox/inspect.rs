//! Questions to the sandbox, and what it can be told: audit, state, clock, faults.

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use http::Method;
use moorline_api::quantity;
use serde_json::{Value, json};

use super::Embedded;
use super::choice::Choice;
use crate::cli::admin;
use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::options::duration;
use crate::report::sandbox as render;

/// Print how the sandbox behaves, or change it; the settings are kept
#[derive(ClapArgs, Debug)]
pub(crate) struct SettingsArgs {
    #[command(flatten)]
    choice: Choice,
}

/// Count every call since the last reset: how many, how many changed something, were throttled, failed
#[derive(ClapArgs, Debug)]
pub(crate) struct AuditArgs {
    /// Start again from zero afterwards.
    #[arg(long)]
    reset: bool,
}

/// Say how full a volume is: nobody writes files in the sandbox
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Example:
  moorline sandbox usage \"$(kubectl get pvc counter-div-counter-div-0 -o jsonpath='{.spec.volumeName}')\" 45Mi")]
pub(crate) struct UsageArgs {
    /// Name of the PersistentVolume.
    persistent_volume: String,
    /// Bytes used, as a quantity: `45Mi`, `1G`, `4096`.
    #[arg(value_parser = bytes)]
    used: u64,
}

/// Fill the account and the clusters with volumes that seem to have long been there
#[derive(ClapArgs, Debug)]
pub(crate) struct SeedArgs {
    /// Volumes with a bound claim of a StatefulSet that is scaled to nothing.
    #[arg(long, default_value_t = 0)]
    volumes: u32,

    /// Volumes with a bound claim whose StatefulSet is gone.
    #[arg(long, default_value_t = 0)]
    left_behind: u32,

    /// Volumes whose claim and PersistentVolume are gone.
    #[arg(long, default_value_t = 0)]
    orphans: u32,
}

fn bytes(text: &str) -> Result<u64, &'static str> {
    quantity::bytes(text).ok_or("no quantity such as 45Mi, 1G or 4096")
}

/// The sandbox's clock
#[derive(ClapArgs, Debug)]
pub(crate) struct ClockArgs {
    #[command(subcommand)]
    command: ClockCommand,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Move the clock forward; whatever waits for that time happens at once
    Advance {
        /// How far: `90s`, `20m`, `2h`.
        #[arg(value_parser = duration)]
        by: Duration,
    },
}

/// Make calls fail, hang or be slow
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:
  moorline sandbox fault add '{\"service\":\"ec2\",\"operation\":\"CreateVolume\",\"moment\":\"after\",\"times\":1,\"effect\":\"reset\"}'
  moorline sandbox fault add '{\"service\":\"kubernetes\",\"operation\":\"create persistentvolumes\",\"moment\":\"before\",\"effect\":{\"error\":{\"status\":403,\"code\":\"Forbidden\",\"message\":\"no\",\"retry_after\":null}}}'")]
pub(crate) struct FaultArgs {
    #[command(subcommand)]
    command: FaultCommand,
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// Add a rule
    Add {
        /// The rule as JSON: service, operation, moment (before, after), skip, times, effect.
        rule: String,
    },
    /// List the rules in force, with what is left of their counts
    List,
    /// Forget every rule
    Clear,
}

pub(crate) async fn settings(app: &App, args: &SettingsArgs) -> Result<Exit, Failure> {
    if let Some(settings) = args.choice.settings()? {
        let settings = serde_json::to_value(settings).map_err(|error| Failure::usage(error.to_string()))?;
        ask(app, Method::PUT, "/_sandbox/settings", Some(settings)).await?;
    } else {
        let settings = ask(app, Method::GET, "/_sandbox/settings", None).await?;
        app.show(&settings, render::json)?;
    }
    Ok(Exit::Done)
}

pub(crate) async fn audit(app: &App, args: &AuditArgs) -> Result<Exit, Failure> {
    let rows = ask(app, Method::GET, "/_sandbox/audit", None).await?;
    if args.reset {
        ask(app, Method::DELETE, "/_sandbox/audit", None).await?;
    }
    app.show(&rows, render::audit)?;
    Ok(Exit::Done)
}

pub(crate) async fn state(app: &App) -> Result<Exit, Failure> {
    let state = ask(app, Method::GET, "/_sandbox/state", None).await?;
    app.show(&state, render::state)?;
    Ok(Exit::Done)
}

pub(crate) async fn usage(app: &App, args: &UsageArgs) -> Result<Exit, Failure> {
    let body = json!({ "persistent_volume": args.persistent_volume, "used_bytes": args.used });
    ask(app, Method::POST, "/_sandbox/usage", Some(body)).await?;
    Ok(Exit::Done)
}

pub(crate) async fn seed(app: &App, args: &SeedArgs) -> Result<Exit, Failure> {
    let body = json!({ "volumes": args.volumes, "left_behind": args.left_behind, "orphans": args.orphans });
    ask(app, Method::POST, "/_sandbox/seed", Some(body)).await?;
    Ok(Exit::Done)
}

pub(crate) async fn clock(app: &App, args: &ClockArgs) -> Result<Exit, Failure> {
    let ClockCommand::Advance { by } = args.command;
    let body = json!({ "advance_seconds": by.as_secs() });
    ask(app, Method::POST, "/_sandbox/clock", Some(body)).await?;
    Ok(Exit::Done)
}

pub(crate) async fn fault(app: &App, args: &FaultArgs) -> Result<Exit, Failure> {
    match &args.command {
        FaultCommand::Add { rule } => {
            let rule =
                serde_json::from_str(rule).map_err(|error| Failure::usage(format!("the rule is not JSON: {error}")))?;
            ask(app, Method::POST, "/_sandbox/faults", Some(rule)).await?;
        }
        FaultCommand::List => {
            let rules = ask(app, Method::GET, "/_sandbox/faults", None).await?;
            app.show(&rules, render::json)?;
        }
        FaultCommand::Clear => {
            ask(app, Method::DELETE, "/_sandbox/faults", None).await?;
        }
    }
    Ok(Exit::Done)
}

/// One question to the sandbox that is being served, or to its state on disk.
async fn ask(app: &App, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
    let sandbox = app.reading(Embedded::open(&app.settings)).await?;
    let answer = app
        .reading(admin::call(&sandbox.admin(), method, path, body.as_ref()))
        .await;
    sandbox.close().await;
    answer
}
