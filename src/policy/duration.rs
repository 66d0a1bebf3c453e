//! Durations as people write them: `7d`, `36h`, `1h30m`.

use std::fmt::Write as _;

use jiff::SignedDuration;

/// Units, and the seconds in each: a day is 24 hours.
const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The longest that anything may last: ten years.
const LONGEST: i64 = 3_650 * 86_400;

/// What is right, for messages.
pub(crate) const CURE: &str = "write whole numbers with their units, one of d, h, m and s: 7d, 36h, 1h30m";

/// Reads a duration: whole numbers, each with its unit, larger units first.
pub(crate) fn parse(text: &str) -> Result<SignedDuration, String> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let word = behind
            .find(|c: char| !c.is_alphabetic())
            .map_or(behind, |end| &behind[..end]);
        let known = UNITS.iter().any(|(name, _)| *name == word);
        if number.is_empty() || !known {
            return Err(problem(text, number, behind, word));
        }
        let Some((_, worth)) = units.find(|(name, _)| *name == word) else {
            return Err(format!("{word} stands behind a smaller unit, or twice"));
        };
        let more = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*worth));
        seconds = more
            .and_then(|more| seconds.checked_add(more))
            .filter(|seconds| *seconds <= LONGEST)
            .ok_or_else(|| format!("it is longer than {}", shown(SignedDuration::from_secs(LONGEST))))?;
        rest = &behind[word.len()..];
    }
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(SignedDuration::from_secs(seconds))
}

fn problem(text: &str, number: &str, behind: &str, word: &str) -> String {
    if text.starts_with('-') {
        return "it is negative".to_owned();
    }
    if behind.is_empty() {
        return format!("{number} has no unit");
    }
    if behind.starts_with(['.', ',']) && !number.is_empty() {
        return "it has a fraction".to_owned();
    }
    match (number, word) {
        (_, "") => "it is no duration".to_owned(),
        ("", _) => format!("before {word} stands no number"),
        _ => format!("{word} is no unit"),
    }
}

/// A duration as it is written: in the largest units that leave nothing over.
pub(crate) fn shown(duration: SignedDuration) -> String {
    let mut seconds = duration.as_secs();
    let mut text = String::new();
    for (unit, worth) in UNITS {
        if seconds >= worth {
            let _ = write!(text, "{}{unit}", seconds / worth);
            seconds %= worth;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [
            ("7d", 7 * 86_400),
            ("36h", 36 * 3_600),
            ("90m", 5_400),
            ("30s", 30),
            ("1h30m", 5_400),
            ("1d2h3m4s", 93_784),
            ("0s", 0),
            ("3650d", LONGEST),
        ] {
            assert_eq!(parse(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told() {
        for (text, why) in [
            ("", "empty"),
            ("7", "no unit"),
            ("-7d", "negative"),
            ("1.5h", "fraction"),
            ("7D", "D is no unit"),
            ("7 days", "no duration"),
            ("90min", "min is no unit"),
            ("h", "no number"),
            ("30m1h", "smaller unit"),
            ("1h1h", "twice"),
            ("3651d", "longer than 3650d"),
            ("99999999999999999999d", "longer"),
            ("P7D", "no number"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(why), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(seconds in 0..=LONGEST) {
            let duration = SignedDuration::from_secs(seconds);
            prop_assert_eq!(parse(&shown(duration)), Ok(duration));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
