//! `moorline plan`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::{EngineError, plan_up};

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::registry;
use crate::report::plan;

/// Say what `up` would do, field by field; change nothing
///
/// The API server itself is asked, by dry run. Shows the calls to the cloud, what they cost a month, and the time that the
/// account's rate limits allow.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline plan profiles/aws-nginx-stateful --sandbox\n  moorline plan prod/ --detailed-exitcode -o json"
)]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,

    /// Plan to take fields that other managers own.
    #[arg(long)]
    force_conflicts: bool,

    /// Exit with 4 where `up` would change something, and with 0 where it would not.
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    app.with_context(Some(&profile), args.force_conflicts, async |context| {
        let plan = app.reading(Box::pin(plan_up(context, &profile))).await?;
        app.show(&plan, plan::up)?;
        if !plan.blocked.is_empty() {
            return Err(EngineError::Blocked(plan.blocked).into());
        }
        Ok(Exit::detailed(args.detailed_exitcode, plan.changes()))
    })
    .await
}
