//! Marks, and deletions: each thing is looked at once more before it goes, and stands in the journal before and after.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::StreamExt as _;
use moorline_api::{Error, ErrorKind, Resource, TagChange, tags};
use moorline_gc::leftovers::{Action, Row, Sort, second_look};
use moorline_gc::plan::Clock;
use tokio::time::timeout;

use super::look::{self, Look};
use super::{Found, Pen, leftover};
use crate::Scope;
use crate::history::Line;
use crate::report::{Leftover, LeftoverAction};
use crate::survey::Eyes;

/// So many things are looked at and deleted at once.
const BATCH: usize = 16;

/// Carries out what was found: marks first, then deletions. `open` is what an earlier run began to delete and has not said to be
/// gone. What comes back is what became of each thing; one that is still to be deleted was not begun.
pub(crate) async fn apply(eyes: &Eyes<'_>, found: Found, open: Vec<Leftover>, pen: &impl Pen) -> Vec<Leftover> {
    let Found { plan, look } = found;
    let mut rows: Vec<(Row, Leftover)> = plan.rows.into_iter().map(|row| (row.clone(), leftover(&row))).collect();
    let gone = finished_by_another(&look, &rows, open);
    if !gone.is_empty() {
        let lines = gone.iter().cloned().map(Line::EndLeftover).collect();
        // Where the journal does not take it, the next run says it.
        if let Err(error) = pen.write(lines).await {
            tracing::warn!(%error, "what an earlier run deleted is not written down yet");
        }
    }
    marks(eyes, &mut rows, pen).await;
    deletions(eyes, &mut rows, pen).await;
    gone.into_iter()
        .chain(rows.into_iter().map(|(_, leftover)| leftover))
        .collect()
}

/// What an earlier run began to delete, and what is gone now by the word of the cloud.
fn finished_by_another(look: &Look, rows: &[(Row, Leftover)], open: Vec<Leftover>) -> Vec<Leftover> {
    let listed = |resource: &Resource| rows.iter().any(|(row, _)| row.resource == *resource);
    let gone = |leftover: &Leftover| {
        !listed(&leftover.resource) && look.world.is_gone(&leftover.scope, &leftover.resource) == Some(true)
    };
    open.into_iter()
        .filter(gone)
        .map(|leftover| Leftover {
            action: LeftoverAction::Gone,
            ..leftover
        })
        .collect()
}

async fn marks(eyes: &Eyes<'_>, rows: &mut [(Row, Leftover)], pen: &impl Pen) {
    let mut changes: BTreeMap<(String, Option<String>), Vec<Resource>> = BTreeMap::new();
    for (row, _) in rows.iter() {
        let value = match &row.action {
            Action::Mark(text) => Some(text.clone()),
            Action::Unmark => None,
            Action::Keep(_) | Action::Delete => continue,
        };
        let alike = changes.entry((row.scope.clone(), value)).or_default();
        alike.push(row.resource.clone());
    }
    for ((scope, value), things) in changes {
        let Some(scope) = scope_named(eyes, &scope) else {
            continue;
        };
        if let Err(why) = pen.confirm().await {
            return failed(rows, &things, &why);
        }
        let change = TagChange {
            key: tags::UNUSED.to_owned(),
            value,
        };
        let mut outcomes = scope.tagging.tag(things, change);
        while let Some(tagged) = outcomes.next().await {
            if let Err(error) = tagged.outcome {
                failed(rows, &tagged.things, &error.to_string());
            }
        }
    }
    let told = |row: &Row| matches!(row.action, Action::Mark(_) | Action::Unmark);
    let written = rows.iter().filter(|(row, _)| told(row));
    let lines: Vec<Line> = written
        .map(|(_, leftover)| Line::EndLeftover(leftover.clone()))
        .collect();
    if !lines.is_empty()
        && let Err(error) = pen.write(lines).await
    {
        tracing::warn!(%error, "marks are not written down");
    }
}

fn failed(rows: &mut [(Row, Leftover)], things: &[Resource], why: &str) {
    for (_, leftover) in rows.iter_mut().filter(|(row, _)| things.contains(&row.resource)) {
        leftover.action = LeftoverAction::Failed(why.to_owned());
    }
}

fn scope_named<'a>(eyes: &Eyes<'a>, name: &str) -> Option<&'a Scope> {
    eyes.collector.scopes.iter().find(|scope| scope.name == name)
}

