//! Paces calls so that neither Azure's storage provider nor Resource Manager has a reason to throttle them.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Method;
use moorline_pacing::{Bucket, Budget, Departure, Registry, Spacing, Turn, Window, WindowBudget};
use tokio::time::Instant;

use crate::settings::{Budgets, ManagerBudgets};

/// A second in which so many writes are allowed is taken for this much longer: not every clock counts finer than this.
const GRAIN: Duration = Duration::from_millis(2);

/// Writes that take about as long as each other arrive in the rhythm in which they left, but for this much.
const SLACK: Duration = Duration::from_millis(120);

/// Writes that may catch up at once after the machine was busy.
const CATCHING_UP: u32 = 3;

/// The part of the writes' rate that is used while other processes write too: nobody knows of all of them when they arrive.
const IN_COMPANY: f64 = 0.88;

/// Somebody else with the same identity spends Resource Manager's own bucket, too, when so few calls are left in it: our own stays
/// above that.
const FEW_LEFT: u64 = 5;
/// In that long, it has ten calls more.
const REFILL: Duration = Duration::from_secs(1);

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
    /// Calls to other providers, which are rare, and polls, which say themselves when to come again: only Resource Manager's
    /// own budgets count them.
    Unpaced,
}

impl Family {
    /// The family of a call about one thing of the storage provider.
    pub(crate) fn of_one(method: Method) -> Self {
        match method {
            Method::Get => Self::Reads,
            _ => Self::Writes,
        }
    }
}

/// All budgets of a subscription and region, shared by every task of a provider.
#[derive(Debug)]
pub(crate) struct Governor {
    reads: Vec<Arc<Window>>,
    lists: Vec<Arc<Window>>,
    writes: Vec<Arc<Window>>,
    /// The short one of the writes: it matters when a write arrives, and not only when it leaves.
    second: Option<Arc<Window>>,
    /// Spreads writes evenly over it: calls that leave at once need a connection each, and wait for each other.
    spread: Option<Arc<Bucket>>,
    manager: Option<Manager>,
}

/// Resource Manager's buckets.
#[derive(Debug)]
struct Manager {
    reads: Arc<Bucket>,
    writes: Arc<Bucket>,
    deletes: Arc<Bucket>,
}

impl Manager {
    fn new(registry: &Registry, whose: &str, budgets: &ManagerBudgets) -> Self {
        let bucket = |calls: &str, budget: Budget| registry.bucket(whose, calls, budget);
        Self {
            reads: bucket("Resource Manager's reads", budgets.reads),
            writes: bucket("Resource Manager's writes", budgets.writes),
            deletes: bucket("Resource Manager's deletions", budgets.deletes),
        }
    }

    fn of(&self, method: Method) -> &Bucket {
        match method {
            Method::Get | Method::Head => &self.reads,
            Method::Delete => &self.deletes,
            _ => &self.writes,
        }
    }
}

/// A call that was let through, until it is answered or given up.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub(crate) departure: Departure,
    second: Option<(&'a Window, Turn)>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some((window, turn)) = self.second {
            window.landed(turn, Instant::now());
        }
    }
}

impl Governor {
    /// The budgets of `whose` subscription.
    pub(crate) fn new(registry: &Registry, whose: &str, budgets: &Budgets) -> Self {
        let windows = |calls: &str, budgets: &[WindowBudget]| -> Vec<_> {
            let window = |budget: &WindowBudget| registry.window(whose, calls, *budget);
            budgets.iter().map(window).collect()
        };
        let (second, longer) = match budgets.writes.split_first() {
            Some((first, rest)) if first.per <= Duration::from_secs(1) => (Some(first), rest),
            _ => (None, &*budgets.writes),
        };
        Self {
            reads: windows("reads of storage", &budgets.reads),
            lists: windows("lists of storage", &budgets.lists),
            writes: windows("writes of storage", longer),
            second: second.map(|budget| registry.answered(whose, "writes of storage", short(budget), SLACK)),
            spread: second.map(|budget| registry.spaced(whose, "writes of storage", spacing(budget))),
            manager: budgets
                .manager
                .as_ref()
                .map(|budgets| Manager::new(registry, whose, budgets)),
        }
    }

    fn windows(&self, family: Family) -> &[Arc<Window>] {
        match family {
            Family::Reads => &self.reads,
            Family::Lists => &self.lists,
            Family::Writes | Family::Urgent => &self.writes,
            Family::Unpaced => &[],
        }
    }

