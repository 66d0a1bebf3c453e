//! What time it is: by the clouds, the earliest of them, in whole seconds and never backwards.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::Scope;

/// The headers that clouds' clocks are read from have whole seconds, and their servers differ a little: so much of a step back between
/// two runs is no clock that was put back.
const JITTER: SignedDuration = SignedDuration::from_secs(10);

/// The clock of one run.
#[derive(Debug, Default)]
pub(crate) struct CloudClock {
    latest: Mutex<Option<Timestamp>>,
}

impl CloudClock {
    /// A clock that continues where the last run ended.
    pub(crate) fn since(last_run: Option<Timestamp>) -> Self {
        Self {
            latest: Mutex::new(last_run),
        }
    }

    /// Now, as the scopes that have answered say it; `None` where none has. Grace ends no earlier than by the earliest clock.
    pub(crate) fn now(&self, scopes: &[Scope]) -> Option<Timestamp> {
        let earliest = scopes.iter().filter_map(|scope| scope.inventory.clock()).min()?;
        let now = Timestamp::from_second(earliest.as_second()).unwrap_or(earliest);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = latest
            .filter(|latest| *latest > now && latest.duration_since(now) <= JITTER)
            .unwrap_or(now);
        *latest = Some(now);
        Some(now)
    }
}

/// A moment of the past by a clock that says `now` now.
pub(crate) fn at(now: Timestamp, moment: Instant) -> Timestamp {
    let age = SignedDuration::try_from(moment.elapsed()).unwrap_or(SignedDuration::MAX);
    now.saturating_sub(age).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_as_long_ago_as_it_is() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap_or_default();
        let moment = Instant::now().checked_sub(Duration::from_secs(5));
        let then = moment.map(|moment| at(now, moment));
        assert_eq!(then.map(Timestamp::as_second), Some(now.as_second() - 6));
    }
}
