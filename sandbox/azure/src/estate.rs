//! All that exists in the cloud, written through to the journal.

use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_core::{Journal, JournalError};

use crate::compute::disk::DiskRecord;
use crate::compute::snapshot::SnapshotRecord;
use crate::polling::OperationRecord;
use crate::resources::groups::GroupRecord;
use crate::resources::locks::LockRecord;
use crate::settings::AzureSettings;
use crate::storage::account::AccountRecord;
use crate::storage::container::ContainerRecord;
use crate::storage::queues_and_tables::ThingRecord;
use crate::storage::share::ShareRecord;
use crate::throttle::Throttle;
use moorline_sandbox_core::Shelf;

const WORLD: &str = "azure-world";

/// The cloud's contents.
#[derive(Debug)]
pub(crate) struct Estate {
    /// By subscription and lower-case name.
    pub(crate) groups: Shelf<GroupRecord>,
    /// By name: they are unique in all the world.
    pub(crate) accounts: Shelf<AccountRecord>,
    /// By account, name and serial number.
    pub(crate) shares: Shelf<ShareRecord>,
    /// By account, name and serial number.
    pub(crate) containers: Shelf<ContainerRecord>,
    /// By account and lower-case name.
    pub(crate) queues: Shelf<ThingRecord>,
    /// By account and lower-case name.
    pub(crate) tables: Shelf<ThingRecord>,
    /// By subscription, lower-case group and lower-case name.
    pub(crate) disks: Shelf<DiskRecord>,
    /// By subscription, lower-case group and lower-case name.
    pub(crate) snapshots: Shelf<SnapshotRecord>,
    /// By lower-case scope and name.
    pub(crate) locks: Shelf<LockRecord>,
    /// What goes on in the background, by id.
    pub(crate) operations: Shelf<OperationRecord>,
    pub(crate) throttle: Throttle,
    /// From which keys, tokens and links of this cloud are derived; itself random.
    pub(crate) seed: String,
}

impl Estate {
    /// Reads the cloud back from the journal, or begins one.
    pub(crate) fn open(journal: &Arc<Journal>, settings: &AzureSettings, now: Timestamp) -> Result<Self, JournalError> {
        let seed = if let Some(seed) = journal.get(WORLD, "seed")? {
            seed
        } else {
            let seed = uuid::Uuid::new_v4().to_string();
            journal.put(WORLD, "seed", &seed)?;
            seed
        };
        let mut estate = Self {
            groups: Shelf::open("azure-groups", journal.clone())?,
            accounts: Shelf::open("azure-accounts", journal.clone())?,
            shares: Shelf::open("azure-shares", journal.clone())?,
            containers: Shelf::open("azure-containers", journal.clone())?,
            queues: Shelf::open("azure-queues", journal.clone())?,
            tables: Shelf::open("azure-tables", journal.clone())?,
            disks: Shelf::open("azure-disks", journal.clone())?,
            snapshots: Shelf::open("azure-snapshots", journal.clone())?,
            locks: Shelf::open("azure-locks", journal.clone())?,
            operations: Shelf::open("azure-operations", journal.clone())?,
            throttle: Throttle::default(),
            seed,
        };
        if estate.groups.all().next().is_none() {
            estate.furnish(settings, now)?;
        }
        Ok(estate)
    }

    /// Makes the resource groups of the settings, where they are missing.
    pub(crate) fn furnish(&mut self, settings: &AzureSettings, now: Timestamp) -> Result<(), JournalError> {
        for name in &settings.resource_groups {
            let group = GroupRecord::new(settings.home(), name, &settings.location);
            if self.groups.get(&group.key()).is_none() {
                self.groups.add(&group.key(), group, now)?;
            }
        }
        Ok(())
    }

    /// Forgets what is gone at `now`.
    pub(crate) fn bury(&mut self, now: Timestamp) -> Result<(), JournalError> {
        self.groups.bury(now)?;
        self.accounts.bury(now)?;
        self.shares.bury(now)?;
        self.containers.bury(now)?;
        self.queues.bury(now)?;
        self.tables.bury(now)?;
        self.disks.bury(now)?;
        self.snapshots.bury(now)?;
        self.operations.bury(now)
    }

    /// Empties the cloud but for the groups of the settings, and fills the buckets.
    pub(crate) fn clear(&mut self, settings: &AzureSettings, now: Timestamp) -> Result<(), JournalError> {
        self.groups.clear()?;
        self.accounts.clear()?;
        self.shares.clear()?;
        self.containers.clear()?;
        self.queues.clear()?;
        self.tables.clear()?;
        self.disks.clear()?;
        self.snapshots.clear()?;
        self.locks.clear()?;
        self.operations.clear()?;
        self.throttle = Throttle::default();
        self.furnish(settings, now)
    }
}
