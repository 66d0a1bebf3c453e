//! So many calls in any stretch of time.
//!
//! Azure says "100 in 5 minutes" and not how it counts: by fixed stretches, by sliding ones, or by a bucket. Never more than
//! that many in *any* stretch of that length suits all three, a little less and a little longer allows for calls that arrive
//! in another rhythm than they left.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::bucket::LONGEST_PAUSE;
use crate::clock::{Clock, nanos};
use crate::state::{Cell, Reader, State};

/// Of how many calls it is remembered how long they took.
const LATENCIES: usize = 32;
/// A call that takes this much longer than the longest of late is held up somewhere.
const USUAL: f64 = 1.5;
/// A moment further ahead than this was not written by us.
const HORIZON: Duration = Duration::from_hours(2);

/// A budget as a cloud publishes it: so many calls in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBudget {
    /// Calls.
    pub calls: u32,
    /// In any stretch of this length.
    pub per: Duration,
}

impl WindowBudget {
    /// How long this budget holds up that many calls at least, from the beginning of a stretch.
    pub fn floor(self, calls: u32) -> Duration {
        self.per * (calls.saturating_sub(1) / self.calls.max(1))
    }
}

/// A window that all callers of one budget share.
#[derive(Debug)]
pub struct Window {
    calls: usize,
    per: Duration,
    /// How long after it left an answered call may have been counted at least; `None` where it does not matter when calls
    /// arrive.
    slack: Option<Duration>,
    log: Cell<Log>,
    /// Held by the caller whose turn is next; tokio's mutex queues the others in order.
    turn: tokio::sync::Mutex<()>,
    /// Callers who go before the queue.
    first: AtomicUsize,
    /// Tells those who wait that they may go sooner.
    sooner: Notify,
}

/// Somebody who goes before the queue, for as long as it lasts.
struct First<'a>(&'a Window);

impl Drop for First<'_> {
    fn drop(&mut self) {
        self.0.first.fetch_sub(1, Ordering::SeqCst);
        self.0.sooner.notify_waiters();
    }
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    number: u64,
    left: Instant,
}

#[derive(Debug)]
struct Log {
    clock: Clock,
    calls: VecDeque<Passed>,
    turns: u64,
    /// How long the last calls took.
    latencies: VecDeque<Duration>,
    /// Nobody goes before.
    paused_until: Option<Instant>,
}

/// A call of the current stretch.
#[derive(Debug)]
struct Passed {
    turn: Turn,
    /// The latest moment at which the cloud may have counted it; `None` while it is under way.
    counted: Option<Instant>,
}

impl Log {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            calls: VecDeque::new(),
            turns: 0,
            latencies: VecDeque::new(),
            paused_until: None,
        }
    }

    fn shortest(&self) -> Duration {
        self.latencies.iter().min().copied().unwrap_or_default()
    }

    fn longest(&self) -> Duration {
        self.latencies.iter().max().copied().unwrap_or_default()
    }

    /// The latest moment at which the cloud may have counted a call, or may count it yet. A call that takes longer than
    /// others did is held up somewhere, and may not have arrived.
    fn counted(&self, call: &Passed, slack: Duration, now: Instant) -> Instant {
        let left = call.turn.left;
        let is_usual = now.saturating_duration_since(left) <= self.longest().mul_f64(USUAL);
        match call.counted {
            Some(counted) => counted,
            None if is_usual => left + slack.max(self.longest().saturating_sub(self.shortest())),
            None => now,
        }
    }
}

/// Only windows in which it does not matter when calls arrive are shared: of a call it is enough when it left.
impl State for Log {
    fn distrust(&mut self, _: u64) {
        // What this process did itself is all that is known.
    }

    fn encode(&self, into: &mut Vec<u8>) {
        let mut number = |at: Option<Instant>| into.extend(at.map_or(0, |at| self.clock.nanos(at)).to_le_bytes());
        number(self.paused_until);
        for call in &self.calls {
            number(Some(call.turn.left));
        }
    }

    fn decode(bytes: &mut Reader<'_>, clock: &Clock, now: u64) -> Option<Self> {
        let horizon = now.saturating_add(nanos(HORIZON));
        let mut moment = || bytes.number().filter(|at| *at <= horizon);
        let paused_until = moment()?;
        let mut log = Self::new(*clock);
        log.paused_until = (paused_until > 0).then(|| clock.instant(paused_until));
        while let Some(at) = moment() {
            log.turns += 1;
            let left = clock.instant(at);
            let number = log.turns;
            log.calls.push_back(Passed {
                turn: Turn { number, left },
                counted: Some(left),
            });
        }
        Some(log)
    }
}

impl Window {
    /// A window that keeps a published budget: 2 % fewer calls, and stretches 1 % longer.
    pub(crate) fn at(clock: Clock, path: Option<PathBuf>, published: WindowBudget) -> Self {
        let margin = published.calls.div_ceil(50);
        let budget = WindowBudget {
            calls: published.calls.saturating_sub(margin),
            per: published.per.mul_f64(1.01),
        };
        Self {
            log: Cell::new(clock, Log::new(clock), path),
            ..Self::exact(budget)
        }
    }

