//! `moorline up`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::lock::Afterwards;
use moorline_engine::{Context, execute_up, plan_up};

use super::app::App;
use super::confirm::confirm;
use super::exit::Exit;
use super::failure::Failure;
use super::lock::{LockChoice, Subject};
use super::registry;
use crate::report::{plan, status};

/// Bring a profile up: volumes first, replicas last; then wait until all is Bound and Ready
///
/// Shows the plan, applies it, waits, and prints claims, volumes and hostnames. Run it again at any time: it changes only
/// what differs, and goes on where an interrupted run stopped. It asks before it deletes or replaces anything.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline up profiles/aws-nginx-stateful --sandbox\n  moorline up prod/ --context prod --yes --timeout 30m"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,

    /// Do not ask before deleting or replacing.
    #[arg(long, short)]
    yes: bool,

    /// Take fields that other managers own.
    #[arg(long)]
    force_conflicts: bool,

    /// Return when everything is applied, without waiting until it is Bound and Ready.
    ///
    /// Volumes are still created first: a StatefulSet is applied when its own claims are Bound.
    #[arg(long)]
    no_wait: bool,

    /// Exit with 4 where something was changed, and with 0 where nothing was.
    #[arg(long)]
    detailed_exitcode: bool,

    #[command(flatten)]
    lock: LockChoice,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    app.with_context(Some(&profile), args.force_conflicts, async |context| {
        let mut context = context.clone();
        context.limits.wait = !args.no_wait;
        let subject = Subject::profile(&profile, "up");
        let work = async |context: &Context| {
            let plan = app.reading(Box::pin(plan_up(context, &profile))).await?;
            app.tell(&plan::up(&plan, &app.settings.stderr_view()));
            if plan.blocked.is_empty() && !plan.destroys().is_empty() {
                confirm(app, args.yes).await?;
            }
            let limit = app.limit(plan.floor_seconds);
            let run = Box::pin(execute_up(context, &profile, plan));
            let outcome = app.changing(Some(limit), run).await?;
            Ok((outcome, Afterwards::Free))
        };
        let outcome = args.lock.during(app, &context, subject, work).await?;
        app.show(&outcome, status::outcome)?;
        Ok(Exit::detailed(args.detailed_exitcode, outcome.changed))
    })
    .await
}
