//! Containers of the data plane as volumes.

use std::collections::BTreeMap;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use moorline_api::{
    AzureAccount, AzureContainer, Result, Sensitive, TagChange, Tags, Volume, VolumeConfig, VolumeSpec, VolumeState,
    tags,
};
use moorline_azure_rules::{Service, VolumeName};

use super::BlobAccount;
use super::account::Container;
use crate::metadata;
use crate::naming::claim_uid;

/// Reads under way at once.
const AT_ONCE: usize = 8;

impl BlobAccount {
    /// Makes a container for a volume. `true` where it is new. What the class asked of its account is only written down:
    /// the account is given.
    pub(crate) async fn make(&self, name: &str, spec: &VolumeSpec, tags: &Tags) -> Result<bool> {
        let mut metadata = metadata::encode(tags);
        metadata.insert(metadata::SIZE.to_owned(), spec.size_gib.to_string());
        metadata.insert(metadata::SKU.to_owned(), spec.config.type_name().to_owned());
        self.create(name, metadata).await
    }

    /// One volume by its container's name. One that was made for no claim says so.
    pub(crate) async fn volume(&self, name: &str) -> Result<Option<Volume>> {
        let container = self.container(name).await?;
        let mut volume = container.and_then(|container| self.as_volume(&container));
        if let Some(volume) = &mut volume
            && !volume.tags.contains_key(tags::CLAIM_UID)
        {
            volume.tags.insert(tags::ADOPTED.to_owned(), "true".to_owned());
        }
        Ok(volume)
    }

    /// Changes one tag of a container; one that is absent is success. The protocol knows no condition for that.
    pub(crate) async fn change_tag(&self, name: &str, change: &TagChange) -> Result<()> {
        let Some(container) = self.container(name).await? else {
            return Ok(());
        };
        match metadata::changed(&container.metadata, change) {
            Some(changed) => self.write_metadata(name, changed).await,
            None => Ok(()),
        }
    }

    /// Those of these containers that there are.
    pub(crate) fn volumes_named(&self, names: Vec<String>) -> BoxStream<'_, Result<Vec<Volume>>> {
        let read = move |name: String| async move { self.volume(&name).await };
        stream::iter(names)
            .map(read)
            .buffered(AT_ONCE)
            .try_filter_map(|volume| async move { Ok(volume) })
            .try_chunks(AT_ONCE)
            .map_err(|error| error.1)
            .boxed()
    }

    /// All volumes with these tags, page by page; without tags every container.
    pub(crate) fn volumes(&self, wanted: Tags) -> BoxStream<'_, Result<Vec<Volume>>> {
        let pages = match self.containers() {
            Ok(pages) => pages,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let fits = move |volume: &Volume| wanted.iter().all(|(key, value)| volume.tags.get(key) == Some(value));
        pages
            .map(move |page| {
                let page = self.told(self.list_subject(), page)?;
                let volumes = page.iter().filter_map(|container| self.as_volume(container));
                Ok(volumes.filter(&fits).collect())
            })
            .boxed()
    }

    /// What a node needs to mount its containers, under the names that the CSI driver reads.
    pub(crate) fn mount_secret(&self) -> BTreeMap<String, Sensitive> {
        let (key, secret) = self.opener();
        BTreeMap::from([
            ("azurestorageaccountname".to_owned(), Sensitive::new(self.name())),
            (key.to_owned(), secret.clone()),
        ])
    }

    /// `None` where the name is none of a volume, as `$logs` is.
    fn as_volume(&self, container: &Container) -> Option<Volume> {
        let written = |key: &str| {
            let found = container
                .metadata
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))?;
            Some(found.1.clone())
        };
        let size = written(metadata::SIZE).and_then(|size| size.parse().ok());
        let mut tags = metadata::decode(&container.metadata);
        if let Some(uid) = claim_uid(&container.name) {
            tags.entry(tags::CLAIM_UID.to_owned()).or_insert_with(|| uid.to_owned());
        }
        Some(Volume {
            id: VolumeName::new(self.name(), Service::Blobs, &container.name)?.id(),
            spec: VolumeSpec {
                size_gib: size.unwrap_or_default(),
                zone: None,
                config: VolumeConfig::AzureBlob(AzureContainer {
                    account: AzureAccount {
                        sku: written(metadata::SKU).unwrap_or_default(),
                        ..self.config()
                    },
                    // Nothing about a container says how it is mounted.
                    protocol: "fuse2".to_owned(),
                    ..AzureContainer::default()
                }),
            },
            state: if container.leased {
                VolumeState::InUse
            } else {
                VolumeState::Available
            },
            attachments: Vec::new(),
            tags,
            created: None,
        })
    }

    /// The account's part of a volume in it: all that its connection string says.
    pub(crate) fn config(&self) -> AzureAccount {
        AzureAccount {
            name: Some(self.name().to_owned()),
            ..AzureAccount::default()
        }
    }
}
