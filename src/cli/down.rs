//! `moorline down`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::lock::Afterwards;
use moorline_engine::{Context, execute_down, plan_down};

use super::app::App;
use super::confirm::{confirm, require_terminal};
use super::exit::Exit;
use super::failure::Failure;
use super::lock::{LockChoice, Subject};
use super::registry;
use crate::report::down;

/// Take a profile down, in reverse; end with proof of what is gone and what remains
///
/// Load balancers are waited for until they are really gone. Volumes follow their class's reclaim policy and the profile's
/// `onDown`. Shows what will die and asks; without a terminal it wants `--yes`.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline down profiles/aws-nginx-stateful --sandbox\n  moorline down prod/ --yes -o json"
)]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    lock: LockChoice,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    require_terminal(app, args.yes)?;
    app.with_context(Some(&profile), false, async |context| {
        let subject = Subject::profile(&profile, "down");
        let work = async |context: &Context| {
            let plan = app.reading(Box::pin(plan_down(context, &profile))).await?;
            let incomplete = plan.incomplete;
            if plan.is_empty() {
                app.tell(&format!("nothing of profile {} is there", profile.name));
            } else {
                app.tell(&down::plan(&plan, &app.settings.stderr_view()));
                confirm(app, args.yes).await?;
            }
            let run = Box::pin(execute_down(context, &profile, plan));
            let outcome = app.changing(Some(app.limit(0.0)), run).await?;
            let incomplete = incomplete || !outcome.remaining.is_empty();
            let afterwards = if incomplete {
                Afterwards::Free
            } else {
                Afterwards::Remove
            };
            Ok(((outcome, incomplete), afterwards))
        };
        let (outcome, incomplete) = args.lock.during(app, context, subject, work).await?;
        app.show(&outcome, down::outcome)?;
        Ok(Exit::incomplete(incomplete))
    })
    .await
}
