//! Makes shares and containers.

use moorline_api::{
    AzureAccount, Error, ErrorKind, NewVolume, Result, Volume, VolumeConfig, VolumeSpec, VolumeState, tags,
};
use moorline_azure_rules::{Service, VolumeName};

use std::sync::Arc;

use crate::data::BlobAccount;
use crate::metadata;
use crate::naming::{Ground, PoolKey, volume_name};
use crate::provider::{AzureProvider, Home};
use crate::resources::{ContainerBody, ShareBody, StorageAccount};

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
                share.and_then(|share| crate::convert::share(account, storage.subscription, &share))
            }
            Service::Blobs => {
                let container = storage.container(&place, name).await?;
                container.and_then(|container| crate::convert::container(account, storage.subscription, &container))
            }
        })
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
        let settle = async || match self.look_for_home().await? {
            Ok(home) => Ok(home),
            Err(Missing { group, location }) => {
                self.storage()?.create_group(group, &location).await?;
                Ok(Home { location })
            }
        };
        self.home.get_or_try_init(settle).await
    }

    /// The region of what would be made, without making anything.
    pub(crate) async fn region(&self) -> Result<String> {
        if let Some(home) = self.home.get() {
            return Ok(home.location.clone());
        }
        match self.look_for_home().await? {
            Ok(found) => Ok(self.home.get_or_init(async || found).await.location.clone()),
            Err(missing) => Ok(missing.location),
        }
    }

    /// A resource group that is missing and may not be made is an error, and said before anything is changed.
    async fn look_for_home(&self) -> Result<std::result::Result<Home, Missing<'_>>> {
        let wanted = self.settings.location.as_deref().map(canonical);
        if let (None, Some(location)) = (&self.settings.resource_group, &wanted) {
            // Every class has to name its group.
            return Ok(Ok(Home {
                location: location.clone(),
            }));
        }
        let group = self.group(None, "find the resource group")?;
        let missing = match self.storage()?.group(group).await {
            Ok(found) => {
                let location = wanted.unwrap_or_else(|| canonical(&found.location));
                return Ok(Ok(Home { location }));
            }
            Err(error) => error,
        };
        let may_be_made = self.settings.create_resource_group && missing.message.contains("ResourceGroupNotFound");
        match wanted.filter(|_| may_be_made) {
            Some(location) => Ok(Err(Missing { group, location })),
            None => Err(missing),
        }
    }
}

/// A resource group to be made.
struct Missing<'a> {
    group: &'a str,
    location: String,
}

/// A region's name as Azure compares them: `eastus` for `East US`.
fn canonical(location: &str) -> String {
    location.to_ascii_lowercase().replace(' ', "")
}

impl Order<'_> {
    /// What is there under the volume's name, where Azure said that something is.
    fn settle(&self, found: Option<Volume>) -> Result<Volume> {
        let gone = || self.error(ErrorKind::Stale, "it was there a moment ago, and is gone; run again");
        self.same(found.ok_or_else(gone)?)
    }

    /// "Already there" is success only for what the same claim had made, as it would be made now.
    fn same(&self, found: Volume) -> Result<Volume> {
        let claim = |tags: &moorline_api::Tags| tags.get(tags::CLAIM_UID).cloned();
        let cluster = |tags: &moorline_api::Tags| tags.get(tags::CLUSTER_UID).cloned();
        if claim(&found.tags) != claim(&self.new.tags) || cluster(&found.tags) != cluster(&self.new.tags) {
            let message = format!(
                "{} exists, and nothing on it says that it was made for this claim; rename or delete it",
                found.id
            );
            return Err(self.error(ErrorKind::AlreadyExists, message));
        }
        if found.spec.size_gib != self.new.spec.size_gib {
            let message = format!("{} was made before with {} GiB", found.id, found.spec.size_gib);
            return Err(self.error(ErrorKind::TokenBurnt, message));
        }
        Ok(found)
    }

    /// The volume that was made just so, in the account of this name and place.
    fn made(&self, place: AzureAccount) -> Result<Volume> {
        let account = place.name.clone().unwrap_or_default();
        let within = AzureAccount {
            name: place.name,
            subscription: place.subscription,
            resource_group: place.resource_group,
            location: place.location,
            ..self.account.clone()
        };
        let mut config = self.new.spec.config.clone();
        match &mut config {
            VolumeConfig::AzureFile(share) => share.account = within,
            VolumeConfig::AzureBlob(container) => container.account = within,
            _ => {}
        }
        let name = VolumeName::new(&account, self.service, &self.name).ok_or_else(|| {
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
