//! `moorline explain`

use clap::Args as ClapArgs;
use moorline_collect::Explanation;

use super::app::App;
use super::exit::Exit;
use super::failure::Failure;
use super::policy::PolicyChoice;
use crate::report::gc;

/// Show why a volume is kept or would go: its verdict, and the evidence link by link, with the source and age of each
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:
  moorline explain vol-0123456789abcdef0
  moorline explain default/data-web-0               by its claim
  moorline explain pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11   by its PersistentVolume")]
pub(crate) struct Args {
    #[command(flatten)]
    policy: PolicyChoice,

    /// A volume by its id or name, a claim as NAMESPACE/NAME, or a PersistentVolume.
    #[arg(value_name = "VOLUME")]
    subject: String,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let policy = args.policy.load(app).await?;
    app.with_collector(&policy, app.progress.clone(), async |collector| {
        let found = app
            .changing(app.settings.deadline, collector.explain(&args.subject))
            .await?;
        app.show(&found, |found, view| gc::explanations(found, view))?;
        Ok(Exit::incomplete(found.iter().any(Explanation::is_incomplete)))
    })
    .await
}
