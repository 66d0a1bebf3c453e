//! A token bucket that is never ahead of the cloud's.
//!
//! Calls arrive at the cloud in another rhythm than they left: a slow one first and a quick one after it look closer together
//! than they were, and the cloud may refill in whole seconds. So the bucket here holds one second's inflow less than the
//! published one, and fills half a per cent slower: over minutes that is another second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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
}

/// A bucket that all callers of one budget share.
#[derive(Debug)]
pub struct Bucket {
    burst: f64,
    per_second: f64,
    level: Mutex<Level>,
    /// Held by the caller whose turn is next; tokio's mutex queues the others in order.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    /// When `tokens` was true; in the future while a pause lasts.
    at: Instant,
}

impl Bucket {
    /// A full bucket that keeps a published budget.
    pub fn new(published: Budget) -> Self {
        let per_second = f64::from(published.per_second.max(1));
        let burst = (f64::from(published.burst) - per_second).max(1.0);
        let level = Mutex::new(Level {
            tokens: burst,
            at: Instant::now(),
        });
        Self {
            burst,
            per_second: per_second * 0.995,
            level,
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// A bucket that lets one call pass in each interval. A few that come late, because the machine was busy, may catch up at once:
    /// `burst` of them.
    pub fn spaced(interval: Duration, burst: u32) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            per_second: 1.0 / interval.as_secs_f64().max(0.000_001),
            level: Mutex::new(Level {
                tokens: 1.0,
                at: Instant::now(),
            }),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refill(&self, level: &mut Level, now: Instant) {
        if now > level.at {
            level.tokens = (level.tokens + (now - level.at).as_secs_f64() * self.per_second).min(self.burst);
            level.at = now;
        }
    }

    /// Waits for the caller's turn.
    pub async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        // Looked at again after each wait: a throttled call may have emptied the bucket meanwhile.
        while let Err(ready) = self.take(Instant::now()) {
            tokio::time::sleep_until(ready).await;
        }
    }

    /// Takes a token at `now`, or says when to ask again. Nobody is queued: it is for schedules that are reckoned, not kept.
    pub fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut level = self.level();
        self.refill(&mut level, now);
        if level.at <= now && level.tokens >= 1.0 {
            level.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - level.tokens).max(0.0) / self.per_second;
        // A timer counts whole milliseconds: one more, so that the token is there when it fires.
        Err(level.at + Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }

    /// The cloud throttled a call all the same: nobody goes on before `pause` is over, and then at the steady rate.
    pub fn throttled(&self, pause: Duration) {
        self.drain(Instant::now() + pause);
    }

    fn drain(&self, until: Instant) {
        let mut level = self.level();
        level.tokens = 0.0;
        level.at = level.at.max(until);
    }

    /// Whether more than half of the burst is left.
    pub fn is_relaxed(&self) -> bool {
        let mut level = self.level();
        self.refill(&mut level, Instant::now());
        level.tokens > self.burst / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cloud does: a bucket of the published size that refuses what it cannot pay.
    struct Server {
        tokens: f64,
        at: Instant,
        budget: Budget,
        refused: u32,
    }

    impl Server {
        fn arrive(&mut self, now: Instant) {
            let inflow = (now - self.at).as_secs_f64() * f64::from(self.budget.per_second);
            self.tokens = (self.tokens + inflow).min(f64::from(self.budget.burst));
            self.at = now;
            if self.tokens >= 1.0 {
                self.tokens -= 1.0;
            } else {
                self.refused += 1;
            }
        }
    }

    #[test]
    fn three_hundred_creations_are_never_throttled_and_close_to_the_floor() {
        let budget = Budget {
            burst: 100,
            per_second: 5,
        };
        let bucket = Bucket::new(budget);
        let start = Instant::now();
        let mut now = start;
        let mut arrivals = Vec::new();
        for call in 0..300_u64 {
            while let Err(ready) = bucket.take(now) {
                assert!(ready > now);
                now = ready;
            }
            // Latency between 20 and 800 ms, in no order.
            arrivals.push(now + Duration::from_millis(20 + call * 7919 % 780));
        }
        arrivals.sort();
        let mut server = Server {
            tokens: 100.0,
            at: start,
            budget,
            refused: 0,
        };
        for at in arrivals {
            server.arrive(at);
        }
        assert_eq!(server.refused, 0);
        let took = now - start;
        assert!(
            took >= Duration::from_secs(40) && took <= Duration::from_secs(44),
            "{took:?}"
        );
    }

    #[test]
    fn a_throttled_call_holds_everyone_back() {
        let bucket = Bucket::new(Budget {
            burst: 100,
            per_second: 20,
        });
        let now = Instant::now();
        assert!(bucket.take(now).is_ok() && bucket.is_relaxed());
        bucket.drain(now + Duration::from_secs(7));
        bucket.drain(now + Duration::from_secs(2));
        assert!(!bucket.is_relaxed());
        let ready = bucket.take(now + Duration::from_secs(1)).unwrap_err();
        assert!(
            ready > now + Duration::from_secs(7) && ready < now + Duration::from_millis(7100),
            "{:?}",
            ready - now
        );
        assert!(bucket.take(ready).is_ok());
        assert!(bucket.take(ready).is_err());
    }

    #[test]
    fn spaced_calls_keep_their_distance() {
        let interval = Duration::from_millis(106);
        let bucket = Bucket::spaced(interval, 1);
        let mut now = Instant::now() + Duration::from_secs(5);
        let start = now;
        for _ in 0..50 {
            let before = now;
            while let Err(ready) = bucket.take(now) {
                now = ready;
            }
            assert!(before == start || now - before >= interval, "{:?}", now - before);
        }
        assert!(now - start < interval * 52, "{:?}", now - start);
    }

    #[test]
    fn the_floor_is_what_the_bucket_allows() {
        let budget = Budget {
            burst: 100,
            per_second: 5,
        };
        for (calls, seconds) in [(0, 0), (100, 0), (300, 40), (1000, 180)] {
            assert_eq!(budget.floor(calls), Duration::from_secs(seconds), "{calls}");
        }
    }
}
