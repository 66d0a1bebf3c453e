//! How shares and containers go: at once or kept for some days, and with a name that is not free again for a while.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::session::Session;

/// A deletion that has happened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) at: Timestamp,
    /// Until when it can be brought back, if it can.
    kept_until: Option<Timestamp>,
    /// When its name can be used again.
    free_at: Timestamp,
    /// When nothing remembers it.
    pub(crate) forgotten_at: Timestamp,
}

impl Deletion {
    /// A deletion now, of something that is kept for `days` where there is such a policy.
    pub(crate) fn new(session: &Session, days: Option<u32>) -> Self {
        let free_at = session.now + session.settings.name_release();
        let kept_until = days.map(|days| session.now + SignedDuration::from_hours(24 * i64::from(days)));
        let last = kept_until.unwrap_or(free_at).max(free_at);
        Self {
            at: session.now,
            kept_until,
            free_at,
            forgotten_at: last.max(session.forgotten_at()),
        }
    }

    /// How long it can still be brought back, if it can.
    pub(crate) fn left(self, now: Timestamp) -> Option<SignedDuration> {
        let left = self.kept_until?.duration_since(now);
        left.is_positive().then_some(left)
    }

    /// Whether the name is still held.
    pub(crate) fn holds_name(self, now: Timestamp) -> bool {
        now < self.free_at
    }
}

/// The key of something in an account that came to be at `created`: names in order, and each life of a name apart.
pub(crate) fn key(account: &str, name: &str, created: Timestamp) -> String {
    format!("{}{}", prefix(account, name), version(created))
}

/// What the keys of all lives of a name start with.
pub(crate) fn prefix(account: &str, name: &str) -> String {
    format!("{account}!{name}!")
}

/// What tells lives of one name apart.
pub(crate) fn version(created: Timestamp) -> String {
    // As file times count: 100 nanoseconds since 1601.
    let ticks = created.as_nanosecond() / 100 + 116_444_736_000_000_000;
    format!("{ticks:016X}")
}
