//! Things of one kind by key: a table of the journal, held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Journal, JournalError, Lagged};

/// Something that ends.
pub trait Mortal {
    /// When it can be forgotten, if that is settled.
    fn end(&self) -> Option<Timestamp>;
}

/// Things of one kind by key, written through to the journal.
#[derive(Debug)]
pub struct Shelf<T> {
    table: &'static str,
    things: BTreeMap<String, Lagged<T>>,
    /// What ends, by when.
    ends: BTreeSet<(Timestamp, String)>,
    journal: Arc<Journal>,
}

impl<T: Mortal + Clone + Serialize + DeserializeOwned> Shelf<T> {
    /// Reads a table of the journal.
    pub fn open(table: &'static str, journal: Arc<Journal>) -> Result<Self, JournalError> {
        let things: BTreeMap<String, Lagged<T>> = journal.load(table)?.into_iter().collect();
        let ends = things
            .iter()
            .filter_map(|(key, thing)| Some((thing.current().end()?, key.clone())))
            .collect();
        Ok(Self {
            table,
            things,
            ends,
            journal,
        })
    }

    /// What is really under `key`.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.things.get(key).map(Lagged::current)
    }

    /// What readers who see nothing younger than `horizon` see under `key`.
    pub fn sight(&self, key: &str, horizon: Timestamp) -> Option<&T> {
        self.things.get(key)?.seen(horizon)
    }

    /// Everything as it really is, in the order of the keys.
    pub fn all(&self) -> impl Iterator<Item = (&str, &T)> {
        self.things.iter().map(|(key, thing)| (key.as_str(), thing.current()))
    }

    /// What really is under the keys that start with `prefix`, in order.
    pub fn under<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        self.ranged(prefix).map(|(key, thing)| (key, thing.current()))
    }

    /// What readers who see nothing younger than `horizon` see under the keys that start with `prefix`.
    pub fn seen<'a>(&'a self, prefix: &str, horizon: Timestamp) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        self.ranged(prefix)
            .filter_map(move |(key, thing)| Some((key, thing.seen(horizon)?)))
    }

    /// What readers who see nothing younger than `horizon` see behind the key `after`, or from the first key on.
    pub fn seen_after<'a>(
        &'a self,
        after: Option<&str>,
        horizon: Timestamp,
    ) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.things
            .range::<str, _>((from, Bound::Unbounded))
            .filter_map(move |(key, thing)| Some((key.as_str(), thing.seen(horizon)?)))
    }

    fn ranged<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a Lagged<T>)> + use<'a, T> {
        let prefix = prefix.to_owned();
        self.things
            .range(prefix.clone()..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, thing)| (key.as_str(), thing))
    }

    /// Puts a thing under `key`; readers who lag see it later.
    pub fn add(&mut self, key: &str, thing: T, now: Timestamp) -> Result<(), JournalError> {
        self.store(key, Lagged::new(thing, now))
    }

    /// Changes what is under `key`, if anything is; readers who see nothing younger than `horizon` see the old for a while.
    pub fn change(
        &mut self,
        key: &str,
        (now, horizon): (Timestamp, Timestamp),
        change: impl FnOnce(&mut T),
    ) -> Result<(), JournalError> {
        let Some(mut thing) = self.things.get(key).cloned() else {
            return Ok(());
        };
        let mut value = thing.current().clone();
        change(&mut value);
        thing.change(value, now, horizon);
        self.store(key, thing)
    }

    /// The keys of what has ended at `now`, in the order of its ends.
    pub fn ended(&self, now: Timestamp) -> Vec<String> {
        let ended = self.ends.iter().take_while(|(end, _)| *end <= now);
        ended.map(|(_, key)| key.clone()).collect()
    }

    /// Forgets what has ended at `now`.
    pub fn bury(&mut self, now: Timestamp) -> Result<(), JournalError> {
        for key in self.ended(now) {
            self.remove(&key)?;
        }
        Ok(())
    }

    /// Forgets what is under `key`.
    pub fn remove(&mut self, key: &str) -> Result<(), JournalError> {
        self.journal.delete(self.table, key)?;
        let end = self.things.remove(key).and_then(|thing| thing.current().end());
        if let Some(end) = end {
            self.ends.remove(&(end, key.to_owned()));
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) -> Result<(), JournalError> {
        self.journal.clear_table(self.table)?;
        self.things.clear();
        self.ends.clear();
        Ok(())
    }

    fn store(&mut self, key: &str, thing: Lagged<T>) -> Result<(), JournalError> {
        self.journal.put(self.table, key, &thing)?;
        let end = thing.current().end();
        let before = self.things.insert(key.to_owned(), thing);
        // An end may be put off, or taken back.
        if let Some(before) = before.and_then(|before| before.current().end()) {
            self.ends.remove(&(before, key.to_owned()));
        }
        self.ends.extend(end.map(|end| (end, key.to_owned())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Thing(Option<Timestamp>);

    impl Mortal for Thing {
        fn end(&self) -> Option<Timestamp> {
            self.0
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_ends_is_forgotten_then_and_an_end_can_be_put_off() {
        let journal = Arc::new(Journal::in_memory());
        let mut shelf = Shelf::open("things", journal.clone()).unwrap();
        for (key, end) in [("a/1", Some(at(5))), ("a/2", Some(at(5))), ("b/1", None)] {
            shelf.add(key, Thing(end), at(0)).unwrap();
        }
        shelf
            .change("a/2", (at(1), at(1)), |thing| thing.0 = Some(at(9)))
            .unwrap();
        shelf.bury(at(5)).unwrap();
        assert_eq!(shelf.under("a/").map(|(key, _)| key).collect::<Vec<_>>(), ["a/2"]);
        let mut again: Shelf<Thing> = Shelf::open("things", journal).unwrap();
        assert_eq!(again.ended(at(8)), Vec::<String>::new());
        again.bury(at(9)).unwrap();
        assert_eq!(again.all().map(|(key, _)| key).collect::<Vec<_>>(), ["b/1"]);
    }
}
