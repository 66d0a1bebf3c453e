//! `moorline gc history`

use clap::Args as ClapArgs;

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::policy::PolicyChoice;
use crate::report::gc;

/// Show past runs: what each of them marked, deleted and saved, and which were killed in the middle
///
/// Only the run store is read: neither clouds nor clusters have to answer.
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:\n  moorline gc history\n  moorline gc history 5f0c2d9b1a7e4431 -o json")]
pub(crate) struct Args {
    #[command(flatten)]
    policy: PolicyChoice,

    /// A run: everything that it wrote down.
    run: Option<String>,

    /// How many runs, from the newest on.
    #[arg(short, long, default_value_t = 20, conflicts_with = "run", value_parser = clap::value_parser!(u16).range(1..))]
    number: u16,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let policy = args.policy.load(app).await?;
    app.with_collector(&policy, app.progress.clone(), async |collector| {
        if let Some(run) = &args.run {
            app.show(&collector.history_of(run).await?, gc::past_run)?;
        } else {
            let runs = collector.history(args.number.into()).await?;
            app.show(&runs, |runs, view| gc::history(runs, view))?;
        }
        Ok(Exit::Done)
    })
    .await
}
