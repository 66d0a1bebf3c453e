//! The data plane of blob storage: containers without Resource Manager.
//!
//! A connection string names one storage account. Containers are then made there by the protocol that blobs are written with:
//! in an account that one may use and not manage, and in Azurite. The rules are those of Resource Manager's containers, the
//! names and metadata too; only who is asked differs.

mod account;
mod connection;
mod errors;
mod shared_key;
mod signer;
mod usage;
mod volumes;

use azure_storage_blob::BlobServiceClient;
use moorline_api::Result;

use crate::settings::AzureSettings;

pub(crate) use account::BlobAccount;
pub use connection::StorageConnection;

/// A client of the account's blobs: signed, bounded in time and repeated as all calls of the data plane are.
pub fn blob_service(connection: &StorageConnection, settings: &AzureSettings) -> Result<BlobServiceClient> {
    BlobAccount::new(connection, settings).map(BlobAccount::into_client)
}
