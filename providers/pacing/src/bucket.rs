//! A token bucket that is never ahead of the cloud's.
//!
//! Calls arrive at the cloud in another rhythm than they left: a slow one first and a quick one after it look closer together
//! than they were, and the cloud may refill in whole seconds. So the bucket here holds one second's inflow less than the
//! published one, and fills half a per cent slower: over minutes that is another second.
//!
//! Turns are given away in order, the next ones before their time has come. In a process the first of a queue holds one turn for
//! all; among processes that share a bucket each holds one at most, so they are served in turns, and one that is killed
//! takes no more than one turn with it.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::{Clock, nanos};
use crate::level::{Level, Shape, Slot};
use crate::state::Cell;
use crate::waits::{Cause, Wait, Waits};

/// A burst is spent at this many times the steady rate: where somebody else spends the same budget from another machine, the
/// first throttled call is heard of before many more have left.
const BURST_SPEED: f64 = 5.0;
/// A turn whose time passed this long ago is given back: whoever waited for it went away.
const STALE: Duration = Duration::from_secs(1);
/// No cloud refills more slowly than this; who asks for more holds up its own call, not all others.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// A token bucket as a cloud publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls that a full bucket allows at once.
    pub burst: u32,
    /// Calls a second that flow in.
    pub per_second: u32,
}

impl Budget {
    /// How long this budget holds up that many calls at least, from a full bucket.
    pub fn floor(self, calls: u32) -> Duration {
        Duration::from_secs_f64(f64::from(calls.saturating_sub(self.burst)) / f64::from(self.per_second.max(1)))
    }

    pub(crate) fn shape(self) -> Shape {
        let per_second = f64::from(self.per_second.max(1));
        let burst = (f64::from(self.burst) - per_second).max(1.0);
        Shape {
            burst,
            per_second: per_second * 0.995,
            spacing: nanos(Duration::from_secs_f64(1.0 / (per_second * BURST_SPEED))),
            in_company: 1.0,
            // Whoever else spends it may have a share as large as ours, and several of them.
            cut: 0.25,
            at_first: burst,
        }
    }
}

/// One call after the other, at a distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spacing {
    /// From one call to the next.
    pub interval: Duration,
    /// Calls that come late, because the machine was busy, and may catch up at once.
    pub catching_up: u32,
    /// The part of the rate that is used while other processes use it too: their calls take other times to arrive.
    pub in_company: f64,
}

impl Spacing {
    pub(crate) fn shape(self) -> Shape {
        Shape {
            burst: f64::from(self.catching_up.max(1)),
            per_second: 1.0 / self.interval.as_secs_f64().max(0.000_001),
            spacing: 0,
            in_company: self.in_company.clamp(0.1, 1.0),
            // As likely two calls arrived closer together than they left.
            cut: 0.75,
            at_first: 1.0,
        }
    }
}

/// A call's turn, which has come: what a throttled call says of its bucket depends on when it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure(Instant);

impl Departure {
    /// A call that goes now, without a bucket.
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

/// A bucket that all callers of one budget share.
#[derive(Debug)]
pub struct Bucket {
    shape: Shape,
    clock: Clock,
    /// Which process this is, for those that share the bucket.
    owner: u64,
    level: Cell<Level>,
    /// The turn that was got for whoever goes next.
    reserved: Mutex<Option<Slot>>,
    /// Held by the caller whose turn is next; tokio's mutex queues the others in order.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    /// Callers who go before the queue, and the turn among them.
    first: AtomicUsize,
    first_turn: tokio::sync::Mutex<()>,
    /// Tells the queue that nobody goes before it any more.
    sooner: Notify,
    name: String,
    waits: Arc<Waits>,
}

/// Counts somebody for as long as it lasts.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn among(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a bucket belongs to.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) clock: Clock,
    pub(crate) owner: u64,
    pub(crate) path: Option<PathBuf>,
    pub(crate) name: String,
    pub(crate) waits: Arc<Waits>,
}

impl Bucket {
    pub(crate) fn at(place: Place, shape: Shape) -> Self {
        let Place {
            clock,
            owner,
            path,
            name,
            waits,
        } = place;
        let level = Level::new(&shape, clock.nanos(Instant::now()));
        Self {
            shape,
            clock,
            owner,
            level: Cell::new(clock, level, path),
            reserved: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            waiting: AtomicUsize::new(0),
            first: AtomicUsize::new(0),
            first_turn: tokio::sync::Mutex::new(()),
            sooner: Notify::new(),
            name,
            waits,
        }
    }

    fn now(&self) -> u64 {
        self.clock.nanos(Instant::now())
    }

    fn reserved(&self) -> MutexGuard<'_, Option<Slot>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the caller's turn: first come, first served. A caller that gives up waiting costs nothing.
    pub async fn acquire(&self) -> Departure {
        let _counted = Counted::among(&self.waiting);
        let _turn = self.turn.lock().await;
        self.pass(|| self.first.load(Ordering::SeqCst) > 0).await
    }

