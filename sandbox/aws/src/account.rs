//! All that exists in the account, written through to the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_core::{Journal, JournalError, Mortal, Shelf};

use crate::model::balancer::LoadBalancer;
use crate::model::snapshot::SnapshotRecord;
use crate::model::target_group::TargetGroup;
use crate::model::volume::{TokenUse, VolumeRecord};
use crate::throttle::Throttle;

const TOKENS: &str = "aws-tokens";

/// The account's contents.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) volumes: Shelf<VolumeRecord>,
    pub(crate) snapshots: Shelf<SnapshotRecord>,
    pub(crate) balancers: Shelf<LoadBalancer>,
    pub(crate) groups: Shelf<TargetGroup>,
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
        let living = volumes.all().filter_map(|(_, volume)| volume.token.clone());
        let tokens = burnt
            .chain(living)
            .map(|used| ((used.zone.clone(), used.token.clone()), used))
            .collect();
        Ok(Self {
            volumes,
            snapshots: Shelf::open("aws-snapshots", journal.clone())?,
            balancers: Shelf::open("aws-load-balancers", journal.clone())?,
            groups: Shelf::open("aws-target-groups", journal.clone())?,
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
        for id in self.volumes.ended(now) {
            if let Some(used) = self.volumes.get(&id).and_then(|volume| volume.token.clone()) {
                self.journal
                    .put(TOKENS, &format!("{} {}", used.zone, used.token), &used)?;
            }
            self.volumes.remove(&id)?;
        }
        self.snapshots.bury(now)?;
        self.balancers.bury(now)?;
        self.groups.bury(now)?;
        Ok(())
    }

    /// Empties the account and its tables, and fills the buckets.
    pub(crate) fn clear(&mut self) -> Result<(), JournalError> {
        self.volumes.clear()?;
        self.snapshots.clear()?;
        self.balancers.clear()?;
        self.groups.clear()?;
        self.journal.clear_table(TOKENS)?;
        self.tokens.clear();
        self.throttle = Throttle::default();
        Ok(())
    }
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

impl Mortal for TargetGroup {
    fn end(&self) -> Option<Timestamp> {
        self.gone_at
    }
}
