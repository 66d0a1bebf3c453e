//! What Azure has and the traits do not name yet: deleted shares, snapshots, resizing, managed disks.

use moorline_api::{Error, ErrorKind, Result, Tags, VolumeId};
use moorline_azure_rules::{Service, VolumeName};

use crate::metadata;
use crate::provider::AzureProvider;
use crate::resources::{ManagedDisk, ShareBody, ShareListing};

/// A share that was deleted and that Azure still keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedShare {
    /// What its id was, and will be again.
    pub id: VolumeId,
    /// Tells it from others deleted under the same name.
    pub version: String,
    /// When it was deleted, as Azure says it.
    pub deleted: String,
    /// For how many days more it can be restored.
    pub remaining_days: u32,
}

/// A snapshot inside of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShareSnapshot {
    /// The share.
    pub share: VolumeId,
    /// When it was taken, which is its name.
    pub time: String,
}

impl AzureProvider {
    /// The deleted shares that an account keeps. Metadata are not among what Azure tells of them: the claim's UID is in the
    /// name.
    pub async fn deleted_shares(&self, account: &str) -> Result<Vec<DeletedShare>> {
        let listing = ShareListing {
            deleted: true,
            ..ShareListing::default()
        };
        let account = self.account_named(account).await?;
        let shares = self.storage()?.shares(&account.place(), listing).await?;
        let deleted = shares
            .into_iter()
            .filter(crate::resources::Share::is_deleted)
            .filter_map(|share| {
                Some(DeletedShare {
                    id: VolumeName::new(&account.name, Service::Files, &share.name)?.id(),
                    version: share.properties.version?,
                    deleted: share.properties.deleted_time.unwrap_or_default(),
                    remaining_days: share.properties.remaining_retention_days.unwrap_or_default(),
                })
            });
        Ok(deleted.collect())
    }

    /// Brings a deleted share back under its own name; `ErrorKind::AlreadyExists` where another one has that name now.
    pub async fn restore_share(&self, share: &DeletedShare) -> Result<()> {
        self.may_be_back(&share.id);
        let (name, place) = self.share_place(&share.id).await?;
        self.storage()?.restore_share(&place, &name, &share.version).await
    }

    /// Takes a snapshot of a share, which lives in the share and dies with it.
    pub async fn snapshot_share(&self, id: &VolumeId, tags: &Tags) -> Result<ShareSnapshot> {
        let (name, place) = self.share_place(id).await?;
        let time = self
            .storage()?
            .snapshot_share(&place, &name, metadata::encode(tags))
            .await?;
        Ok(ShareSnapshot {
            share: id.clone(),
            time,
        })
    }

    /// The snapshots of a share.
    pub async fn share_snapshots(&self, id: &VolumeId) -> Result<Vec<ShareSnapshot>> {
        let (name, place) = self.share_place(id).await?;
        let listing = ShareListing {
            prefix: Some(&name),
            snapshots: true,
            ..ShareListing::default()
        };
        let shares = self.storage()?.shares(&place, listing).await?;
        let of_share = shares.into_iter().filter(|share| share.name == name);
        let snapshots = of_share.filter_map(|share| {
            Some(ShareSnapshot {
                share: id.clone(),
                time: share.properties.snapshot_time?,
            })
        });
        Ok(snapshots.collect())
    }

    /// Gives a share another quota, in whole GiB.
    pub async fn resize_share(&self, id: &VolumeId, size_gib: u32) -> Result<()> {
        self.recall(id);
        let (name, place) = self.share_place(id).await?;
        let body = ShareBody {
            share_quota: Some(size_gib),
            ..ShareBody::default()
        };
        self.storage()?.change_share(&place, &name, &body).await
    }

    /// Every managed disk of the subscription.
    pub async fn managed_disks(&self) -> Result<Vec<ManagedDisk>> {
        self.storage()?.disks().await
    }

    /// One managed disk.
    pub async fn managed_disk(&self, resource_group: &str, name: &str) -> Result<Option<ManagedDisk>> {
        self.storage()?.disk(resource_group, name).await
    }

    /// Deletes a managed disk and waits until it is gone; one that is absent is success.
    pub async fn delete_managed_disk(&self, resource_group: &str, name: &str) -> Result<()> {
        self.storage()?.delete_disk(resource_group, name).await
    }

    async fn account_named(&self, account: &str) -> Result<std::sync::Arc<crate::resources::StorageAccount>> {
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                "Microsoft.Storage/storageAccounts/read",
                account,
                "there is no such account",
            )
        };
        self.locate(account).await?.ok_or_else(missing)
    }

    async fn share_place(&self, id: &VolumeId) -> Result<(String, crate::resources::AccountPlace)> {
        let name = VolumeName::parse(id).filter(|name| name.service == Service::Files);
        let name =
            name.ok_or_else(|| Error::new(ErrorKind::Invalid, "Microsoft.Storage", &id.0, "this is no share's id"))?;
        let account = self.account_named(&name.account).await?;
        Ok((name.name, account.place()))
    }
}
