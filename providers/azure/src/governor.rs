//! Paces calls so that neither Azure's storage provider nor Resource Manager has a reason to throttle them.
//!
//! Resource Manager's own buckets (250 reads and 25 a second, 200 writes and 10 a second, for each principal) are wider than
//! the storage provider's windows and need no keeping of their own.

use std::time::Duration;

use moorline_pacing::{Turn, Window, WindowBudget};
use tokio::time::Instant;

use crate::settings::Budgets;

/// A second in which so many writes are allowed is taken for this much longer: not every clock counts finer than this.
const GRAIN: Duration = Duration::from_millis(2);

/// How long after it left a write may have been counted, for all that is known before its answer.
const SLACK: Duration = Duration::from_millis(150);

/// Calls that share a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Reads of single things.
    Reads,
    /// Lists.
    Lists,
    /// Creations, changes, deletions and actions.
    Writes,
    /// Writes that others wait for: an account's key, without which none of its volumes can be mounted. They go before the rest.
    Urgent,
    /// Calls so rare that they need no pacing, and polls, which say themselves when to come again.
    Unpaced,
}

/// All budgets of a subscription and region, shared by every task of a provider.
#[derive(Debug)]
pub(crate) struct Governor {
    reads: Vec<Window>,
    lists: Vec<Window>,
    writes: Vec<Window>,
    /// The short one of the writes: it matters when a write arrives, and not only when it leaves.
    second: Option<Window>,
}

/// A call that was let through; its answer is worth telling.
#[derive(Debug)]
pub(crate) struct Pass<'a>(Option<(&'a Window, Turn)>);

impl Pass<'_> {
    /// The call was answered, or given up.
    pub(crate) fn landed(self) {
        if let Some((window, turn)) = self.0 {
            window.landed(turn, Instant::now());
        }
    }
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
            writes: windows(longer),
            second: second.map(short),
        }
    }

    fn windows(&self, family: Family) -> &[Window] {
        match family {
            Family::Reads => &self.reads,
            Family::Lists => &self.lists,
            Family::Writes | Family::Urgent => &self.writes,
            Family::Unpaced => &[],
        }
    }

    /// Waits for the call's turn.
    pub(crate) async fn acquire(&self, family: Family) -> Pass<'_> {
        let turn = async |window: &Window| match family {
            Family::Urgent => window.acquire_first().await,
            _ => window.acquire().await,
        };
        for window in self.windows(family) {
            turn(window).await;
        }
        match (family, &self.second) {
            // It comes last: it counts when a call goes.
            (Family::Writes | Family::Urgent, Some(second)) => Pass(Some((second, turn(second).await))),
            _ => Pass(None),
        }
    }

    /// Azure throttled a call: nobody of this family goes on before `pause` is over.
    pub(crate) fn throttled(&self, family: Family, pause: Duration) {
        for window in self.windows(family) {
            window.throttled(pause);
        }
        if let (Family::Writes | Family::Urgent, Some(second)) = (family, &self.second) {
            second.throttled(pause);
        }
    }
}

/// A short budget: its margin is in time, because it has too few calls to spare one.
fn short(budget: &WindowBudget) -> Window {
    let budget = WindowBudget {
        calls: budget.calls,
        per: budget.per + GRAIN,
    };
    Window::answered(budget, SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many writes goes, on a clock of its own: each is answered `latency` after it left.
    fn reckon(governor: &Governor, writes: u32, latency: Duration) -> Vec<Instant> {
        let mut now = Instant::now();
        let mut gone = Vec::new();
        let mut under_way = std::collections::VecDeque::new();
        for _ in 0..writes {
            let windows = governor.windows(Family::Writes).iter().chain(&governor.second);
            let mut turn = None;
            for window in windows {
                turn = loop {
                    while let Some((answer, turn)) = under_way.pop_front_if(|(answer, _)| *answer <= now) {
                        governor.second.as_ref().unwrap().landed(turn, answer);
                    }
                    match window.take(now) {
                        Ok(turn) => break Some(turn),
                        Err(ready) => now = under_way.front().map_or(ready, |(answer, _)| ready.min(*answer)),
                    }
                };
            }
            under_way.push_back((now + latency, turn.unwrap()));
            gone.push(now);
        }
        gone
    }

    #[test]
    fn a_hundred_writes_take_what_the_budget_says() {
        let budgets = Budgets::default();
        for (latency, at_most) in [(5, 1.01), (100, 1.12), (3000, 1.17)] {
            let gone = reckon(&Governor::new(&budgets), 100, Duration::from_millis(latency));
            for (index, first) in gone.iter().enumerate() {
                let within = gone[index..].iter().filter(|at| **at < *first + Duration::from_secs(1));
                assert!(within.count() <= 10, "from call {index}");
            }
            let (took, floor) = (*gone.last().unwrap() - gone[0], budgets.creation_floor(100));
            assert!(took >= floor, "{took:?}");
            assert!(took <= floor.mul_f64(at_most), "{latency} ms: {took:?}");
        }
    }

    #[test]
    fn an_hour_holds_no_more_writes_than_are_published() {
        let gone = reckon(&Governor::new(&Budgets::default()), 1300, Duration::from_millis(5));
        let hour = Duration::from_hours(1);
        let within = gone.iter().filter(|at| **at < gone[0] + hour).count();
        assert!((1150..=1200).contains(&within), "{within}");
    }

    #[tokio::test]
    async fn what_others_wait_for_goes_before_them() {
        let budgets = Budgets {
            writes: vec![WindowBudget {
                calls: 1,
                per: Duration::from_millis(40),
            }],
            ..Budgets::unlimited()
        };
        let governor = &Governor::new(&budgets);
        let order = &std::sync::Mutex::new(Vec::new());
        let call = async |family| {
            governor.acquire(family).await.landed();
            order.lock().unwrap().push(family);
        };
        let writes = futures::future::join_all((0..5).map(|_| call(Family::Writes)));
        futures::future::join(writes, async {
            tokio::task::yield_now().await;
            call(Family::Urgent).await;
        })
        .await;
        let place = order
            .lock()
            .unwrap()
            .iter()
            .position(|family| *family == Family::Urgent);
        assert!(place <= Some(2), "{place:?}");
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
