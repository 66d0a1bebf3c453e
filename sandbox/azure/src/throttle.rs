//! How many calls are let through: Resource Manager's token buckets and the storage provider's windows.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::settings::{Bucket, Rates, Window};

/// Resource Manager's kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Read,
    Write,
    Delete,
}

impl Kind {
    /// The header that says how many are left.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }

    fn bucket(self, rates: &Rates) -> Bucket {
        match self {
            Self::Read => rates.reads,
            Self::Write => rates.writes,
            Self::Delete => rates.deletes,
        }
    }
}

/// The storage provider's kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StorageKind {
    Read,
    List,
    Write,
}

impl StorageKind {
    /// As messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::List => "List",
            Self::Write => "Write",
        }
    }

    fn windows(self, rates: &Rates) -> &[Window] {
        match self {
            Self::Read => &rates.storage_reads,
            Self::List => &rates.storage_lists,
            Self::Write => &rates.storage_writes,
        }
    }
}

/// A call that came too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFast {
    /// When to come again.
    pub(crate) seconds: u32,
    /// The window that is full, of the storage provider.
    pub(crate) window: Option<Window>,
}

/// How full buckets and windows are. One that was never used is untouched.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    buckets: HashMap<(String, String, Kind), Level>,
    windows: HashMap<(String, String, StorageKind), VecDeque<Timestamp>>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl Throttle {
    /// Takes one token of `caller` in `subscription` and says how many are left.
    pub(crate) fn take(
        &mut self,
        (caller, subscription, kind): (&str, &str, Kind),
        rates: &Rates,
        now: Timestamp,
    ) -> Result<u64, TooFast> {
        let bucket = kind.bucket(rates);
        let key = (caller.to_owned(), subscription.to_owned(), kind);
        let level = self.buckets.entry(key).or_insert(Level {
            tokens: bucket.burst,
            at: now,
        });
        let passed = now.duration_since(level.at).as_secs_f64().max(0.0);
        level.tokens = (level.tokens + passed * bucket.refill_per_second).min(bucket.burst);
        level.at = now;
        if level.tokens < 1.0 {
            let seconds = whole_seconds((1.0 - level.tokens) / bucket.refill_per_second);
            return Err(TooFast { seconds, window: None });
        }
        level.tokens -= 1.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between zero and the burst"
        )]
        Ok(level.tokens as u64)
    }

    /// Counts one call of the storage provider in `subscription` and `region`, unless a window is full.
    pub(crate) fn count(
        &mut self,
        (subscription, region, kind): (&str, &str, StorageKind),
        rates: &Rates,
        now: Timestamp,
    ) -> Result<(), TooFast> {
        let windows = kind.windows(rates);
        let calls = self
            .windows
            .entry((subscription.to_owned(), region.to_owned(), kind))
            .or_default();
        let longest = windows.iter().map(|window| length(*window)).max().unwrap_or_default();
        while calls.front().is_some_and(|first| *first + longest <= now) {
            calls.pop_front();
        }
        for window in windows {
            let Some(nth) = calls.len().checked_sub(window.calls) else {
                continue;
            };
            // With `calls` calls at or after this one, there is no room until it has left the window.
            let free = calls.get(nth).map_or(now, |first| *first + length(*window));
            if free > now {
                let seconds = whole_seconds(free.duration_since(now).as_secs_f64());
                return Err(TooFast {
                    seconds,
                    window: Some(*window),
                });
            }
        }
        calls.push_back(now);
        Ok(())
    }
}

fn length(window: Window) -> SignedDuration {
    SignedDuration::from_secs(window.seconds.into())
}

/// Rounded up, and at least one.
fn whole_seconds(seconds: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float to integer saturates, which is what is wanted of a rate of nothing"
    )]
    let whole = seconds.ceil().max(1.0) as u32;
    whole.min(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(seconds)
    }

    #[test]
    fn a_bucket_lets_a_burst_pass_and_then_its_refill() {
        let (rates, mut throttle) = (Rates::default(), Throttle::default());
        let mut pass = |seconds| throttle.take(("me", "sub", Kind::Write), &rates, at(seconds));
        assert_eq!(pass(0.0), Ok(199));
        assert_eq!((0..300).filter(|_| pass(0.0).is_ok()).count(), 199);
        assert_eq!((0..300).filter(|_| pass(2.0).is_ok()).count(), 20);
        assert_eq!(pass(2.0).unwrap_err().seconds, 1);
        assert!(throttle.take(("me", "sub", Kind::Read), &rates, at(2.0)).is_ok());
        assert!(throttle.take(("you", "sub", Kind::Write), &rates, at(2.0)).is_ok());
    }

    #[test]
    fn a_window_is_full_until_its_first_call_leaves_it() {
        let (rates, mut throttle) = (Rates::default(), Throttle::default());
        let mut pass = |seconds| throttle.count(("sub", "eastus", StorageKind::List), &rates, at(seconds));
        assert_eq!((0..150).filter(|_| pass(10.0).is_ok()).count(), 100);
        let refused = pass(100.0).unwrap_err();
        assert_eq!((refused.seconds, refused.window.unwrap().calls), (210, 100));
        assert!(pass(309.9).is_err());
        assert_eq!((0..150).filter(|_| pass(310.0).is_ok()).count(), 100);
    }

    #[test]
    fn writes_are_held_to_the_second_and_to_the_hour() {
        let (rates, mut throttle) = (Rates::default(), Throttle::default());
        let mut served = 0;
        for second in 0..3000 {
            let pass = |_: &_| {
                let key = ("sub", "eastus", StorageKind::Write);
                throttle.count(key, &rates, at(f64::from(second))).is_ok()
            };
            served += (0..12).filter(pass).count();
        }
        assert_eq!(served, 1200);
        let refused = throttle
            .count(("sub", "eastus", StorageKind::Write), &rates, at(3000.0))
            .unwrap_err();
        assert_eq!(refused.seconds, 600);
    }
}
