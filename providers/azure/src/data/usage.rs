//! How much is in a container. Azure counts it for nobody: the sizes of its blobs are added up.

use azure_core::http::Url;
use futures::TryStreamExt as _;
use moorline_api::{Error, ErrorKind, Result};

use super::errors::Subject;
use super::{BlobAccount, StorageConnection};
use crate::arm::is_loopback;
use crate::provider::AzureProvider;
use crate::resources::StorageAccount;
use crate::settings::AzureCloud;

/// Pages of 5000 blobs that are read at most. Adding up more would take longer than the answer is worth.
const PAGES: usize = 20;

impl BlobAccount {
    /// Bytes in the container's blobs; `None` where it is not permitted to list them, where there are too many, or where there
    /// is no such container.
    pub(crate) async fn used_bytes(&self, name: &str) -> Result<Option<u64>> {
        let subject = Subject {
            operation: "blob:ListBlobs",
            resource: name,
        };
        match self.told(subject, self.sum(name).await) {
            Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotFound) => Ok(None),
            other => other,
        }
    }

    async fn sum(&self, name: &str) -> azure_core::Result<Option<u64>> {
        let mut pages = self.client.0.blob_container_client(name).list_blobs(None)?.into_pages();
        let mut sum = 0_u64;
        for _ in 0..PAGES {
            let Some(page) = pages.try_next().await? else {
                return Ok(Some(sum));
            };
            let blobs = page.into_model()?.blob_items.into_iter();
            let sizes = blobs.filter_map(|blob| blob.properties?.content_length);
            sum = sizes.fold(sum, u64::saturating_add);
        }
        // The pager says only when asked again that there are no more.
        Ok(pages.try_next().await?.is_none().then_some(sum))
    }
}

impl AzureProvider {
    /// What is in a container of an account that Resource Manager has: by the account's key, where that may be had.
    pub(crate) async fn bytes_of_blobs(&self, account: &StorageAccount, container: &str) -> Result<Option<u64>> {
        let Some(endpoint) = self.believable_endpoint(account) else {
            return Ok(None);
        };
        let open = || async {
            let key = self.account_key(account).await?;
            let connection = StorageConnection::of_key(&account.name, endpoint, key.expose());
            let unfit = |why| Error::new(ErrorKind::Internal, "open storage account", &account.name, why);
            BlobAccount::new(&connection.map_err(unfit)?, &self.settings)
        };
        match self.blobs_of(&account.name).get_or_try_init(open).await {
            Ok(blobs) => blobs.used_bytes(container).await,
            Err(error) if error.kind == ErrorKind::Forbidden => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where an account says that its blobs are. A cloud of one's own that names the public cloud's addresses only plays
    /// Azure: what it says of its account must not be asked of somebody's real one.
    fn believable_endpoint(&self, account: &StorageAccount) -> Option<Url> {
        let endpoint = Url::parse(account.properties.primary_endpoints.blob.as_deref()?).ok()?;
        let is_public = endpoint.host_str()?.ends_with(".core.windows.net");
        let plays = is_public && matches!(self.settings.cloud, AzureCloud::Custom { .. });
        let is_safe = endpoint.scheme() == "https" || is_loopback(&endpoint);
        (is_safe && !plays).then_some(endpoint)
    }
}
