//! `moorline gc unmark`

use clap::Args as ClapArgs;
use moorline_api::VolumeId;
use moorline_collect::Selection;

use super::protect::exit;
use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::policy::PolicyChoice;
use crate::report::gc;

/// Take marks off, so that grace begins anew with the next run
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:\n  moorline gc unmark vol-0123456789abcdef0\n  moorline gc unmark --all")]
pub(crate) struct Args {
    #[command(flatten)]
    policy: PolicyChoice,

    /// Volumes, by their ids.
    #[arg(required_unless_present = "all", value_name = "VOLUME")]
    volumes: Vec<String>,

    /// Every volume that has a mark.
    #[arg(long, conflicts_with = "volumes")]
    all: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let policy = args.policy.load(app).await?;
    let selection = if args.all {
        Selection::All
    } else {
        Selection::These(args.volumes.into_iter().map(VolumeId).collect())
    };
    app.with_collector(&policy, app.progress.clone(), async |collector| {
        let done = collector.unmark(selection).await?;
        app.show(&done, |done, view| gc::unmarked(done, view))?;
        Ok(exit(&done))
    })
    .await
}
