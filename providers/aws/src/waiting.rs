//! Many waits, few reads: whoever waits takes turns at reading for all.
//!
//! There is no task of its own. One of the waiting callers holds the turn, sleeps until the next read is due, reads every volume
//! that is due in batches, and hands out the answers. When it has its own, or is dropped, the next caller takes over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use moorline_api::{Error, ErrorKind, Result, Volume, VolumeId, VolumeState};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

/// Pauses before the reads of one volume, in milliseconds; the last one repeats. EBS takes 1.5 s in the median, a sandbox nothing.
const PAUSES: [u64; 8] = [50, 100, 250, 500, 500, 500, 500, 1000];
/// The most of a pause after a read without a volume that was asked to go: the next one is to confirm it.
const CONFIRMING: Duration = Duration::from_millis(250);
/// Volumes that are due this soon are read along.
const COALESCE: Duration = Duration::from_millis(25);
/// Least time between rounds when half of the budget is spent.
const BUSY_GAP: Duration = Duration::from_secs(1);
/// Before that: whoever waits for a few volumes sees them at once; who waits for hundreds, one after the other, need not ask for each.
const RELAXED_GAPS: [(u32, Duration); 3] = [
    (10, Duration::from_millis(50)),
    (30, Duration::from_millis(200)),
    (u32::MAX, Duration::from_millis(500)),
];
/// After this time without a round, the next waits are for something new.
const CALM: Duration = Duration::from_secs(2);
/// Volumes that one read asks for.
const BATCH: usize = 200;
/// A volume that was seen counts as vanished after this many reads without it, over at least this time: reads lag.
const VANISHED_MISSES: u32 = 3;
const VANISHED_AFTER: Duration = Duration::from_secs(5);
/// Reads in a row without a volume that was asked to go.
const GONE_MISSES: u32 = 2;

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Usable,
    Gone,
}

/// Reads volumes for all who wait.
pub(crate) trait Reader: Sync {
    /// Those of these volumes that exist.
    fn read(&self, ids: Vec<VolumeId>) -> impl Future<Output = Result<Vec<Volume>>> + Send;

    /// Whether reads may be frequent.
    fn is_relaxed(&self) -> bool;
}

/// All waits of a provider.
#[derive(Debug)]
pub(crate) struct Waiting {
    visibility_grace: Duration,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
    /// Told of each new wait: it may be due before what the turn's holder sleeps for.
    joined: Notify,
}

#[derive(Debug, Default)]
struct State {
    next_ticket: u64,
    waiters: BTreeMap<u64, Waiter>,
    last_round: Option<Instant>,
    /// Rounds since it was calm.
    rounds: u32,
}

type Answer = Result<Option<Volume>>;

#[derive(Debug)]
struct Waiter {
    id: VolumeId,
    goal: Goal,
    since: Instant,
    due: Instant,
    reads: usize,
    seen: bool,
    misses: u32,
    missed_since: Option<Instant>,
    answer: oneshot::Sender<Answer>,
}

/// Takes the waiter off the list when its caller stops waiting.
struct Ticket<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.waiting.state().waiters.remove(&self.number);
    }
}

