//! Paces calls so that neither Azure's storage provider nor Resource Manager has a reason to throttle them.
//!
//! Resource Manager's own buckets (250 reads and 25 a second, 200 writes and 10 a second, for each principal) are wider than
//! the storage provider's windows and need no keeping of their own.

use std::time::Duration;

use moorline_pacing::{Bucket, Window, WindowBudget};

use crate::settings::Budgets;

/// A second in which so many writes are allowed is taken for this much longer: calls arrive in another rhythm than they left.
const LONGER: f64 = 1.06;

/// Writes that may catch up at once after the machine was busy.
const CATCHING_UP: u32 = 3;

/// Calls that share a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Reads of single things.
    Reads,
    /// Lists.
    Lists,
    /// Creations, changes, deletions and actions.
    Writes,
    /// Calls so rare that they need no pacing, and polls, which say themselves when to come again.
    Unpaced,
}

/// All budgets of a subscription and region, shared by every task of a provider.
#[derive(Debug)]
pub(crate) struct Governor {
    reads: Vec<Window>,
    lists: Vec<Window>,
    writes: Vec<Window>,
    /// Spreads writes evenly: a window of one second leaves no room for calls that arrive closer together than they left.
    spread: Option<Bucket>,
}

impl Governor {
    pub(crate) fn new(budgets: &Budgets) -> Self {
        let windows = |budgets: &[WindowBudget]| -> Vec<_> { budgets.iter().copied().map(Window::new).collect() };
        let (second, longer) = match budgets.writes.split_first() {
            Some((first, rest)) if first.per <= Duration::from_secs(1) => (Some(first), rest),
            _ => (None, &*budgets.writes),
        };
        Self {
            reads: windows(&budgets.reads),
            lists: windows(&budgets.lists),
            writes: windows(longer).into_iter().chain(second.map(stretched)).collect(),
            spread: second.map(|budget| Bucket::spaced(budget.per / budget.calls.max(1), CATCHING_UP)),
        }
    }

    fn windows(&self, family: Family) -> &[Window] {
        match family {
            Family::Reads => &self.reads,
            Family::Lists => &self.lists,
            Family::Writes => &self.writes,
            Family::Unpaced => &[],
        }
    }

    /// Waits for the call's turn.
    pub(crate) async fn acquire(&self, family: Family) {
        // The windows come last: they count when a call goes, and the shortest one goes wrong first.
        if let Some(spread) = self.spread.as_ref().filter(|_| family == Family::Writes) {
            spread.acquire().await;
        }
        for window in self.windows(family) {
            window.acquire().await;
        }
    }

    /// Azure throttled a call: nobody of this family goes on before `pause` is over.
    pub(crate) fn throttled(&self, family: Family, pause: Duration) {
        for window in self.windows(family) {
            window.throttled(pause);
        }
        if let Some(spread) = self.spread.as_ref().filter(|_| family == Family::Writes) {
            spread.throttled(pause);
        }
    }
}

/// A short budget with its margin in time instead of calls, of which it has too few to spare one.
fn stretched(budget: &WindowBudget) -> Window {
    Window::exact(WindowBudget {
        calls: budget.calls,
        per: budget.per.mul_f64(LONGER),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn no_second_holds_more_writes_than_are_published() {
        let governor = Arc::new(Governor::new(&Budgets::default()));
        let calls = futures::future::join_all((0..25).map(|_| {
            let governor = Arc::clone(&governor);
            async move {
                governor.acquire(Family::Writes).await;
                Instant::now()
            }
        }));
        let mut calls = calls.await;
        calls.sort();
        for first in &calls {
            let within = calls
                .iter()
                .filter(|call| **call >= *first && **call < *first + Duration::from_secs(1))
                .count();
            assert!(within <= 10, "{within}");
        }
        let took = *calls.last().unwrap() - calls[0];
        // 2.7 s where nothing else runs.
        assert!(took < Duration::from_secs(6), "{took:?}");
    }

    #[tokio::test]
    async fn without_budgets_nobody_waits() {
        let governor = Governor::new(&Budgets::unlimited());
        let start = Instant::now();
        for _ in 0..1000 {
            governor.acquire(Family::Writes).await;
            governor.acquire(Family::Lists).await;
        }
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
