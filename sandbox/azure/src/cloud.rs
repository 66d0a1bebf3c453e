//! The simulated cloud as the rest of the sandbox sees it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::Router;
use jiff::Timestamp;
use moorline_sandbox_core::{JournalError, World};
use serde::Serialize;
use tokio::sync::watch;

use crate::compute;
use crate::compute::disk::DiskRecord;
use crate::error::AzureError;
use crate::estate::Estate;
use crate::http;
use crate::operation::Rate;
use crate::resources::locks;
use crate::session::{Place, Session};
use crate::settings::AzureSettings;
use crate::storage::account::AccountRecord;
use crate::storage::accounts::NewAccount;
use crate::storage::names;
use crate::storage::share::{self, ShareProperties};
use crate::storage::sku::{Kind, Sku};
use crate::storage::{accounts, deletion, keys, shares};

/// A simulated Azure. Cheap to clone; clones share one cloud.
///
/// The methods that make, change and list things work in the first subscription of the settings, at once, and are
/// neither throttled nor audited nor struck by faults. They see the cloud as it is, where lists over HTTP see it with
/// the delay of [`AzureSettings::visibility_lag_millis`].
#[derive(Clone, Debug)]
pub struct AzureCloud {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: World,
    settings: RwLock<Arc<AzureSettings>>,
    estate: Mutex<Estate>,
    changes: watch::Sender<u64>,
}

/// A storage account, as the sandbox's controllers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageAccount {
    /// Its name.
    pub name: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its region.
    pub location: String,
    /// Its SKU, `Standard_LRS`.
    pub sku: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A living file share, as the sandbox's controllers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The account that it is in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its quota, in GiB.
    pub quota_gib: u64,
    /// What is written on it.
    pub metadata: BTreeMap<String, String>,
    /// The bytes that its files take.
    pub used_bytes: u64,
}

/// A managed disk, as the sandbox's controllers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The id of its resource.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its size, in GiB.
    pub size_gib: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Ids of the machines that it is attached to.
    pub holders: Vec<String>,
}

