//! Time in the sandbox: the machine's time plus an offset that a test can move forward.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{Journal, JournalError};

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
        Self { offset: Arc::new(watch::Sender::new(offset)) }
    }

    pub(crate) fn load(journal: &Journal) -> Result<Self, JournalError> {
        let seconds: Option<i64> = journal.get("world", "clock-offset-seconds")?;
        Ok(Self::with_offset(SignedDuration::from_secs(seconds.unwrap_or(0))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + *self.offset.borrow()
    }

    /// Moves the clock forward by whole seconds and remembers it in `journal`; sleepers that this passes wake.
    pub fn advance(&self, seconds: u32, journal: &Journal) -> Result<(), JournalError> {
        self.offset.send_modify(|offset| *offset += SignedDuration::from_secs(seconds.into()));
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
        let moment = self.now() + SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        self.sleep_until(moment).await;
    }
}