    /// Waits for the call's turn in the budgets that bear a moment more or less. Who had a turn and was throttled goes before
    /// the others.
    pub(crate) async fn acquire(&self, (family, method): (Family, Method), again: bool) {
        let in_bucket = async |bucket: &Bucket| {
            if again {
                bucket.acquire_again().await;
            } else {
                bucket.acquire().await;
            }
        };
        if let Some(manager) = &self.manager {
            in_bucket(manager.of(method)).await;
        }
        let in_window = async |window: &Window| match family {
            Family::Urgent => window.acquire_first().await,
            _ if again => window.acquire_first().await,
            _ => window.acquire().await,
        };
        for window in self.windows(family) {
            in_window(window).await;
        }
        if let (Family::Writes, Some(spread)) = (family, &self.spread) {
            in_bucket(spread).await;
        }
    }

    /// Waits for the call's turn in the budget that does not. Nothing may hold the call up after that.
    pub(crate) async fn depart(&self, family: Family) -> Pass<'_> {
        let second = match (family, self.second.as_deref()) {
            (Family::Writes, Some(second)) => Some((second, second.acquire().await)),
            (Family::Urgent, Some(second)) => Some((second, second.acquire_first().await)),
            _ => None,
        };
        Pass {
            departure: Departure::now(),
            second,
        }
    }

    /// Azure throttled a call: nobody of this family goes on before `pause` is over.
    pub(crate) async fn throttled(&self, (family, method): (Family, Method), call: Departure, pause: Duration) {
        if let Some(manager) = &self.manager {
            manager.of(method).throttled(call, pause).await;
        }
        for window in self.windows(family) {
            window.throttled(pause).await;
        }
        if let (Family::Writes | Family::Urgent, Some(second), Some(spread)) = (family, &self.second, &self.spread) {
            second.throttled(pause).await;
            spread.throttled(call, pause).await;
        }
    }

    /// Resource Manager says how many calls of this sort it would still take at once: whoever else has the same identity
    /// spends them too.
    pub(crate) async fn told(&self, method: Method, call: Departure, left: u64) {
        let Some(manager) = &self.manager else { return };
        let bucket = manager.of(method);
        if left < FEW_LEFT {
            bucket.throttled(call, REFILL).await;
        } else {
            bucket.told(u32::try_from(left).unwrap_or(u32::MAX)).await;
        }
    }
}

/// A short budget: its margin is in time, because it has too few calls to spare one.
fn short(budget: &WindowBudget) -> WindowBudget {
    WindowBudget {
        calls: budget.calls,
        per: budget.per + GRAIN,
    }
}

fn spacing(budget: &WindowBudget) -> Spacing {
    Spacing {
        interval: budget.per / budget.calls.max(1),
        catching_up: CATCHING_UP,
        in_company: IN_COMPANY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn governor(budgets: &Budgets) -> Governor {
        Governor::new(&Registry::alone(), "subscription", budgets)
    }

    /// When each of so many writes goes, on a clock of its own: each is answered `latency` after it left.
    fn reckon(governor: &Governor, writes: u32, latency: Duration) -> Vec<Instant> {
        let mut now = Instant::now();
        let mut gone = Vec::new();
        let mut under_way = std::collections::VecDeque::new();
        for _ in 0..writes {
            let windows = governor.windows(Family::Writes).iter().chain(&governor.second);
            now = governor.spread.as_ref().unwrap().next(now);
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
    fn a_hundred_writes_are_spread_evenly_and_take_what_the_budget_says() {
        let budgets = Budgets::default();
        for (latency, at_most) in [(5, 1.03), (100, 1.12), (500, 1.15), (900, 1.15)] {
            let gone = reckon(&governor(&budgets), 100, Duration::from_millis(latency));
            for (index, first) in gone.iter().enumerate() {
                let within = gone[index..].iter().filter(|at| **at < *first + Duration::from_secs(1));
                assert!(within.count() <= 10, "from call {index}");
            }
            let spread = gone.windows(5).map(|few| few[4] - few[0]).min().unwrap();
            assert!(spread >= Duration::from_millis(99), "five in {spread:?}");
            // The hundredth goes 9.9 s after the first where each takes its tenth of a second.
            let (took, spaced) = (*gone.last().unwrap() - gone[0], Duration::from_millis(9900));
            assert!(took >= budgets.creation_floor(100), "{took:?}");
            assert!(took <= spaced.mul_f64(at_most), "{latency} ms: {took:?}");
        }
    }

    #[test]
    fn an_hour_holds_no_more_writes_than_are_published() {
        let gone = reckon(&governor(&Budgets::default()), 1300, Duration::from_millis(5));
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
        let governor = &governor(&budgets);
        let order = &std::sync::Mutex::new(Vec::new());
        let call = async |family| {
            governor.acquire((family, Method::Put), false).await;
            drop(governor.depart(family).await);
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
        let governor = governor(&Budgets::unlimited());
        let start = Instant::now();
        for _ in 0..1000 {
            governor.acquire((Family::Writes, Method::Put), false).await;
            governor.acquire((Family::Lists, Method::Get), false).await;
        }
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
