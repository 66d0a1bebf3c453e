//! Accounts by design: which account a volume goes into, and how that account comes to be.
//!
//! The accounts of a pool are numbered from 0 and named after what they are for, so that a run that died leaves none that the
//! next one does not find. A volume goes into the first account with room. How full each is comes from one list an account at
//! the beginning, and is counted from then on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use moorline_api::{AzureAccount, Error, ErrorKind, Result};
use moorline_azure_rules::Service;
use tokio::sync::{Mutex, OnceCell};

use crate::metadata;
use crate::naming::{Ground, PoolKey};
use crate::provider::{AzureProvider, locked};
use crate::resources::{AccountBody, AccountPlace, Retention, ShareListing, StorageAccount};

/// How many derived names may be somebody else's before something else must be wrong.
const ATTEMPTS: u32 = 4;

/// The accounts of one pool.
#[derive(Debug)]
pub(crate) struct Pool {
    key: PoolKey,
    houses: Mutex<Option<Houses>>,
}

/// What is known of a pool's accounts.
#[derive(Debug, Default)]
struct Houses {
    by_number: BTreeMap<u32, House>,
    /// Where each volume is.
    placed: HashMap<String, u32>,
}

/// One account.
#[derive(Clone, Debug)]
struct House {
    /// Volumes in it, deleted ones that Azure still keeps among them: they count for Azure too.
    volumes: usize,
    account: Arc<OnceCell<Arc<StorageAccount>>>,
    /// Why it cannot be made, once that is final: nobody needs to ask again for every volume.
    failed: Arc<std::sync::Mutex<Option<(ErrorKind, String)>>>,
}

impl House {
    fn new(account: Option<Arc<StorageAccount>>, volumes: usize) -> Self {
        Self {
            volumes,
            account: Arc::new(OnceCell::new_with(account)),
            failed: Arc::default(),
        }
    }
}

/// A volume's place.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) account: Arc<StorageAccount>,
    pub(crate) number: u32,
    /// Other accounts with room: a volume of that name may be there, unlisted yet.
    pub(crate) others: Vec<Arc<StorageAccount>>,
}

impl Pool {
    pub(crate) fn new(key: PoolKey) -> Self {
        Self {
            key,
            houses: Mutex::new(None),
        }
    }

    /// Gives up a place that was not used.
    pub(crate) async fn leave(&self, volume: &str) {
        if let Some(houses) = &mut *self.houses.lock().await
            && let Some(number) = houses.placed.remove(volume)
            && let Some(house) = houses.by_number.get_mut(&number)
        {
            house.volumes = house.volumes.saturating_sub(1);
        }
    }

    /// Notes that Azure takes no more volumes in an account, whatever we counted.
    pub(crate) async fn is_full(&self, number: u32) {
        if let Some(houses) = &mut *self.houses.lock().await
            && let Some(house) = houses.by_number.get_mut(&number)
        {
            house.volumes = usize::MAX / 2;
        }
    }
}

