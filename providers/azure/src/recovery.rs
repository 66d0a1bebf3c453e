//! What brings volumes back: snapshots of disks, and deleted shares that Azure still keeps.
//!
//! Snapshots of shares live and die with their share, and only its files could be copied out of them; deleted containers come back by
//! the data plane only. Neither is offered.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use moorline_api::{
    AzureDisk, Error, ErrorKind, NewVolume, Origin, Recoverable, Recovery, Result, Tags, Volume, VolumeConfig,
    VolumeId, VolumeSpec, tags,
};
use moorline_azure_rules::{DiskName, Service, VolumeName, parts_of_id};
use tokio::time::{Instant, sleep};

use crate::convert;
use crate::disks::{self, moment};
use crate::errors::{lacks_group, lacks_service};
use crate::listing::{Part, all_parts};
use crate::metadata;
use crate::naming::{claim_uid, volume_name};
use crate::provider::AzureProvider;
use crate::resources::{
    CreationData, DiskBody, DiskSku, DiskSnapshot, NewDiskProperties, Share, ShareListing, StorageAccount,
};

/// Listings under way at once; the budgets bound their rate.
const AT_ONCE: usize = 8;
/// Between two looks whether the name of a deleted share is free, or whether a list has settled.
const PAUSE: Duration = Duration::from_secs(2);

#[async_trait]
impl Recovery for AzureProvider {
    /// Lists tell no metadata of deleted shares: they come with what account and name prove, whatever tags are asked for.
    fn recoverable(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        let all = async move {
            if !self.is_managed() {
                return Ok(stream::empty().boxed());
            }
            let accounts = self.accounts_now().await?;
            let parts: Vec<Part> = accounts.iter().flat_map(all_parts).collect();
            let files = parts.into_iter().filter(|(_, service)| *service == Service::Files);
            let deleted = stream::iter(files)
                .map(move |(account, _)| async move { self.deleted_in(&account).await })
                .buffer_unordered(AT_ONCE);
            Ok(self.snapshots(tags).chain(deleted).boxed())
        };
        stream::once(all).try_flatten().boxed()
    }

    fn snapshots(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        let all = async move {
            if !self.is_managed() {
                return Ok(stream::empty().boxed());
            }
            let snapshots = self.arm.pages_of(self.storage()?.snapshot_listings());
            let fitting = move |page: Vec<DiskSnapshot>| {
                let all = page.iter().filter_map(of_snapshot);
                let has = |one: &Recoverable| tags.iter().all(|(key, value)| one.tags.get(key) == Some(value));
                all.filter(has).collect()
            };
            Ok(snapshots.map_ok(fitting).boxed())
        };
        stream::once(all).try_flatten().boxed()
    }

