//! `moorline gc protect`

use clap::Args as ClapArgs;
use moorline_api::VolumeId;
use moorline_collect::Tagging;

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::policy::PolicyChoice;
use crate::report::gc;

/// Protect volumes from every run, by the tag `moorline.dev/protect`; --off takes it off again
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline gc protect vol-0123456789abcdef0\n  moorline gc protect --off vol-0123456789abcdef0"
)]
pub(crate) struct Args {
    #[command(flatten)]
    policy: PolicyChoice,

    /// Volumes, by their ids.
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,

    /// Take protection off.
    #[arg(long)]
    off: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let policy = args.policy.load(app).await?;
    let volumes = args.volumes.into_iter().map(VolumeId).collect();
    app.with_collector(&policy, app.progress.clone(), async |collector| {
        let done = collector.protect(volumes, !args.off).await?;
        app.show(&done, |done, view| gc::protected(!args.off)(done, view))?;
        Ok(exit(&done))
    })
    .await
}

/// Failed where any of it failed.
pub(super) fn exit(done: &[Tagging]) -> Exit {
    if done.iter().any(|tagging| tagging.failed.is_some()) {
        Exit::Failed
    } else {
        Exit::Done
    }
}
