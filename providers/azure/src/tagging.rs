//! Tags one by one: metadata of shares and containers, tags of all other resources.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use moorline_api::{Error, ErrorKind, Resource, Result, TagChange, Tagged, Tagging, VolumeId};
use moorline_azure_rules::{DiskName, Service};

use crate::errors::lacks_group;
use crate::metadata;
use crate::provider::AzureProvider;
use crate::resources::{AccountPlace, TagOperation};
use crate::volumes::Holder;

/// Changes under way at once; the budgets bound their rate.
const AT_ONCE: usize = 16;

/// How often a change is tried where others write at the same moment.
const TRIES: u32 = 5;

impl Tagging for AzureProvider {
    /// One change a call: Azure has no other. All metadata of a share or container are replaced at once: they are read, changed, and
    /// written on the condition that nobody wrote meanwhile. Resource Manager does not document that it honours the condition;
    /// where it does not, what another one writes in the same moment is lost. Tags of resources are merged by Azure itself.
    fn tag(&self, things: Vec<Resource>, change: TagChange) -> BoxStream<'_, Tagged> {
        let things: BTreeSet<Resource> = things.into_iter().collect();
        let one = move |thing: Resource| {
            let change = change.clone();
            async move {
                let outcome = match &thing {
                    Resource::Volume(id) => self.tag_volume(id, &change).await,
                    Resource::Snapshot(id)
                    | Resource::LoadBalancer(id)
                    | Resource::TargetGroup(id)
                    | Resource::Holder(id) => self.tag_resource(id, &change).await,
                };
                Tagged {
                    things: vec![thing],
                    outcome,
                }
            }
        };
        stream::iter(things).map(one).buffer_unordered(AT_ONCE).boxed()
    }
}

impl AzureProvider {
    async fn tag_volume(&self, id: &VolumeId, change: &TagChange) -> Result<()> {
        if let Some(disk) = DiskName::parse(&id.0) {
            return self.tag_resource(&disk.id().0, change).await;
        }
        let (name, holder) = self.whereabouts(id).await?;
        match holder {
            None => Ok(()),
            Some(Holder::Given(given)) => given.change_tag(&name.name, change).await,
            Some(Holder::Managed(account)) => {
                self.change_metadata(&account.place(), (name.service, &name.name), |written| {
                    metadata::changed(written, change)
                })
                .await
            }
        }
    }

    /// Reads the metadata of a share or container, and writes what `change` makes of them, where it makes anything else. One that is
    /// absent is success.
    pub(crate) async fn change_metadata(
        &self,
        place: &AccountPlace,
        (service, name): (Service, &str),
        change: impl Fn(&BTreeMap<String, String>) -> Option<BTreeMap<String, String>> + Send + Sync,
    ) -> Result<()> {
        let storage = self.storage()?;
        let mut tries = 1;
        loop {
            let read = match service {
                Service::Files => storage
                    .share(place, name, false)
                    .await?
                    .map(|share| (share.properties.metadata, share.etag)),
                Service::Blobs => storage
                    .container(place, name)
                    .await?
                    .map(|container| (container.properties.metadata, container.etag)),
            };
            let Some((written, etag)) = read else { return Ok(()) };
            let Some(changed) = change(&written.unwrap_or_default()) else {
                return Ok(());
            };
            let written = match service {
                Service::Files => storage.set_share_metadata(place, name, (&changed, etag)).await,
                Service::Blobs => storage.set_container_metadata(place, name, (&changed, etag)).await,
            };
            match written {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.kind == ErrorKind::Stale && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Changes one tag of any resource, by its id. One that is absent is success.
    async fn tag_resource(&self, id: &str, change: &TagChange) -> Result<()> {
        let storage = self.storage()?;
        if !id.starts_with('/') {
            let message = "only what Resource Manager knows by an id can bear a tag";
            return Err(Error::new(
                ErrorKind::Unsupported,
                "Microsoft.Resources/tags/write",
                id,
                message,
            ));
        }
        let written = match storage.resource_tags(id).await {
            Err(error) if lacks_group(&error) => return Ok(()),
            other => other?,
        };
        let Some(written) = written else { return Ok(()) };
        let of_key = |tags: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let own = tags
                .iter()
                .filter(|(name, _)| metadata::resource_key(name) == change.key);
            own.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let there = of_key(&written);
        let done = match &change.value {
            Some(value) if there.len() == 1 && there.values().all(|now| now == value) => return Ok(()),
            Some(value) => {
                let set = BTreeMap::from([(metadata::resource_tag(&change.key), value.clone())]);
                storage.change_resource_tags(id, TagOperation::Merge, &set).await
            }
            None if there.is_empty() => return Ok(()),
            None => storage.change_resource_tags(id, TagOperation::Delete, &there).await,
        };
        match done {
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
            // Only a tag with the value that was read is taken off.
            Ok(now) if change.value.is_none() && !of_key(&now).is_empty() => Err(Error::new(
                ErrorKind::Stale,
                "Microsoft.Resources/tags/write",
                id,
                "somebody gave the tag another value at the same moment; run again",
            )),
            Ok(_) => Ok(()),
        }
    }
}
