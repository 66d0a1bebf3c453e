//! The mark on a volume that a run saw unused: a tag, so that it outlives any machine and goes with the volume.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// Since when a volume was seen unused, and by which run. As text: `v1 orphan 2026-11-21T15:00:00Z run-7`, of characters that
/// EBS tags, Azure's metadata and annotations all take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What the run that set it found.
    pub verdict: Verdict,
    /// When that run saw it, in whole seconds.
    pub since: Timestamp,
    /// The run's id.
    pub run: String,
}

/// The format's version.
const VERSION: &str = "v1";
/// The longest tag value that every cloud takes.
const LONGEST: usize = 256;

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Timestamp::from_second(self.since.as_second()).unwrap_or(self.since);
        write!(f, "{VERSION} {} {since} {}", self.verdict.word(), self.run)
    }
}

/// A mark that this version cannot read: it counts as none, and is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mark is not of the form \"{VERSION} <verdict> <since> <run>\"; it counts as none")]
pub struct Unreadable;

impl FromStr for Mark {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut words = text.split(' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).ok_or(Unreadable);
        if text.len() > LONGEST || word()? != VERSION {
            return Err(Unreadable);
        }
        let verdict = word()?;
        let verdicts = [Verdict::LeftBehind, Verdict::Released, Verdict::Orphan];
        let verdict = verdicts
            .into_iter()
            .find(|known| known.word() == verdict)
            .ok_or(Unreadable)?;
        let mark = Self {
            verdict,
            since: word()?.parse().map_err(|_| Unreadable)?,
            run: word()?.to_owned(),
        };
        // Whatever else there is, another version knows its meaning.
        words.next().map_or(Ok(mark), |_| Err(Unreadable))
    }
}

/// What a volume's mark comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is none that counts: grace begins now.
    None,
    /// It counts: unused since then.
    Since(Timestamp),
    /// It is from the future, or the volume is: some clock was wrong. Nothing is written, so that no grace is cut short when
    /// the clock is right again.
    NotYet(Timestamp),
}

/// What tells whether a mark counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) now: Timestamp,
    /// When the volume was created, where the cloud says so.
    pub(crate) created: Option<Timestamp>,
    /// The latest sign that somebody used it: its claim's or PersistentVolume's creation, or the end of its last use.
    pub(crate) last_use: Option<Timestamp>,
}

impl Life {
    pub(crate) fn standing(self, mark: Option<Timestamp>) -> Standing {
        let began = self.created.max(self.last_use);
        match (began, mark) {
            (_, Some(since)) if since > self.now => Standing::NotYet(since),
            (Some(began), _) if began > self.now => Standing::NotYet(began),
            // A snapshot's tags go over to what is restored of it, and a volume may have been used between two runs. Marks have
            // whole seconds: of the same second counts as after.
            (Some(began), Some(since)) if since.as_second() < began.as_second() => Standing::None,
            (_, Some(since)) => Standing::Since(since),
            (_, None) => Standing::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_mark_comes_back_as_it_was_written() {
        for verdict in [Verdict::LeftBehind, Verdict::Released, Verdict::Orphan] {
            let mark = Mark {
                verdict,
                since: at("2026-11-21T15:00:00Z"),
                run: "run-7".to_owned(),
            };
            let text = mark.to_string();
            let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
            assert!(text.chars().all(allowed), "{text}");
            assert_eq!(text.parse(), Ok(mark));
        }
    }

    #[test]
    fn a_mark_may_be_as_long_as_a_tag() {
        let of = |run: usize| format!("v1 orphan 2026-11-21T15:00:00Z {}", "r".repeat(run)).parse::<Mark>();
        let longest = LONGEST - "v1 orphan 2026-11-21T15:00:00Z ".len();
        assert_eq!(of(longest).unwrap().run.len(), longest);
        assert_eq!(of(longest + 1), Err(Unreadable));
    }

    #[test]
    fn an_unreadable_mark_is_none() {
        for text in [
            "",
            "true",
            "v1",
            "v2 orphan 2026-11-21T15:00:00Z run-7",
            "v1 in-use 2026-11-21T15:00:00Z run-7",
            "v1 orphan yesterday run-7",
            "v1 orphan 2026-11-21T15:00:00Z",
            "v1 orphan 2026-11-21T15:00:00Z ",
            "v1 orphan 2026-11-21T15:00:00Z run 7",
            "v1  orphan 2026-11-21T15:00:00Z run-7",
            &format!("v1 orphan 2026-11-21T15:00:00Z {}", "r".repeat(300)),
        ] {
            assert_eq!(text.parse::<Mark>(), Err(Unreadable), "{text:?}");
        }
    }

    #[test]
    fn a_mark_counts_from_when_it_was_set_and_for_this_life_only() {
        let now = at("2026-11-21T15:00:00Z");
        let life = |created, last_use| Life { now, created, last_use };
        let day = 24.hours();
        let (before, after) = (now - day * 3, now - day);
        let since = now - day * 2;
        assert_eq!(life(None, None).standing(None), Standing::None);
        assert_eq!(life(None, None).standing(Some(since)), Standing::Since(since));
        assert_eq!(
            life(Some(before), Some(before)).standing(Some(since)),
            Standing::Since(since)
        );
        assert_eq!(life(Some(since), None).standing(Some(since)), Standing::Since(since));
        // Restored from a snapshot whose tags it has; and used again between two runs.
        assert_eq!(life(Some(after), None).standing(Some(since)), Standing::None);
        assert_eq!(life(Some(before), Some(after)).standing(Some(since)), Standing::None);
        // Made, used and seen unused within this second.
        assert_eq!(life(Some(now), Some(now)).standing(None), Standing::None);
        assert_eq!(life(Some(now), Some(now)).standing(Some(now)), Standing::Since(now));
        // The clock was put back.
        let future = now + day;
        assert_eq!(life(None, None).standing(Some(future)), Standing::NotYet(future));
        assert_eq!(life(Some(future), None).standing(None), Standing::NotYet(future));
    }
}
