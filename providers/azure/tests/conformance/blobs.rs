//! What the cases of blobs ask, by the official client.

use std::collections::BTreeMap;

use async_trait::async_trait;
use azure_core::http::{Etag, RequestContent};
use azure_storage_blob::models::{
    BlobClientAcquireLeaseResultHeaders as _, BlobClientBreakLeaseOptions, BlobClientDeleteOptions,
    BlobClientRenewLeaseResultHeaders as _, BlobClientUploadOptions, BlobContainerClientAcquireLeaseResultHeaders as _,
    BlobContainerClientBreakLeaseOptions, BlobContainerClientCreateOptions, BlobContainerClientDeleteOptions,
    BlobContainerClientGetPropertiesResultHeaders as _, BlobContainerClientListBlobsOptions,
    BlobContainerClientRenewLeaseResultHeaders as _, BlobServiceClientListContainersOptions, LeaseState,
    ListContainersIncludeType,
};
use futures::TryStreamExt as _;
use moorline_api::conformance::blobs::{BlobBackend, Condition, LeaseAction, Leased, Outcome};

use crate::azurite::{Azurite, told};

type Metadata = BTreeMap<String, String>;

#[async_trait(?Send)]
impl BlobBackend for Azurite {
    fn label(&self) -> &str {
        &self.label
    }

    async fn create_container(&self, name: &str, metadata: &Metadata) -> Outcome<()> {
        let options = BlobContainerClientCreateOptions {
            metadata: Some(metadata.clone().into_iter().collect()),
            ..BlobContainerClientCreateOptions::default()
        };
        let made = self.blobs.blob_container_client(name).create(Some(options)).await;
        told(made).map(drop)
    }

    async fn container(&self, name: &str) -> Outcome<(Metadata, bool)> {
        let found = told(self.blobs.blob_container_client(name).get_properties(None).await)?;
        let leased = found.lease_state().unwrap() == Some(LeaseState::Leased);
        Ok((found.metadata().unwrap().into_iter().collect(), leased))
    }

    async fn containers(&self, prefix: &str, page: i32) -> Outcome<Vec<Vec<(String, Metadata)>>> {
        let options = BlobServiceClientListContainersOptions {
            include: Some(vec![ListContainersIncludeType::Metadata]),
            prefix: Some(prefix.to_owned()),
            maxresults: Some(page),
            ..BlobServiceClientListContainersOptions::default()
        };
        let mut found = self.blobs.list_containers(Some(options)).unwrap().into_pages();
        let mut pages = Vec::new();
        while let Some(page) = told(found.try_next().await)? {
            let items = page.into_model().unwrap().container_items.into_iter();
            let read = items.map(|item| {
                let metadata = item.metadata.unwrap_or_default().into_iter().collect();
                (item.name.unwrap(), metadata)
            });
            pages.push(read.collect());
        }
        Ok(pages)
    }

    async fn delete_container(&self, name: &str, lease: Option<&str>) -> Outcome<()> {
        let options = BlobContainerClientDeleteOptions {
            lease_id: lease.map(str::to_owned),
            ..BlobContainerClientDeleteOptions::default()
        };
        let deleted = self.blobs.blob_container_client(name).delete(Some(options)).await;
        told(deleted).map(drop)
    }

    async fn put(
        &self,
        (container, blob): (&str, &str),
        text: &str,
        condition: Condition<'_>,
        lease: Option<&str>,
    ) -> Outcome<String> {
        let (if_match, if_none_match) = match condition {
            Condition::None => (None, None),
            Condition::Absent => (None, Some(Etag::from("*"))),
            Condition::Unchanged(tag) => (Some(Etag::from(tag.to_owned())), None),
        };
        let options = BlobClientUploadOptions {
            if_match,
            if_none_match,
            lease_id: lease.map(str::to_owned),
            ..BlobClientUploadOptions::default()
        };
        let content = RequestContent::from(text.as_bytes().to_vec());
        let blob = self.blobs.blob_client(container, blob);
        let put = told(blob.upload(content, Some(options)).await)?;
        Ok(put.etag.unwrap().to_string())
    }

    async fn get(&self, (container, blob): (&str, &str)) -> Outcome<(String, String)> {
        let found = told(self.blobs.blob_client(container, blob).download(None).await)?;
        let tag = found.properties.etag.unwrap().to_string();
        Ok((told(found.body.collect_string().await)?, tag))
    }

    async fn blobs(&self, container: &str, page: i32) -> Outcome<Vec<Vec<(String, u64)>>> {
        let options = BlobContainerClientListBlobsOptions {
            maxresults: Some(page),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let container = self.blobs.blob_container_client(container);
        let mut found = container.list_blobs(Some(options)).unwrap().into_pages();
        let mut pages = Vec::new();
        while let Some(page) = told(found.try_next().await)? {
            let items = page.into_model().unwrap().blob_items.into_iter();
            let read = items.map(|item| (item.name.unwrap(), item.properties.unwrap().content_length.unwrap()));
            pages.push(read.collect());
        }
        Ok(pages)
    }

    async fn delete_blob(&self, (container, blob): (&str, &str)) -> Outcome<()> {
        let blob = self.blobs.blob_client(container, blob);
        told(blob.delete(Some(BlobClientDeleteOptions::default())).await).map(drop)
    }

    async fn lease(&self, (container, blob): Leased<'_>, action: LeaseAction<'_>) -> Outcome<String> {
        match blob {
            Some(blob) => self.lease_of_blob((container, blob), action).await,
            None => self.lease_of_container(container, action).await,
        }
    }
}

impl Azurite {
    async fn lease_of_container(&self, name: &str, action: LeaseAction<'_>) -> Outcome<String> {
        let container = self.blobs.blob_container_client(name);
        let lease = match action {
            LeaseAction::Acquire(seconds) => told(container.acquire_lease(seconds, None).await)?.lease_id(),
            LeaseAction::Renew(lease) => told(container.renew_lease(lease.to_owned(), None).await)?.lease_id(),
            LeaseAction::Release(lease) => {
                told(container.release_lease(lease.to_owned(), None).await)?;
                Ok(None)
            }
            LeaseAction::Break => {
                let options = BlobContainerClientBreakLeaseOptions {
                    break_period: Some(0),
                    ..BlobContainerClientBreakLeaseOptions::default()
                };
                told(container.break_lease(Some(options)).await)?;
                Ok(None)
            }
        };
        Ok(lease.unwrap().unwrap_or_default())
    }

    async fn lease_of_blob(&self, (container, blob): (&str, &str), action: LeaseAction<'_>) -> Outcome<String> {
        let blob = self.blobs.blob_client(container, blob);
        let lease = match action {
            LeaseAction::Acquire(seconds) => told(blob.acquire_lease(seconds, None).await)?.lease_id(),
            LeaseAction::Renew(lease) => told(blob.renew_lease(lease.to_owned(), None).await)?.lease_id(),
            LeaseAction::Release(lease) => {
                told(blob.release_lease(lease.to_owned(), None).await)?;
                Ok(None)
            }
            LeaseAction::Break => {
                let options = BlobClientBreakLeaseOptions {
                    break_period: Some(0),
                    ..BlobClientBreakLeaseOptions::default()
                };
                told(blob.break_lease(Some(options)).await)?;
                Ok(None)
            }
        };
        Ok(lease.unwrap().unwrap_or_default())
    }
}
