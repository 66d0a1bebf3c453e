//! Taking a Lease, renewing it, giving it back.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use moorline_api::{Cluster, DeleteOptions, Error, ErrorKind, Object, Propagation, Result as Called};
use serde_json::Value;
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::look::Seen;
use super::record::{self, Record};
use super::{Afterwards, LockError, SPAN, Terms};
use crate::context::Context;

/// How long a holder trusts its Lease: it stops a margin before others may begin.
const TRUST: Duration = SPAN.saturating_sub(Duration::from_secs(5));
/// Between two signs of life.
const RENEW: Duration = Duration::from_secs(5);
/// How long one sign of life may take, and between two tries.
const TRY: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(500);
/// How long a call waits for a Lease that cannot be renewed, beyond `TRUST`: about as long as other calls wait for an API server
/// that was there before, for it is the same server.
const GIVE_UP: Duration = Duration::from_secs(8);
/// How long the end of a run is held up by giving the Lease back.
const RELEASE: Duration = Duration::from_secs(5);
/// The largest number of transitions that Kubernetes can write down.
const LAST: i64 = i32::MAX as i64;
/// How often taking is tried while reads are older than writes.
const TRIES: usize = 30;

/// Until when the Lease is surely ours, by two clocks, because each can fail: the time of day can be set, the other one stands
/// still while a machine sleeps. Where they do not agree calls wait for the next renewal.
#[derive(Clone, Copy, Debug)]
struct Until {
    steady: Instant,
    wall: SystemTime,
}

impl Until {
    /// Counted from before the request was sent.
    fn from_now() -> Self {
        Self {
            steady: Instant::now() + TRUST,
            wall: SystemTime::now() + TRUST,
        }
    }

    fn holds(&self) -> bool {
        let ahead = self.wall.duration_since(SystemTime::now()).ok();
        // Further ahead than it ever was: the time of day was put back.
        Instant::now() < self.steady && ahead.is_some_and(|ahead| ahead <= SPAN)
    }
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing was changed yet.
    Untaken,
    Held {
        version: String,
        uid: String,
        until: Until,
    },
    /// Not ours, or not any more: `failure` says why.
    Over,
}

/// One run's claim to a Lease, from its first look to its end.
pub(super) struct Tenure {
    hold: Arc<Hold>,
    seen: Seen,
    taken: OnceCell<()>,
    renewal: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// What the renewing task shares with the calls.
struct Hold {
    cluster: Arc<dyn Cluster>,
    /// The same cluster, by a way that calls under way do not hold up.
    beside: Arc<dyn Cluster>,
    terms: Terms,
    state: watch::Sender<State>,
    failure: Mutex<Option<LockError>>,
    /// Why the last try to renew it failed.
    trouble: Mutex<String>,
    /// How long a call waits for a Lease that cannot be renewed.
    give_up: Duration,
    stop: CancellationToken,
    now: fn() -> Timestamp,
}

impl Tenure {
    pub(super) fn new(ctx: &Context, terms: &Terms, seen: Seen) -> Self {
        let hold = Hold {
            cluster: ctx.cluster.clone(),
            beside: ctx.beside.clone(),
            terms: terms.clone(),
            state: watch::Sender::new(State::Untaken),
            failure: Mutex::new(None),
            trouble: Mutex::new("the API server did not answer in time".to_owned()),
            give_up: GIVE_UP,
            stop: ctx.stop.child_token(),
            now: ctx.now,
        };
        Self {
            hold: Arc::new(hold),
            seen,
            taken: OnceCell::new(),
            renewal: Mutex::new(None),
        }
    }

    /// Cancelled with the run's own, and when the Lease is lost: there is no use in going on.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.hold.stop
    }

    /// A call that changes something. It begins, and goes on after each wait, only while the Lease is surely ours: one that waits for
    /// its turn in a cloud's budget is not sent by a process that was stopped meanwhile.
    pub(super) async fn during<T>(&self, call: impl Future<Output = Called<T>>) -> Called<T> {
        self.take().await?;
        let mut call = pin!(call);
        loop {
            self.hold.confirmed().await?;
            let step = poll_fn(|context| {
                if self.hold.is_ours() {
                    call.as_mut().poll(context).map(Some)
                } else {
                    Poll::Ready(None)
                }
            });
            if let Some(outcome) = step.await {
                return outcome;
            }
        }
    }

    /// Takes the Lease, once.
    async fn take(&self) -> Called<()> {
        let begin = async || {
            self.hold.take(&self.seen).await?;
            let task = AbortOnDropHandle::new(tokio::spawn(renew(self.hold.clone())));
            *locked(&self.renewal) = Some(task);
            Ok(())
        };
        self.taken.get_or_try_init(begin).await.copied()
    }

