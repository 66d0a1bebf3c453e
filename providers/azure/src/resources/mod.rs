//! The operations of Resource Manager that moorline uses, one by one: requests and answers as Azure documents them, without
//! any opinion of ours.

mod accounts;
mod balancers;
mod compute;
mod containers;
mod disks;
mod groups;
mod locks;
mod queues_and_tables;
mod shares;
mod snapshots;
mod tags;

pub(crate) use accounts::{AccountBody, StorageAccount};
pub(crate) use balancers::PublicAddress;
pub(crate) use containers::{Container, ContainerBody};
pub use disks::{CreationData, DiskProperties, DiskSku, ManagedDisk};
pub(crate) use disks::{DiskBody, NewDiskProperties};
pub(crate) use groups::Claims;
pub(crate) use locks::Locks;
pub(crate) use shares::{Retention, Share, ShareBody, ShareListing};
pub(crate) use snapshots::{DiskSnapshot, SnapshotBody};
pub(crate) use tags::TagOperation;

use azure_core::http::Method;
use moorline_api::{ErrorKind, Result};
use serde::Serialize;
use serde_json::Value;

use crate::arm::{Call, Listing, Path, ResourceManager, Version};
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
    /// The only resource groups whose things are listed; all of them where it is empty.
    pub(crate) groups: &'a [String],
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

    /// The listings of all resources of a type: one for the subscription, or one for each resource group that is meant.
    fn everywhere(
        &self,
        (version, resource_type): (Version, &str),
        listing: impl Fn(Path, String) -> Listing,
    ) -> Vec<Listing> {
        let below = |path: Path| path.fixed("providers").fixed(resource_type);
        if self.groups.is_empty() {
            let path = Path::subscription(version, self.subscription);
            return vec![listing(below(path), format!("subscription {}", self.subscription))];
        }
        let of_group = |group: &String| {
            let path = Path::group(version, self.subscription, group);
            listing(below(path), format!("resource group {group}"))
        };
        self.groups.iter().map(of_group).collect()
    }

    /// `P/{account}` of `facts/azure.md`.
    fn account_path(&self, place: &AccountPlace) -> Path {
        Path::group(Version::Storage, self.subscription, &place.group)
            .fixed("providers/Microsoft.Storage/storageAccounts")
            .named(&place.account)
    }
}

/// A body as JSON.
fn as_json(body: &impl Serialize, call: &Call<'_>) -> Result<Value> {
    serde_json::to_value(body).map_err(|error| call.subject().error(ErrorKind::Invalid, error.to_string()))
}
