//! What an earlier run began and did not end.
//!
//! Where the volume is still there the plan judges it again, as begun, and it takes its turn among the deletions. Where it is gone, what
//! pointed to it goes, and it is written down as gone now, with what it saves. Where it is used again, it is written down as kept.

use futures::StreamExt as _;
use futures::stream;
use moorline_api::{Error, Object};
use moorline_gc::plan::Kept;
use moorline_gc::{Deletion, Plan, Step, Verdict};

use super::Writer;
use super::pointer;
use super::steps::{Trouble, claim_ref, cluster_of, pv_ref};
use super::watch::wait_while;
use crate::Collector;
use crate::event::Event;
use crate::history::Line;
use crate::ledger::{Ledger, Open};
use crate::report::{Done, Outcome};
use crate::survey::Survey;

/// How many objects are waited for at once.
const AT_ONCE: usize = 16;

/// Waits, for a while, until clusters have done what an earlier run asked of them before it was cut short: claims that are on their way go,
/// and PersistentVolumes are released of claims that are gone. What is read in the middle of that proves nothing.
pub(super) async fn come_to_rest(collector: &Collector, ledger: &Ledger) {
    if ledger.open.is_empty() {
        return;
    }
    collector.emit(Event::Notice {
        text: format!(
            "an earlier run was cut short: waiting for what it began, {} volumes",
            ledger.open.len()
        ),
    });
    let all = stream::iter(ledger.open.values()).for_each_concurrent(AT_ONCE, |open| async {
        // Whatever cannot be read is a gap of the survey.
        if let Err(error) = rest_of(collector, &open.deletion).await {
            tracing::debug!(%error, volume = %open.deletion.volume, "cannot see what became of it");
        }
    });
    let _ = tokio::time::timeout(collector.settings.held, async {
        tokio::select! {
            () = collector.stop.cancelled() => {}
            () = all => {}
        }
    })
    .await;
}

async fn rest_of(collector: &Collector, deletion: &Deletion) -> Result<(), Error> {
    let mut gone = Vec::new();
    for step in &deletion.steps {
        match step {
            Step::Claim(target) => {
                let Ok(cluster) = cluster_of(collector, target) else {
                    continue;
                };
                wait_while(cluster, &claim_ref(target), &target.uid, Object::is_terminating).await?;
                let claim = cluster.get(&claim_ref(target)).await?;
                if claim.is_none_or(|claim| claim.uid() != Some(&target.uid)) {
                    gone.push(target.uid.as_str());
                }
            }
            Step::PersistentVolume(target) => {
                let Ok(cluster) = cluster_of(collector, target) else {
                    continue;
                };
                let lags = |pv: &Object| {
                    let claim = pv.str_at(&["spec", "claimRef", "uid"]);
                    let bound = pv.str_at(&["status", "phase"]) == Some("Bound");
                    bound && claim.is_some_and(|claim| gone.contains(&claim))
                };
                wait_while(cluster, &pv_ref(target), &target.uid, lags).await?;
            }
            Step::Snapshot { .. } | Step::Volume => {}
        }
    }
    Ok(())
}

/// What is to be done about a deletion that was begun.
enum Next {
    /// The plan has it.
    Planned,
    /// It stays begun: not all could be read, or something holds it back.
    Waits,
    /// It is used again, or nobody can say any more that it is ours.
    Close(String),
    /// It is gone.
    Finish,
}

/// Ends what can be ended without a look: what is gone, and what is used again.
pub(super) async fn resume(
    collector: &Collector,
    writer: &Writer<'_>,
    ledger: &mut Ledger,
    (survey, plan): (&Survey, &Plan),
) -> Vec<Done> {
    let mut all = Vec::new();
    let open: Vec<Open> = ledger.open.values().cloned().collect();
    for open in open {
        let outcome = match next(&open, survey, plan) {
            Next::Planned | Next::Waits => continue,
            Next::Close(why) => Outcome::Kept(why),
            Next::Finish => {
                let pointers = delete_pointers(collector, writer, &open.deletion).await;
                pointers.map_or_else(Outcome::Failed, |()| Outcome::Gone)
            }
        };
        let gone = !matches!(outcome, Outcome::Kept(_));
        let done = Done {
            volume: open.deletion.volume.clone(),
            scope: open.deletion.scope.clone(),
            verdict: open.deletion.verdict,
            outcome,
            confirmed: gone && !open.counted,
            snapshot: None,
            gib: open.deletion.gib,
            monthly: open.deletion.monthly,
            resumed: Some(open.run),
        };
        if writer.write(vec![Line::End(done.clone())]).await.is_err() {
            return all;
        }
        ledger.ended(&done.volume.0, &done.outcome, done.confirmed);
        collector.emit(Event::Done {
            volume: done.volume.clone(),
            outcome: done.outcome.clone(),
            saved: done.monthly.filter(|_| done.confirmed).unwrap_or_default(),
        });
        all.push(done);
    }
    all
}

fn next(open: &Open, survey: &Survey, plan: &Plan) -> Next {
    let id = &open.deletion.volume;
    if survey.world.find_volume(id).is_none() {
        let listed = survey
            .seen
            .scopes
            .iter()
            .find(|scope| scope.name == open.deletion.scope);
        return match listed {
            Some(scope) if scope.complete => Next::Finish,
            _ => Next::Waits,
        };
    }
    if plan.deletions.iter().any(|deletion| deletion.volume == *id) {
        return Next::Planned;
    }
    match plan.kept.iter().find(|keep| keep.volume == *id) {
        Some(keep) if keep.kept == Kept::Never && keep.verdict != Verdict::Unknown => Next::Close(keep.why.clone()),
        Some(_) => Next::Waits,
        None => Next::Close("it is used again".to_owned()),
    }
}

/// Deletes the PersistentVolumes that pointed to a volume which is gone; their claims have to be gone before. Nothing else points to
/// them then.
pub(super) async fn delete_pointers(
    collector: &Collector,
    writer: &Writer<'_>,
    deletion: &Deletion,
) -> Result<(), String> {
    for step in &deletion.steps {
        let outcome = match step {
            Step::Snapshot { .. } | Step::Volume => continue,
            Step::Claim(target) => {
                let cluster = cluster_of(collector, target).map_err(Trouble::into_why)?;
                let claim = cluster
                    .get(&claim_ref(target))
                    .await
                    .map_err(|error| error.to_string())?;
                let there = claim.is_some_and(|claim| claim.uid() == Some(&target.uid));
                let name = format!("{}/{}", target.namespace, target.name);
                let why = format!("the volume is gone, and claim {name} is still there");
                if there { Err(why) } else { Ok(()) }
            }
            Step::PersistentVolume(target) => {
                let cluster = cluster_of(collector, target).map_err(Trouble::into_why)?;
                writer.confirm().await?;
                let patience = pointer::Patience {
                    held: collector.settings.deletion_timeout,
                    pause: collector.settings.pause / 4,
                };
                let deleted = pointer::delete(writer, cluster, target, patience).await;
                deleted.map_err(Trouble::into_why)
            }
        };
        outcome?;
    }
    Ok(())
}
