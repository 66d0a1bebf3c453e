//! `moorline check`

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueHint};
use moorline_api::ClusterIdentity;
use moorline_engine::check;
use moorline_engine::check::{CheckReport, Unknown};
use moorline_policy::ClusterSpec;

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::policy;
use super::registry::{self, Connection};
use crate::report;

/// Hold every claim and volume against what was asked for: missing, unbound, detached, wrong size, type or zone, drifted
///
/// Without a profile the claims of the whole cluster are checked, by their StorageClasses and PersistentVolumes; with profiles, theirs
/// are, and also whether the cluster is still as each profile says; with a policy of garbage collection, those of all of its clusters,
/// whose volumes may be in any of its scopes. Nothing is written. What could not be read makes what depends on
/// it unknown, and the exit code 3.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline check --sandbox\n  moorline check profiles/aws-nginx-stateful --sandbox\n  moorline check prod/ staging/ --detailed-exitcode\n  moorline check --policy moorline-gc.yaml\n  moorline check -o json | jq '.findings[] | select(.severity == \"error\")'"
)]
pub(crate) struct Args {
    /// Folders of profiles; without any, the whole cluster.
    #[arg(value_hint = ValueHint::DirPath)]
    profiles: Vec<PathBuf>,

    /// A policy of garbage collection: all of its clusters, in all of its scopes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "profiles")]
    policy: Option<PathBuf>,

    /// Exit with 4 where there are errors or warnings, and with 0 where there are none.
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let reports = match &args.policy {
        // Large, and awaited once.
        Some(file) => Box::pin(of_policy(app, file)).await?,
        None if args.profiles.is_empty() => vec![
            app.with_context(None, false, async |context| {
                app.reading(Box::pin(check(context, None))).await
            })
            .await?,
        ],
        None => of_profiles(app, &args.profiles).await?,
    };
    match &*reports {
        // How many clusters a policy names is not for who reads the answer to know: it is a list of them, always.
        [report] if args.policy.is_none() => app.show(report, report::check::report)?,
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
            app.reading(Box::pin(check(context, Some(profile)))).await
        });
        reports.push(report.await?);
    }
    Ok(reports)
}

/// Each cluster of a policy, one after the other. One that cannot be read keeps nobody from the others.
async fn of_policy(app: &App, file: &Path) -> Result<Vec<CheckReport>, Failure> {
    let file = policy::read(app, file)?;
    let estate = app.reading(registry::estate(&app.settings, &file)).await?;
    let mut reports = Vec::new();
    for (spec, connection) in &estate.clusters {
        let report = match connection {
            Ok(connection) => of_cluster(app, spec, connection).await,
            Err(error) => Err(error.to_string()),
        };
        reports.push(report.unwrap_or_else(|why| unread(spec, &why)));
        if app.stop.is_cancelled() {
            break;
        }
    }
    app.progress.finish();
    estate.close().await;
    if app.stop.is_cancelled() {
        return Err(Failure::new(Exit::Interrupted, "interrupted; nothing was changed"));
    }
    Ok(reports)
}

/// One cluster, as long as it is the one that the policy means.
async fn of_cluster(app: &App, spec: &ClusterSpec, connection: &Connection) -> Result<CheckReport, String> {
    let report = check(&app.context(connection, false), None).await;
    let report = report.map_err(|error| error.to_string())?;
    match &spec.uid {
        Some(pinned) if *pinned != report.cluster.uid => Err(format!(
            "another cluster answered: its UID is {}, and the policy says {pinned}",
            report.cluster.uid
        )),
        _ => Ok(report),
    }
}

/// What is known of a cluster that cannot be read: nothing.
fn unread(spec: &ClusterSpec, why: &str) -> CheckReport {
    CheckReport {
        profile: None,
        cluster: ClusterIdentity {
            uid: spec.uid.clone().unwrap_or_default(),
            context: spec.name.clone(),
            server: String::new(),
            version: String::new(),
        },
        accounts: Vec::new(),
        claims: 0,
        volumes: 0,
        findings: Vec::new(),
        unknown: vec![Unknown {
            what: format!("cluster {}", spec.name),
            why: why.to_owned(),
        }],
        notices: Vec::new(),
        incomplete: true,
    }
}
