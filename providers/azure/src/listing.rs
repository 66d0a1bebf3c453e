//! Lists of volumes. Azure has no search by metadata and leaves them out of lists: accounts are found by their tags, claims by
//! the names of their volumes, and only what neither proves is read one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use moorline_api::{Owner, Result, Tags, Volume, VolumeFilter, VolumeId, azure, tags};
use moorline_azure_rules::{DiskName, Service, VolumeName};

use crate::convert;
use crate::data::BlobAccount;
use crate::metadata;
use crate::named::is_known_to;
use crate::naming::claim_uid;
use crate::provider::AzureProvider;
use crate::resources::{ShareListing, StorageAccount};

/// From this many volumes of one account on, a list is cheaper than a read of each: there are 8 reads for a list in Azure's
/// budgets.
const LIST_FROM: usize = 9;
/// Reads under way at once; the budget bounds their rate.
const AT_ONCE: usize = 8;

/// What of one account to list.
pub(crate) type Part = (Arc<StorageAccount>, Service);

impl AzureProvider {
    pub(crate) fn volumes(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        let given = self.given_volumes(&filter);
        // A volume of another account is not known to be gone where nobody can be asked: its id goes on to that answer.
        if !self.is_managed() && !matches!(filter, VolumeFilter::Ids(_)) {
            return given;
        }
        let pages = async move {
            let pages: BoxStream<'_, Result<Vec<Volume>>> = match filter {
                VolumeFilter::All => {
                    let parts = self
                        .accounts_now()
                        .await?
                        .into_iter()
                        .flat_map(|account| all_parts(&account));
                    self.in_parts(parts.collect(), None)
                }
                VolumeFilter::Tagged(wanted) => self.in_parts(self.parts_for(&wanted).await?, Some(wanted)),
                VolumeFilter::Ids(ids) => self.by_ids(&ids),
            };
            Ok(pages)
        };
        stream::once(pages).try_flatten().chain(given).boxed()
    }

    /// What of the filter is in the account that a connection string gives.
    fn given_volumes(&self, filter: &VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        let Some(given) = &self.given else {
            return stream::empty().boxed();
        };
        match filter {
            VolumeFilter::All => given.volumes(Tags::new()),
            VolumeFilter::Tagged(wanted) => given.volumes(wanted.clone()),
            VolumeFilter::Ids(ids) => {
                let names = ids.iter().filter_map(VolumeName::parse);
                let own = names.filter(|name| self.given_with(name).is_some());
                given.volumes_named(own.map(|name| name.name).collect())
            }
        }
    }

    /// Accounts of ours that can hold volumes with these tags, and those that somebody named.
    async fn parts_for(&self, wanted: &Tags) -> Result<Vec<Part>> {
        let accounts = self.accounts_now().await?;
        let fits = |account: &StorageAccount, tag: &str, key: &str| {
            wanted.get(tag).is_none_or(|value| account.tags.get(key) == Some(value))
        };
        let mut parts = Vec::new();
        for account in accounts {
            if account.tags.contains_key(metadata::ACCOUNT_POOL) {
                let ours = fits(&account, tags::CLUSTER_UID, metadata::ACCOUNT_CLUSTER)
                    && fits(&account, tags::PROFILE, metadata::ACCOUNT_PROFILE);
                parts.extend(all_parts(&account).into_iter().filter(|_| ours));
            } else if self.settings.named_accounts.contains(&account.name) || is_used_by(&account, wanted) {
                parts.extend(all_parts(&account));
            }
        }
        Ok(parts)
    }

    /// Volumes with these tags in one account.
    pub(crate) fn of_account(&self, account: &StorageAccount, wanted: Tags) -> BoxStream<'_, Result<Vec<Volume>>> {
        self.in_parts(all_parts(&Arc::new(account.clone())), Some(wanted))
    }

    /// One page an account. The first error ends it.
    fn in_parts(&self, parts: Vec<Part>, wanted: Option<Tags>) -> BoxStream<'_, Result<Vec<Volume>>> {
        // What the given account holds is told by itself.
        let given = self.given.as_ref().map(BlobAccount::name);
        let parts: Vec<Part> = parts
            .into_iter()
            .filter(|(account, service)| *service == Service::Files || given != Some(&account.name))
            .collect();
        stream::try_unfold((parts.into_iter(), wanted), move |(mut parts, wanted)| async move {
            let Some((account, service)) = parts.next() else {
                return Ok(None);
            };
            let mut volumes = self.in_account(&account, service).await?;
            if let Some(wanted) = &wanted {
                volumes = self.matching(&account, service, volumes, wanted).await?;
            }
            Ok(Some((volumes, (parts, wanted))))
        })
        .boxed()
    }

    async fn in_account(&self, account: &StorageAccount, service: Service) -> Result<Vec<Volume>> {
        let storage = self.storage()?;
        let subscription = storage.subscription;
        Ok(match service {
            Service::Files => {
                let shares = storage.shares(&account.place(), ShareListing::default()).await?;
                let live = shares.iter().filter(|share| share.is_live());
                live.filter_map(|share| convert::share(account, subscription, share))
                    .collect()
            }
            Service::Blobs => {
                let containers = storage.containers(&account.place(), false).await?;
                let named = containers
                    .iter()
                    .filter_map(|container| convert::container(account, subscription, container));
                named.collect()
            }
        })
    }

    /// Those with all of the tags. Where the list does not say, the volume is read, if its name can be one of ours at all.
    async fn matching(
        &self,
        account: &Arc<StorageAccount>,
        service: Service,
        volumes: Vec<Volume>,
        wanted: &Tags,
    ) -> Result<Vec<Volume>> {
        let reads = volumes.into_iter().map(|volume| async move {
            let differs = wanted
                .iter()
                .any(|(key, value)| volume.tags.get(key).is_some_and(|other| other != value));
            let complete = wanted.keys().all(|key| volume.tags.contains_key(key));
            let Some(name) = VolumeName::parse(&volume.id).filter(|_| !differs) else {
                return Ok(None);
            };
            let tells = claim_uid(&name.name).is_some();
            if !tells && !self.may_be_named(account, &name.name) {
                return Ok(complete.then_some(volume));
            }
            let unsized_ = service == Service::Blobs && volume.spec.size_gib == 0;
            if complete && tells && !unsized_ {
                return Ok(Some(volume));
            }
            let read = self.look(account, service, &name.name).await?;
            Ok(read.filter(|volume| wanted.iter().all(|(key, value)| volume.tags.get(key) == Some(value))))
        });
        let matching: Vec<Option<Volume>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        Ok(matching.into_iter().flatten().collect())
    }

    /// Whether a class may have given this name to a volume in this account.
    fn may_be_named(&self, account: &StorageAccount, name: &str) -> bool {
        let is_ours = account.tags.contains_key(metadata::ACCOUNT_POOL);
        is_ours || self.settings.volume_names.iter().any(|given| may_become(given, name))
    }

    fn by_ids(&self, ids: &[VolumeId]) -> BoxStream<'_, Result<Vec<Volume>>> {
        let mut groups: BTreeMap<(String, Service), Vec<String>> = BTreeMap::new();
        let names = ids.iter().filter_map(VolumeName::parse);
        for name in names.filter(|name| self.given_with(name).is_none()) {
            groups.entry((name.account, name.service)).or_default().push(name.name);
        }
        stream::try_unfold(groups.into_iter(), move |mut groups| async move {
            let Some(((account, service), names)) = groups.next() else {
                return Ok(None);
            };
            let Some(account) = self.locate(&account).await? else {
                return Ok(Some((Vec::new(), groups)));
            };
            // Names that say nothing of a claim are read: only metadata tell whether theirs are to stay.
            let (telling, silent): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| claim_uid(name).is_some());
            let mut volumes = if telling.len() >= LIST_FROM && service == Service::Files {
                let listed = self.in_account(&account, service).await?;
                let asked =
                    |volume: &Volume| VolumeName::parse(&volume.id).is_some_and(|name| telling.contains(&name.name));
                listed.into_iter().filter(asked).collect()
            } else {
                self.read_each(Arc::clone(&account), service, telling).await?
            };
            volumes.extend(self.read_each(account, service, silent).await?);
            Ok(Some((volumes, groups)))
        })
        .chain(self.disks_by_ids(ids))
        .boxed()
    }

    fn disks_by_ids(&self, ids: &[VolumeId]) -> BoxStream<'_, Result<Vec<Volume>>> {
        let names: BTreeSet<DiskName> = ids.iter().filter_map(|id| DiskName::parse(&id.0)).collect();
        let read = move |name: DiskName| async move { Ok(self.disk(&name).await?.into_iter().collect()) };
        stream::iter(names).map(read).buffered(AT_ONCE).boxed()
    }

    /// Those of these names that there are.
    async fn read_each(
        &self,
        account: Arc<StorageAccount>,
        service: Service,
        names: Vec<String>,
    ) -> Result<Vec<Volume>> {
        let reads = names.into_iter().map(|name| {
            let account = Arc::clone(&account);
            async move { self.look(&account, service, &name).await }
        });
        let found: Vec<Option<Volume>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Whether an account is marked as used by the profile that these tags name.
fn is_used_by(account: &StorageAccount, wanted: &Tags) -> bool {
    let user = wanted.get(tags::CLUSTER_UID).zip(wanted.get(tags::PROFILE));
    user.is_some_and(|(cluster, profile)| is_known_to(Owner { cluster, profile }, account))
}

/// Whether a name can come of one that a class gives: what stands for something in it may have become anything.
fn may_become(given: &str, name: &str) -> bool {
    let fixed = azure::fill_name(given, "\0", "\0", "\0");
    let mut parts = fixed.split('\0');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
        last = Some(part);
    }
    last.is_some_and(|last| last.is_empty() || name.ends_with(last)) || rest.is_empty()
}

/// The services that an account has, or, of an account of ours, is for.
pub(crate) fn all_parts(account: &Arc<StorageAccount>) -> Vec<Part> {
    let holds = account.tags.get(metadata::ACCOUNT_HOLDS).map(String::as_str);
    let services: &[Service] = match (holds, account.kind.as_str()) {
        _ if account.is_being_made() => &[],
        (Some("file"), _) | (_, "FileStorage") => &[Service::Files],
        (Some("blob"), _) | (_, "BlockBlobStorage" | "BlobStorage") => &[Service::Blobs],
        _ => &[Service::Files, Service::Blobs],
    };
    services.iter().map(|service| (Arc::clone(account), *service)).collect()
}
