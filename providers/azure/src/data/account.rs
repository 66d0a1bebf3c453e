//! One storage account by its data plane: containers are made, read, listed and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_storage_blob::models::{
    BlobContainerClientCreateOptions, BlobContainerClientGetPropertiesResultHeaders as _,
    BlobServiceClientListContainersOptions, LeaseState, ListContainersIncludeType,
};
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use moorline_api::{Error, ErrorKind, Result, Sensitive};
use tokio::sync::Semaphore;

use super::connection::{Access, StorageConnection};
use super::errors::Subject;
use super::signer::Signer;
use crate::settings::AzureSettings;
use crate::transport::HyperTransport;

/// Attempts of a call beside the first.
const REPEATS: u32 = 5;

/// The account.
#[derive(Debug)]
pub(crate) struct BlobAccount {
    connection: StorageConnection,
    pub(super) client: Client,
}

/// The SDK's client, which says nothing of itself.
pub(super) struct Client(pub(super) BlobServiceClient);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobServiceClient")
    }
}

/// A container as the account shows it.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) metadata: BTreeMap<String, String>,
    /// Whether somebody holds a lease on it, as a mount may.
    pub(super) leased: bool,
}

impl BlobAccount {
    /// Connects nowhere yet.
    pub(crate) fn new(connection: &StorageConnection, settings: &AzureSettings) -> Result<Self> {
        let endpoint = connection.endpoint();
        let transport = HyperTransport::of(settings, endpoint.scheme() == "https");
        let signer = Signer {
            account: connection.account().to_owned(),
            endpoint: endpoint.clone(),
            access: connection.access.clone(),
            call_timeout: settings.call_timeout,
            under_way: Semaphore::new(settings.concurrency.max(1)),
        };
        let patience = azure_core::time::Duration::try_from(settings.patience);
        let options = BlobServiceClientOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(Arc::new(transport))),
                per_try_policies: vec![Arc::new(signer)],
                retry: RetryOptions::exponential(ExponentialRetryOptions {
                    max_retries: REPEATS,
                    max_total_elapsed: patience.unwrap_or(azure_core::time::Duration::MAX),
                    ..ExponentialRetryOptions::default()
                }),
                ..ClientOptions::default()
            },
            ..BlobServiceClientOptions::default()
        };
        let client = BlobServiceClient::new(endpoint.clone(), None, Some(options)).map_err(|error| {
            let message = format!("{}: {error}", connection.endpoint());
            Error::new(
                ErrorKind::Invalid,
                "connect to Azure Storage",
                connection.account(),
                message,
            )
        })?;
        Ok(Self {
            connection: connection.clone(),
            client: Client(client),
        })
    }

    pub(super) fn into_client(self) -> BlobServiceClient {
        self.client.0
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.connection.account()
    }

    /// What opens it, under the names that the CSI driver reads.
    pub(super) fn opener(&self) -> (&'static str, &Sensitive) {
        match &self.connection.access {
            Access::Key(key) => ("azurestorageaccountkey", key),
            Access::Sas(signature) => ("azurestorageaccountsastoken", signature),
        }
    }

    /// The host that is asked, for people.
    pub(super) fn host(&self) -> String {
        let endpoint = self.connection.endpoint();
        let host = endpoint.host_str().unwrap_or_default();
        endpoint
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The text without key or signature, which a service or a proxy may quote.
    pub(super) fn redacted(&self, text: &str) -> String {
        let (_, secret) = self.opener();
        text.replace(secret.expose(), "(redacted)")
    }

    /// Makes a container. `true` where it is new, `false` where one of that name was there already.
    pub(super) async fn create(&self, name: &str, metadata: BTreeMap<String, String>) -> Result<bool> {
        let subject = Subject {
            operation: "blob:CreateContainer",
            resource: name,
        };
        let options = BlobContainerClientCreateOptions {
            metadata: Some(metadata.into_iter().collect()),
            ..BlobContainerClientCreateOptions::default()
        };
        let made = self.client.0.blob_container_client(name).create(Some(options)).await;
        match self.told(subject, made) {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A container by name.
    pub(super) async fn container(&self, name: &str) -> Result<Option<Container>> {
        let subject = Subject {
            operation: "blob:GetContainerProperties",
            resource: name,
        };
        let found = self.client.0.blob_container_client(name).get_properties(None).await;
        let found = match self.told(subject, found) {
            Ok(found) => found,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = self.told(subject, found.metadata())?;
        let leased = is_leased(self.told(subject, found.lease_state())?.as_ref());
        Ok(Some(Container {
            name: name.to_owned(),
            metadata: metadata.into_iter().collect(),
            leased,
        }))
    }

    /// Gives a container these metadata and no others; one that is absent is success.
    pub(super) async fn write_metadata(&self, name: &str, metadata: BTreeMap<String, String>) -> Result<()> {
        let subject = Subject {
            operation: "blob:SetContainerMetadata",
            resource: name,
        };
        let metadata = metadata.into_iter().collect();
        let written = self
            .client
            .0
            .blob_container_client(name)
            .set_metadata(&metadata, None)
            .await;
        match self.told(subject, written) {
            Err(error) if is_gone(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    /// All containers, page by page, with their metadata.
    pub(super) fn containers(&self) -> Result<BoxStream<'static, azure_core::Result<Vec<Container>>>> {
        let options = BlobServiceClientListContainersOptions {
            include: Some(vec![ListContainersIncludeType::Metadata]),
            ..BlobServiceClientListContainersOptions::default()
        };
        let pages = self.told(self.list_subject(), self.client.0.list_containers(Some(options)))?;
        let pages = pages.into_pages().and_then(|page| async move {
            let containers = page.into_model()?.container_items.into_iter();
            let read = containers.filter_map(|item| {
                let properties = item.properties.unwrap_or_default();
                Some(Container {
                    name: item.name?,
                    metadata: item.metadata.unwrap_or_default().into_iter().collect(),
                    leased: is_leased(properties.lease_state.as_ref()),
                })
            });
            Ok(read.collect())
        });
        Ok(pages.boxed())
    }

    pub(super) fn list_subject(&self) -> Subject<'_> {
        Subject {
            operation: "blob:ListContainers",
            resource: self.name(),
        }
    }

    /// Deletes a container; one that is absent, or going already, is success.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let subject = Subject {
            operation: "blob:DeleteContainer",
            resource: name,
        };
        let deleted = self.client.0.blob_container_client(name).delete(None).await;
        match self.told(subject, deleted) {
            Err(error) if is_gone(&error) => Ok(()),
            other => other.map(drop),
        }
    }
}

/// A container that is being deleted is not there for anybody any more.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::TokenBurnt)
}

fn is_leased(state: Option<&LeaseState>) -> bool {
    matches!(state, Some(LeaseState::Leased | LeaseState::Breaking))
}
