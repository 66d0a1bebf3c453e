//! So many calls in any stretch of time.
//!
//! Azure says "100 in 5 minutes" and not how it counts: by fixed stretches, by sliding ones, or by a bucket. Never more than
//! that many in *any* stretch of that length suits all three, a little less and a little longer allows for calls that arrive
//! in another rhythm than they left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    log: Mutex<Log>,
    /// Held by the caller whose turn is next; tokio's mutex queues the others in order.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Log {
    /// When each call of the current stretch went.
    calls: VecDeque<Instant>,
    /// Nobody goes before.
    paused_until: Option<Instant>,
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
        Self {
            calls: budget.calls.max(1) as usize,
            per: budget.per,
            log: Mutex::new(Log {
                calls: VecDeque::new(),
                paused_until: None,
            }),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the caller's turn.
    pub async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        // Looked at again after each wait: a throttled call may have closed the window meanwhile.
        while let Err(ready) = self.take(Instant::now()) {
            tokio::time::sleep_until(ready).await;
        }
    }

    /// Notes a call, or says when there may be one.
    fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut log = self.log();
        if let Some(until) = log.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        while log.calls.front().is_some_and(|oldest| *oldest + self.per <= now) {
            log.calls.pop_front();
        }
        match log.calls.front() {
            Some(oldest) if log.calls.len() >= self.calls => Err(*oldest + self.per),
            _ => {
                log.calls.push_back(now);
                Ok(())
            }
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
        let recent = log.calls.iter().filter(|call| **call + self.per > now).count();
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
