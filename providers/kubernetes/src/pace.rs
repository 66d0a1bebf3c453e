//! How long to wait before the next try, and when to stop.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// Tries of a call that the server failed to answer; a server that cannot be reached, or that asks us to slow down, is bounded
/// in time instead.
const TRIES: u32 = 4;

/// Connecting is not tried again after this long, so that a wrong address is reported while its user still waits for it.
const FIRST_CONTACT: Duration = Duration::from_secs(3);

/// The same for a server that has answered before: long enough for most of its restarts.
const RECONNECT: Duration = Duration::from_secs(6);

/// Why a try failed, as far as trying again goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// The request never reached the server.
    Unsent,
    /// The server was busy and did nothing; how long it asks to wait.
    Throttled(Option<Duration>),
    /// The server may have acted: it failed inside, or its answer was lost.
    Unclear(Option<Duration>),
    /// Nothing that time heals.
    Final,
}

/// The waits between the tries of one call.
pub(crate) struct Pace {
    repeatable: bool,
    deadline: Instant,
    connect_until: Instant,
    tries: u32,
    delays: ExponentialBackoff,
}

impl Pace {
    /// For a call that begins at `started` and may take `limit`; `reached` says whether the server has ever answered.
    pub(crate) fn new(repeatable: bool, started: Instant, limit: Duration, reached: bool) -> Self {
        let connecting = if reached { RECONNECT } else { FIRST_CONTACT };
        let delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .without_max_times()
            .build();
        Self {
            repeatable,
            deadline: started + limit,
            connect_until: started + connecting,
            tries: 0,
            delays,
        }
    }

    /// When the call as a whole must end.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long to wait from `now` before the next try; `None` when there is to be none.
    pub(crate) fn next(&mut self, setback: Setback, now: Instant) -> Option<Duration> {
        self.tries += 1;
        let (asked, until) = match setback {
            Setback::Unsent => (None, self.connect_until.min(self.deadline)),
            Setback::Throttled(asked) => (asked, self.deadline),
            Setback::Unclear(asked) if self.repeatable && self.tries < TRIES => (asked, self.deadline),
            Setback::Unclear(_) | Setback::Final => return None,
        };
        // Many calls are told the same time to wait: the jitter on top keeps them from coming back as one.
        let delay = self.delays.next()?.checked_add(asked.unwrap_or_default())?;
        (now.checked_add(delay)? < until).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn an_unclear_outcome_is_repeated_a_few_times_and_only_where_safe() {
        let now = Instant::now();
        let mut pace = Pace::new(true, now, LIMIT, true);
        let waits = std::iter::from_fn(|| pace.next(Setback::Unclear(None), now)).count();
        assert_eq!(waits, 3);
        assert_eq!(
            Pace::new(false, now, LIMIT, true).next(Setback::Unclear(None), now),
            None
        );
        assert_eq!(Pace::new(true, now, LIMIT, true).next(Setback::Final, now), None);
    }

    #[test]
    fn a_throttle_is_honoured_while_it_fits() {
        let now = Instant::now();
        let mut pace = Pace::new(false, now, LIMIT, true);
        let wait = pace
            .next(Setback::Throttled(Some(Duration::from_secs(5))), now)
            .unwrap();
        assert!(
            wait >= Duration::from_secs(5) && wait < Duration::from_secs(6),
            "{wait:?}"
        );
        assert_eq!(pace.next(Setback::Throttled(Some(LIMIT)), now), None);
        assert_eq!(pace.next(Setback::Throttled(Some(Duration::MAX)), now), None);
    }

    #[test]
    fn a_server_that_cannot_be_reached_is_given_up_soon() {
        for (reached, longest) in [(false, FIRST_CONTACT), (true, RECONNECT)] {
            let started = Instant::now();
            let mut now = started;
            let mut pace = Pace::new(true, started, LIMIT, reached);
            while let Some(wait) = pace.next(Setback::Unsent, now) {
                now += wait;
            }
            let taken = now - started;
            assert!(taken < longest && taken > longest / 5, "{taken:?}");
        }
    }
}
