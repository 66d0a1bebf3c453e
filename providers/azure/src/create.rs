//! Makes shares and containers.

use moorline_api::{AzureAccount, ErrorKind, NewVolume, Result, Volume, VolumeConfig};
use moorline_azure_rules::Service;
use tokio::time::{Instant, sleep};

use std::time::Duration;

use crate::convert;
use crate::data::BlobAccount;
use crate::metadata;
use crate::naming::{Ground, PoolKey};
use crate::order::{OPERATION, Order};
use crate::provider::AzureProvider;
use crate::resources::{ContainerBody, ShareBody, StorageAccount};

/// How many accounts may turn out to be full, against our count, before something else must be wrong.
const FULL_ACCOUNTS: u32 = 3;

/// Between two looks whether a name is free again.
const NAME_PAUSE: Duration = Duration::from_secs(2);

impl AzureProvider {
    /// Creates the volume, or finds the one that the same token made before.
    pub(crate) async fn make(&self, new: &NewVolume) -> Result<Volume> {
        let order = Order::read(new)?;
        if let Some(given) = self.given_for(&order)? {
            let volume = self.make_in_given(&order, given).await?;
            self.remember(&volume);
            return Ok(volume);
        }
        self.check_subscription(&order)?;
        let volume = if order.account.name.is_some() {
            let account = self.named_account(&order).await?;
            self.make_in(&order, &account).await?
        } else {
            self.make_in_pool(&order).await?
        };
        self.remember(&volume);
        Ok(volume)
    }

    /// The account that a connection string gives, where the volume belongs in it: a container whose class names no other.
    fn given_for(&self, order: &Order<'_>) -> Result<Option<&BlobAccount>> {
        let Some(given) = self.given.as_ref().filter(|_| order.service == Service::Blobs) else {
            return Ok(None);
        };
        match order.account.name.as_deref() {
            Some(other) if other != given.name() => {
                if self.is_managed() {
                    return Ok(None);
                }
                let own = given.name();
                let message = format!(
                    "the class wants storage account {other}, and AZURE_STORAGE_CONNECTION_STRING is of {own}; use one of them"
                );
                Err(order.error(ErrorKind::Invalid, message))
            }
            _ => Ok(Some(given)),
        }
    }

    async fn make_in_given(&self, order: &Order<'_>, given: &BlobAccount) -> Result<Volume> {
        if order.named
            && let Some(found) = given.volume(&order.name).await?
        {
            return order.same(found);
        }
        if given.make(&order.name, &order.new.spec, &order.new.tags).await? {
            return order.made(given.config());
        }
        order.settle(given.volume(&order.name).await?)
    }

    fn check_subscription(&self, order: &Order<'_>) -> Result<()> {
        let own = self.storage()?.subscription;
        match order.account.subscription.as_deref() {
            Some(other) if !other.eq_ignore_ascii_case(own) => {
                let message =
                    format!("the class wants it in subscription {other}, and this run is in {own}; use one of them");
                Err(order.error(ErrorKind::Invalid, message))
            }
            _ => Ok(()),
        }
    }

    async fn make_in_pool(&self, order: &Order<'_>) -> Result<Volume> {
        let storage = self.storage()?;
        let named = order.account.resource_group.as_deref();
        let group = self.group(named, OPERATION)?;
        let location = match &order.account.location {
            Some(location) if named.is_some() => location.clone(),
            location => {
                let home = self.home().await?;
                location.clone().unwrap_or_else(|| home.location.clone())
            }
        };
        let ground = Ground {
            subscription: storage.subscription,
            group,
            location: &location,
        };
        let pool = self.pool(PoolKey::new(order.owner()?, order.service, &ground, order.account));
        for _ in 0..FULL_ACCOUNTS {
            let spot = self.spot(&pool, (&ground, order.account), &order.name).await?;
            for other in &spot.others {
                if let Some(found) = self.look(other, order.service, &order.name).await? {
                    pool.leave(&order.name).await;
                    return order.same(found);
                }
            }
            match self.make_in(order, &spot.account).await {
                Ok(volume) => return Ok(volume),
                Err(error) if error.kind == ErrorKind::LimitExceeded => {
                    tracing::info!(account = spot.account.name, why = error.message, "the account is full");
                    pool.leave(&order.name).await;
                    pool.is_full(spot.number).await;
                }
                Err(error) => {
                    pool.leave(&order.name).await;
                    return Err(error);
                }
            }
        }
        let message = format!("{FULL_ACCOUNTS} accounts in a row took no more volumes; see the limits of Azure Files");
        Err(order.error(ErrorKind::LimitExceeded, message))
    }

    /// Makes the volume in this account. A name of the claim's own that is not free yet is left for the next generation's;
    /// one that the class gives is waited for.
    async fn make_in(&self, order: &Order<'_>, account: &StorageAccount) -> Result<Volume> {
        // What somebody else has under that name must not be touched, not even by a creation that finds it there.
        if order.named
            && let Some(found) = self.look(account, order.service, &order.name).await?
        {
            return order.same(found);
        }
        let deadline = Instant::now() + self.settings.account_timeout;
        loop {
            match self.try_in(order, account).await {
                Err(error) if error.kind == ErrorKind::TokenBurnt && order.named => {
                    if Instant::now() + NAME_PAUSE > deadline {
                        let message = format!(
                            "Azure has not let go of the name of a deleted one within {} s; wait some minutes, bring it back (az storage share-rm restore), or use another name",
                            self.settings.account_timeout.as_secs()
                        );
                        return Err(order.error(ErrorKind::AlreadyExists, message));
                    }
                    tracing::info!(
                        name = order.name,
                        "waiting until Azure lets go of the name of a deleted one"
                    );
                    sleep(NAME_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    async fn try_in(&self, order: &Order<'_>, account: &StorageAccount) -> Result<Volume> {
        let storage = self.storage()?;
        let place = account.place();
        let size = order.new.spec.size_gib;
        let mut metadata = metadata::encode(&order.new.tags);
        let is_new = if let VolumeConfig::AzureFile(share) = &order.new.spec.config {
            let body = ShareBody {
                share_quota: Some(size),
                enabled_protocols: Some(share.protocol.to_ascii_uppercase()),
                access_tier: share.access_tier.clone(),
                root_squash: share.root_squash.clone(),
                provisioned_iops: share.iops,
                provisioned_bandwidth_mibps: share.bandwidth,
                metadata,
            };
            storage.create_share(&place, &order.name, &body).await?
        } else {
            metadata.insert(metadata::SIZE.to_owned(), size.to_string());
            let body = ContainerBody {
                public_access: "None",
                metadata,
            };
            storage.create_container(&place, &order.name, &body).await?
        };
        if is_new {
            return order.made(AzureAccount {
                name: Some(account.name.clone()),
                subscription: Some(storage.subscription.to_owned()),
                resource_group: Some(place.group),
                location: Some(account.location.clone()),
                ..AzureAccount::default()
            });
        }
        order.settle(self.look(account, order.service, &order.name).await?)
    }

    /// One volume by name, with all that is known of it.
    pub(crate) async fn look(&self, account: &StorageAccount, service: Service, name: &str) -> Result<Option<Volume>> {
        let storage = self.storage()?;
        let place = account.place();
        Ok(match service {
            Service::Files => {
                let share = storage.share(&place, name, false).await?;
                share.and_then(|share| convert::share_read(account, storage.subscription, &share))
            }
            Service::Blobs => {
                let container = storage.container(&place, name).await?;
                container.and_then(|container| convert::container_read(account, storage.subscription, &container))
            }
        })
    }
}
