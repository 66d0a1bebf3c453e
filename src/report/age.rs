//! Ages as kubectl prints them: `53s`, `2m`, `3d4h`.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age in at most two units, the second only while it matters. The thresholds are those of
/// `k8s.io/apimachinery/pkg/util/duration.HumanDuration`.
pub(super) fn short(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds, (MINUTE, 'm'), (1, 's')),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds, (HOUR, 'h'), (MINUTE, 'm')),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds, (DAY, 'd'), (HOUR, 'h')),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds, (YEAR, 'y'), (DAY, 'd')),
        _ => format!("{}y", seconds / YEAR),
    }
}

fn two(seconds: i64, (large, large_name): (i64, char), (small, small_name): (i64, char)) -> String {
    let whole = format!("{}{large_name}", seconds / large);
    match seconds % large / small {
        0 => whole,
        rest => format!("{whole}{rest}{small_name}"),
    }
}

/// A time span for people, rounded to what matters: `40 s`, `3 min`, `2 h 5 min`.
pub(super) fn span(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "spans here are seconds to days")]
    let seconds = seconds.ceil() as i64;
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        _ if seconds < 2 * HOUR => format!("{} min", (seconds + 30) / MINUTE),
        _ => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_prints_them() {
        let cases = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (53, "53s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (11 * 60 + 5, "11m"),
            (3 * HOUR + 60, "3h1m"),
            (9 * HOUR + 60, "9h"),
            (3 * DAY + 4 * HOUR, "3d4h"),
            (30 * DAY, "30d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 5 * DAY, "2y5d"),
            (9 * YEAR, "9y"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(short(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn spans_are_rounded_to_what_matters() {
        assert_eq!(
            ["0 s", "40 s", "3 min", "2 h 5 min"],
            [0.0, 39.2, 180.0, 7530.0].map(span).each_ref().map(|s| &**s)
        );
    }
}
