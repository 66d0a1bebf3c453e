//! The account's token buckets, one per region and operation, on the sandbox's clock.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::settings::{Bucket, Buckets};

/// Which of the account's rates a call is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Volumes,
    Tags,
    Mutating,
    Describe,
    DescribeEverything,
}

impl Family {
    fn bucket(self, buckets: &Buckets) -> Bucket {
        match self {
            Self::Volumes => buckets.volumes,
            Self::Tags => buckets.tags,
            Self::Mutating => buckets.mutating,
            Self::Describe => buckets.describe,
            Self::DescribeEverything => buckets.describe_everything,
        }
    }
}

/// How full the buckets are. A bucket that was never used is full.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    levels: HashMap<(String, &'static str, Family), Level>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl Throttle {
    /// Takes one token for `operation` in `region`, or says no.
    pub(crate) fn take(
        &mut self,
        region: &str,
        (operation, family): (&'static str, Family),
        buckets: &Buckets,
        now: Timestamp,
    ) -> bool {
        let bucket = family.bucket(buckets);
        let key = (region.to_owned(), operation, family);
        let level = self.levels.entry(key).or_insert(Level {
            tokens: bucket.burst,
            at: now,
        });
        let seconds = now.duration_since(level.at).as_secs_f64().max(0.0);
        level.tokens = (level.tokens + seconds * bucket.refill_per_second).min(bucket.burst);
        level.at = now;
        if level.tokens < 1.0 {
            return false;
        }
        level.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_refill() {
        let (buckets, start) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let mut throttle = Throttle::default();
        let mut pass = |operation, at: f64| {
            let now = start + SignedDuration::from_secs_f64(at);
            throttle.take("us-east-1", (operation, Family::Volumes), &buckets, now)
        };
        assert_eq!((0..150).filter(|_| pass("CreateVolume", 0.0)).count(), 100);
        assert_eq!((0..150).filter(|_| pass("CreateVolume", 2.0)).count(), 10);
        assert!(pass("DeleteVolume", 2.0), "another operation has its own bucket");
        assert_eq!(
            (0..150).filter(|_| pass("CreateVolume", 1000.0)).count(),
            100,
            "a bucket holds its burst, no more"
        );
    }

    #[test]
    fn a_clock_that_stands_still_gives_nothing_back() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        let mut pass = || throttle.take("us-east-1", ("CreateTags", Family::Tags), &Buckets::default(), now);
        assert_eq!((0..1000).filter(|_| pass()).count(), 100);
    }
}
