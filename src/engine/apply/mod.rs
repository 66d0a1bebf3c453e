//! Carrying out a plan. Independent work runs at once, with a bound; each step leaves something that the next run finds.

mod claims;
mod objects;
pub(crate) mod persistent_volume;
mod wake;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use moorline_api::{Error, ErrorKind, Object, ObjectRef};
use moorline_profile::Profile;
use tokio::time::Instant;

use crate::context::Context;
use crate::error::{EngineError, Failure};
use crate::event::{Change, Event, Stage};
use crate::mounts::Mounts;
use crate::observe::Site;
use crate::outcome::{Cause, UpOutcome};
use crate::plan::UpPlan;
use crate::readiness;
use crate::status::compose;
use crate::tracker::{Snapshot, Tracker};

pub(crate) use objects::{delete_and_wait, kubectl_name};

/// One run of a plan.
pub(crate) struct Run<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) profile: &'a Profile,
    pub(crate) site: Site,
    pub(crate) plan: &'a UpPlan,
    pub(crate) tracker: Tracker,
    pub(crate) deadline: Instant,
    pub(crate) tally: Tally,
    /// What was written in this run, so that no wait takes an older state for the outcome.
    pub(crate) written: Written,
    /// The Secrets that nodes need for what this run makes.
    pub(crate) mounts: Mounts,
}

/// The UID and generation of each object that this run applied.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<Vec<(ObjectRef, String, i64)>>);

impl Written {
    pub(crate) fn note(&self, target: &ObjectRef, object: &Object) {
        let generation = object.i64_at(&["metadata", "generation"]).unwrap_or(0);
        let entry = (target.clone(), object.uid().unwrap_or_default().to_owned(), generation);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Whether a snapshot is at least as new as every write to the kinds that it holds.
    pub(crate) fn is_seen_in(&self, snapshot: &Snapshot) -> bool {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written
            .iter()
            .filter(|(target, ..)| snapshot.holds(&target.resource))
            .all(|(target, uid, generation)| {
                let live = snapshot.get(
                    &target.resource,
                    target.namespace.as_deref().unwrap_or_default(),
                    &target.name,
                );
                live.is_some_and(|live| {
                    live.uid() == Some(uid) && live.i64_at(&["metadata", "generation"]).unwrap_or(0) >= *generation
                })
            })
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) changed: AtomicUsize,
    pub(crate) volumes_created: AtomicUsize,
    pub(crate) volumes_adopted: AtomicUsize,
    pub(crate) creates_left: AtomicU32,
    /// Claims that the binder was told to look at.
    pub(crate) touched: wake::Touched,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why one piece of work did not get done.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It failed.
    Failed(Box<Failure>),
    /// The user asked to stop before it was begun or finished.
    Stopped,
    /// The deadline passed first; what was waited for, where that is more than its turn.
    TimedOut(Option<Box<Cause>>),
    /// The deadline passed, and these parts of the cluster did nothing.
    Silent(Vec<Cause>),
}

impl Halt {
    pub(crate) fn timed_out(what: impl Into<String>, why: impl Into<String>, hint: Option<&str>) -> Self {
        Self::TimedOut(Some(Box::new(Cause {
            what: what.into(),
            why: why.into(),
            hint: hint.map(str::to_owned),
            fatal: false,
        })))
    }

    pub(crate) fn failed(what: impl Into<String>, error: Error) -> Self {
        Self::Failed(Box::new(Failure {
            what: what.into(),
            error,
        }))
    }
}

impl<'a> Run<'a> {
    /// Begins to carry a plan out: everything that is waited for later is looked at first, so that what may not be read is
    /// told while nothing is changed.
    pub(crate) async fn begin(
        ctx: &'a Context,
        profile: &'a Profile,
        plan: &'a UpPlan,
        site: Site,
    ) -> Result<Self, EngineError> {
        let tracker = Tracker::start(ctx, readiness::queries(profile));
        let seconds = ctx.limits.timeout.as_secs_f64() + plan.floor_seconds;
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        tracker.first_look(deadline).await?;
        let tally = Tally::default();
        tally.creates_left.store(plan.volume_creates, Ordering::Relaxed);
        Ok(Self {
            ctx,
            profile,
            site,
            plan,
            tracker,
            deadline,
            tally,
            written: Written::default(),
            mounts: Mounts::default(),
        })
    }

    /// What the run did, and where things stand now.
    pub(crate) async fn outcome(&self) -> UpOutcome {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let status = compose(self.ctx, self.profile, &self.site, &self.tracker.snapshot()).await;
        UpOutcome {
            changed: count(&self.tally.changed),
            volumes_created: count(&self.tally.volumes_created),
            volumes_adopted: count(&self.tally.volumes_adopted),
            status: status.without_causes(),
        }
    }

    /// The gate before each call that changes something: after a first Ctrl-C none begins any more.
    pub(crate) fn gate(&self) -> Result<(), Halt> {
        if self.ctx.stop.is_cancelled() {
            return Err(Halt::Stopped);
        }
        if Instant::now() >= self.deadline {
            Err(Halt::TimedOut(None))
        } else {
            Ok(())
        }
    }