    /// Waits for the next turn, before all who queue for it: for a call that had its turn and was throttled.
    pub async fn acquire_again(&self) -> Departure {
        /// Lets the queue go on.
        struct Last<'a>(&'a Notify);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                self.0.notify_waiters();
            }
        }
        let _counted = Counted::among(&self.waiting);
        let _last = Last(&self.sooner);
        let _first = Counted::among(&self.first);
        let _turn = self.first_turn.lock().await;
        self.pass(|| false).await
    }

    async fn pass(&self, others_go_first: impl Fn() -> bool) -> Departure {
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let mut sooner = pin!(self.sooner.notified());
            sooner.as_mut().enable();
            if others_go_first() {
                sooner.await;
                continue;
            }
            let (slot, is_new) = self.reserve().await;
            let now = Instant::now();
            let at = self.clock.instant(slot.at);
            if at <= now {
                if self.redeem(slot, is_new).await {
                    return Departure(now);
                }
                continue;
            }
            self.tell(slot, at - now);
            tokio::select! {
                () = sooner => {}
                () = sleep_until(at) => {}
            }
        }
    }

    /// The next turn, and whether it was got just now.
    async fn reserve(&self) -> (Slot, bool) {
        let now = self.now();
        let held = self.reserved().filter(|slot| slot.at + nanos(STALE) > now);
        if let Some(slot) = held {
            return (slot, false);
        }
        let slot = self
            .level
            .change(|level| level.reserve(&self.shape, self.owner, self.now()))
            .await;
        *self.reserved() = Some(slot);
        (slot, true)
    }

    /// Uses a turn up: false where somebody else did, or where a throttled call made it void meanwhile.
    async fn redeem(&self, slot: Slot, is_new: bool) -> bool {
        let is_void = !is_new && self.level.change(|level| level.is_void(slot)).await;
        let mut reserved = self.reserved();
        if *reserved != Some(slot) {
            return false;
        }
        *reserved = None;
        !is_void
    }

    /// Takes the next turn, as of `now`, and says when that is. Nobody is queued: it is for schedules that are reckoned, not kept.
    pub fn next(&self, now: Instant) -> Instant {
        let now = self.clock.nanos(now);
        let slot = self
            .level
            .try_change(|level| level.reserve(&self.shape, self.owner, now));
        self.clock.instant(slot.map_or(now, |slot| slot.at.max(now)))
    }

    fn tell(&self, slot: Slot, wait: Duration) {
        let now = self.now();
        let (rate, tokens, is_eased) = self.level.glance(|level| {
            let tokens = level.tokens(&self.shape, slot.at);
            (
                level.rate(&self.shape, slot.at),
                tokens,
                level.is_eased(&self.shape, now),
            )
        });
        let waiting = self.waiting.load(Ordering::SeqCst);
        let behind = f64::from(u32::try_from(waiting.saturating_sub(1)).unwrap_or(u32::MAX));
        let short = behind - tokens.max(0.0);
        // Where others use the bucket too, their turns are between ours.
        let gap = self.waits.gap(&self.name, slot.at, rate);
        let spread = Duration::from_nanos(self.shape.spacing);
        let (cause, per_second, queue) = if is_eased {
            (Cause::Refused, rate, gap.mul_f64(behind))
        } else if short <= 0.0 && !spread.is_zero() {
            (Cause::Spread, 1.0 / spread.as_secs_f64(), spread.mul_f64(behind))
        } else {
            (Cause::Rate, rate, gap.mul_f64(short.max(0.0)))
        };
        self.waits.tell(|| Wait {
            calls: self.name.clone(),
            waiting,
            eta: wait + queue,
            per_second,
            cause,
        });
    }

    /// The cloud throttled a call all the same: nobody goes on before `pause` is over, and then at the steady rate; where that
    /// was no stray, at a part of it, until that has come back.
    pub async fn throttled(&self, call: Departure, pause: Duration) {
        let left = self.clock.nanos(call.0);
        self.level
            .change(|level| {
                let now = self.now();
                level.throttled(
                    &self.shape,
                    left,
                    now.saturating_add(nanos(pause.min(LONGEST_PAUSE))),
                    now,
                );
            })
            .await;
    }

    /// The cloud says how many calls it would still take at once.
    pub async fn told(&self, left: u32) {
        let left = f64::from(left);
        let now = self.now();
        // Most answers say nothing new.
        if self.level.glance(|level| level.tokens(&self.shape, now) > left) {
            self.level
                .change(|level| level.told(&self.shape, left, self.now()))
                .await;
        }
    }

    /// Whether more than half of the burst is left, as far as this process has seen.
    pub fn is_relaxed(&self) -> bool {
        let now = self.now();
        self.level
            .glance(|level| level.tokens(&self.shape, now) > self.shape.burst / 2.0)
    }
}
