//! Paces calls so that AWS has no reason to throttle them: one token bucket for each family of calls.

use std::time::Duration;

use moorline_pacing::Bucket;

use crate::settings::Budgets;

/// Calls that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `CreateVolume`.
    Create,
    /// `DeleteVolume`.
    Delete,
    /// `CreateSnapshot`.
    Snapshot,
    /// `CreateTags` and `DeleteTags`.
    Tags,
    /// Other calls that change something, of the load balancer APIs too.
    Writes,
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
    tags: Option<Bucket>,
    writes: Option<Bucket>,
    reads: Option<Bucket>,
}

impl Governor {
    pub(crate) fn new(budgets: &Budgets) -> Self {
        let write = || budgets.volume_writes.map(Bucket::new);
        Self {
            create: write(),
            delete: write(),
            snapshot: write(),
            tags: budgets.tags.map(Bucket::new),
            writes: budgets.writes.map(Bucket::new),
            reads: budgets.reads.map(Bucket::new),
        }
    }

    fn bucket(&self, family: Family) -> Option<&Bucket> {
        match family {
            Family::Create => self.create.as_ref(),
            Family::Delete => self.delete.as_ref(),
            Family::Snapshot => self.snapshot.as_ref(),
            Family::Tags => self.tags.as_ref(),
            Family::Writes => self.writes.as_ref(),
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
            bucket.throttled(pause);
        }
    }

    /// Whether the family has more than half of its burst left.
    pub(crate) fn is_relaxed(&self, family: Family) -> bool {
        self.bucket(family).is_none_or(Bucket::is_relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;
    use crate::settings::Budget;

    #[tokio::test]
    async fn turns_go_in_order_and_one_who_leaves_costs_nothing() {
        let budgets = Budgets {
            volume_writes: Some(Budget {
                burst: 2,
                per_second: 20,
            }),
            ..Budgets::unlimited()
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
        // Three tokens at 19.9 a second.
        assert!(start.elapsed() > Duration::from_millis(120), "{:?}", start.elapsed());
    }

    #[test]
    fn a_thousand_deletions_take_little_more_than_the_published_rate_allows() {
        let published = Budgets::default().volume_writes.unwrap();
        let bucket = Bucket::new(published);
        let start = Instant::now();
        let (mut now, mut longest_burst) = (start, 0);
        for _ in 0..1000 {
            while let Err(ready) = bucket.take(now) {
                now = ready;
            }
            longest_burst += u32::from(now == start);
        }
        assert!(longest_burst < published.burst, "{longest_burst} at once");
        let (took, floor) = (now - start, published.floor(1000));
        assert!(took >= floor && took <= floor.mul_f64(1.03), "{took:?} of {floor:?}");
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
