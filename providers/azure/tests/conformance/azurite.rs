//! Azurite: the provider in its account, and the account's blobs by the official client.

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::RequestContent;
use azure_storage_blob::BlobServiceClient;
use azure_storage_blob::models::{
    BlobContainerClientAcquireLeaseResultHeaders as _, BlobContainerClientBreakLeaseOptions,
    BlobServiceClientListContainersOptions,
};
use futures::TryStreamExt as _;
use moorline_api::conformance::blobs::{Outcome, Refusal};
use moorline_api::conformance::containers::ContainerBackend;
use moorline_api::{MountSecrets, Usage, VolumeId, Volumes};
use moorline_azure::{AzureProvider, AzureSettings, StorageConnection, VolumeName, blob_service};

pub(crate) struct Azurite {
    provider: AzureProvider,
    pub(crate) blobs: BlobServiceClient,
    pub(crate) label: String,
}

impl Azurite {
    pub(crate) fn find() -> Self {
        let connection = moorline_parts::from_environment()
            .unwrap()
            .azurite_connection()
            .unwrap();
        let connection = StorageConnection::parse(&connection).unwrap();
        let settings = AzureSettings {
            connection: Some(connection.clone()),
            ..AzureSettings::default()
        };
        Self {
            blobs: blob_service(&connection, &settings).unwrap(),
            provider: AzureProvider::connect(settings).unwrap(),
            label: format!("{:08x}", fastrand::u32(..)),
        }
    }

    /// Takes away what the case made: containers that begin with its label, by themselves or as volumes.
    pub(crate) async fn clear(&self) {
        for prefix in [self.label.clone(), format!("web-pvc-{}", self.label)] {
            let options = BlobServiceClientListContainersOptions {
                prefix: Some(prefix),
                ..BlobServiceClientListContainersOptions::default()
            };
            let mut found = self.blobs.list_containers(Some(options)).unwrap();
            while let Some(item) = found.try_next().await.unwrap() {
                let container = self.blobs.blob_container_client(&item.name.unwrap());
                let at_once = BlobContainerClientBreakLeaseOptions {
                    break_period: Some(0),
                    ..BlobContainerClientBreakLeaseOptions::default()
                };
                // Most are not leased.
                drop(container.break_lease(Some(at_once)).await);
                container.delete(None).await.unwrap();
            }
        }
    }
}

/// The container's name of a volume.
fn name(id: &VolumeId) -> String {
    VolumeName::parse(id).unwrap().name
}

/// An outcome as the cases compare it.
pub(crate) fn told<T>(outcome: azure_core::Result<T>) -> Outcome<T> {
    outcome.map_err(|error| match error.kind() {
        ErrorKind::HttpResponse { status, error_code, .. } => Refusal {
            status: (*status).into(),
            code: error_code.clone().unwrap_or_default(),
        },
        other => panic!("{other:?}: {error}"),
    })
}

#[async_trait(?Send)]
impl ContainerBackend for Azurite {
    fn volumes(&self) -> &dyn Volumes {
        &self.provider
    }

    fn secrets(&self) -> &dyn MountSecrets {
        &self.provider
    }

    fn usage(&self) -> &dyn Usage {
        &self.provider
    }

    fn label(&self) -> &str {
        &self.label
    }

    async fn lease(&self, id: &VolumeId) -> String {
        let container = self.blobs.blob_container_client(&name(id));
        let lease = container.acquire_lease(-1, None).await.unwrap();
        lease.lease_id().unwrap().unwrap().clone()
    }

    async fn release(&self, id: &VolumeId, lease: &str) {
        let container = self.blobs.blob_container_client(&name(id));
        container.release_lease(lease.to_owned(), None).await.unwrap();
    }

    async fn write(&self, id: &VolumeId, blob: &str, bytes: usize) {
        let blob = self.blobs.blob_client(&name(id), blob);
        blob.upload(RequestContent::from(vec![b'x'; bytes]), None)
            .await
            .unwrap();
    }
}
