//! Shares, containers and disks as volumes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use moorline_api::{
    Error, ErrorKind, MountSecrets, NewVolume, Owner, Result, Sensitive, Snapshot, Tags, Usage, Volume, VolumeFilter,
    VolumeId, VolumeSpec, Volumes, tags,
};
use moorline_azure_rules::{DiskName, Service, VolumeName};
use tokio::time::{Instant, sleep};

use crate::convert;
use crate::data::BlobAccount;
use crate::metadata;
use crate::naming::claim_uid;
use crate::provider::AzureProvider;
use crate::resources::{Retention, StorageAccount};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Deleted shares are kept this long where a snapshot is asked for and nothing says how long.
const KEEP_DAYS: u32 = 7;
/// Azure keeps them no longer.
const MOST_DAYS: u32 = 365;

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
        let vanished = || error(ErrorKind::NotFound, id, "it is not there any more");
        if let Some(disk) = DiskName::parse(&id.0) {
            return self.disk(&disk).await?.ok_or_else(vanished);
        }
        let (name, holder) = self.whereabouts(id).await?;
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
        if let Some(disk) = DiskName::parse(&id.0) {
            return self.remove_disk(&disk).await;
        }
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
        let mut pause = FIRST_PAUSE;
        if let Some(disk) = DiskName::parse(&id.0) {
            while self.disk(&disk).await?.is_some() {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            return Ok(());
        }
        let (name, holder) = self.whereabouts(id).await?;
        let Some(holder) = holder else { return Ok(()) };
        while self.look_in(&holder, &name).await?.is_some() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// A share's snapshots die with the share. What outlives it is the share itself, for as many days as its account keeps deleted
    /// ones: this makes sure that the account does. Where the tags say when the snapshot expires, it has to keep them that long:
    /// moorline's own accounts are made to, and others are refused.
    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        if let Some(disk) = DiskName::parse(&id.0) {
            return self.snapshot_disk(&disk, name, tags).await;
        }
        let (_, holder) = self.whereabouts(id).await?;
        let holder = holder.ok_or_else(|| error(ErrorKind::NotFound, id, "it is not there any more"))?;
        let Some(account) = holder.of_shares(id) else {
            let message = "what is in a container cannot be kept by a snapshot; keep the volume instead";
            return Err(error(ErrorKind::Unsupported, id, message));
        };
        let days = self.keep_deleted(account, id, tags).await?;
        Ok(Snapshot {
            id: format!("{id}@deleted (can be restored for {days} days)"),
            volume: id.clone(),
            completed: true,
            tags: tags.clone(),
        })
    }

    async fn obstacles(&self, owner: Owner<'_>, specs: &[VolumeSpec]) -> Result<Vec<Error>> {
        self.obstacles_for(owner, specs).await
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
        if DiskName::parse(&id.0).is_some() {
            return Ok(None);
        }
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
pub(crate) enum Holder<'a> {
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
    pub(crate) async fn whereabouts(&self, id: &VolumeId) -> Result<(VolumeName, Option<Holder<'_>>)> {
        let name = VolumeName::parse(id).ok_or_else(|| {
            let message = "this is the id of no share, container or disk, such as account.file/share";
            error(ErrorKind::Invalid, id, message)
        })?;
        if let Some(given) = self.given_with(&name) {
            return Ok((name, Some(Holder::Given(given))));
        }
        let account = self.locate(&name.account).await?;
        Ok((name, account.map(Holder::Managed)))
    }

    /// Makes sure that an account keeps deleted shares, and says for how many days.
    async fn keep_deleted(&self, account: &StorageAccount, id: &VolumeId, tags: &Tags) -> Result<u32> {
        let (storage, place) = (self.storage()?, account.place());
        let retention = storage.retention(&place).await?;
        let kept = retention.days.filter(|_| retention.enabled);
        let needed = tags.get(tags::EXPIRES).map(|expires| self.days_until(expires, id));
        let needed = needed.transpose()?;
        let days = match (kept, needed) {
            (Some(kept), None) => return Ok(kept),
            (Some(kept), Some(needed)) if kept >= needed => return Ok(kept),
            (_, Some(needed)) if !account.tags.contains_key(metadata::ACCOUNT_POOL) || needed > MOST_DAYS => {
                let (name, group) = (&account.name, &place.group);
                let now = kept.map_or_else(
                    || "does not keep deleted shares".to_owned(),
                    |days| format!("keeps deleted shares for {days} days only"),
                );
                let message = format!(
                    "it has to be kept for {needed} days once it is deleted, and storage account {name} {now}; set that with: az storage account file-service-properties update -n {name} -g {group} --enable-delete-retention true --delete-retention-days {needed} (1 to {MOST_DAYS}), or ask for less"
                );
                return Err(error(ErrorKind::Invalid, id, &message));
            }
            (_, Some(needed)) => needed,
            (None, None) => {
                let asked = self.settings.keep_deleted_shares_days.filter(|days| *days > 0);
                asked.unwrap_or(KEEP_DAYS)
            }
        };
        let retention = Retention {
            enabled: true,
            days: Some(days),
        };
        storage.set_retention(&place, retention).await?;
        Ok(days)
    }

    /// Whole days from now, by the cloud's clock, until this time.
    fn days_until(&self, time: &str, id: &VolumeId) -> Result<u32> {
        let wrong = || error(ErrorKind::Invalid, id, "the time at which its snapshot expires is none");
        let time: Timestamp = time.parse().map_err(|_| wrong())?;
        let now = self.arm.now().unwrap_or_else(Timestamp::now);
        // Whoever reckoned the time did so a while ago, or by a clock that is a little ahead.
        let seconds = (time.as_second() - now.as_second() - 3600).max(1);
        u32::try_from((seconds + 86_399) / 86_400).map_err(|_| wrong())
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
