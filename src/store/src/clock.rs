//! What time it is, by two clocks that fail in different ways.

use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The clocks of this machine.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day. Other machines have about the same; someone may set it.
    fn wall(&self) -> Timestamp;

    /// How long this clock has run. Nobody sets it, but it may stand still while the machine sleeps.
    fn running(&self) -> Duration;
}

/// The real ones.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn running(&self) -> Duration {
        self.started.elapsed()
    }
}