    pub(crate) fn done(&self, stage: Stage, what: impl Into<String>, change: Change, detail: impl Into<String>) {
        self.ctx.emit(Event::Done {
            stage,
            what: what.into(),
            change,
            detail: detail.into(),
        });
    }
}

/// Does pieces of work at once, at most `bound` of them; all are tried, whatever comes of one.
pub(crate) async fn all<F: Future<Output = Result<(), Halt>>>(
    bound: usize,
    work: impl IntoIterator<Item = F>,
) -> Vec<Halt> {
    stream::iter(work)
        .buffer_unordered(bound.max(1))
        .filter_map(|result| async { result.err() })
        .collect()
        .await
}

/// What the halts of a stage come to; `left` says what a stopped run leaves.
pub(crate) fn verdict(halts: Vec<Halt>, seconds: u64, left: impl FnOnce() -> String) -> Result<(), EngineError> {
    let stopped = halts.iter().any(|halt| matches!(halt, Halt::Stopped));
    let mut timed_out = false;
    let mut silent = Vec::new();
    let mut failures = Vec::new();
    let mut causes = Vec::new();
    for halt in halts {
        match halt {
            Halt::Failed(failure) => failures.push(*failure),
            Halt::Stopped => {}
            Halt::Silent(parts) => silent.extend(parts),
            Halt::TimedOut(cause) => {
                timed_out = true;
                causes.extend(cause.map(|cause| *cause));
            }
        }
    }
    if stopped {
        return Err(EngineError::Interrupted { left: left() });
    }
    if !failures.is_empty() {
        return Err(EngineError::Failed(dedupe(failures)));
    }
    if !silent.is_empty() {
        silent.sort();
        silent.dedup();
        return Err(EngineError::Silent {
            seconds,
            causes: silent,
        });
    }
    if timed_out {
        if causes.is_empty() {
            causes.push(Cause {
                what: "the run".to_owned(),
                why: left(),
                hint: None,
                fatal: false,
            });
        }
        return Err(EngineError::TimedOut { seconds, causes });
    }
    Ok(())
}

/// One unreachable service fails a thousand things in one way: it is said once, with how many others it stopped.
fn dedupe(failures: Vec<Failure>) -> Vec<Failure> {
    let mut kept: Vec<(Failure, usize)> = Vec::new();
    for failure in failures {
        let twin = kept
            .iter_mut()
            .find(|(other, _)| is_same_trouble(&other.error, &failure.error));
        match twin {
            Some((_, more)) => *more += 1,
            None => kept.push((failure, 0)),
        }
    }
    let said = |(failure, more): (Failure, usize)| match more {
        0 => failure,
        more => Failure {
            what: format!("{} and {more} more", failure.what),
            error: failure.error,
        },
    };
    kept.into_iter().map(said).collect()
}

/// Whether one cause is behind both. A service that dies fails calls in several ways, by what they were doing then.
fn is_same_trouble(a: &Error, b: &Error) -> bool {
    a.kind == b.kind && (words(a) == words(b) || (a.kind == ErrorKind::Unreachable && service(a) == service(b)))
}

/// What happened, whatever it happened to.
fn words(error: &Error) -> String {
    if error.resource.is_empty() {
        return error.message.clone();
    }
    error.message.replace(&error.resource, "it")
}

/// A cloud's operations name their service (`ec2:CreateVolume`, `Microsoft.Storage/storageAccounts/write`), the cluster's do not.
fn service(error: &Error) -> Option<&str> {
    let name = error.operation.split(' ').next()?;
    Some(name.split_once([':', '/'])?.0)
}

/// An error of ours in the shape of a provider's.
pub(crate) fn refusal(kind: ErrorKind, operation: &str, resource: &str, message: impl Into<String>) -> Error {
    Error::new(kind, operation, resource, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ErrorKind, operation: &str, resource: &str, message: &str) -> Failure {
        Failure {
            what: format!("volume {resource}"),
            error: Error::new(kind, operation, resource, message),
        }
    }

    #[test]
    fn one_cause_is_said_once_whatever_it_struck() {
        let denied = |share: &str| {
            let message = format!("no right over shares/{share}");
            failure(ErrorKind::Forbidden, "Microsoft.Storage/shares/write", share, &message)
        };
        let said = dedupe(vec![denied("pvc-1"), denied("pvc-2"), denied("pvc-3")]);
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].what, "volume pvc-1 and 2 more");
    }

    #[test]
    fn services_that_do_not_answer_are_told_apart() {
        let lost = |operation, message| failure(ErrorKind::Unreachable, operation, "x", message);
        let said = dedupe(vec![
            lost("Microsoft.Storage/shares/write", "reset"),
            lost("Microsoft.Storage/shares/read", "refused"),
            lost("ec2:CreateVolume", "refused by peer"),
            lost("patch statefulsets/scale", "no route"),
            lost("get namespaces", "timed out"),
        ]);
        assert_eq!(said.len(), 3, "{said:?}");
    }
}
