//! `moorline lb`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::load_balancers;

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::registry;
use crate::report::balancers;

/// List load balancers with their Services: hostname, source ranges, and those whose Service is gone
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:\n  moorline lb --sandbox\n  moorline lb prod/ -o wide")]
pub(crate) struct Args {
    /// Folder of a profile: only the load balancers of its Services.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: Option<PathBuf>,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = args.profile.map(|folder| registry::load(app, &folder)).transpose()?;
    app.with_context(profile.as_ref(), false, async |context| {
        let report = app.reading(load_balancers(context, profile.as_ref())).await?;
        app.show(&report, balancers::report)?;
        Ok(Exit::incomplete(report.incomplete))
    })
    .await
}
