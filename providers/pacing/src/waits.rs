//! Tells those who look on what calls wait for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A wait is told of no more often than this.
const EVERY: Duration = Duration::from_millis(500);
/// Who waits less than this in all is not worth a word.
const LEAST: Duration = Duration::from_secs(1);

/// Calls that wait for their turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// Which calls: `CreateVolume in us-east-1`.
    pub calls: String,
    /// How many of them wait in this process.
    pub waiting: usize,
    /// When the last of them may go, as it looks now.
    pub eta: Duration,
    /// Calls a second, of all processes together.
    pub per_second: f64,
    /// What holds them up.
    pub cause: Cause,
}

/// Why calls wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The budget has enough for all of them, and they go one after the other instead of at once.
    Spread,
    /// The budget's rate.
    Rate,
    /// The cloud itself has refused some of late.
    Refused,
}

/// Hears of waits. Must not block.
pub type Listener = Arc<dyn Fn(&Wait) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Waits {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    listener: Option<Listener>,
    told: Option<Instant>,
    /// The last turn that a bucket gave this process.
    last: HashMap<String, (u64, Duration)>,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").finish_non_exhaustive()
    }
}

impl Waits {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(&self, listener: Listener) {
        self.inner().listener = Some(listener);
    }

    /// How far apart a bucket's turns for this process are: at its rate, or further where other processes have some of them.
    pub(crate) fn gap(&self, bucket: &str, slot: u64, rate: f64) -> Duration {
        let least = Duration::from_secs_f64(1.0 / rate.max(0.001));
        let mut inner = self.inner();
        let Some((before, gap)) = inner.last.get_mut(bucket) else {
            inner.last.insert(bucket.to_owned(), (slot, least));
            return least;
        };
        if slot > *before {
            *gap = Duration::from_nanos(slot - *before).clamp(least, Duration::from_mins(1));
            *before = slot;
        }
        *gap
    }

    /// Tells of a wait, if it is long and somebody wants to know now.
    pub(crate) fn tell(&self, wait: impl FnOnce() -> Wait) {
        let now = Instant::now();
        let mut inner = self.inner();
        if inner.told.is_some_and(|told| now < told + EVERY) {
            return;
        }
        let Some(listener) = inner.listener.clone() else {
            return;
        };
        let wait = wait();
        if wait.eta < LEAST {
            return;
        }
        inner.told = Some(now);
        drop(inner);
        listener(&wait);
    }
}
