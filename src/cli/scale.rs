//! `moorline scale`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::lock::Afterwards;
use moorline_engine::{Context, execute_scale, plan_scale};

use super::app::App;
use super::confirm::confirm;
use super::exit::Exit;
use super::failure::Failure;
use super::lock::{LockChoice, Subject};
use super::registry;
use crate::report::{plan, status};

/// Change the replicas of a StatefulSet: up, volumes first; down, replicas first
///
/// Scaling down keeps claims and volumes unless the set's `persistentVolumeClaimRetentionPolicy.whenScaled` is `Delete`;
/// then it asks. The manifest is not changed: the next `up` goes back to the number it gives, if it gives one.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline scale profiles/aws-nginx-stateful home-deployment --replicas 5 --sandbox"
)]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,

    /// Name of the StatefulSet.
    set: String,

    /// How many replicas it shall have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    replicas: u32,

    /// Do not ask before deleting.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    lock: LockChoice,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    app.with_context(Some(&profile), false, async |context| {
        let subject = Subject::profile(&profile, "scale");
        let work = async |context: &Context| {
            let plan = app
                .reading(Box::pin(plan_scale(context, &profile, &args.set, args.replicas)))
                .await?;
            app.tell(&plan::up(&plan, &app.settings.stderr_view()));
            if plan.blocked.is_empty() && !plan.destroys().is_empty() {
                confirm(app, args.yes).await?;
            }
            let limit = app.limit(plan.floor_seconds);
            let run = Box::pin(execute_scale(context, &profile, plan));
            let outcome = app.changing(Some(limit), run).await?;
            Ok((outcome, Afterwards::Free))
        };
        let outcome = args.lock.during(app, context, subject, work).await?;
        app.show(&outcome, status::outcome)?;
        Ok(Exit::Done)
    })
    .await
}