    async fn recover(&self, origin: &Origin, new: &NewVolume) -> Result<Volume> {
        match origin {
            Origin::Snapshot(id) => self.make_of_snapshot(id, new).await,
            Origin::Deleted { volume, version } => self.bring_back(volume, version, &new.tags).await,
        }
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        let (group, name) = self.snapshot_place(id)?;
        match self.storage()?.delete_disk_snapshot((group, name)).await {
            Err(error) if !lacks_group(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// A snapshot of a disk; `None` where it is a copy of something else.
fn of_snapshot(snapshot: &DiskSnapshot) -> Option<Recoverable> {
    let disk = DiskName::parse(snapshot.source()?)?;
    let tags = metadata::of_resource(&snapshot.tags);
    let size_gib = snapshot.properties.disk_size_gb.unwrap_or_default();
    let spec = tags.get(disks::SKU).map(|sku| VolumeSpec {
        size_gib,
        zone: tags.get(disks::ZONE).cloned(),
        config: VolumeConfig::AzureDisk(AzureDisk {
            sku: sku.clone(),
            subscription: Some(disk.subscription().to_owned()),
            resource_group: Some(disk.group().to_owned()),
            location: Some(snapshot.location.clone()),
            iops: None,
            bandwidth: None,
        }),
    });
    Some(Recoverable {
        origin: Origin::Snapshot(snapshot.id.clone()),
        volume: disk.id(),
        ready: snapshot.is_ready(),
        taken: moment(snapshot.properties.time_created.as_deref()),
        removed: None,
        size_gib,
        spec,
        tags,
    })
}

/// A deleted share that is still kept.
fn of_deleted(account: &StorageAccount, subscription: &str, share: &Share) -> Option<Recoverable> {
    let volume = convert::share(account, subscription, share)?;
    let taken = moment(share.properties.deleted_time.as_deref());
    let days = share.properties.remaining_retention_days.map(i64::from);
    Some(Recoverable {
        origin: Origin::Deleted {
            volume: volume.id.clone(),
            version: share.properties.version.clone()?,
        },
        volume: volume.id,
        ready: true,
        taken,
        // Days that are left are whole ones; a day has begun at most.
        removed: taken
            .zip(days)
            .and_then(|(taken, days)| taken.checked_add(SignedDuration::from_hours(24 * days)).ok()),
        size_gib: volume.spec.size_gib,
        spec: Some(volume.spec),
        tags: volume.tags,
    })
}

impl AzureProvider {
    async fn deleted_in(&self, account: &StorageAccount) -> Result<Vec<Recoverable>> {
        let storage = self.storage()?;
        let listing = ShareListing {
            deleted: true,
            ..ShareListing::default()
        };
        let shares = match storage.shares(&account.place(), listing).await {
            Err(error) if lacks_service(&error) => Vec::new(),
            other => other?,
        };
        let deleted = shares.iter().filter(|share| share.is_deleted());
        Ok(deleted
            .filter_map(|share| of_deleted(account, storage.subscription, share))
            .collect())
    }

    /// Brings a deleted share back as it was, with these tags over its own.
    async fn bring_back(&self, id: &VolumeId, version: &str, tags: &Tags) -> Result<Volume> {
        let name = VolumeName::parse(id).filter(|name| name.service == Service::Files);
        let name = name.ok_or_else(|| error(ErrorKind::Invalid, id, "only deleted shares can be brought back"))?;
        let gone = || {
            error(
                ErrorKind::NotFound,
                id,
                "its storage account is gone, and all that it kept",
            )
        };
        let account = self.locate(&name.account).await?.ok_or_else(gone)?;
        let (storage, place) = (self.storage()?, account.place());
        self.may_be_back(id);
        let name_free = Instant::now() + self.settings.account_timeout;
        let settled = Instant::now() + self.settings.visibility_grace;
        loop {
            let listing = ShareListing {
                prefix: Some(&name.name),
                deleted: true,
                ..ShareListing::default()
            };
            let shares = storage.shares(&place, listing).await?;
            let mut deleted = shares
                .iter()
                .filter(|share| share.name == name.name && share.is_deleted());
            let kept = deleted.any(|share| share.properties.version.as_deref() == Some(version));
            let living = storage.share(&place, &name.name, false).await?.is_some();
            let again = match (kept, living) {
                // It came back before, by a call whose answer was lost.
                (false, true) => break,
                (false, false) => {
                    let message = "Azure does not keep it any more";
                    return Err(error(ErrorKind::NotFound, id, message));
                }
                // Lists lag: this may be the one that came back.
                (true, true) => error(
                    ErrorKind::AlreadyExists,
                    id,
                    "a share of that name lives now; rename or delete it first, then run again",
                ),
                (true, false) => match storage.restore_share(&place, &name.name, version).await {
                    Ok(()) => break,
                    // The name is held for a while, or the list lagged.
                    Err(error) if matches!(error.kind, ErrorKind::TokenBurnt | ErrorKind::AlreadyExists) => error,
                    Err(error) => return Err(error),
                },
            };
            let deadline = if again.kind == ErrorKind::TokenBurnt {
                name_free
            } else {
                settled
            };
            if Instant::now() + PAUSE > deadline {
                return Err(again);
            }
            sleep(PAUSE).await;
        }
        self.restored(&account, &name, tags).await
    }

    /// Writes the tags on a share that came back, and tells what it is. The mark of disuse that it was deleted with goes.
    async fn restored(&self, account: &StorageAccount, name: &VolumeName, tags: &Tags) -> Result<Volume> {
        let mut tags = tags.clone();
        let (past, now) = (claim_uid(&name.name), tags.get(tags::CLAIM_UID));
        if let (Some(past), Some(now)) = (past, now)
            && past != now
        {
            tags.insert(tags::FORMER_CLAIM_UID.to_owned(), past.to_owned());
        }
        let change = |written: &BTreeMap<String, String>| metadata::merged(written, &tags, tags::UNUSED);
        let place = account.place();
        self.change_metadata(&place, (name.service, &name.name), change).await?;
        let found = self.look(account, name.service, &name.name).await?;
        found.ok_or_else(|| {
            error(
                ErrorKind::Stale,
                &name.id(),
                "it came back, and is gone again; run again",
            )
        })
    }

    /// Resource group and name of a snapshot of this subscription.
    fn snapshot_place<'a>(&self, id: &'a str) -> Result<(&'a str, &'a str)> {
        let own = self.storage()?.subscription;
        if let Some([subscription, group, name]) = parts_of_id(id, "Microsoft.Compute", "snapshots")
            && subscription.eq_ignore_ascii_case(own)
        {
            return Ok((group, name));
        }
        let message = "this is the id of no snapshot of a disk in this run's subscription";
        Err(Error::new(
            ErrorKind::Invalid,
            "Microsoft.Compute/snapshots",
            id,
            message,
        ))
    }

    /// Makes a disk of a snapshot, or finds the one that was made of it for the same claim.
    async fn make_of_snapshot(&self, id: &str, new: &NewVolume) -> Result<Volume> {
        let (group, name) = self.snapshot_place(id)?;
        let storage = self.storage()?;
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                "Microsoft.Compute/snapshots/read",
                id,
                "there is no such snapshot",
            )
        };
        let snapshot = storage.snapshot((group, name)).await?.ok_or_else(missing)?;
        let VolumeConfig::AzureDisk(wanted) = &new.spec.config else {
            let message = "it is of a disk, and a share or container was asked for";
            return Err(Error::new(
                ErrorKind::Invalid,
                "Microsoft.Compute/disks/write",
                id,
                message,
            ));
        };
        let group = wanted.resource_group.as_deref().unwrap_or(group);
        let made = volume_name(None, &new.token);
        let path = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{made}",
            storage.subscription
        );
        let wrong = || {
            Error::new(
                ErrorKind::Invalid,
                "Microsoft.Compute/disks/write",
                &made,
                "this is no disk's name",
            )
        };
        let disk = DiskName::parse(&path).ok_or_else(wrong)?;
        match storage.disk(group, &made).await? {
            Some(there) => check_same(&there, &snapshot, new, &disk)?,
            None => {
                storage
                    .create_disk((group, &made), &body(&snapshot, wanted, new))
                    .await?;
            }
        }
        self.may_be_back(&disk.id());
        let found = self.disk(&disk).await?;
        found.ok_or_else(|| {
            disks::error(
                ErrorKind::Stale,
                &disk.id(),
                "it was made, and is gone again; run again",
            )
        })
    }
}

