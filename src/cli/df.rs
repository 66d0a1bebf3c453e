//! `moorline df`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::registry;
use crate::report::df;

/// Show how full each volume is that a pod has mounted, as `df -h` in the pod would
///
/// The figures are those of the kubelets' statistics (permission `get` on `nodes/proxy`), one call to each node. Where a kubelet
/// tells nothing, the cloud's count of bytes used stands in, if it has one; what nobody tells is unknown, with the reason, and
/// the exit code is 3.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline df profiles/azure-counter --sandbox\n  moorline df prod/ -o wide\n  moorline df prod/ -o json | jq '.mounts[] | select(.usedPercent > 80) | .claim'"
)]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    app.with_context(Some(&profile), false, async |context| {
        let usage = app.reading(moorline_engine::df(context, &profile)).await?;
        app.show(&usage, df::report)?;
        Ok(Exit::incomplete(usage.incomplete))
    })
    .await
}
