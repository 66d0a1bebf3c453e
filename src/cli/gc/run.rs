//! `moorline gc`: a dry run, or a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args as ClapArgs;
use moorline_collect::{Collector, Event, EventSink, Report};
use serde::Serialize;

use crate::cli::app::{App, print};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::policy::PolicyChoice;
use crate::report::{document, gc};

/// Arguments of a run.
#[derive(ClapArgs, Debug)]
#[group(id = "run")]
pub(crate) struct Args {
    #[command(flatten)]
    policy: PolicyChoice,

    /// Do it: set marks, and delete what is past its grace.
    #[arg(long)]
    apply: bool,

    /// Exit with 4 where anything is unused, and with 0 where nothing is.
    #[arg(long)]
    detailed_exitcode: bool,

    /// Print what happens as it happens: each event a line of JSON on stdout, the report the last of them.
    #[arg(long, conflicts_with = "output")]
    events: bool,
}

impl Args {
    /// Whether any of them was given. Clap's own rule would refuse the options of every command, too.
    pub(super) fn says_anything(&self) -> bool {
        self.policy.says_anything() || self.apply || self.detailed_exitcode || self.events
    }
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let policy = args.policy.load(app).await?;
    let events: Arc<dyn EventSink> = if args.events {
        Arc::new(EventLines)
    } else {
        app.progress.clone()
    };
    app.with_collector(&policy, events, async |collector| {
        let deadline = app.settings.deadline;
        // Large, and awaited once.
        let mut report = if args.apply {
            app.changing(deadline, Box::pin(collector.apply())).await?
        } else {
            app.changing(deadline, Box::pin(collector.dry_run())).await?
        };
        report.notices.push(prices(collector));
        if args.events {
            print(&line(&LastEvent::Report { report: &report }))?;
        } else {
            app.show(&report, gc::report)?;
        }
        Ok(exit(app, &report, args.detailed_exitcode))
    })
    .await
}

/// Of what day the prices are.
fn prices(collector: &Collector) -> String {
    let clouds: BTreeSet<_> = collector.scopes.iter().map(|scope| scope.rules.cloud()).collect();
    let dated = clouds
        .into_iter()
        .map(|cloud| format!("{cloud} of {}", moorline_prices::dated(cloud)));
    format!("prices are list prices: {}", dated.collect::<Vec<_>>().join(", "))
}

fn exit(app: &App, report: &Report, detailed: bool) -> Exit {
    let held_back = report.applied && !report.plan.exceeded.is_empty();
    if app.stop.is_cancelled() {
        app.stopped()
    } else if report.has_failures() {
        Exit::Failed
    } else if report.is_incomplete() || held_back {
        Exit::Incomplete
    } else {
        Exit::detailed(detailed, usize::from(report.has_findings()))
    }
}

/// Writes events to stdout as they come.
struct EventLines;

impl EventSink for EventLines {
    fn emit(&self, event: Event) {
        // A reader that went away must not stop a run in the middle of a deletion.
        drop(print(&line(&event)));
    }
}

/// What ends a stream of events.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum LastEvent<'a> {
    Report { report: &'a Report },
}

fn line(event: &impl Serialize) -> String {
    // Nothing in an event or report can fail to be written: keys are text, numbers finite or null.
    document::json_line(event).unwrap_or_default()
}
