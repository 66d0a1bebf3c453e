//! The provider itself: settings, Resource Manager, and what all calls share.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use azure_core::credentials::TokenCredential;
use moorline_api::{Account, Error, ErrorKind, Result, Sensitive, Volume, VolumeId};
use tokio::sync::OnceCell;

use crate::arm::ResourceManager;
use crate::data::BlobAccount;
use crate::directory::Directory;
use crate::naming::PoolKey;
use crate::pool::Pool;
use crate::resources::{Storage, StorageAccount};
use crate::settings::AzureSettings;

/// One Azure subscription. Cheap to make; one provider should serve a whole run, because its tasks share the subscription's
/// budgets, its list of accounts and the accounts' keys through it.
pub struct AzureProvider {
    pub(crate) settings: AzureSettings,
    pub(crate) arm: ResourceManager,
    pub(crate) account: OnceCell<Account>,
    pub(crate) home: OnceCell<Home>,
    pub(crate) directory: Directory,
    /// The account for containers, where a connection string gives one.
    pub(crate) given: Option<BlobAccount>,
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    keys: Mutex<HashMap<String, Arc<OnceCell<Sensitive>>>>,
    blobs: Mutex<HashMap<String, Arc<OnceCell<BlobAccount>>>>,
    marks: Mutex<HashMap<String, Arc<OnceCell<Arc<StorageAccount>>>>>,
    fresh: Mutex<HashMap<VolumeId, Volume>>,
    gone: Mutex<HashSet<VolumeId>>,
}

/// Where new things go when nothing else is said.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) location: String,
}

impl AzureProvider {
    /// A provider that has not called anyone yet: credentials are looked for at the first call. The error is an address that
    /// is none.
    pub fn connect(settings: AzureSettings) -> Result<Self> {
        let given = settings
            .connection
            .as_ref()
            .map(|connection| BlobAccount::new(connection, &settings));
        Ok(Self {
            arm: ResourceManager::new(&settings)?,
            account: OnceCell::new(),
            home: OnceCell::new(),
            directory: Directory::default(),
            given: given.transpose()?,
            pools: Mutex::default(),
            keys: Mutex::default(),
            blobs: Mutex::default(),
            marks: Mutex::default(),
            fresh: Mutex::default(),
            gone: Mutex::default(),
            settings,
        })
    }

    /// Whoever we are to Resource Manager, for other services of the same cloud, such as the blobs of a run store.
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        self.arm.credential()
    }

    /// Whether Resource Manager is there to ask: it is not where all that is named is a storage account.
    pub(crate) fn is_managed(&self) -> bool {
        self.settings.subscription.is_some() || self.given.is_none()
    }

    /// The operations of our subscription.
    pub(crate) fn storage(&self) -> Result<Storage<'_>> {
        let subscription = self.settings.subscription.as_deref().ok_or_else(|| {
            let besides = self.given.as_ref().map_or_else(String::new, |given| {
                format!(
                    ", and only containers in storage account {} can do without",
                    given.name()
                )
            });
            let message =
                format!("no subscription is named{besides}; set AZURE_SUBSCRIPTION_ID (az account show --query id)");
            Error::new(ErrorKind::Invalid, "connect to Azure", "", message)
        })?;
        Ok(Storage {
            arm: &self.arm,
            subscription,
            groups: &self.settings.resource_groups,
        })
    }

    /// The accounts that belong together under this key.
    pub(crate) fn pool(&self, key: PoolKey) -> Arc<Pool> {
        let mut pools = locked(&self.pools);
        Arc::clone(pools.entry(key.clone()).or_insert_with(|| Arc::new(Pool::new(key))))
    }

    /// The account's key, asked for once.
    pub(crate) fn key_of(&self, account: &str) -> Arc<OnceCell<Sensitive>> {
        Arc::clone(locked(&self.keys).entry(account.to_owned()).or_default())
    }

    /// The account by its data plane, opened once.
    pub(crate) fn blobs_of(&self, account: &str) -> Arc<OnceCell<BlobAccount>> {
        Arc::clone(locked(&self.blobs).entry(account.to_owned()).or_default())
    }

    /// An account that a class names, once it is marked as used.
    pub(crate) fn mark_of(&self, account: &str) -> Arc<OnceCell<Arc<StorageAccount>>> {
        Arc::clone(locked(&self.marks).entry(account.to_owned()).or_default())
    }

    /// Remembers what Azure answered of a deletion: that the volume is gone, which no list may show yet.
    pub(crate) fn note_gone(&self, id: &VolumeId) {
        locked(&self.gone).insert(id.clone());
    }

    /// Whether Azure answered that the volume is gone.
    pub(crate) fn is_gone(&self, id: &VolumeId) -> bool {
        locked(&self.gone).contains(id)
    }

    /// A volume of that name may be there again.
    pub(crate) fn may_be_back(&self, id: &VolumeId) {
        locked(&self.gone).remove(id);
    }

    /// Remembers a volume that was just made: it can be used at once, and asking for it would cost a read.
    pub(crate) fn remember(&self, volume: &Volume) {
        self.may_be_back(&volume.id);
        locked(&self.fresh).insert(volume.id.clone(), volume.clone());
    }

    /// A volume that was just made, once.
    pub(crate) fn recall(&self, id: &VolumeId) -> Option<Volume> {
        locked(&self.fresh).remove(id)
    }
}

/// A lock that outlives a panic of another task: what it holds is only remembered, and right at any time.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for AzureProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
