//! A clock that all processes of this machine read alike.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Turns moments of this process into nanoseconds since the machine was started, and back.
///
/// It is the monotonic clock, which `Instant` reads too: nobody sets it, and it stands still while the machine sleeps. Budgets
/// then seem emptier than they are, never fuller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    nanos: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
        Self {
            origin: Instant::now(),
            nanos: seconds.saturating_mul(1_000_000_000).saturating_add(rest),
        }
    }

    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        match at.checked_duration_since(self.origin) {
            Some(later) => self.nanos.saturating_add(nanos(later)),
            None => self.nanos.saturating_sub(nanos(self.origin.duration_since(at))),
        }
    }

    pub(crate) fn instant(&self, at: u64) -> Instant {
        if let Some(later) = at.checked_sub(self.nanos) {
            return self.origin + Duration::from_nanos(later);
        }
        let earlier = Duration::from_nanos(self.nanos - at);
        self.origin.checked_sub(earlier).unwrap_or(self.origin)
    }
}

/// Whole nanoseconds, up to some five hundred years.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Tells one start of the machine from another: the clock begins anew with each. Empty where the system does not say.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}
