//! What time it is in the cloud.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::provider::locked;

/// The time that the latest answer bore, and that passed since.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<(Timestamp, Instant)>>);

impl Clock {
    /// Notes when an answer was sent.
    pub(super) fn note(&self, sent: Timestamp) {
        *locked(&self.0) = Some((sent, Instant::now()));
    }

    /// The time; `None` before the first answer.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let (sent, heard) = (*locked(&self.0))?;
        let passed = SignedDuration::try_from(heard.elapsed()).ok()?;
        sent.checked_add(passed).ok()
    }
}
