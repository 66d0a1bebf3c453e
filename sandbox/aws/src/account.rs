//! All that exists in the account, written through to the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_core::{Journal, JournalError, Lagged};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::balancer::LoadBalancer;
use crate::model::snapshot::SnapshotRecord;
use crate::model::volume::{TokenUse, VolumeRecord};
use crate::throttle::Throttle;

const TOKENS: &str = "aws-tokens";

/// The account's contents.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) volumes: Shelf<VolumeRecord>,
    pub(crate) snapshots: Shelf<SnapshotRecord>,
    pub(crate) balancers: Shelf<LoadBalancer>,
    pub(crate) throttle: Throttle,
    /// By zone and token. Those of living volumes are restored from the volumes.
    tokens: BTreeMap<(String, String), TokenUse>,
    journal: Arc<Journal>,
}

impl Account {
    /// Reads the account back from the journal.
    pub(crate) fn open(journal: Arc<Journal>) -> Result<Self, JournalError> {
        let volumes: Shelf<VolumeRecord> = Shelf::open("aws-volumes", journal.clone())?;
        let burnt = journal.load::<TokenUse>(TOKENS)?.into_iter().map(|(_, token)| token);
        let living = volumes.all().filter_map(|(_, volume)| volume.current().token.clone());
        let tokens = burnt
            .chain(living)
            .map(|used| ((used.zone.clone(), used.token.clone()), used))
            .collect();
        Ok(Self {
            volumes,
            snapshots: Shelf::open("aws-snapshots", journal.clone())?,
            balancers: Shelf::open("aws-load-balancers", journal.clone())?,
            throttle: Throttle::default(),
            tokens,
            journal,
        })
    }

    /// What `token` was used for in `zone`.
    pub(crate) fn token(&self, zone: &str, token: &str) -> Option<&TokenUse> {
        self.tokens.get(&(zone.to_owned(), token.to_owned()))
    }

    /// Adds a volume, with the token it was made with.
    pub(crate) fn add_volume(&mut self, volume: VolumeRecord, now: Timestamp) -> Result<(), JournalError> {
        let token = volume.token.clone();
        self.volumes.add(&volume.id.clone(), volume, now)?;
        if let Some(used) = token {
            self.tokens.insert((used.zone.clone(), used.token.clone()), used);
        }
        Ok(())
    }

    /// Forgets what is gone at `now`. Tokens of volumes are kept: they stay burnt.
    pub(crate) fn bury(&mut self, now: Timestamp) -> Result<(), JournalError> {
        for id in self.volumes.gone(now) {
            if let Some(used) = self.volumes.get(&id).and_then(|volume| volume.current().token.clone()) {
                self.journal
                    .put(TOKENS, &format!("{} {}", used.zone, used.token), &used)?;
            }
            self.volumes.remove(&id)?;
        }
        for id in self.snapshots.gone(now) {
            self.snapshots.remove(&id)?;
        }
        for id in self.balancers.gone(now) {
            self.balancers.remove(&id)?;
        }
        Ok(())
    }

    /// Empties the account and its tables, and fills the buckets.
    pub(crate) fn clear(&mut self) -> Result<(), JournalError> {
        self.volumes.clear()?;
        self.snapshots.clear()?;
        self.balancers.clear()?;
        self.journal.clear_table(TOKENS)?;
        self.tokens.clear();
        self.throttle = Throttle::default();
        Ok(())
    }
}

/// Something that ends.
pub(crate) trait Mortal {
    /// When it is gone, if that is settled.
    fn end(&self) -> Option<Timestamp>;
}

impl Mortal for VolumeRecord {
    fn end(&self) -> Option<Timestamp> {
        if self.doomed { Some(self.ready_at) } else { self.gone_at }
    }
}

impl Mortal for SnapshotRecord {
    fn end(&self) -> Option<Timestamp> {
        self.gone_at
    }
}

impl Mortal for LoadBalancer {
    fn end(&self) -> Option<Timestamp> {
        self.gone_at
    }
}

/// Things of one kind by id: a table of the journal, held in memory.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    table: &'static str,
    things: BTreeMap<String, Lagged<T>>,
    /// What ends, by when.
    ends: BTreeSet<(Timestamp, String)>,
    journal: Arc<Journal>,
}

impl<T: Mortal + Clone + Serialize + DeserializeOwned> Shelf<T> {
    fn open(table: &'static str, journal: Arc<Journal>) -> Result<Self, JournalError> {
        let things: BTreeMap<String, Lagged<T>> = journal.load(table)?.into_iter().collect();
        let ends = things
            .iter()
            .filter_map(|(id, thing)| Some((thing.current().end()?, id.clone())))
            .collect();
        Ok(Self {
            table,
            things,
            ends,
            journal,
        })
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Lagged<T>> {
        self.things.get(id)
    }

    /// Everything, in the order of the ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Lagged<T>)> {
        self.things.iter()
    }

    pub(crate) fn add(&mut self, id: &str, thing: T, now: Timestamp) -> Result<(), JournalError> {
        self.store(id, Lagged::new(thing, now))
    }

    /// Changes what is under `id`, if anything is; readers who see nothing younger than `horizon` see the old for a while.
    pub(crate) fn change(
        &mut self,
        id: &str,
        (now, horizon): (Timestamp, Timestamp),
        change: impl FnOnce(&mut T),
    ) -> Result<(), JournalError> {
        let Some(mut thing) = self.things.get(id).cloned() else {
            return Ok(());
        };
        let mut value = thing.current().clone();
        change(&mut value);
        thing.change(value, now, horizon);
        self.store(id, thing)
    }

    fn store(&mut self, id: &str, thing: Lagged<T>) -> Result<(), JournalError> {
        self.journal.put(self.table, id, &thing)?;
        if let Some(end) = thing.current().end() {
            self.ends.insert((end, id.to_owned()));
        }
        self.things.insert(id.to_owned(), thing);
        Ok(())
    }

    fn gone(&self, now: Timestamp) -> Vec<String> {
        self.ends
            .iter()
            .take_while(|(end, _)| *end <= now)
            .map(|(_, id)| id.clone())
            .collect()
    }

    fn remove(&mut self, id: &str) -> Result<(), JournalError> {
        self.journal.delete(self.table, id)?;
        if let Some(end) = self.things.remove(id).and_then(|thing| thing.current().end()) {
            self.ends.remove(&(end, id.to_owned()));
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), JournalError> {
        self.journal.clear_table(self.table)?;
        self.things.clear();
        self.ends.clear();
        Ok(())
    }
}
