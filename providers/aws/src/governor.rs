//! Paces calls so that AWS has no reason to throttle them: one token bucket for each family of calls.

use std::sync::Arc;
use std::time::Duration;

use moorline_pacing::{Bucket, Departure, Registry};

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
    /// `CreateTags` and `DeleteTags`.
    Tags,
    /// Other calls that change something, of the load balancer APIs too.
    Writes,
    /// `Describe*`, of the load balancer APIs too: they publish no budget of their own.
    Reads,
    /// Calls so rare that they need no pacing.
    Unpaced,
}

/// All buckets of an account and region: those of the registry, which all who use the account share.
#[derive(Debug, Default)]
pub(crate) struct Governor {
    create: Option<Arc<Bucket>>,
    delete: Option<Arc<Bucket>>,
    snapshot: Option<Arc<Bucket>>,
    tags: Option<Arc<Bucket>>,
    writes: Option<Arc<Bucket>>,
    reads: Option<Arc<Bucket>>,
}

impl Governor {
    /// The buckets of `whose` account in a region.
    pub(crate) fn new(registry: &Registry, (whose, region): (&str, &str), budgets: &Budgets) -> Self {
        let bucket = |calls: &str, budget: Option<Budget>| {
            budget.map(|budget| registry.bucket(whose, &format!("{calls} in {region}"), budget))
        };
        Self {
            create: bucket("CreateVolume", budgets.volume_writes),
            delete: bucket("DeleteVolume", budgets.volume_writes),
            snapshot: bucket("CreateSnapshot", budgets.volume_writes),
            tags: bucket("CreateTags and DeleteTags", budgets.tags),
            writes: bucket("other changes", budgets.writes),
            reads: bucket("Describe calls", budgets.reads),
        }
    }

    fn bucket(&self, family: Family) -> Option<&Bucket> {
        match family {
            Family::Create => self.create.as_deref(),
            Family::Delete => self.delete.as_deref(),
            Family::Snapshot => self.snapshot.as_deref(),
            Family::Tags => self.tags.as_deref(),
            Family::Writes => self.writes.as_deref(),
            Family::Reads => self.reads.as_deref(),
            Family::Unpaced => None,
        }
    }

    /// Waits for the call's turn: first come, first served. A caller that gives up waiting costs nothing. Who had a turn and was
    /// throttled goes first.
    pub(crate) async fn acquire(&self, family: Family, again: bool) -> Departure {
        match self.bucket(family) {
            Some(bucket) if again => bucket.acquire_again().await,
            Some(bucket) => bucket.acquire().await,
            None => Departure::now(),
        }
    }

    /// AWS throttled a call: nobody of this family goes on before `pause` is over, and then no faster than the steady rate.
    pub(crate) async fn throttled(&self, family: Family, call: Departure, pause: Duration) {
        if let Some(bucket) = self.bucket(family) {
            bucket.throttled(call, pause).await;
        }
    }

    /// Whether the family has more than half of its burst left.
    pub(crate) fn is_relaxed(&self, family: Family) -> bool {
        self.bucket(family).is_none_or(Bucket::is_relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    fn governor(budgets: &Budgets) -> Governor {
        Governor::new(&Registry::alone(), ("1", "us-east-1"), budgets)
    }

    #[tokio::test]
    async fn turns_go_in_order_and_one_who_leaves_costs_nothing() {
        let budgets = Budgets {
            volume_writes: Some(Budget {
                burst: 2,
                per_second: 20,
            }),
            ..Budgets::unlimited()
        };
        let governor = Arc::new(governor(&budgets));
        governor.acquire(Family::Create, false).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for turn in 0..4 {
            let (governor, order) = (Arc::clone(&governor), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                governor.acquire(Family::Create, false).await;
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

    #[tokio::test]
    async fn without_budgets_nobody_waits() {
        let governor = governor(&Budgets::unlimited());
        let start = Instant::now();
        for _ in 0..10_000 {
            governor.acquire(Family::Create, false).await;
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(governor.is_relaxed(Family::Reads));
    }
}
