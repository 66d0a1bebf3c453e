//! `moorline restore`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum, ValueHint};
use moorline_api::tags;
use moorline_engine::lock::Afterwards;
use moorline_engine::restore::{RestorePlan, RestoreRequest, locate};
use moorline_engine::{Context, execute_restore, plan_restore, restorable};
use moorline_profile::Profile;

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::lock::{LockChoice, Subject};
use super::registry;
use crate::report::restore;

/// Bring a volume and its bound claim back from a snapshot, or from a deleted share that its cloud still keeps
///
/// What the claim was (name, class, access modes, StatefulSet) is read off the tags, or off the profile, and can be given. The volume
/// gets the size, type, zone and tags that it had. Killed at any moment, the same command finishes what it began.
#[derive(ClapArgs, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_long_help = "Examples:\n  moorline restore --list\n  moorline restore snap-0123456789abcdef0 prod/ --dry-run\n  moorline restore snap-0123456789abcdef0 --claim data-copy --zone us-east-1b\n  moorline restore vol-0123456789abcdef0                     from its newest snapshot\n  moorline restore account.file/pvc-0123 --any-cluster       a share that was deleted"
)]
pub(crate) struct Args {
    /// A snapshot's id, or the id of the volume that it was: then its newest snapshot, or the deleted volume itself.
    #[arg(value_name = "SNAPSHOT|VOLUME", required_unless_present = "list")]
    what: Option<String>,

    /// Folder of the claim's profile, where its tags do not say all; its pins are checked.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: Option<PathBuf>,

    /// Show what can be brought back for this cluster, and do nothing.
    #[arg(long, conflicts_with_all = ["claim", "namespace", "class", "zone", "size", "access_mode", "dry_run"])]
    list: bool,

    /// With --list: everything that the account has, whoever made it.
    #[arg(long, requires = "list")]
    all: bool,

    /// Namespace of the claim; without it, the one that it was in.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,

    /// Name of the claim; without it, the one that it had.
    #[arg(long, value_name = "NAME")]
    claim: Option<String>,

    /// Its StorageClass; without it, the one that it had.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// Zone of the new volume; without it, the one that it was in.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Size of the new volume in GiB; without it, the one that it had. No smaller.
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,

    /// How the claim may be mounted; without it, as before. May be given several times.
    #[arg(long, value_name = "MODE", value_enum)]
    access_mode: Vec<AccessMode>,

    /// Also bring back a deleted volume that was another cluster's, or nobody knows whose.
    #[arg(long)]
    any_cluster: bool,

    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    lock: LockChoice,
}

/// The access modes of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "Kubernetes names them so")]
enum AccessMode {
    /// Mounted by the pods of one node.
    #[value(name = "ReadWriteOnce", alias = "rwo")]
    ReadWriteOnce,
    /// Mounted by one pod.
    #[value(name = "ReadWriteOncePod", alias = "rwop")]
    ReadWriteOncePod,
    /// Mounted by many nodes.
    #[value(name = "ReadWriteMany", alias = "rwx")]
    ReadWriteMany,
    /// Read by many nodes.
    #[value(name = "ReadOnlyMany", alias = "rox")]
    ReadOnlyMany,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = args
        .profile
        .as_ref()
        .map(|folder| registry::load(app, folder))
        .transpose()?;
    let profile = profile.as_ref();
    app.with_context(profile, false, async |context| {
        if args.list {
            let found = app.reading(restorable(context, args.all)).await?;
            app.show(&found, |found, view| restore::list(found, view))?;
            return Ok(Exit::Done);
        }
        let request = request(&args);
        let context = &app.reading(locate(context, &request)).await?;
        let plan = app.reading(Box::pin(plan_restore(context, profile, &request))).await?;
        if args.dry_run {
            app.show(&plan, restore::plan)?;
            return Ok(Exit::Done);
        }
        let subject = subject(profile, &plan);
        let work = async |context: &Context| {
            // Read again: what told whose lock it takes may be out of date where that was waited for.
            let plan = app.reading(Box::pin(plan_restore(context, profile, &request))).await?;
            app.tell(&restore::plan(&plan, &app.settings.stderr_view()));
            let run = Box::pin(execute_restore(context, profile, &request, plan));
            Ok((app.changing(Some(app.limit(0.0)), run).await?, Afterwards::Free))
        };
        let outcome = args.lock.during(app, context, subject, work).await?;
        app.show(&outcome, restore::outcome)?;
        Ok(Exit::Done)
    })
    .await
}

/// What no other run may change meanwhile: the profile that the volume was of, or the volume where nobody knows of one.
fn subject<'a>(profile: Option<&'a Profile>, plan: &RestorePlan) -> Subject<'a> {
    match (profile, plan.source.tags.get(tags::PROFILE)) {
        (Some(profile), _) => Subject::profile(profile, "restore"),
        (None, Some(tagged)) => Subject::named(tagged, "restore"),
        (None, None) => Subject::volume(&plan.source.volume.0, "restore"),
    }
}

fn request(args: &Args) -> RestoreRequest {
    let modes = args.access_mode.iter().filter_map(ValueEnum::to_possible_value);
    RestoreRequest {
        what: args.what.clone().unwrap_or_default(),
        namespace: args.namespace.clone(),
        claim: args.claim.clone(),
        class: args.class.clone(),
        zone: args.zone.clone(),
        size_gib: args.size,
        access_modes: modes.map(|mode| mode.get_name().to_owned()).collect(),
        any_cluster: args.any_cluster,
    }
}
