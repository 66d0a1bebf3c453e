//! Marks: set on what looks unused, taken off what is used again.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use moorline_api::{Resource, TagChange};
use moorline_gc::Plan;
use moorline_gc::names::UNUSED;

use super::Writer;
use crate::event::{Event, Stage};
use crate::report::Report;
use crate::{Collector, Scope};

/// Writes all marks of a plan, in as few calls as clouds allow. What fails for some volumes does not keep others from theirs; those that
/// have no mark yet wait for the next run, so that nothing goes early.
pub(super) async fn write(collector: &Collector, writer: &Writer<'_>, plan: &Plan, report: &mut Report) {
    let total = plan.marks.len() + plan.unmarks.len();
    if total == 0 {
        return;
    }
    collector.emit(Event::Stage {
        stage: Stage::Marks,
        total,
    });
    let all = collector
        .scopes
        .iter()
        .map(|scope| of_scope(collector, writer, plan, scope));
    for (written, failed) in futures::future::join_all(all).await {
        report.marks_written += written;
        report.marks_failed.extend(failed);
    }
}

async fn of_scope(collector: &Collector, writer: &Writer<'_>, plan: &Plan, scope: &Scope) -> (usize, Vec<String>) {
    // What a run writes differs in the verdict only.
    let mut changes: BTreeMap<Option<&str>, Vec<Resource>> = BTreeMap::new();
    for mark in plan.marks.iter().filter(|mark| mark.scope == scope.name) {
        let things = changes.entry(Some(&mark.text)).or_default();
        things.push(Resource::Volume(mark.volume.clone()));
    }
    for unmark in plan.unmarks.iter().filter(|unmark| unmark.scope == scope.name) {
        let things = changes.entry(None).or_default();
        things.push(Resource::Volume(unmark.volume.clone()));
    }
    let (mut written, mut failures) = (0, Vec::new());
    for (text, things) in changes {
        if collector.stop.is_cancelled() {
            break;
        }
        let change = TagChange {
            key: UNUSED.to_owned(),
            value: text.map(str::to_owned),
        };
        if let Err(lost) = writer.confirm().await {
            failures.push(format!("{} volumes of {}: {lost}", things.len(), scope.name));
            break;
        }
        let mut tagged = scope.tagging.tag(things, change);
        loop {
            let tagged = match writer.guarded(tagged.next()).await {
                Ok(Some(tagged)) => tagged,
                Ok(None) => break,
                Err(lost) => {
                    failures.push(format!("some volumes of {}: {lost}", scope.name));
                    break;
                }
            };
            let count = tagged.things.len();
            let failed = tagged.outcome.err().map(|error| error.to_string());
            match &failed {
                None => written += count,
                Some(why) => failures.extend(tagged.things.iter().map(|thing| format!("{thing}: {why}"))),
            }
            collector.emit(Event::Marked { count, failed });
        }
    }
    (written, failures)
}
