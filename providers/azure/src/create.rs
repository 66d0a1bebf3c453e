//! Makes shares and containers.

use moorline_api::{
    AzureAccount, Error, ErrorKind, NewVolume, Result, Volume, VolumeConfig, VolumeSpec, VolumeState, tags,
};
use moorline_azure_rules::{Service, VolumeName};

use std::sync::Arc;

use crate::metadata;
use crate::naming::{Ground, PoolKey, volume_name};
use crate::provider::{AzureProvider, Home};
use crate::resources::{AccountPlace, ContainerBody, ShareBody, StorageAccount};

/// How many accounts may turn out to be full, against our count, before something else must be wrong.
const FULL_ACCOUNTS: u32 = 3;

const OPERATION: &str = "create volume";

/// What to make, whichever service it is of.
struct Order<'a> {
    new: &'a NewVolume,
    service: Service,
    account: &'a AzureAccount,
    name: String,
}

impl<'a> Order<'a> {
    fn read(new: &'a NewVolume) -> Result<Self> {
        let (service, account, prefix) = match &new.spec.config {
            VolumeConfig::AzureFile(share) => (Service::Files, &share.account, share.name_prefix.as_deref()),
            VolumeConfig::AzureBlob(container) => {
                (Service::Blobs, &container.account, container.name_prefix.as_deref())
            }
            _ => {
                let message = "this is neither a file share nor a blob container";
                return Err(Error::new(
                    ErrorKind::Invalid,
                    OPERATION,
                    new.token.to_string(),
                    message,
                ));
            }
        };
        Ok(Self {
            new,
            service,
            account,
            name: volume_name(prefix, &new.token),
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, OPERATION, &self.name, message)
    }

    /// Cluster and profile, which every volume of moorline's is tagged with.
    fn owner(&self) -> Result<(&str, &str)> {
        let tag = |key: &str| {
            let missing = || self.error(ErrorKind::Invalid, format!("the volume has no tag {key}"));
            self.new.tags.get(key).map(String::as_str).ok_or_else(missing)
        };
        Ok((tag(tags::CLUSTER_UID)?, tag(tags::PROFILE)?))
    }
}

impl AzureProvider {
    /// Creates the volume, or finds the one that the same token made before.
    pub(crate) async fn make(&self, new: &NewVolume) -> Result<Volume> {
        let order = Order::read(new)?;
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
        let group = self.group(order.account.resource_group.as_deref(), OPERATION)?;
        let location = match &order.account.location {
            Some(location) => location.clone(),
            None => self.home().await?.location.clone(),
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
                    return Self::same(order, found);
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

    /// The account that the class names, checked: it exists, it is what the class says, and no other profile's.
    async fn named_account(&self, order: &Order<'_>) -> Result<Arc<StorageAccount>> {
        let wanted = order.account;
        let name = wanted.name.as_deref().unwrap_or_default();
        let Some(account) = self.locate(name).await? else {
            let message =
                format!("storage account {name} does not exist; make it, or remove storageAccount from the class");
            return Err(order.error(ErrorKind::Invalid, message));
        };
        let group = account.group().unwrap_or_default();
        if let Some(asked) = wanted
            .resource_group
            .as_deref()
            .filter(|asked| !asked.eq_ignore_ascii_case(group))
        {
            let message = format!(
                "storage account {name} is in resource group {group}, and the class says {asked}; correct resourceGroup"
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        let (cluster, profile) = order.owner()?;
        let tag = |key: &str| account.tags.get(key).map(String::as_str);
        if let (Some(its_cluster), Some(its_profile)) = (tag(metadata::ACCOUNT_CLUSTER), tag(metadata::ACCOUNT_PROFILE))
            && (its_cluster, its_profile) != (cluster, profile)
        {
            let message = format!(
                "storage account {name} was made for profile {its_profile} of cluster {its_cluster}; name another account, or none"
            );
            return Err(order.error(ErrorKind::AlreadyExists, message));
        }
        if !account.sku.name.eq_ignore_ascii_case(&wanted.sku) {
            let actual = &account.sku.name;
            let message = format!(
                "storage account {name} is {actual}, and the class wants {}; write skuName: {actual}",
                wanted.sku
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        Ok(account)
    }

    async fn make_in(&self, order: &Order<'_>, account: &StorageAccount) -> Result<Volume> {
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
            return order.made(account, &place, storage.subscription);
        }
        match self.look(account, order.service, &order.name).await? {
            Some(found) => Self::same(order, found),
            None => Err(order.error(ErrorKind::Stale, "it was there a moment ago, and is gone; run again")),
        }
    }

    /// One volume by name, with all that is known of it.
    pub(crate) async fn look(&self, account: &StorageAccount, service: Service, name: &str) -> Result<Option<Volume>> {
        let storage = self.storage()?;
        let place = account.place();
        Ok(match service {
            Service::Files => {
                let share = storage.share(&place, name, false).await?;
                share.and_then(|share| crate::convert::share(account, storage.subscription, &share))
            }
            Service::Blobs => {
                let container = storage.container(&place, name).await?;
                container.and_then(|container| crate::convert::container(account, storage.subscription, &container))
            }
        })
    }

    /// "Already there" is success only for what the same claim had made, as it would be made now.
    fn same(order: &Order<'_>, found: Volume) -> Result<Volume> {
        let claim = |tags: &moorline_api::Tags| tags.get(tags::CLAIM_UID).cloned();
        let cluster = |tags: &moorline_api::Tags| tags.get(tags::CLUSTER_UID).cloned();
        if claim(&found.tags) != claim(&order.new.tags) || cluster(&found.tags) != cluster(&order.new.tags) {
            let message = format!(
                "{} exists, and nothing on it says that it was made for this claim; rename or delete it",
                found.id
            );
            return Err(order.error(ErrorKind::AlreadyExists, message));
        }
        if found.spec.size_gib != order.new.spec.size_gib {
            let message = format!("{} was made before with {} GiB", found.id, found.spec.size_gib);
            return Err(order.error(ErrorKind::TokenBurnt, message));
        }
        Ok(found)
    }

    /// The resource group that is meant.
    pub(crate) fn group<'a>(&'a self, named: Option<&'a str>, operation: &str) -> Result<&'a str> {
        named.or(self.settings.resource_group.as_deref()).ok_or_else(|| {
            let message = "no resource group is named; set AZURE_RESOURCE_GROUP, or resourceGroup in the class";
            Error::new(ErrorKind::Invalid, operation, "", message)
        })
    }

    /// Our resource group and its region, made where that is allowed.
    pub(crate) async fn home(&self) -> Result<&Home> {
        self.home.get_or_try_init(|| self.find_home()).await
    }

    async fn find_home(&self) -> Result<Home> {
        if let (Some(location), false) = (&self.settings.location, self.settings.create_resource_group) {
            return Ok(Home {
                location: location.clone(),
            });
        }
        let storage = self.storage()?;
        let group = self.group(None, "find the resource group")?;
        let missing = match storage.group(group).await {
            Ok(found) => {
                let location = self.settings.location.clone().unwrap_or(found.location);
                return Ok(Home { location });
            }
            Err(error) => error,
        };
        let location = self.settings.location.as_deref();
        match location
            .filter(|_| self.settings.create_resource_group && missing.message.contains("ResourceGroupNotFound"))
        {
            Some(location) => {
                storage.create_group(group, location).await?;
                Ok(Home {
                    location: location.to_owned(),
                })
            }
            None => Err(missing),
        }
    }
}

impl Order<'_> {
    /// The volume that was made just so.
    fn made(&self, account: &StorageAccount, place: &AccountPlace, subscription: &str) -> Result<Volume> {
        let within = AzureAccount {
            name: Some(account.name.clone()),
            subscription: Some(subscription.to_owned()),
            resource_group: Some(place.group.clone()),
            location: Some(account.location.clone()),
            ..self.account.clone()
        };
        let mut config = self.new.spec.config.clone();
        match &mut config {
            VolumeConfig::AzureFile(share) => share.account = within,
            VolumeConfig::AzureBlob(container) => container.account = within,
            _ => {}
        }
        let name = VolumeName::new(&account.name, self.service, &self.name).ok_or_else(|| {
            self.error(
                ErrorKind::Internal,
                "the account has a name that Azure gives no account",
            )
        })?;
        Ok(Volume {
            id: name.id(),
            spec: VolumeSpec {
                config,
                ..self.new.spec.clone()
            },
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: self.new.tags.clone(),
            created: None,
        })
    }
}