    /// A window that keeps this very budget: the margin is the caller's.
    pub fn exact(budget: WindowBudget) -> Self {
        let clock = Clock::new();
        Self {
            calls: budget.calls.max(1) as usize,
            per: budget.per,
            slack: None,
            log: Cell::new(clock, Log::new(clock), None),
            turn: tokio::sync::Mutex::new(()),
            first: AtomicUsize::new(0),
            sooner: Notify::new(),
        }
    }

    /// A window so short that it matters when a call arrives, and not only when it leaves.
    ///
    /// The cloud counted a call between its leaving and its answer ([`Window::landed`]). It is taken for counted `slack` after
    /// it left, or as much later as it took longer than the quickest of late, and no later than it was answered. Where calls
    /// take about as long as each other, or no longer than `slack`, no stretch of the cloud's own clock holds more calls than
    /// the budget, in whatever order they arrive; and calls that take long do not make the window longer.
    pub fn answered(budget: WindowBudget, slack: Duration) -> Self {
        Self {
            slack: Some(slack),
            ..Self::exact(budget)
        }
    }

    /// Waits for the caller's turn.
    pub async fn acquire(&self) -> Turn {
        let _turn = self.turn.lock().await;
        self.wait(|| self.first.load(Ordering::SeqCst) > 0).await
    }

    /// Waits for the next turn, before all who queue for it: for the few calls that many others wait for.
    pub async fn acquire_first(&self) -> Turn {
        self.first.fetch_add(1, Ordering::SeqCst);
        let _first = First(self);
        self.wait(|| false).await
    }

    async fn wait(&self, others_go_first: impl Fn() -> bool) -> Turn {
        loop {
            // Before the look, so that nothing that happens after it is missed.
            let mut sooner = pin!(self.sooner.notified());
            sooner.as_mut().enable();
            if others_go_first() {
                sooner.await;
                continue;
            }
            // Looked at again after each wait: a throttled call may have closed the window meanwhile.
            match self.take(Instant::now()) {
                Ok(turn) => return turn,
                Err(ready) => tokio::select! {
                    () = sooner => {}
                    () = tokio::time::sleep_until(ready) => {}
                },
            }
        }
    }

    /// Takes a turn at `now`, or says when to ask again. Nobody is queued: it is for schedules that are reckoned, not kept.
    pub fn take(&self, now: Instant) -> Result<Turn, Instant> {
        let taken = self.log.try_change(|log| self.take_of(log, now));
        // Another process is at it: that takes microseconds.
        taken.unwrap_or(Err(now + Duration::from_millis(1)))
    }

    fn take_of(&self, log: &mut Log, now: Instant) -> Result<Turn, Instant> {
        if let Some(until) = log.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        let mut calls = std::mem::take(&mut log.calls);
        let free = |call: &Passed| log.counted(call, self.slack.unwrap_or_default(), now) + self.per;
        calls.retain(|call| free(call) > now);
        let first_free = calls.iter().map(free).min();
        log.calls = calls;
        if let Some(free) = first_free.filter(|_| log.calls.len() >= self.calls) {
            return Err(free);
        }
        log.turns += 1;
        let turn = Turn {
            number: log.turns,
            left: now,
        };
        let counted = self.slack.is_none().then_some(now);
        log.calls.push_back(Passed { turn, counted });
        Ok(turn)
    }

    /// Notes that a call was answered, or given up, at `now`.
    pub fn landed(&self, turn: Turn, now: Instant) {
        let Some(slack) = self.slack else { return };
        let note = |log: &mut Log| {
            let took = now.saturating_duration_since(turn.left);
            log.latencies.push_back(took.min(self.per));
            if log.latencies.len() > LATENCIES {
                log.latencies.pop_front();
            }
            let later = slack.max(took.saturating_sub(log.shortest())).min(took);
            if let Some(call) = log.calls.iter_mut().find(|call| call.turn == turn) {
                call.counted = Some(turn.left + later);
            }
        };
        // Never busy: no file is behind a window with a slack.
        let _ = self.log.try_change(note);
        self.sooner.notify_waiters();
    }

    /// The cloud throttled a call all the same: someone else uses the budget too. Nobody goes on before `pause` is over.
    pub async fn throttled(&self, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        let note = |log: &mut Log| {
            log.paused_until = Some(log.paused_until.map_or(until, |before| before.max(until)));
        };
        self.log.change(note).await;
    }

