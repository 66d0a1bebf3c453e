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
        let (name, account) = self.whereabouts(id).await?;
        let vanished = || error(ErrorKind::NotFound, id, "it is not there any more");
        let account = account.ok_or_else(vanished)?;
        let deadline = Instant::now() + self.settings.visibility_grace;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(volume) = self.look(&account, name.service, &name.name).await? {
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
        let (name, account) = self.whereabouts(id).await?;
        let Some(account) = account else { return Ok(()) };
        let storage = self.storage()?;
        match name.service {
            Service::Files => storage.delete_share(&account.place(), &name.name).await,
            Service::Blobs => storage.delete_container(&account.place(), &name.name).await,
        }
    }

    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        let (name, account) = self.whereabouts(id).await?;
        let Some(account) = account else { return Ok(()) };
        let mut pause = FIRST_PAUSE;
        while self.look(&account, name.service, &name.name).await?.is_some() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// A share's snapshots die with the share. What outlives it is the share itself, for as many days as its account keeps
    /// deleted ones: this makes sure that the account does.
    async fn snapshot(&self, id: &VolumeId, _name: &str, tags: &Tags) -> Result<Snapshot> {
        let (name, account) = self.whereabouts(id).await?;
        let account = account.ok_or_else(|| error(ErrorKind::NotFound, id, "it is not there any more"))?;
        if name.service == Service::Blobs {
            let message = "what is in a container cannot be kept by a snapshot; keep the volume instead";
            return Err(error(ErrorKind::Unsupported, id, message));
        }
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
        self.settings.budgets.creation_floor(creates)
    }
}

#[async_trait]
impl MountSecrets for AzureProvider {
    /// The two keys that both CSI drivers read.
    async fn mount_secret(&self, id: &VolumeId) -> Result<BTreeMap<String, Sensitive>> {
        let (name, account) = self.whereabouts(id).await?;
        let account = account.ok_or_else(|| error(ErrorKind::NotFound, id, "its account is not there any more"))?;
        let cell = self.key_of(&name.account);
        let storage = self.storage()?;
        let key = cell
            .get_or_try_init(|| async { storage.key(&account.place()).await })
            .await?;
        Ok(BTreeMap::from([
            ("azurestorageaccountname".to_owned(), Sensitive::new(name.account)),
            ("azurestorageaccountkey".to_owned(), key.clone()),
        ]))
    }
}

#[async_trait]
impl Usage for AzureProvider {
    /// Shares tell; what is in a container Azure counts only day by day, and not here.
    async fn used_bytes(&self, id: &VolumeId) -> Result<Option<u64>> {
        let (name, account) = self.whereabouts(id).await?;
        let Some(account) = account.filter(|_| name.service == Service::Files) else {
            return Ok(None);
        };
        let share = self.storage()?.share(&account.place(), &name.name, true).await?;
        Ok(share.and_then(|share| share.properties.share_usage_bytes))
    }
}

impl AzureProvider {
    /// The parts of an id, and its account where there is one of that name.
    pub(crate) async fn whereabouts(&self, id: &VolumeId) -> Result<(VolumeName, Option<Arc<StorageAccount>>)> {
        let name = VolumeName::parse(id).ok_or_else(|| {
            let message = "this is the id of neither a share nor a container, such as account.file/share";
            error(ErrorKind::Invalid, id, message)
        })?;
        let account = self.locate(&name.account).await?;
        Ok((name, account))
    }
}

fn error(kind: ErrorKind, id: &VolumeId, message: &str) -> Error {
    Error::new(kind, "Microsoft.Storage", &id.0, message)
}