async fn deletions(eyes: &Eyes<'_>, rows: &mut [(Row, Leftover)], pen: &impl Pen) {
    for (index, scope) in eyes.collector.scopes.iter().enumerate() {
        let doomed = |row: &Row| row.scope == scope.name && row.action == Action::Delete;
        let mut doomed: Vec<_> = rows.iter_mut().filter(|(row, _)| doomed(row)).collect();
        // Load balancers before what they forward to.
        let sort = |row: &Row| Sort::of(&row.resource);
        doomed.sort_by_key(|(row, _)| sort(row));
        let alike = doomed.chunk_by_mut(|(one, _), (other, _)| sort(one) == sort(other));
        for batch in alike.flat_map(|alike| alike.chunks_mut(BATCH)) {
            let mut sorts: BTreeSet<Sort> = batch.iter().filter_map(|(row, _)| sort(row)).collect();
            if sorts.contains(&Sort::TargetGroups) {
                sorts.insert(Sort::LoadBalancers);
            }
            // What is left stays as it is: to be deleted, and not begun.
            if pen.confirm().await.is_err() {
                return;
            }
            let Ok(look) = look::look(eyes, &[index], &sorts).await else {
                return;
            };
            let going = batch.iter_mut().map(|(row, leftover)| async {
                let ended = delete(eyes, scope, &look, row, pen).await;
                if let Some((action, why)) = ended {
                    leftover.action = action;
                    leftover.why = why.unwrap_or_else(|| leftover.why.clone());
                }
            });
            join_all(going).await;
        }
    }
}

/// How it ended, with a reason where that is another one than before; `None` where it was not begun.
type Ended = Option<(LeftoverAction, Option<String>)>;

async fn delete(eyes: &Eyes<'_>, scope: &Scope, look: &Look, row: &Row, pen: &impl Pen) -> Ended {
    let collector = eyes.collector;
    let rules = (&collector.policy, collector.settings.leftovers);
    if let Err(why) = second_look(row, &look.world, rules, Clock { now: look.now }, &collector.run) {
        return Some((LeftoverAction::Keep, Some(format!("it was looked at again: {why}"))));
    }
    if collector.stop.is_cancelled() {
        return None;
    }
    let begun = leftover(row);
    if let Err(error) = pen.write(vec![Line::BeginLeftover(begun.clone())]).await {
        let why = format!("the journal does not take it: {error}");
        return Some((LeftoverAction::Failed(why), None));
    }
    // The lease has the last word, after everything that may have taken its time.
    let outcome = match pen.confirm().await {
        Ok(()) => pen.guarded(call(eyes, scope, look, row)).await,
        Err(why) => Err(why),
    };
    let outcome = outcome.unwrap_or_else(|why| Err(Error::new(ErrorKind::Stale, "delete", &row.name, why)));
    let (action, why) = match outcome {
        Ok(()) => (LeftoverAction::Gone, None),
        // The cloud knows somebody who uses it, or nobody can delete it: it stays, and that is no failure.
        Err(error) if matches!(error.kind, ErrorKind::InUse | ErrorKind::Unsupported) => {
            (LeftoverAction::Keep, Some(error.to_string()))
        }
        Err(error) => (LeftoverAction::Failed(error.to_string()), None),
    };
    let ended = Leftover {
        action: action.clone(),
        why: why.clone().unwrap_or_else(|| begun.why.clone()),
        ..begun
    };
    if let Err(error) = pen.write(vec![Line::EndLeftover(ended)]).await {
        tracing::warn!(%error, "the end of a deletion is not written down yet");
    }
    Some((action, why))
}

/// Deletes a thing and has the cloud confirm that it is gone.
async fn call(eyes: &Eyes<'_>, scope: &Scope, look: &Look, row: &Row) -> Result<(), Error> {
    let deletion = async {
        match &row.resource {
            Resource::LoadBalancer(_) => match look.balancers.get(&row.resource) {
                Some(balancer) => scope.load_balancers.delete(balancer).await,
                None => Ok(()),
            },
            Resource::Holder(id) => {
                scope.holders.delete_holder(id).await?;
                let there = scope.holders.holder(id).await?.is_some();
                let why = "it was deleted, and the cloud still has it";
                (!there)
                    .then_some(())
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "delete", &row.name, why))
            }
            Resource::TargetGroup(id) => scope.target_groups.delete_target_group(id).await,
            Resource::Snapshot(id) => scope.recovery.delete_snapshot(id).await,
            Resource::Volume(_) => Err(Error::new(ErrorKind::Invalid, "delete", &row.name, "it is a volume")),
        }
    };
    let within = eyes.collector.settings.deletion_timeout;
    timeout(within, deletion).await.unwrap_or_else(|_| {
        let why = format!("it was not gone after {} seconds", within.as_secs());
        Err(Error::new(ErrorKind::Unreachable, "delete", &row.name, why))
    })
}
