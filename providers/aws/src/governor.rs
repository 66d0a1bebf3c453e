//! Paces calls so that AWS has no reason to throttle them: one token bucket for each family of calls.
//!
//! The bucket here must never be ahead of the one at AWS, although calls arrive there in another rhythm than they left: a
//! slow one first and a quick one after it look closer together than they were, and AWS may refill in whole seconds. So the
//! bucket here holds one second's inflow less than the published one, and fills 1 % slower.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::{Budget, Budgets};

/// Calls that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `CreateVolume`.
    Create,
    /// `DeleteVolume`.
    Delete,
    /// `CreateSnapshot`.
    Snapshot,
    /// `Describe*`, of the load balancer APIs too: they publish no budget of their own.
    Reads,
    /// Calls so rare that they need no pacing.
    Unpaced,
}

/// All buckets of an account and region, shared by every task of a provider.
#[derive(Debug)]
pub(crate) struct Governor {
    create: Option<Bucket>,
    delete: Option<Bucket>,
    snapshot: Option<Bucket>,
    reads: Option<Bucket>,
}

impl Governor {
    pub(crate) fn new(budgets: &Budgets) -> Self {
        let write = || budgets.volume_writes.map(Bucket::new);
        Self {
            create: write(),
            delete: write(),
            snapshot: write(),
            reads: budgets.reads.map(Bucket::new),
        }
    }

    fn bucket(&self, family: Family) -> Option<&Bucket> {
        match family {
            Family::Create => self.create.as_ref(),
            Family::Delete => self.delete.as_ref(),
            Family::Snapshot => self.snapshot.as_ref(),
            Family::Reads => self.reads.as_ref(),
            Family::Unpaced => None,
        }
    }

    /// Waits for the call's turn: first come, first served. A caller that gives up waiting costs nothing.
    pub(crate) async fn acquire(&self, family: Family) {
        if let Some(bucket) = self.bucket(family) {
            bucket.acquire().await;
        }
    }

    /// AWS throttled a call: nobody of this family goes on before `pause` is over, and then at the steady rate.
    pub(crate) fn throttled(&self, family: Family, pause: Duration) {
        if let Some(bucket) = self.bucket(family) {
            bucket.drain(Instant::now() + pause);
        }
    }

    /// Whether the family has more than half of its burst left.
    pub(crate) fn is_relaxed(&self, family: Family) -> bool {
        self.bucket(family).is_none_or(Bucket::is_relaxed)
    }
}

#[derive(Debug)]
struct Bucket {
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
    fn new(published: Budget) -> Self {
        let per_second = f64::from(published.per_second.max(1));
        let burst = (f64::from(published.burst) - per_second).max(1.0);
        let level = Mutex::new(Level {
            tokens: burst,
            at: Instant::now(),
        });
        Self {
            burst,
            per_second: per_second * 0.99,
            level,
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

    async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        // Looked at again after each wait: a throttled call may have emptied the bucket meanwhile.
        while let Err(ready) = self.take(Instant::now()) {
            tokio::time::sleep_until(ready).await;
        }
    }

    /// Takes a token, or says when there will be one.
    fn take(&self, now: Instant) -> Result<(), Instant> {
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

    fn drain(&self, until: Instant) {
        let mut level = self.level();
        level.tokens = 0.0;
        level.at = level.at.max(until);
    }

    fn is_relaxed(&self) -> bool {
        let mut level = self.level();
        self.refill(&mut level, Instant::now());
        level.tokens > self.burst / 2.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What AWS does: a bucket of the published size that refuses what it cannot pay.
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
        let budget = Budgets::default().volume_writes.unwrap();
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

    #[tokio::test]
    async fn turns_go_in_order_and_one_who_leaves_costs_nothing() {
        let budgets = Budgets {
            volume_writes: Some(Budget {
                burst: 2,
                per_second: 20,
            }),
            reads: None,
        };
        let governor = Arc::new(Governor::new(&budgets));
        governor.acquire(Family::Create).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for turn in 0..4 {
            let (governor, order) = (Arc::clone(&governor), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                governor.acquire(Family::Create).await;
                order.lock().unwrap().push(turn);
            }));
            tokio::task::yield_now().await;
        }
        tasks.remove(1).abort();
        let start = Instant::now();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 2, 3]);
        // Three tokens at 19.8 a second.
        assert!(start.elapsed() > Duration::from_millis(120), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn without_budgets_nobody_waits() {
        let governor = Governor::new(&Budgets::unlimited());
        let start = Instant::now();
        for _ in 0..10_000 {
            governor.acquire(Family::Create).await;
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(governor.is_relaxed(Family::Reads));
    }
}
