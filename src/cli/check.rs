//! `moorline check`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::check;
use moorline_engine::check::CheckReport;

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::registry;
use crate::report;

/// Hold every claim and volume against what was asked for: missing, unbound, detached, wrong size, type or zone, drifted
///
/// Without a profile the claims of the whole cluster are checked, by their StorageClasses and PersistentVolumes; with profiles, theirs
/// are, and also whether the cluster is still as each profile says. Nothing is written. What could not be read makes what depends on
/// it unknown, and the exit code 3.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline check --sandbox\n  moorline check profiles/aws-nginx-stateful --sandbox\n  moorline check prod/ staging/ --detailed-exitcode\n  moorline check -o json | jq '.findings[] | select(.severity == \"error\")'"
)]
pub(crate) struct Args {
    /// Folders of profiles; without any, the whole cluster.
    #[arg(value_hint = ValueHint::DirPath)]
    profiles: Vec<PathBuf>,

    /// Exit with 4 where there are errors or warnings, and with 0 where there are none.
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let reports = if args.profiles.is_empty() {
        vec![
            app.with_context(None, false, async |context| app.reading(check(context, None)).await)
                .await?,
        ]
    } else {
        of_profiles(app, &args.profiles).await?
    };
    match &*reports {
        [report] => app.show(report, report::check::report)?,
        reports => app.show(&reports, |reports, view| report::check::reports(reports, view))?,
    }
    if reports.iter().any(|report| report.incomplete) {
        return Ok(Exit::Incomplete);
    }
    let problems = reports.iter().map(CheckReport::problems).sum();
    Ok(Exit::detailed(args.detailed_exitcode, problems))
}

/// Each profile by itself: they may be of different clouds. All are loaded before the first call.
async fn of_profiles(app: &App, folders: &[PathBuf]) -> Result<Vec<CheckReport>, Failure> {
    let profiles = folders.iter().map(|folder| registry::load(app, folder));
    let profiles = profiles.collect::<Result<Vec<_>, _>>()?;
    let mut reports = Vec::new();
    for profile in &profiles {
        let report = app.with_context(Some(profile), false, async |context| {
            app.reading(check(context, Some(profile))).await
        });
        reports.push(report.await?);
    }
    Ok(reports)
}
