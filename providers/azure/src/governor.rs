//! Paces calls so that neither Azure's storage provider nor Resource Manager has a reason to throttle them.
//!
//! Resource Manager's own buckets (250 reads and 25 a second, 200 writes and 10 a second, for each principal) are wider than
//! the storage provider's windows and need no keeping of their own.

use std::time::Duration;

use moorline_pacing::{Bucket, Turn, Window, WindowBudget};
use tokio::time::Instant;

use crate::settings::Budgets;

/// A second in which so many writes are allowed is taken for this much longer: not every clock counts finer than this.
const GRAIN: Duration = Duration::from_millis(2);

/// How long after it left a write may have been counted, for all that is known before its answer.
const SLACK: Duration = Duration::from_millis(150);

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
    /// The short one of the writes: it matters when a write arrives, and not only when it leaves.
    second: Option<Window>,
    /// Spreads writes evenly over it.
    spread: Option<Bucket>,
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
    pub(crate) async fn acquire(&self, family: Family) -> Pass<'_> {
        for window in self.windows(family) {
            window.acquire().await;
        }
        let (Family::Writes, Some(second)) = (family, &self.second) else {
            return Pass(None);
        };
        if let Some(spread) = &self.spread {
            spread.acquire().await;
        }
        // It comes last: it counts when a call goes.
        Pass(Some((second, second.acquire().await)))
    }

    /// Azure throttled a call: nobody of this family goes on before `pause` is over.
    pub(crate) fn throttled(&self, family: Family, pause: Duration) {
        for window in self.windows(family) {
            window.throttled(pause);
        }
        if family == Family::Writes {
            _ = self.second.as_ref().map(|second| second.throttled(pause));
            _ = self.spread.as_ref().map(|spread| spread.throttled(pause));
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
            while let Err(ready) = governor.spread.as_ref().unwrap().take(now) {
                now = ready;
            }
            let mut turn = None;
            for window in windows {
                turn = loop {
                    while let Some((answer, turn)) = under_way.pop_front_if(|(answer, _)| *answer <= now) {
                        governor.second.as_ref().unwrap().landed(turn, answer);
                    }
                    match window.take(now) {
                        Ok(turn) => break Some(turn),
                        Err(ready) => now = ready,
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
        for (latency, at_most) in [(5, 1.03), (100, 1.12), (3000, 1.17)] {
            let gone = reckon(&Governor::new(&budgets), 100, Duration::from_millis(latency));
            for (index, first) in gone.iter().enumerate() {
                let within = gone[index..].iter().filter(|at| **at < *first + Duration::from_secs(1));
                assert!(within.count() <= 10, "from call {index}");
            }
            let spread = gone.windows(5).map(|few| few[4] - few[0]).min().unwrap();
            assert!(spread >= Duration::from_millis(99), "five in {spread:?}");
            // The hundredth goes 9.9 s after the first where each takes its tenth of a second.
            let took = *gone.last().unwrap() - gone[0];
            let spaced = Duration::from_millis(9900);
            assert!(took >= budgets.creation_floor(100), "{took:?}");
            assert!(took <= spaced.mul_f64(at_most), "{latency} ms: {took:?}");
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