impl AzureProvider {
    /// The place of a volume in the pool's accounts; the account is made where it is missing.
    pub(crate) async fn spot(
        &self,
        pool: &Pool,
        (ground, wanted): (&Ground<'_>, &AzureAccount),
        volume: &str,
    ) -> Result<Spot> {
        let (number, house, others) = {
            let mut houses = pool.houses.lock().await;
            let houses = match &mut *houses {
                Some(houses) => houses,
                empty => empty.insert(self.survey(&pool.key).await?),
            };
            let number = houses.assign(volume, self.settings.volumes_per_account);
            let others = houses.with_room(number, self.settings.volumes_per_account);
            (number, houses.by_number[&number].clone(), others)
        };
        let account = || self.make_once(&house, &pool.key, number, (ground, wanted));
        match house.account.get_or_try_init(account).await {
            Ok(account) => Ok(Spot {
                account: Arc::clone(account),
                number,
                others,
            }),
            Err(error) => {
                pool.leave(volume).await;
                Err(error)
            }
        }
    }

    /// Makes the account, unless that was refused for good: many volumes wait for one account, and nobody needs to ask again
    /// for each of them.
    async fn make_once(
        &self,
        house: &House,
        key: &PoolKey,
        number: u32,
        (ground, wanted): (&Ground<'_>, &AzureAccount),
    ) -> Result<Arc<StorageAccount>> {
        if let Some((kind, message)) = locked(&house.failed).clone() {
            let account = key.account_name(number, 0);
            return Err(Error::new(
                kind,
                "Microsoft.Storage/storageAccounts/write",
                account,
                message,
            ));
        }
        let made = self.make_account(key, number, ground, wanted).await;
        if let Err(error) = made.as_ref()
            && !error.is_transient()
        {
            *locked(&house.failed) = Some((error.kind.clone(), error.message.clone()));
        }
        made
    }

    /// What there is of a pool: its accounts by their tags, and what is in each.
    async fn survey(&self, key: &PoolKey) -> Result<Houses> {
        let mut houses = Houses::default();
        for account in self.accounts_known().await? {
            let Some(number) = key.number_of(&account) else {
                continue;
            };
            // One that is being made is waited for when it is used.
            let names = if account.is_ready() {
                self.names_in(&account.place(), key.service).await?
            } else {
                Vec::new()
            };
            let account = account.is_ready().then(|| Arc::clone(&account));
            houses.by_number.insert(number, House::new(account, names.len()));
            houses.placed.extend(names.into_iter().map(|name| (name, number)));
        }
        Ok(houses)
    }

    async fn names_in(&self, place: &AccountPlace, service: Service) -> Result<Vec<String>> {
        let storage = self.storage()?;
        match service {
            Service::Files => {
                let listing = ShareListing {
                    deleted: true,
                    ..ShareListing::default()
                };
                let shares = storage.shares(place, listing).await?;
                // A deleted share takes room under a name that no claim has again.
                let name = |share: crate::resources::Share| {
                    if share.is_deleted() {
                        format!("{}@{}", share.name, share.properties.version.unwrap_or_default())
                    } else {
                        share.name
                    }
                };
                Ok(shares.into_iter().map(name).collect())
            }
            Service::Blobs => {
                let containers = storage.containers(place, false).await?;
                Ok(containers.into_iter().map(|container| container.name).collect())
            }
        }
    }

    /// Makes an account of the pool, or finds it there: the same call does both.
    async fn make_account(
        &self,
        key: &PoolKey,
        number: u32,
        ground: &Ground<'_>,
        wanted: &AzureAccount,
    ) -> Result<Arc<StorageAccount>> {
        let storage = self.storage()?;
        let body = key.body(number, ground.location, wanted);
        let mut refused = None;
        for attempt in 0..ATTEMPTS {
            let place = AccountPlace {
                group: ground.group.to_owned(),
                account: key.account_name(number, attempt),
            };
            match storage.create_account(&place, &body).await {
                Ok(account) if account.is_ready() => return self.move_in(account, key.service, wanted).await,
                // Another run of ours is making it.
                Ok(_) => {
                    let message = "the account is still being made, and was not done in time; run again to go on";
                    let late = Error::new(
                        ErrorKind::Stale,
                        "Microsoft.Storage/storageAccounts/write",
                        &place.account,
                        message,
                    );
                    let account = self.await_account(&place, late).await?;
                    return self.move_in(account, key.service, wanted).await;
                }
                Err(error) if error.kind == ErrorKind::Stale => {
                    let account = self.await_account(&place, error).await?;
                    return self.move_in(account, key.service, wanted).await;
                }
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    tracing::info!(account = place.account, "the name is taken, the next one is tried");
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let last = refused.map(|error| error.message).unwrap_or_default();
        let message = format!(
            "{ATTEMPTS} derived names in a row are taken, the last with: {last}; make an account and name it with storageAccount in the class"
        );
        Err(Error::new(
            ErrorKind::AlreadyExists,
            "Microsoft.Storage/storageAccounts/write",
            key.account_name(number, 0),
            message,
        ))
    }

    /// The last steps before an account is used.
    async fn move_in(
        &self,
        account: StorageAccount,
        service: Service,
        wanted: &AzureAccount,
    ) -> Result<Arc<StorageAccount>> {
        self.set_retention(&account.place(), service, wanted).await?;
        Ok(self.learn(account).await)
    }

    async fn await_account(&self, place: &AccountPlace, why: Error) -> Result<StorageAccount> {
        let storage = self.storage()?;
        let deadline = tokio::time::Instant::now() + self.settings.account_timeout;
        let mut pause = std::time::Duration::from_millis(500);
        while tokio::time::Instant::now() + pause < deadline {
            if let Some(account) = storage.account(place).await?.filter(StorageAccount::is_ready) {
                return Ok(account);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(std::time::Duration::from_secs(10));
        }
        Err(why)
    }

    /// How long deleted shares are kept, where anybody said so.
    async fn set_retention(&self, place: &AccountPlace, service: Service, wanted: &AzureAccount) -> Result<()> {
        let days = match (wanted.keep_deleted_shares, self.settings.keep_deleted_shares_days) {
            (Some(false), _) => 0,
            (_, Some(days)) => days,
            _ => return Ok(()),
        };
        if service != Service::Files {
            return Ok(());
        }
        let retention = Retention {
            enabled: days > 0,
            days: (days > 0).then_some(days),
        };
        self.storage()?.set_retention(place, retention).await
    }
}

impl Houses {
    /// The account of a volume: where it is; else the first one with room; else the next one.
    fn assign(&mut self, volume: &str, bound: usize) -> u32 {
        if let Some(number) = self.placed.get(volume) {
            return *number;
        }
        let bound = bound.max(1);
        let with_room = self.by_number.iter().find(|(_, house)| house.volumes < bound);
        let number = match with_room {
            Some((number, _)) => *number,
            None => (0..=u32::MAX)
                .find(|number| !self.by_number.contains_key(number))
                .unwrap_or_default(),
        };
        self.by_number
            .entry(number)
            .or_insert_with(|| House::new(None, 0))
            .volumes += 1;
        self.placed.insert(volume.to_owned(), number);
        number
    }

    /// Other accounts that exist and have room. One that is full by our count cannot hide a volume that no list showed yet.
    fn with_room(&self, number: u32, bound: usize) -> Vec<Arc<StorageAccount>> {
        self.by_number
            .iter()
            .filter(|(other, house)| **other != number && house.volumes < bound)
            .filter_map(|(_, house)| house.account.get().cloned())
            .collect()
    }
}

impl PoolKey {
    /// The account's number, if it is one of ours.
    fn number_of(&self, account: &StorageAccount) -> Option<u32> {
        let tag = |key: &str| account.tags.get(key).map(String::as_str);
        let ours = tag(metadata::ACCOUNT_POOL) == Some(&self.fingerprint)
            && tag(metadata::ACCOUNT_CLUSTER) == Some(&self.cluster)
            && tag(metadata::ACCOUNT_PROFILE) == Some(&self.profile);
        ours.then(|| tag(metadata::ACCOUNT_NUMBER)?.parse().ok()).flatten()
    }

    fn body(&self, number: u32, location: &str, wanted: &AzureAccount) -> AccountBody {
        let ours = [
            (metadata::ACCOUNT_CLUSTER, self.cluster.clone()),
            (metadata::ACCOUNT_PROFILE, self.profile.clone()),
            (metadata::ACCOUNT_POOL, self.fingerprint.clone()),
            (metadata::ACCOUNT_NUMBER, number.to_string()),
            (metadata::ACCOUNT_HOLDS, self.service.word().to_owned()),
        ];
        let mut tags = wanted.tags.clone();
        tags.insert(metadata::ACCOUNT_NOT_FOR_DRIVERS.to_owned(), "true".to_owned());
        tags.extend(ours.map(|(key, value)| (key.to_owned(), value)));
        AccountBody::new(wanted, location, tags)
    }
}
