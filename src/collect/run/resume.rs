//! What an earlier run began and did not end.
//!
//! Where the volume is still there the plan judges it again, as begun, and it takes its turn among the deletions. Where it is gone, what
//! pointed to it goes, and it is written down as gone now, with what it saves. Where it is used again, it is written down as kept.

use moorline_api::{DeleteOptions, Deletion as Came, ErrorKind, Propagation};
use moorline_gc::plan::Kept;
use moorline_gc::{Deletion, Plan, Step, Verdict};

use super::Writer;
use super::steps::{claim_ref, cluster_of, pv_ref};
use super::watch::wait_gone;
use crate::Collector;
use crate::event::Event;
use crate::history::Line;
use crate::ledger::{Ledger, Open};
use crate::report::{Done, Outcome};
use crate::survey::Survey;

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
        None if plan.clock.is_some() => Next::Waits,
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
                let cluster = cluster_of(collector, target).map_err(|trouble| format!("{trouble:?}"))?;
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
                let cluster = cluster_of(collector, target).map_err(|trouble| format!("{trouble:?}"))?;
                let pv = pv_ref(target);
                let options = DeleteOptions {
                    uid: Some(target.uid.clone()),
                    resource_version: None,
                    propagation: Propagation::Background,
                    dry_run: false,
                };
                writer.confirm().await?;
                match writer.guarded(cluster.delete(&pv, &options)).await? {
                    Ok(Came::Absent | Came::Gone) => Ok(()),
                    Ok(Came::Terminating) => {
                        let patience = collector.settings.deletion_timeout;
                        match tokio::time::timeout(patience, wait_gone(cluster, &pv, &target.uid)).await {
                            Ok(outcome) => outcome.map_err(|error| error.to_string()),
                            Err(_) => Err(format!("PersistentVolume {} is held by its finalizers", target.name)),
                        }
                    }
                    // Another one of that name is not ours to judge.
                    Err(error) if error.kind == ErrorKind::Stale || error.is_not_found() => Ok(()),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        outcome?;
    }
    Ok(())
}
