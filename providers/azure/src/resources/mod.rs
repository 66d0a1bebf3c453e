//! The operations of Resource Manager that moorline uses, one by one: requests and answers as Azure documents them, without
//! any opinion of ours.

mod accounts;
mod balancers;
mod containers;
mod disks;
mod groups;
mod shares;

pub(crate) use accounts::{AccountBody, StorageAccount};
pub(crate) use balancers::PublicAddress;
pub(crate) use containers::{Container, ContainerBody};
pub use disks::{DiskProperties, ManagedDisk};
pub(crate) use groups::Claims;
pub(crate) use shares::{Retention, Share, ShareBody, ShareListing};

use azure_core::http::Method;
use moorline_api::Result;

use crate::arm::{Call, Path, ResourceManager, Version};
use crate::governor::Family;

/// Where an account is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountPlace {
    /// Resource group.
    pub(crate) group: String,
    /// Name.
    pub(crate) account: String,
}

/// The operations, in one subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage<'a> {
    pub(crate) arm: &'a ResourceManager,
    pub(crate) subscription: &'a str,
}

impl Storage<'_> {
    /// A call without a body that may be repeated: `subject` is the action, as Azure's roles name it, and the thing.
    fn request<'a>(
        &self,
        (operation, resource): (&'static str, &'a str),
        (method, path): (Method, &Path),
        family: Family,
    ) -> Result<Call<'a>> {
        Ok(Call {
            operation,
            resource,
            method,
            url: self.arm.url(path)?,
            body: None,
            header: None,
            family,
            repeatable: true,
        })
    }

    /// `P/{account}` of `facts/azure.md`.
    fn account_path(&self, place: &AccountPlace) -> Path {
        Path::group(Version::Storage, self.subscription, &place.group)
            .fixed("providers/Microsoft.Storage/storageAccounts")
            .named(&place.account)
    }
}
