//! Everything that a subscription holds, or its resource groups that are meant.
//!
//! Lists are the scarcest calls of all, 100 in 5 minutes: one an account and service is made. What Resource Manager tells of use is a
//! disk's machines and a lease on a share or container; no mount of a share can be seen there.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use moorline_api::{Detail, ErrorKind, Inventoried, Inventory, Result, Tags, Volume, VolumeConfig, VolumeId, tags};
use moorline_azure_rules::{DiskName, Service, VolumeName};

use crate::convert;
use crate::data::BlobAccount;
use crate::disks;
use crate::errors::lacks_service;
use crate::listing::{Part, all_parts};
use crate::provider::AzureProvider;
use crate::resources::{Container, Locks, ManagedDisk, Share, ShareListing, StorageAccount};

/// Listings, or reads, under way at once; the budgets bound their rate.
const AT_ONCE: usize = 16;

type Pages<'a> = BoxStream<'a, Result<Inventoried>>;

#[async_trait]
impl Inventory for AzureProvider {
    /// An account of moorline's own is asked only for what it was made for. One that is still being made holds nothing yet.
    fn inventory(&self) -> Pages<'_> {
        up_to_first_error(stream::once(self.everything()).try_flatten())
    }

    fn read(&self, ids: Vec<VolumeId>) -> BoxStream<'_, Result<Vec<Volume>>> {
        let reads = async move {
            let locks = self.known_locks().await;
            let read = move |id: VolumeId| {
                let locks = Arc::clone(&locks);
                async move {
                    let found = self.read_whole(&id).await?;
                    Ok(found.map(|volume| protected(volume, &locks)).into_iter().collect())
                }
            };
            Ok(stream::iter(ids).map(read).buffer_unordered(AT_ONCE))
        };
        up_to_first_error(stream::once(reads).try_flatten())
    }

    fn clock(&self) -> Option<Timestamp> {
        self.arm.now()
    }
}

impl AzureProvider {
    async fn everything(&self) -> Result<Pages<'_>> {
        let given = match &self.given {
            Some(given) => given.volumes(Tags::new()).map_ok(full).boxed(),
            None => stream::empty().boxed(),
        };
        if !self.is_managed() {
            return Ok(given);
        }
        if self.settings.tenant.is_some() {
            self.subscription().await?;
        }
        let storage = self.storage()?;
        let locks = self.known_locks().await;
        let of_disks = Arc::clone(&locks);
        let disks = self.arm.pages_of(storage.disk_listings());
        let disks = disks.map_ok(move |page: Vec<ManagedDisk>| {
            let volumes = page.iter().filter_map(disks::volume);
            full(volumes.map(|volume| protected(volume, &of_disks)).collect())
        });
        // What the given account holds is told by itself.
        let own = self.given.as_ref().map(BlobAccount::name);
        let accounts = self.accounts_now().await?;
        let parts: Vec<Part> = accounts
            .iter()
            .flat_map(all_parts)
            .filter(|(account, service)| *service == Service::Files || own != Some(&*account.name))
            .collect();
        let parts = stream::iter(parts)
            .map(move |part| self.in_part(part, Arc::clone(&locks)))
            .flatten_unordered(AT_ONCE);
        Ok(stream::select_all([disks.boxed(), parts.boxed(), given]).boxed())
    }

    /// What one service of one account holds. An account that went meanwhile, or that has no such service, holds nothing.
    fn in_part(&self, (account, service): Part, locks: Arc<Locks>) -> Pages<'_> {
        let around = Arc::clone(&account);
        let pages = async move {
            let (storage, place) = (self.storage()?, account.place());
            let subscription = storage.subscription;
            let pages: BoxStream<'_, Result<Vec<(Volume, Detail)>>> = match service {
                Service::Files => {
                    let pages = self.arm.pages(storage.share_listing(&place, ShareListing::default()));
                    let convert = move |page: Vec<Share>| {
                        let live = page.iter().filter(|share| share.is_live());
                        live.filter_map(|share| {
                            let volume = convert::share(&account, subscription, share)?;
                            Some(detailed(volume, share.properties.metadata.is_some()))
                        })
                        .collect()
                    };
                    pages.map_ok(convert).boxed()
                }
                Service::Blobs => {
                    let pages = self.arm.pages(storage.container_listing(&place, false));
                    let convert = move |page: Vec<Container>| {
                        let volumes = page.iter().filter_map(|container| {
                            let volume = convert::container(&account, subscription, container)?;
                            Some(detailed(volume, container.properties.metadata.is_some()))
                        });
                        volumes.collect()
                    };
                    pages.map_ok(convert).boxed()
                }
            };
            Ok(pages)
        };
        let pages = stream::once(pages).try_flatten();
        let pages = pages.map_ok(move |page| stream::iter(by_detail(page, &locks)).map(Ok));
        let kept = pages.try_flatten().filter_map(move |page| {
            let around = Arc::clone(&around);
            async move {
                match page {
                    Err(error) if lacks_service(&error) => None,
                    Err(error) if error.kind == ErrorKind::Stale && self.went(&around).await => None,
                    other => Some(other),
                }
            }
        });
        kept.boxed()
    }

    /// Whether Azure says that an account which was listed a moment ago is gone.
    async fn went(&self, account: &StorageAccount) -> bool {
        let Ok(storage) = self.storage() else { return false };
        matches!(storage.account(&account.place()).await, Ok(None))
    }

    /// One volume with all of its tags. `None` where it is gone, or another scope's.
    async fn read_whole(&self, id: &VolumeId) -> Result<Option<Volume>> {
        if let Some(disk) = DiskName::parse(&id.0) {
            let own = self.settings.subscription.as_deref();
            let is_own = own.is_some_and(|own| own.eq_ignore_ascii_case(disk.subscription()));
            return if is_own && self.covers(disk.group()) {
                self.disk(&disk).await
            } else {
                Ok(None)
            };
        }
        let Some(name) = VolumeName::parse(id) else {
            return Ok(None);
        };
        if let Some(given) = self.given_with(&name) {
            return given.volume(&name.name).await;
        }
        if !self.is_managed() {
            return Ok(None);
        }
        if let Some(account) = self.find_account(&name.account).await? {
            return match self.look(&account, name.service, &name.name).await {
                Err(error) if error.kind == ErrorKind::Stale && self.went(&account).await => Ok(None),
                other => other,
            };
        }
        // An account that this run has seen and sees no more may only be hidden now: that is asked, and an error.
        if self.has_seen(&name.account) {
            self.locate(&name.account).await?;
        }
        Ok(None)
    }

    /// Whether a resource group is one of those that are meant.
    fn covers(&self, group: &str) -> bool {
        let groups = &self.settings.resource_groups;
        groups.is_empty() || groups.iter().any(|meant| meant.eq_ignore_ascii_case(group))
    }

    /// The locks of the subscription, as far as they may be read: what a lock keeps is not worth a try. Where they may not, Azure
    /// still says no to whoever tries.
    async fn known_locks(&self) -> Arc<Locks> {
        let locks = async { self.storage()?.locks().await };
        let locks = if self.is_managed() {
            locks.await
        } else {
            Ok(Locks::default())
        };
        let locks = locks.unwrap_or_else(|error| {
            tracing::debug!(why = error.message, "resource locks are not known");
            Locks::default()
        });
        Arc::new(locks)
    }
}