impl Waiting {
    pub(crate) fn new(visibility_grace: Duration) -> Self {
        Self {
            visibility_grace,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            joined: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the volume is as wanted; the volume, where it still is.
    pub(crate) async fn wait<R: Reader>(&self, reader: &R, id: &VolumeId, goal: Goal) -> Answer {
        let (ticket, mut answer) = self.join(id, goal);
        loop {
            tokio::select! {
                biased;
                outcome = &mut answer => {
                    drop(ticket);
                    let lost = || Error::new(ErrorKind::Internal, "ec2:DescribeVolumes", &id.0, "the wait was lost");
                    return outcome.unwrap_or_else(|_| Err(lost()));
                }
                _turn = self.turn.lock() => self.round(reader).await,
            }
        }
    }

    fn join(&self, id: &VolumeId, goal: Goal) -> (Ticket<'_>, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        let waiter = Waiter::new(id.clone(), goal, Instant::now(), answer);
        let mut state = self.state();
        let number = state.next_ticket;
        state.next_ticket += 1;
        state.waiters.insert(number, waiter);
        drop(state);
        self.joined.notify_one();
        (Ticket { waiting: self, number }, receiver)
    }

    /// Waits until a read is due, reads, and answers.
    async fn round<R: Reader>(&self, reader: &R) {
        while let Some(due) = self.next_due(reader.is_relaxed()) {
            if due <= Instant::now() {
                break;
            }
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.joined.notified() => {}
            }
        }
        let ids = self.begin_round();
        let reads = ids
            .chunks(BATCH)
            .map(|batch| async move { (batch, reader.read(batch.to_vec()).await) });
        for (batch, outcome) in join_all(reads).await {
            self.settle(batch, outcome);
        }
    }

    fn next_due(&self, relaxed: bool) -> Option<Instant> {
        let state = self.state();
        let first = state.waiters.values().map(|waiter| waiter.due).min()?;
        let relaxed_gap = RELAXED_GAPS.iter().find(|(rounds, _)| state.rounds < *rounds);
        let gap = relaxed_gap.filter(|_| relaxed).map_or(BUSY_GAP, |(_, gap)| *gap);
        Some(state.last_round.map_or(first, |last| first.max(last + gap)))
    }

    /// The volumes to read now, each once.
    fn begin_round(&self) -> Vec<VolumeId> {
        let mut state = self.state();
        let now = Instant::now();
        let calm = state.last_round.is_none_or(|last| now - last > CALM);
        state.rounds = if calm { 1 } else { state.rounds.saturating_add(1) };
        state.last_round = Some(now);
        let due: BTreeSet<_> = state
            .waiters
            .values()
            .filter(|waiter| waiter.due <= now + COALESCE)
            .map(|waiter| waiter.id.clone())
            .collect();
        due.into_iter().collect()
    }

    fn settle(&self, batch: &[VolumeId], outcome: Result<Vec<Volume>>) {
        let asked: BTreeSet<_> = batch.iter().collect();
        let mut state = self.state();
        let of_batch: Vec<_> = state
            .waiters
            .iter()
            .filter(|(_, waiter)| asked.contains(&waiter.id))
            .map(|(number, _)| *number)
            .collect();
        let now = Instant::now();
        let found = outcome.map(|volumes| {
            volumes
                .into_iter()
                .map(|volume| (volume.id.clone(), volume))
                .collect::<HashMap<_, _>>()
        });
        for number in of_batch {
            let Some(waiter) = state.waiters.get_mut(&number) else {
                continue;
            };
            let verdict = match &found {
                Ok(found) => waiter.judge(found.get(&waiter.id), now, self.visibility_grace),
                Err(error) => Some(Err(Error::new(
                    error.kind.clone(),
                    &error.operation,
                    &waiter.id.0,
                    &error.message,
                ))),
            };
            let Some(verdict) = verdict else { continue };
            if let Some(waiter) = state.waiters.remove(&number) {
                // A caller that stopped waiting needs no answer.
                _ = waiter.answer.send(verdict);
            }
        }
    }
}

/// The pause after that many reads.
fn pause(reads: usize) -> Duration {
    Duration::from_millis(PAUSES[reads.min(PAUSES.len() - 1)])
}

impl Waiter {
    fn new(id: VolumeId, goal: Goal, now: Instant, answer: oneshot::Sender<Answer>) -> Self {
        Self {
            id,
            goal,
            since: now,
            due: now + pause(0),
            reads: 0,
            seen: false,
            misses: 0,
            missed_since: None,
            answer,
        }
    }

    /// What a read says of the wait; `None` where it goes on.
    fn judge(&mut self, found: Option<&Volume>, now: Instant, visibility_grace: Duration) -> Option<Answer> {
        self.reads += 1;
        self.due = now + pause(self.reads);
        if let Some(volume) = found {
            self.seen = true;
            self.misses = 0;
            self.missed_since = None;
            self.judge_state(volume, now - self.since, visibility_grace)
        } else {
            self.misses += 1;
            let missed_since = *self.missed_since.get_or_insert(now);
            if self.goal == Goal::Gone {
                self.due = self.due.min(now + CONFIRMING);
            }
            self.judge_absence(now - missed_since, now - self.since, visibility_grace)
        }
    }

    fn judge_state(&self, volume: &Volume, waited: Duration, visibility_grace: Duration) -> Option<Answer> {
        let fail = |kind, message: String| Some(Err(Error::new(kind, "ec2:DescribeVolumes", &self.id.0, message)));
        match (self.goal, volume.state) {
            (Goal::Gone, VolumeState::Deleted) => Some(Ok(None)),
            // No read lags that long: the deletion was accepted, and not done.
            (Goal::Gone, VolumeState::Available) if waited >= visibility_grace => fail(
                ErrorKind::Internal,
                format!(
                    "its deletion was accepted {} s ago, and the volume is still available; run again, and if that does not help, look for a proxy that answers for AWS",
                    waited.as_secs()
                ),
            ),
            (Goal::Gone, _) | (Goal::Usable, VolumeState::Creating | VolumeState::Unknown) => None,
            (Goal::Usable, VolumeState::Available | VolumeState::InUse) => Some(Ok(Some(volume.clone()))),
            (Goal::Usable, VolumeState::Error) => {
                let message = "the volume failed for good: its state is error; if it is encrypted, check that its KMS key can be used";
                fail(ErrorKind::Invalid, message.to_owned())
            }
            (Goal::Usable, state) => fail(
                ErrorKind::NotFound,
                format!("the volume is {state}: someone deleted it"),
            ),
        }
    }

    fn judge_absence(&self, missed_for: Duration, waited: Duration, visibility_grace: Duration) -> Option<Answer> {
        if self.goal == Goal::Gone {
            return (self.misses >= GONE_MISSES).then_some(Ok(None));
        }
        let vanished = if self.seen {
            self.misses >= VANISHED_MISSES && missed_for >= VANISHED_AFTER
        } else {
            waited >= visibility_grace
        };
        let message =
            "the volume vanished; if it is encrypted, check that its KMS key can be used, for EBS drops it otherwise";
        vanished.then(|| {
            Err(Error::new(
                ErrorKind::NotFound,
                "ec2:DescribeVolumes",
                &self.id.0,
                message,
            ))
        })
    }
}

#[cfg(test)]
mod tests;
