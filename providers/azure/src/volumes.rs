//! Shares and containers as volumes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use moorline_api::{
    Error, ErrorKind, MountSecrets, NewVolume, Result, Sensitive, Snapshot, Tags, Usage, Volume, VolumeFilter,
    VolumeId, Volumes,
};
use moorline_azure_rules::{Service, VolumeName};
use tokio::time::{Instant, sleep};

use crate::convert;
use crate::data::BlobAccount;
use crate::naming::claim_uid;
use crate::provider::AzureProvider;
use crate::resources::{Retention, StorageAccount};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Deleted shares are kept this long where a snapshot is asked for and nothing says how long.
const KEEP_DAYS: u32 = 7;

#[async_trait]
impl Volumes for AzureProvider {
    async fn create(&self, new: &NewVolume) -> Result<Volume> {
        self.make(new).await
    }

    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        self.volumes(filter)
    }

    async fn wait_usable(&self, id: &VolumeId) -> Result<Volume> {
        if let Some(volume) = self.recall(id) {
            return Ok(volume);
        }
        let (name, holder) = self.whereabouts(id).await?;
        let vanished = || error(ErrorKind::NotFound, id, "it is not there any more");
        let holder = holder.ok_or_else(vanished)?;
        let deadline = Instant::now() + self.settings.visibility_grace;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(volume) = self.look_in(&holder, &name).await? {
                return Ok(volume);
            }
            if Instant::now() + pause > deadline {
                return Err(vanished());
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn delete(&self, id: &VolumeId) -> Result<()> {
        self.recall(id);
        let (name, holder) = self.whereabouts(id).await?;
        if let Some(holder) = holder.as_ref().filter(|_| claim_uid(&name.name).is_none()) {
            // Its name does not say what it was made for: it is looked at, and kept in doubt.
            match self.look_in(holder, &name).await? {
                None => return Ok(()),
                Some(found) if convert::is_for_no_claim(&found) => {
                    let message = "it was there before, and was made for no claim; moorline does not delete it";
                    return Err(error(ErrorKind::Forbidden, id, message));
                }
                Some(_) => {}
            }
        }
        let is_gone = match (holder, name.service) {
            (None, _) => return Ok(()),
            (Some(Holder::Given(given)), _) => return given.delete(&name.name).await,
            (Some(Holder::Managed(account)), Service::Files) => {
                self.storage()?.delete_share(&account.place(), &name.name).await?
            }
            (Some(Holder::Managed(account)), Service::Blobs) => {
                self.storage()?.delete_container(&account.place(), &name.name).await?
            }
        };
        if is_gone {
            self.note_gone(id);
        }
        Ok(())
    }

    /// Resource Manager answers a deletion when it is done: what it said is remembered, and nobody needs to ask again.
    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        if self.is_gone(id) {
            return Ok(());
        }
        let (name, holder) = self.whereabouts(id).await?;
        let Some(holder) = holder else { return Ok(()) };
        let mut pause = FIRST_PAUSE;
        while self.look_in(&holder, &name).await?.is_some() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// A share's snapshots die with the share. What outlives it is the share itself, for as many days as its account keeps
    /// deleted ones: this makes sure that the account does.
    async fn snapshot(&self, id: &VolumeId, _name: &str, tags: &Tags) -> Result<Snapshot> {
        let (_, holder) = self.whereabouts(id).await?;
        let holder = holder.ok_or_else(|| error(ErrorKind::NotFound, id, "it is not there any more"))?;
        let Some(account) = holder.of_shares(id) else {
            let message = "what is in a container cannot be kept by a snapshot; keep the volume instead";
            return Err(error(ErrorKind::Unsupported, id, message));
        };
        let storage = self.storage()?;
        let place = account.place();
        let retention = storage.retention(&place).await?;
        let days = if let Some(days) = retention.days.filter(|_| retention.enabled) {
            days
        } else {
            let asked = self.settings.keep_deleted_shares_days.filter(|days| *days > 0);
            let days = asked.unwrap_or(KEEP_DAYS);
            let retention = Retention {
                enabled: true,
                days: Some(days),
            };
            storage.set_retention(&place, retention).await?;
            days
        };
        Ok(Snapshot {
            id: format!("{id}@deleted (can be restored for {days} days)"),
            volume: id.clone(),
            completed: true,
            tags: tags.clone(),
        })
    }

    fn creation_floor(&self, creates: u32) -> Duration {
        if !self.is_managed() {
            return Duration::ZERO;
        }
        self.settings.budgets.creation_floor(creates)
    }
}

#[async_trait]
impl MountSecrets for AzureProvider {
    /// The two keys that both CSI drivers read.
    async fn mount_secret(&self, id: &VolumeId) -> Result<BTreeMap<String, Sensitive>> {
        let (name, holder) = self.whereabouts(id).await?;
        let missing = || error(ErrorKind::NotFound, id, "its account is not there any more");
        let account = match holder.ok_or_else(missing)? {
            Holder::Given(given) => return Ok(given.mount_secret()),
            Holder::Managed(account) => account,
        };
        let key = self.account_key(&account).await?;
        Ok(BTreeMap::from([
            ("azurestorageaccountname".to_owned(), Sensitive::new(name.account)),
            ("azurestorageaccountkey".to_owned(), key),
        ]))
    }
}

#[async_trait]
impl Usage for AzureProvider {
    /// Shares tell; the blobs of a container are added up, where that is permitted.
    async fn used_bytes(&self, id: &VolumeId) -> Result<Option<u64>> {
        let (name, holder) = self.whereabouts(id).await?;
        match (holder, name.service) {
            (None, _) => Ok(None),
            (Some(Holder::Given(given)), _) => given.used_bytes(&name.name).await,
            (Some(Holder::Managed(account)), Service::Blobs) => self.bytes_of_blobs(&account, &name.name).await,
            (Some(Holder::Managed(account)), Service::Files) => {
                let share = self.storage()?.share(&account.place(), &name.name, true).await?;
                Ok(share.and_then(|share| share.properties.share_usage_bytes))
            }
        }
    }
}

/// The account that a volume is in, and who is asked about it.
enum Holder<'a> {
    /// Resource Manager.
    Managed(Arc<StorageAccount>),
    /// The account's own data plane.
    Given(&'a BlobAccount),
}

impl Holder<'_> {
    /// The account, where the volume is a share.
    fn of_shares(&self, id: &VolumeId) -> Option<&StorageAccount> {
        let is_share = VolumeName::parse(id).is_some_and(|name| name.service == Service::Files);
        match self {
            Self::Managed(account) if is_share => Some(account),
            _ => None,
        }
    }
}

