//! So many calls in any stretch of time.
//!
//! Azure says "100 in 5 minutes" and not how it counts: by fixed stretches, by sliding ones, or by a bucket. Never more than
//! that many in *any* stretch of that length suits all three, a little less and a little longer allows for calls that arrive
//! in another rhythm than they left.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

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
    /// How long after it left a call may have arrived, for all that is known before its answer.
    slack: Duration,
    log: Mutex<Log>,
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
pub struct Turn(u64);

#[derive(Debug, Default)]
struct Log {
    calls: VecDeque<Passed>,
    turns: u64,
    /// Nobody goes before.
    paused_until: Option<Instant>,
}

/// A call of the current stretch.
#[derive(Debug)]
struct Passed {
    turn: Turn,
    /// The latest moment at which the cloud may have counted it.
    counted: Instant,
}

impl Window {
    /// A window that keeps a published budget: 2 % fewer calls, and stretches 1 % longer.
    pub fn new(published: WindowBudget) -> Self {
        let margin = published.calls.div_ceil(50);
        Self::exact(WindowBudget {
            calls: published.calls.saturating_sub(margin),
            per: published.per.mul_f64(1.01),
        })
    }

    /// A window that keeps this very budget: the margin is the caller's.
    pub fn exact(budget: WindowBudget) -> Self {
        Self::answered(budget, Duration::ZERO)
    }

    /// A window so short that it matters when a call arrives, and not only when it leaves. The cloud counted it between its
    /// leaving and its answer: it is taken for counted when it is answered ([`Window::landed`]), and no later than `slack`
    /// after it left. Where answers come within `slack`, no stretch of the cloud's own clock holds more calls than the budget,
    /// in whatever order they arrive.
    pub fn answered(budget: WindowBudget, slack: Duration) -> Self {
        Self {
            calls: budget.calls.max(1) as usize,
            per: budget.per,
            slack,
            log: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            first: AtomicUsize::new(0),
            sooner: Notify::new(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut log = self.log();
        if let Some(until) = log.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        log.calls.retain(|call| call.counted + self.per > now);
        if log.calls.len() >= self.calls
            && let Some(first) = log.calls.iter().map(|call| call.counted).min()
        {
            return Err(first + self.per);
        }
        log.turns += 1;
        let turn = Turn(log.turns);
        log.calls.push_back(Passed {
            turn,
            counted: now + self.slack,
        });
        Ok(turn)
    }

    /// Notes that a call was answered at `now`: it was counted before.
    pub fn landed(&self, turn: Turn, now: Instant) {
        let mut log = self.log();
        if let Some(call) = log
            .calls
            .iter_mut()
            .find(|call| call.turn == turn && call.counted > now)
        {
            call.counted = now;
            self.sooner.notify_waiters();
        }
    }

    /// The cloud throttled a call all the same: someone else uses the budget too. Nobody goes on before `pause` is over.
    pub fn throttled(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut log = self.log();
        log.paused_until = Some(log.paused_until.map_or(until, |before| before.max(until)));
    }

    /// Whether less than half of the stretch's calls are spent.
    pub fn is_relaxed(&self) -> bool {
        let now = Instant::now();
        let log = self.log();
        let recent = log.calls.iter().filter(|call| call.counted + self.per > now).count();
        recent * 2 < self.calls && log.paused_until.is_none_or(|until| until <= now)
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
        let window = Window::new(BUDGET);
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

    #[test]
    fn quick_answers_cost_nothing_and_missing_ones_the_slack() {
        let budget = WindowBudget {
            calls: 1,
            per: Duration::from_secs(1),
        };
        let slack = Duration::from_millis(150);
        let window = Window::answered(budget, slack);
        let start = Instant::now();
        let first = window.take(start).unwrap();
        assert_eq!(window.take(start), Err(start + budget.per + slack));
        let answered = start + Duration::from_millis(5);
        window.landed(first, answered);
        assert_eq!(window.take(start), Err(answered + budget.per));
        let second = window.take(answered + budget.per).unwrap();
        // An answer that comes late says nothing new.
        window.landed(second, start + Duration::from_mins(1));
        assert_eq!(
            window.take(answered + budget.per),
            Err(answered + budget.per * 2 + slack)
        );
    }

    #[test]
    fn a_throttled_call_holds_everyone_back() {
        let window = Window::new(BUDGET);
        assert!(window.is_relaxed());
        window.throttled(Duration::from_secs(7));
        window.throttled(Duration::from_secs(2));
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
