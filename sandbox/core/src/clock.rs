//! Time in the sandbox: the machine's time plus an offset that a test can move.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{Journal, JournalError};

/// How far the clock can be moved: far enough for any test, and no sum of times leaves the calendar.
const FURTHEST: SignedDuration = SignedDuration::from_hours(100 * 366 * 24);

/// The sandbox's clock. It runs at the machine's speed and jumps when told to; whoever sleeps on it
/// wakes when a jump passes the moment slept for. Clones share one time.
#[derive(Clone, Debug)]
pub struct Clock {
    offset: Arc<watch::Sender<SignedDuration>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::with_offset(SignedDuration::ZERO)
    }
}

impl Clock {
    fn with_offset(offset: SignedDuration) -> Self {
        Self {
            offset: Arc::new(watch::Sender::new(offset.clamp(-FURTHEST, FURTHEST))),
        }
    }

    pub(crate) fn load(journal: &Journal) -> Result<Self, JournalError> {
        let seconds: Option<i64> = journal.get("world", "clock-offset-seconds")?;
        Ok(Self::with_offset(SignedDuration::from_secs(seconds.unwrap_or(0))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + *self.offset.borrow()
    }

    /// Moves the clock forward by whole seconds and remembers it in `journal`; sleepers that this passes wake. A negative number moves it
    /// back, for clouds whose clock is behind the machine's. In all, the clock moves no further than a hundred years.
    pub fn advance(&self, seconds: i64, journal: &Journal) -> Result<(), JournalError> {
        self.offset.send_modify(|offset| *offset = moved(*offset, seconds));
        journal.put("world", "clock-offset-seconds", &self.offset.borrow().as_secs())
    }

    /// Sleeps until the clock shows `moment`, however it gets there.
    pub async fn sleep_until(&self, moment: Timestamp) {
        let mut moved = self.offset.subscribe();
        loop {
            let left = moment.duration_since(Timestamp::now() + *moved.borrow_and_update());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = moved.changed() => {}
            }
        }
    }

    /// Sleeps for `duration` of the sandbox's time.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().checked_add(duration).unwrap_or(Timestamp::MAX))
            .await;
    }
}

fn moved(offset: SignedDuration, seconds: i64) -> SignedDuration {
    offset
        .saturating_add(SignedDuration::from_secs(seconds))
        .clamp(-FURTHEST, FURTHEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_jump_wakes_whoever_it_passes_and_nobody_else() {
        let (clock, journal) = (Clock::default(), Journal::in_memory());
        let hour = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_hours(1)).await }
        });
        let for_ever = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::MAX).await }
        });
        tokio::task::yield_now().await;
        clock.advance(3601, &journal).unwrap();
        hour.await.unwrap();
        assert!(!for_ever.is_finished());
        for_ever.abort();
    }

    #[test]
    fn the_offset_is_kept_and_bounded() {
        let (clock, journal) = (Clock::default(), Journal::in_memory());
        for (by, furthest) in [(i64::MAX, FURTHEST), (i64::MIN, -FURTHEST)] {
            clock.advance(by, &journal).unwrap();
            clock.advance(by, &journal).unwrap();
            let offset = Clock::load(&journal).unwrap().now().duration_since(Timestamp::now());
            assert!((furthest - offset).abs() < SignedDuration::from_secs(10), "{offset:?}");
        }
    }
}
