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

use crate::arm::{Path, ResourceManager, Version};

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
    /// `P/{account}` of `facts/azure.md`.
    fn account_path(&self, place: &AccountPlace) -> Path {
        Path::group(Version::Storage, self.subscription, &place.group)
            .fixed("providers/Microsoft.Storage/storageAccounts")
            .named(&place.account)
    }
}