/// A disk of the same name is the one that was asked for only where it was made of the same snapshot for the same claim.
fn check_same(
    there: &crate::resources::ManagedDisk,
    snapshot: &DiskSnapshot,
    new: &NewVolume,
    disk: &DiskName,
) -> Result<()> {
    let tags = metadata::of_resource(&there.tags);
    if tags.get(tags::CLAIM_UID) != new.tags.get(tags::CLAIM_UID) {
        let message =
            "a disk of that name is there, and nothing on it says that it was made for this claim; rename or delete it";
        return Err(disks::error(ErrorKind::AlreadyExists, &disk.id(), message));
    }
    let source = there.properties.creation_data.source_resource_id.as_deref();
    let is_same = source.is_some_and(|source| source.eq_ignore_ascii_case(&snapshot.id));
    if is_same && there.properties.disk_size_gb == Some(new.spec.size_gib) {
        return Ok(());
    }
    let message = "it was made before of something else, or in another size";
    Err(disks::error(ErrorKind::TokenBurnt, &disk.id(), message))
}

fn body(snapshot: &DiskSnapshot, wanted: &AzureDisk, new: &NewVolume) -> DiskBody {
    let location = wanted.location.clone().unwrap_or_else(|| snapshot.location.clone());
    // Kubernetes' label has the region before the zone.
    let zone = new.spec.zone.as_deref().and_then(|zone| zone.rsplit('-').next());
    DiskBody {
        location,
        sku: (!wanted.sku.is_empty()).then(|| DiskSku {
            name: wanted.sku.clone(),
        }),
        zones: zone.map(str::to_owned).into_iter().collect(),
        tags: metadata::resource_tags(&new.tags),
        properties: NewDiskProperties {
            creation_data: CreationData::copy_of(&snapshot.id),
            disk_size_gb: new.spec.size_gib,
            disk_iops_read_write: wanted.iops,
            disk_mbps_read_write: wanted.bandwidth,
        },
    }
}

fn error(kind: ErrorKind, id: &VolumeId, message: &str) -> Error {
    Error::new(kind, "restore share", &id.0, message)
}
