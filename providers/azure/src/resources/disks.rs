//! Managed disks: listed, read and deleted, never made.

use std::collections::BTreeMap;

use azure_core::http::Method;
use moorline_api::Result;
use serde::Deserialize;

use super::Storage;
use crate::arm::{Call, Listing, Path, Version};
use crate::governor::Family;

/// A managed disk as Azure shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ManagedDisk {
    /// Resource id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Azure's region.
    #[serde(default)]
    pub location: String,
    /// Zones, `1` to `3`, of a zonal disk.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Tags; the CSI driver's are `kubernetes.io-created-for-pvc-name` and its like.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The machine that has it.
    #[serde(default)]
    pub managed_by: Option<String>,
    /// The machines that have it, of a shared disk.
    #[serde(default)]
    pub managed_by_extended: Vec<String>,
    /// What else is known.
    #[serde(default)]
    pub properties: DiskProperties,
}

/// What else is known of a disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DiskProperties {
    /// `Unattached`, `Attached`, `Reserved`, `Frozen`, `ActiveSAS`, `ReadyToUpload`, `ActiveUpload`; others may come.
    pub disk_state: Option<String>,
    /// When it was made.
    pub time_created: Option<String>,
    /// When it last went from one machine to another.
    #[serde(rename = "LastOwnershipUpdateTime")]
    pub last_ownership_update_time: Option<String>,
    /// Size in GiB.
    #[serde(rename = "diskSizeGB")]
    pub disk_size_gb: Option<u32>,
}

impl Storage<'_> {
    /// Every disk of the subscription.
    pub(crate) async fn disks(&self) -> Result<Vec<ManagedDisk>> {
        let listing = Listing {
            operation: "Microsoft.Compute/disks/read",
            resource: format!("disks of subscription {}", self.subscription),
            path: Path::subscription(Version::Disks, self.subscription).fixed("providers/Microsoft.Compute/disks"),
            family: Family::Unpaced,
        };
        self.arm.all(listing).await
    }

    fn disk_call<'a>(
        &self,
        operation: &'static str,
        method: Method,
        (group, name): (&str, &'a str),
    ) -> Result<Call<'a>> {
        let path = Path::group(Version::Disks, self.subscription, group)
            .fixed("providers/Microsoft.Compute/disks")
            .named(name);
        self.request((operation, name), (method, &path), Family::Unpaced)
    }

    pub(crate) async fn disk(&self, group: &str, name: &str) -> Result<Option<ManagedDisk>> {
        let call = self.disk_call("Microsoft.Compute/disks/read", Method::Get, (group, name))?;
        self.arm.get(&call).await
    }

    /// Deletes a disk and waits until it is gone; one that is absent is success.
    pub(crate) async fn delete_disk(&self, group: &str, name: &str) -> Result<()> {
        let call = self.disk_call("Microsoft.Compute/disks/delete", Method::Delete, (group, name))?;
        match self.arm.complete(&call).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
