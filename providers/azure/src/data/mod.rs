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
use moorline_api::{Result, StorageClass};
use moorline_azure_rules::{AzureRules, BLOB_DRIVER};

use crate::settings::AzureSettings;

pub(crate) use account::BlobAccount;
pub use connection::StorageConnection;

impl AzureSettings {
    /// These settings for volumes of these classes and no others. Where all of them are containers in the account that a
    /// connection string gives, Resource Manager is left out; where one of them needs it and no subscription is named, the
    /// connection string is of no use, and the first call says that a subscription is missing.
    #[must_use]
    pub fn serving<'a>(mut self, classes: impl IntoIterator<Item = &'a StorageClass>) -> Self {
        let Some(connection) = &self.connection else {
            return self;
        };
        let is_given = |class: &StorageClass| {
            let named = AzureRules::named_account(class);
            class.provisioner == BLOB_DRIVER && named.is_none_or(|name| name == connection.account())
        };
        if classes.into_iter().all(is_given) {
            self.subscription = None;
        } else if self.subscription.is_none() {
            self.connection = None;
        }
        self
    }
}

/// A client of the account's blobs: signed, bounded in time and repeated as all calls of the data plane are.
pub fn blob_service(connection: &StorageConnection, settings: &AzureSettings) -> Result<BlobServiceClient> {
    BlobAccount::new(connection, settings).map(BlobAccount::into_client)
}
