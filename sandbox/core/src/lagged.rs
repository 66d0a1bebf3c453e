//! Values whose readers lag behind: eventual consistency, computed from timestamps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A value with as much of its past as some reader may still see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lagged<T> {
    current: T,
    since: Timestamp,
    /// Older versions, oldest first, each with the time from which it held.
    past: Vec<(Timestamp, T)>,
}

impl<T> Lagged<T> {
    /// A value that came to be at `now`: before, there was none.
    pub fn new(value: T, now: Timestamp) -> Self {
        Self {
            current: value,
            since: now,
            past: Vec::new(),
        }
    }

    /// The truth.
    pub fn current(&self) -> &T {
        &self.current
    }

    /// What a reader who sees nothing younger than `horizon` sees; nothing if the value is younger.
    pub fn seen(&self, horizon: Timestamp) -> Option<&T> {
        if self.since <= horizon {
            return Some(&self.current);
        }
        self.past
            .iter()
            .rev()
            .find(|(since, _)| *since <= horizon)
            .map(|(_, value)| value)
    }

    /// Changes the truth at `now` and forgets what nobody who sees `horizon` or later needs.
    pub fn change(&mut self, value: T, now: Timestamp, horizon: Timestamp) {
        let old = std::mem::replace(&mut self.current, value);
        self.past.push((self.since, old));
        self.since = now;
        let needed = self.past.iter().rposition(|(since, _)| *since <= horizon).unwrap_or(0);
        self.past.drain(..needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn readers_see_what_held_at_their_horizon() {
        let mut value = Lagged::new("a", at(10));
        value.change("b", at(20), at(15));
        value.change("c", at(30), at(25));
        assert_eq!(value.seen(at(9)), None);
        assert_eq!(value.seen(at(25)), Some(&"b"));
        assert_eq!(value.seen(at(30)), Some(&"c"));
        assert_eq!(*value.current(), "c");
    }

    #[test]
    fn the_past_that_no_reader_sees_is_forgotten() {
        let mut value = Lagged::new(0, at(0));
        for n in 1..100 {
            value.change(n, at(n), at(n - 2));
        }
        assert!(value.past.len() <= 3, "{}", value.past.len());
        assert_eq!(value.seen(at(97)), Some(&97));
    }
}