impl AzureCloud {
    /// Restores the cloud from the world's journal, or begins one with the resource groups of the settings.
    pub fn open(world: World, settings: AzureSettings) -> Result<Self, JournalError> {
        let estate = Estate::open(&world.journal, &settings, world.clock.now())?;
        let inner = Inner {
            world,
            settings: RwLock::new(Arc::new(settings)),
            estate: Mutex::new(estate),
            changes: watch::Sender::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Resource Manager and the token endpoint, on one host. Serve it with [`crate::serve_tls`]; links in its answers
    /// lead to the host that the caller named. Faults can cut its connections.
    pub fn router(&self) -> Router {
        http::router(self.clone())
    }

    /// The metadata service of a virtual machine, which hands out tokens too; it is asked over plain HTTP.
    pub fn metadata_router(&self) -> Router {
        http::metadata_router(self.clone())
    }

    /// The settings in force.
    pub fn settings(&self) -> AzureSettings {
        self.settings_now().as_ref().clone()
    }

    /// Changes the settings; calls from now on see them. Resource groups that they name are made where they are missing.
    pub fn set_settings(&self, settings: AzureSettings) -> Result<(), JournalError> {
        self.estate().furnish(&settings, self.now())?;
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.announce();
        Ok(())
    }

    /// A number that grows with every change, whoever made it.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// The account of this name in the resource group, made where it is missing: of kind `FileStorage` with a premium
    /// or provisioned SKU, otherwise `StorageV2`.
    pub fn ensure_account(&self, resource_group: &str, name: &str, sku: &str) -> Result<StorageAccount, AzureError> {
        self.at_home(|session| {
            let settings = session.settings.clone();
            let place = Place {
                subscription: settings.home(),
                group: resource_group,
                account: name,
            };
            if session.account(place).is_err() {
                let sku = Sku::find(sku).ok_or_else(|| AzureError::values("sku"))?;
                names::check_account(name)?;
                names::check_free(session, name, settings.home())?;
                session.group(settings.home(), resource_group)?;
                let kind = if sku.suits(Kind::FileStorage) {
                    Kind::FileStorage
                } else {
                    Kind::StorageV2
                };
                let new = NewAccount {
                    sku,
                    kind,
                    location: settings.location.clone(),
                    tags: BTreeMap::new(),
                    properties: crate::storage::properties::AccountProperties::default(),
                };
                let made = accounts::make(session, place, new)?;
                let times = session.times();
                session
                    .estate
                    .accounts
                    .change(&made.name, times, |account| account.ready_at = account.created)?;
            }
            Ok(StorageAccount::of(session.account(place)?))
        })
    }

    /// Every storage account of the first subscription, by name.
    pub fn accounts(&self) -> Vec<StorageAccount> {
        self.look(|session| {
            let accounts = session.estate.accounts.all().map(|(_, account)| account);
            accounts
                .filter(|account| account.exists() && account.subscription == session.settings.home())
                .map(StorageAccount::of)
                .collect()
        })
    }

    /// The first key of an account, if there is such an account.
    pub fn account_key(&self, account: &str) -> Option<String> {
        self.look(|session| {
            let account = session
                .estate
                .accounts
                .get(account)
                .filter(|account| account.exists())?;
            Some(keys::value(account, 0, &session.estate.seed))
        })
    }

    /// Makes a share in an account, as a CSI driver would; one that is there already is success and stays as it is.
    pub fn create_share(
        &self,
        account: &str,
        name: &str,
        quota_gib: u64,
        metadata: BTreeMap<String, String>,
    ) -> Result<Share, AzureError> {
        self.at_home(|session| {
            let found = session.estate.accounts.get(account).filter(|account| account.exists());
            locks::check_drivers(session, Rate::Write, found, ["fileServices", "default", "shares", name])?;
            let account = found
                .cloned()
                .ok_or_else(|| AzureError::resource_not_found("Microsoft.Storage/storageAccounts", account, ""))?;
            names::check_child(name)?;
            if let Ok(there) = share::living(session, &account.name, name) {
                return Ok(Share::of(there));
            }
            let asked = ShareProperties {
                share_quota: Some(quota_gib),
                metadata: Some(metadata),
                ..ShareProperties::default()
            };
            shares::check(&account, &asked)?;
            Ok(Share::of(&shares::create(session, &account, name, asked)?))
        })
    }

    /// Every living share of an account, by name.
    pub fn shares(&self, account: &str) -> Vec<Share> {
        self.look(|session| {
            let shares = session
                .estate
                .shares
                .under(&format!("{account}!"))
                .map(|(_, share)| share);
            shares.filter(|share| share.exists()).map(Share::of).collect()
        })
    }

    /// Deletes a share, which is kept as the account's policy says; success also where there is none.
    pub fn delete_share(&self, account: &str, name: &str) -> Result<(), AzureError> {
        self.at_home(|session| {
            let around = session.estate.accounts.get(account);
            let path = ["fileServices", "default", "shares", name];
            locks::check_drivers(session, Rate::Delete, around, path)?;
            let retention = around.and_then(|account| account.share_retention);
            let Ok(share) = share::living(session, account, name) else {
                return Ok(());
            };
            let key = share.key();
            let deletion = deletion::Deletion::new(session, retention);
            let times = session.times();
            session.changed = true;
            session
                .estate
                .shares
                .change(&key, times, |share| share.deletion = Some(deletion))?;
            Ok(())
        })
    }

    /// Says how many bytes the files of a share take; whoever writes them is not part of this cloud.
    pub fn set_share_usage(&self, account: &str, name: &str, bytes: u64) -> Result<(), AzureError> {
        self.at_home(|session| {
            let key = share::living(session, account, name)?.key();
            let times = session.times();
            session.changed = true;
            session
                .estate
                .shares
                .change(&key, times, |share| share.used_bytes = bytes)?;
            Ok(())
        })
    }

    /// Every managed disk of the first subscription, by group and name.
    pub fn disks(&self) -> Vec<Disk> {
        self.look(|session| {
            let disks = session.estate.disks.all().map(|(_, disk)| disk);
            disks
                .filter(|disk| disk.exists(session.now) && disk.subscription == session.settings.home())
                .map(Disk::of)
                .collect()
        })
    }

    /// Attaches a disk to the machines with these ids and to no others; none at all detaches it.
    pub fn hold_disk(&self, resource_group: &str, name: &str, holders: &[&str]) -> Result<(), AzureError> {
        self.at_home(|session| {
            let key = compute::key_of(session.settings.home(), resource_group, name);
            if session.estate.disks.get(&key).is_none_or(|disk| !disk.stays()) {
                return Err(AzureError::resource_not_found(
                    "Microsoft.Compute/disks",
                    name,
                    resource_group,
                ));
            }
            let times = session.times();
            session.changed = true;
            session.estate.disks.change(&key, times, |disk| {
                disk.holders = holders.iter().map(|holder| (*holder).to_owned()).collect();
                disk.owner_changed = Some(times.0);
            })?;
            Ok(())
        })
    }

    /// Empties the cloud but for the resource groups of the settings, and fills its buckets; the settings stay.
    pub fn clear(&self) -> Result<(), JournalError> {
        self.estate().clear(&self.settings_now(), self.now())?;
        self.announce();
        Ok(())
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.world
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.world.clock.now()
    }

    pub(crate) fn settings_now(&self) -> Arc<AzureSettings> {
        self.inner
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn estate(&self) -> MutexGuard<'_, Estate> {
        self.inner.estate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seed(&self) -> String {
        self.estate().seed.clone()
    }

    /// Runs one call against the cloud, as asked under `base`; the second value says whether it changed something.
    pub(crate) fn call<T>(
        &self,
        base: String,
        work: impl FnOnce(&mut Session) -> Result<T, AzureError>,
    ) -> (Result<T, AzureError>, bool) {
        let now = self.now();
        let mut session = Session {
            estate: self.estate(),
            settings: self.settings_now(),
            now,
            base,
            changed: false,
        };
        if let Err(error) = session.estate.bury(now) {
            return (Err(error.into()), false);
        }
        let done = work(&mut session);
        let changed = session.changed && done.is_ok();
        drop(session);
        if changed {
            self.announce();
        }
        (done, changed)
    }

    pub(crate) fn at_home<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, AzureError>) -> Result<T, AzureError> {
        self.call(String::new(), work).0
    }

    pub(crate) fn look<T: Default>(&self, look: impl FnOnce(&Session) -> T) -> T {
        self.at_home(|session| Ok(look(session))).unwrap_or_default()
    }

    fn announce(&self) {
        self.inner.changes.send_modify(|number| *number += 1);
    }
}

impl StorageAccount {
    pub(crate) fn of(account: &AccountRecord) -> Self {
        Self {
            name: account.name.clone(),
            resource_group: account.group.clone(),
            location: account.location.clone(),
            sku: account.sku.clone(),
            tags: account.tags.clone(),
        }
    }
}

impl Disk {
    pub(crate) fn of(disk: &DiskRecord) -> Self {
        Self {
            id: disk.id(),
            name: disk.name.clone(),
            resource_group: disk.group.clone(),
            size_gib: disk.size_gib,
            tags: disk.tags.clone(),
            holders: disk.holders.clone(),
        }
    }
}

impl Share {
    pub(crate) fn of(share: &share::ShareRecord) -> Self {
        Self {
            account: share.account.clone(),
            name: share.name.clone(),
            quota_gib: share.quota,
            metadata: share.metadata.clone(),
            used_bytes: share.used_bytes,
        }
    }
}