impl AzureProvider {
    /// The parts of an id, and its account where there is one of that name.
    async fn whereabouts(&self, id: &VolumeId) -> Result<(VolumeName, Option<Holder<'_>>)> {
        let name = VolumeName::parse(id).ok_or_else(|| {
            let message = "this is the id of neither a share nor a container, such as account.file/share";
            error(ErrorKind::Invalid, id, message)
        })?;
        if let Some(given) = self.given_with(&name) {
            return Ok((name, Some(Holder::Given(given))));
        }
        let account = self.locate(&name.account).await?;
        Ok((name, account.map(Holder::Managed)))
    }

    /// The account that a connection string gives, where it is the volume's.
    pub(crate) fn given_with(&self, name: &VolumeName) -> Option<&BlobAccount> {
        let given = self.given.as_ref()?;
        (name.service == Service::Blobs && name.account == given.name()).then_some(given)
    }

    async fn look_in(&self, holder: &Holder<'_>, name: &VolumeName) -> Result<Option<Volume>> {
        match holder {
            Holder::Managed(account) => self.look(account, name.service, &name.name).await,
            Holder::Given(given) => given.volume(&name.name).await,
        }
    }

    /// The account's key, asked for once.
    pub(crate) async fn account_key(&self, account: &StorageAccount) -> Result<Sensitive> {
        let cell = self.key_of(&account.name);
        let storage = self.storage()?;
        let key = cell.get_or_try_init(|| async { storage.key(&account.place()).await });
        key.await.cloned()
    }
}

fn error(kind: ErrorKind, id: &VolumeId, message: &str) -> Error {
    Error::new(kind, "Microsoft.Storage", &id.0, message)
}
