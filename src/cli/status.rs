//! `moorline status`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_engine::outcome::Status;
use moorline_engine::{EngineError, watch_status};

use super::app::{App, print, reader_gone};
use super::exit::Exit;
use super::failure::Failure;
use super::options::Output;
use super::registry;
use crate::report::{document, status};

/// Show claims, the volume behind each, workloads, pods, services, events, and what is not ready and why
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline status profiles/aws-nginx-stateful --sandbox\n  moorline status prod/ --watch\n  moorline status prod/ -o json | jq .claims"
)]
pub(crate) struct Args {
    /// Folder of the profile.
    #[arg(value_hint = ValueHint::DirPath)]
    profile: PathBuf,

    /// Follow: show it again whenever something changes, until Ctrl-C. JSON is one document a line.
    #[arg(long, short)]
    watch: bool,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let profile = registry::load(app, &args.profile)?;
    app.with_context(Some(&profile), false, async |context| {
        if !args.watch {
            let status = app.reading(moorline_engine::status(context, &profile)).await?;
            app.show(&status, status::full)?;
            return Ok(Exit::incomplete(status.incomplete));
        }
        let mut broken = None;
        let mut show = |status: &Status| {
            if let Err(failure) = print(&frame(app, status)) {
                broken = Some(failure);
                app.stop.cancel();
            }
        };
        let watched = tokio::select! {
            watched = watch_status(context, &profile, &mut show) => watched,
            () = reader_gone() => Ok(()),
        };
        match watched {
            // Being stopped is how following ends.
            Ok(()) | Err(EngineError::Interrupted { .. }) => broken.map_or(Ok(Exit::Done), Err),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// One showing of a status that changes: redrawn on a terminal, one after the other elsewhere.
fn frame(app: &App, current: &Status) -> String {
    let settings = &app.settings;
    let clear = if settings.stdout_is_terminal {
        "\u{1b}[H\u{1b}[2J"
    } else {
        ""
    };
    match settings.output {
        Output::Json => document::json_line(current).unwrap_or_default(),
        Output::Yaml => document::yaml(current).unwrap_or_default(),
        Output::Table | Output::Wide => {
            let gap = if clear.is_empty() { "\n" } else { "" };
            format!("{clear}{}{gap}", status::full(current, &settings.view()))
        }
    }
}
