//! Things of one kind by key: a table of the journal, held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_core::{Journal, JournalError, Lagged};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something that ends.
pub(crate) trait Mortal {
    /// When it can be forgotten, if that is settled.
    fn end(&self) -> Option<Timestamp>;
}

#[derive(Debug)]
pub(crate) struct Shelf<T> {
    table: &'static str,
    things: BTreeMap<String, Lagged<T>>,
    /// What ends, by when.
    ends: BTreeSet<(Timestamp, String)>,
    journal: Arc<Journal>,
}

impl<T: Mortal + Clone + Serialize + DeserializeOwned> Shelf<T> {
    pub(crate) fn open(table: &'static str, journal: Arc<Journal>) -> Result<Self, JournalError> {
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
    pub(crate) fn get(&self, key: &str) -> Option<&T> {
        self.things.get(key).map(Lagged::current)
    }

    /// Everything as it really is, in the order of the keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &T)> {
        self.things.iter().map(|(key, thing)| (key.as_str(), thing.current()))
    }

    /// What really is under the keys that start with `prefix`, in order.
    pub(crate) fn under<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        self.ranged(prefix).map(|(key, thing)| (key, thing.current()))
    }

    /// What readers who see nothing younger than `horizon` see under the keys that start with `prefix`.
    pub(crate) fn seen<'a>(
        &'a self,
        prefix: &str,
        horizon: Timestamp,
    ) -> impl Iterator<Item = (&'a str, &'a T)> + use<'a, T> {
        self.ranged(prefix)
            .filter_map(move |(key, thing)| Some((key, thing.seen(horizon)?)))
    }

    fn ranged<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a Lagged<T>)> + use<'a, T> {
        let prefix = prefix.to_owned();
        self.things
            .range(prefix.clone()..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, thing)| (key.as_str(), thing))
    }

    pub(crate) fn add(&mut self, key: &str, thing: T, now: Timestamp) -> Result<(), JournalError> {
        self.store(key, Lagged::new(thing, now))
    }

    /// Changes what is under `key`, if anything is; readers who see nothing younger than `horizon` see the old for a while.
    pub(crate) fn change(
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

    /// Forgets what has ended at `now`.
    pub(crate) fn bury(&mut self, now: Timestamp) -> Result<(), JournalError> {
        while let Some((end, key)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            let ended = self.get(&key).and_then(Mortal::end).is_some_and(|end| end <= now);
            if ended {
                self.remove(&key)?;
            }
            self.ends.remove(&(end, key));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &str) -> Result<(), JournalError> {
        self.journal.delete(self.table, key)?;
        self.things.remove(key);
        Ok(())
    }

    pub(crate) fn clear(&mut self) -> Result<(), JournalError> {
        self.journal.clear_table(self.table)?;
        self.things.clear();
        self.ends.clear();
        Ok(())
    }

    fn store(&mut self, key: &str, thing: Lagged<T>) -> Result<(), JournalError> {
        self.journal.put(self.table, key, &thing)?;
        if let Some(end) = thing.current().end() {
            self.ends.insert((end, key.to_owned()));
        }
        self.things.insert(key.to_owned(), thing);
        Ok(())
    }
}