/// The volume, with a tag that says so where a resource lock keeps it.
fn protected(mut volume: Volume, locks: &Locks) -> Volume {
    if let Some(lock) = resource_id(&volume).and_then(|id| locks.on(&id)) {
        let why = format!("resource lock {lock}");
        volume.tags.insert(tags::PROTECT.to_owned(), why);
    }
    volume
}

/// The id of a volume in Resource Manager.
fn resource_id(volume: &Volume) -> Option<String> {
    let Some(name) = VolumeName::parse(&volume.id) else {
        return Some(volume.id.0.clone());
    };
    let account = match &volume.spec.config {
        VolumeConfig::AzureFile(share) => &share.account,
        VolumeConfig::AzureBlob(container) => &container.account,
        _ => return None,
    };
    let inner = match name.service {
        Service::Files => "fileServices/default/shares",
        Service::Blobs => "blobServices/default/containers",
    };
    Some(format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{}/{inner}/{}",
        account.subscription.as_deref()?,
        account.resource_group.as_deref()?,
        name.account,
        name.name
    ))
}

/// Volumes of a page by how much of them is known.
fn by_detail(page: Vec<(Volume, Detail)>, locks: &Locks) -> Vec<Inventoried> {
    let (full, listed): (Vec<_>, Vec<_>) = page
        .into_iter()
        .map(|(volume, detail)| (protected(volume, locks), detail))
        .partition(|(_, detail)| *detail == Detail::Full);
    let pages = [(full, Detail::Full), (listed, Detail::Listed)];
    pages
        .into_iter()
        .filter(|(volumes, _)| !volumes.is_empty())
        .map(|(volumes, detail)| Inventoried {
            volumes: volumes.into_iter().map(|(volume, _)| volume).collect(),
            detail,
        })
        .collect()
}

fn full(volumes: Vec<Volume>) -> Inventoried {
    Inventoried {
        volumes,
        detail: Detail::Full,
    }
}

/// A listed volume, and how much of it is known: metadata that are told at all are told whole.
fn detailed(volume: Volume, with_metadata: bool) -> (Volume, Detail) {
    if with_metadata {
        (convert::marked(volume), Detail::Full)
    } else {
        (volume, Detail::Listed)
    }
}

/// The stream up to its first error, and that too: what comes after would look like the rest.
fn up_to_first_error<'a, T: Send + 'a>(
    items: impl futures::Stream<Item = Result<T>> + Send + 'a,
) -> BoxStream<'a, Result<T>> {
    items
        .scan(false, |failed, item| {
            let over = std::mem::replace(failed, *failed || item.is_err());
            ready((!over).then_some(item))
        })
        .boxed()
}