    /// Gives the Lease back, or removes it. Fails where it was lost on the way, whatever else happened.
    pub(super) async fn end(&self, ctx: &Context, afterwards: Afterwards) -> Result<(), LockError> {
        if afterwards == Afterwards::Remove && matches!(self.seen, Seen::Free(_)) {
            // Taken before it is removed, so that nobody else has it then. What fails is in the hold.
            drop(self.take().await);
        }
        let renewal = locked(&self.renewal).take();
        if let Some(task) = renewal {
            task.abort();
            // It was aborted; how it ended is of no interest.
            drop(task.await);
        }
        let failure = locked(&self.hold.failure).take();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let why = match timeout(RELEASE, self.hold.release(afterwards)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let place = self.hold.terms.place();
        ctx.notice(format!(
            "{place} could not be given back ({why}); it is free in {} s",
            SPAN.as_secs()
        ));
        Ok(())
    }
}

impl Hold {
    async fn take(&self, seen: &Seen) -> Called<()> {
        if let Some(why) = self.over() {
            return Err(why);
        }
        match self.try_take(seen).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.fail(failure)),
        }
    }

    async fn try_take(&self, seen: &Seen) -> Result<(), LockError> {
        let target = record::lease(&self.terms.namespace, &self.terms.name);
        let (version, transitions) = match seen {
            Seen::Absent => (None, first_transition((self.now)())),
            Seen::Free(record) => (Some(&record.version), record.transitions.saturating_add(1).min(LAST)),
        };
        for _ in 0..TRIES {
            let until = Until::from_now();
            let wanted = record::taken(&self.terms.holder, transitions, (self.now)());
            let tried = match version {
                None => self.cluster.create(&target, &self.object(wanted)).await,
                Some(version) => self.cluster.merge(&target, &record::at_version(wanted, version)).await,
            };
            let refusal = match tried {
                Ok(lease) => {
                    self.hold(&Record::of(&lease), until);
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            let may_be_ours = matches!(
                refusal.kind,
                ErrorKind::AlreadyExists
                    | ErrorKind::Stale
                    | ErrorKind::NotFound
                    | ErrorKind::Unreachable
                    | ErrorKind::Internal
            );
            if !may_be_ours {
                return Err(LockError::Provider(refusal));
            }
            let now = self.cluster.get(&target).await.map_err(LockError::Provider)?;
            let now = now.as_ref().map(Record::of);
            match now {
                // The answer was lost, not the request.
                Some(lease) if lease.holder.as_ref() == Some(&self.terms.holder.identity) => {
                    self.hold(&lease, until);
                    return Ok(());
                }
                Some(lease) if Some(&lease.version) != version => return Err(self.overtaken()),
                None if version.is_some() => return Err(self.overtaken()),
                // As it was seen: the request was lost, and all repeats of it.
                _ if matches!(refusal.kind, ErrorKind::Unreachable | ErrorKind::Internal) => {
                    return Err(LockError::Provider(refusal));
                }
                // This read is older than what refused it.
                _ => {}
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = self.stop.cancelled() => return Err(LockError::Interrupted { what: self.terms.what.clone() }),
            }
        }
        Err(self.overtaken())
    }

    fn overtaken(&self) -> LockError {
        LockError::Overtaken {
            what: self.terms.what.clone(),
        }
    }

    fn object(&self, fields: Value) -> Object {
        let target = record::lease(&self.terms.namespace, &self.terms.name);
        let mut object = Object::from_value(fields).unwrap_or_default();
        object.set(&["apiVersion"], Value::from(target.resource.gvk.api_version()));
        object.set(&["kind"], Value::from(target.resource.gvk.kind));
        object.set(&["metadata", "namespace"], Value::from(self.terms.namespace.clone()));
        object.set(&["metadata", "name"], Value::from(self.terms.name.clone()));
        object
    }

    fn hold(&self, lease: &Record, until: Until) {
        self.state.send_replace(State::Held {
            version: lease.version.clone(),
            uid: lease.uid.clone(),
            until,
        });
    }

    fn is_ours(&self) -> bool {
        matches!(&*self.state.borrow(), State::Held { until, .. } if until.holds())
    }

    /// Waits until the Lease is surely ours: at once, but where it could not be renewed for a while.
    async fn confirmed(&self) -> Called<()> {
        let mut states = self.state.subscribe();
        let waited = timeout(self.give_up, async {
            loop {
                if let Some(why) = self.over() {
                    return Err(why);
                }
                if self.is_ours() {
                    return Ok(());
                }
                // The sender is in `self`.
                let _ = states.changed().await;
            }
        });
        match waited.await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.fail(LockError::Unconfirmed {
                place: self.terms.place(),
                why: locked(&self.trouble).clone(),
            })),
        }
    }

    /// Why nothing may be changed any more, in the shape that calls fail in.
    fn over(&self) -> Option<Error> {
        let over = matches!(&*self.state.borrow(), State::Over);
        over.then(|| Error::new(ErrorKind::Stale, "hold", self.terms.place(), "it is not this run's"))
    }

    /// Ends the tenure. The first reason counts.
    fn fail(&self, why: LockError) -> Error {
        let error = Error::new(ErrorKind::Stale, "hold", self.terms.place(), why.to_string());
        locked(&self.failure).get_or_insert(why);
        self.state.send_replace(State::Over);
        self.stop.cancel();
        error
    }

    /// A sign of life; `Ok(true)` when it was given.
    async fn try_renew(&self) -> Result<bool, LockError> {
        let State::Held { version, .. } = self.state.borrow().clone() else {
            return Ok(false);
        };
        let target = record::lease(&self.terms.namespace, &self.terms.name);
        let until = Until::from_now();
        let patch = record::at_version(record::renewed((self.now)()), &version);
        match timeout(TRY, self.beside.merge(&target, &patch)).await {
            Ok(Ok(lease)) => {
                self.hold(&Record::of(&lease), until);
                return Ok(true);
            }
            Ok(Err(refusal)) => {
                tracing::debug!(%refusal, "lease not renewed");
                *locked(&self.trouble) = refusal.message;
            }
            Err(_) => {
                tracing::debug!("lease not renewed in time");
                "the API server did not answer in time".clone_into(&mut locked(&self.trouble));
            }
        }
        // Whatever it was: what the Lease says now counts.
        let Ok(Ok(now)) = timeout(TRY, self.beside.get(&target)).await else {
            return Ok(false);
        };
        let taker = match now.as_ref().map(Record::of) {
            Some(lease) if lease.holder.as_ref() == Some(&self.terms.holder.identity) => {
                // Ours still, in another version: renewed by a request whose answer was lost, or labelled by someone.
                // The loan has to be over before the state is written.
                let state = self.state.borrow().clone();
                if let State::Held { until, .. } = state {
                    self.hold(&lease, until);
                }
                return Ok(false);
            }
            Some(lease) if lease.holder.is_none() => "was set free by someone else".to_owned(),
            Some(lease) => format!("is now held by {}", lease.keeper()),
            None => "was deleted".to_owned(),
        };
        Err(LockError::Lost {
            what: self.terms.what.clone(),
            place: self.terms.place(),
            taker,
        })
    }

    async fn release(&self, afterwards: Afterwards) -> Called<()> {
        let State::Held { mut version, uid, .. } = self.state.borrow().clone() else {
            return Ok(());
        };
        let target = record::lease(&self.terms.namespace, &self.terms.name);
        if afterwards == Afterwards::Remove {
            let options = DeleteOptions {
                uid: Some(uid),
                resource_version: Some(version.clone()),
                propagation: Propagation::Background,
                dry_run: false,
            };
            match self.beside.delete(&target, &options).await {
                // Without the right to delete it stays, free.
                Err(error) => tracing::debug!(%error, "lease not removed"),
                Ok(_) => return Ok(()),
            }
        }
        loop {
            let patch = record::at_version(record::released((self.now)()), &version);
            let Err(refusal) = self.beside.merge(&target, &patch).await else {
                return Ok(());
            };
            // A renewal that was under way may have been done after all.
            let now = self.beside.get(&target).await?.as_ref().map(Record::of);
            match now {
                Some(lease) if lease.holder.as_ref() != Some(&self.terms.holder.identity) => return Ok(()),
                None => return Ok(()),
                Some(lease) if lease.version == version => return Err(refusal),
                Some(lease) => version = lease.version,
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first fencing number of a Lease: seconds, so that it is larger than those of one that was removed.
fn first_transition(now: Timestamp) -> i64 {
    now.as_second().clamp(0, LAST)
}

/// Renews until the Lease is lost, or until this is aborted.
async fn renew(hold: Arc<Hold>) {
    let mut pause = RENEW;
    loop {
        sleep(pause).await;
        pause = match hold.try_renew().await {
            Ok(true) => RENEW,
            Ok(false) => RETRY,
            Err(lost) => {
                hold.fail(lost);
                return;
            }
        };
    }
}

#[cfg(test)]
mod tests;
