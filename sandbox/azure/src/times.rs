//! Times as Azure writes them.

use jiff::{SignedDuration, Timestamp};

/// `2026-11-21T12:34:56.1234567Z`: seven decimals, always.
pub(crate) fn stamp(time: Timestamp) -> String {
    let ticks = time.subsec_nanosecond() / 100;
    format!("{}.{ticks:07}Z", time.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// `20261121T123456Z`, of routing ids.
pub(crate) fn compact(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The time in whole seconds, as snapshots have it.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// When something changes that changed before: now, and never at the same moment, so that its entity tags differ.
pub(crate) fn next_change(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before + SignedDuration::from_nanos(100))
}

/// An entity tag that changes with `time`, quotes included.
pub(crate) fn etag(time: Timestamp) -> String {
    format!("\"0x{:X}\"", time.as_nanosecond() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_seven_decimals() {
        let time: Timestamp = "2026-11-21T01:02:03.004Z".parse().unwrap();
        assert_eq!(stamp(time), "2026-11-21T01:02:03.0040000Z");
        assert_eq!(stamp(whole_second(time)), "2026-11-21T01:02:03.0000000Z");
        assert_eq!(compact(time), "20261121T010203Z");
    }
}