    /// Whether less than half of the stretch's calls are spent.
    pub fn is_relaxed(&self) -> bool {
        let now = Instant::now();
        let slack = self.slack.unwrap_or_default();
        self.log.glance(|log| {
            let is_recent = |call: &&Passed| log.counted(call, slack, now) + self.per > now;
            let recent = log.calls.iter().filter(is_recent).count();
            recent * 2 < self.calls && log.paused_until.is_none_or(|until| until <= now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: WindowBudget = WindowBudget {
        calls: 100,
        per: Duration::from_mins(5),
    };

    #[test]
    fn no_stretch_ever_holds_more_than_is_published() {
        let window = Window::at(Clock::new(), None, BUDGET);
        let start = Instant::now();
        let mut now = start;
        let mut calls = Vec::new();
        for _ in 0..350 {
            // In irregular steps, as real callers come.
            now += Duration::from_millis(700 + (calls.len() as u64 * 7919) % 900);
            while let Err(ready) = window.take(now) {
                assert!(ready > now);
                now = ready;
            }
            calls.push(now);
        }
        for (index, first) in calls.iter().enumerate() {
            let within = calls[index..]
                .iter()
                .filter(|call| **call < *first + BUDGET.per)
                .count();
            assert!(within <= 100, "{within} calls from call {index}");
        }
        assert!(now - start < BUDGET.per.mul_f64(3.7), "{:?}", now - start);
    }

    #[test]
    fn no_second_of_the_clouds_own_clock_holds_more_however_calls_are_delayed() {
        let second = WindowBudget {
            calls: 10,
            per: Duration::from_secs(1),
        };
        let slack = Duration::from_millis(150);
        let window = Window::answered(second, slack);
        let start = Instant::now();
        let mut now = start;
        let mut arrivals = Vec::new();
        let mut under_way: Vec<(Instant, Turn)> = Vec::new();
        for call in 0..200_u64 {
            let turn = loop {
                under_way.retain(|(answer, turn)| {
                    if *answer <= now {
                        window.landed(*turn, *answer);
                    }
                    *answer > now
                });
                match window.take(now) {
                    Ok(turn) => break turn,
                    // Whichever comes first: the time, or an answer that makes it sooner.
                    Err(ready) => now = under_way.iter().map(|(answer, _)| *answer).fold(ready, Instant::min),
                }
            };
            // Answers take up to the slack, and calls arrive at any time before.
            let took = Duration::from_millis(1 + call * 7919 % 149);
            arrivals.push(now + took / 10 * u32::try_from((call * 31) % 11).unwrap());
            under_way.push((now + took, turn));
        }
        arrivals.sort();
        for (index, first) in arrivals.iter().enumerate() {
            let within = arrivals[index..].iter().filter(|at| **at < *first + second.per).count();
            assert!(within <= 10, "{within} calls from call {index}");
        }
        let took = now - start;
        assert!(took <= (second.per + slack) * 20, "{took:?}");
    }

    const SLACK: Duration = Duration::from_millis(150);

    fn one_a_second() -> Window {
        let budget = WindowBudget {
            calls: 1,
            per: Duration::from_secs(1),
        };
        Window::answered(budget, SLACK)
    }

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_call_counts_from_its_answer_and_no_later_than_it_is_slower_than_others() {
        let window = one_a_second();
        let start = Instant::now();
        // Nothing is known yet: it may arrive at any time.
        let first = window.take(start).unwrap();
        assert_eq!(window.take(start + millis(700)), Err(start + millis(1700)));
        window.landed(first, start + millis(705));
        assert_eq!(window.take(start + millis(710)), Err(start + millis(1150)));
        // A quick one: it was counted before its answer.
        let next = start + millis(1150);
        let second = window.take(next).unwrap();
        window.landed(second, next + millis(5));
        assert_eq!(window.take(next), Err(next + millis(1005)));
        // A slow one after it: the cloud may have counted it late.
        let next = next + millis(1005);
        let third = window.take(next).unwrap();
        window.landed(third, next + millis(805));
        assert_eq!(window.take(next + millis(900)), Err(next + millis(1800)));
    }

    #[test]
    fn a_call_that_is_held_up_somewhere_may_not_have_arrived() {
        let window = one_a_second();
        let start = Instant::now();
        let quick = window.take(start).unwrap();
        window.landed(quick, start + millis(10));
        let next = start + millis(1010);
        window.take(next).unwrap();
        assert_eq!(window.take(next + millis(15)), Err(next + millis(1150)));
        assert_eq!(window.take(next + millis(1150)), Err(next + millis(2150)));
        assert_eq!(window.take(next + millis(5000)), Err(next + millis(6000)));
    }

    #[tokio::test]
    async fn a_throttled_call_holds_everyone_back() {
        let window = Window::at(Clock::new(), None, BUDGET);
        assert!(window.is_relaxed());
        window.throttled(Duration::from_secs(7)).await;
        window.throttled(Duration::from_secs(2)).await;
        assert!(!window.is_relaxed());
        let now = Instant::now();
        let ready = window.take(now).unwrap_err();
        assert!(ready > now + Duration::from_secs(6), "{:?}", ready - now);
        assert!(window.take(ready).is_ok());
    }

    #[test]
    fn the_floor_is_what_the_window_allows() {
        for (calls, minutes) in [(0, 0), (1, 0), (100, 0), (101, 5), (300, 10), (301, 15)] {
            assert_eq!(BUDGET.floor(calls), Duration::from_mins(minutes), "{calls}");
        }
    }
}
