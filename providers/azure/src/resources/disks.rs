//! Managed disks: listed, read, deleted, and made of snapshots only.

use std::collections::BTreeMap;

use moorline_api::Result;
use serde::{Deserialize, Serialize};

use super::Storage;
use super::compute::Kind;
use crate::arm::Listing;

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
    /// What it is on.
    #[serde(default)]
    pub sku: DiskSku,
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

/// What a disk is on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiskSku {
    /// `StandardSSD_LRS`, `Premium_ZRS` …
    #[serde(default)]
    pub name: String,
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
    /// Provisioned operations a second.
    #[serde(rename = "diskIOPSReadWrite")]
    pub disk_iops_read_write: Option<u32>,
    /// Provisioned MB a second.
    #[serde(rename = "diskMBpsReadWrite")]
    pub disk_mbps_read_write: Option<u32>,
    /// `Updating`, `Succeeded`, `Deleting` …
    pub provisioning_state: Option<String>,
    /// What it was made of.
    pub creation_data: CreationData,
}

/// What a disk or snapshot was made of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CreationData {
    /// `Empty`, `Copy` …
    pub create_option: String,
    /// The disk or snapshot that it is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_resource_id: Option<String>,
}

impl CreationData {
    /// A copy of the resource with this id.
    pub(crate) fn copy_of(id: &str) -> Self {
        Self {
            create_option: "Copy".to_owned(),
            source_resource_id: Some(id.to_owned()),
        }
    }
}

/// A disk to be.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DiskBody {
    pub(crate) location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sku: Option<DiskSku>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) zones: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) properties: NewDiskProperties,
}

/// What else is asked of a disk to be.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewDiskProperties {
    pub(crate) creation_data: CreationData,
    #[serde(rename = "diskSizeGB")]
    pub(crate) disk_size_gb: u32,
    #[serde(rename = "diskIOPSReadWrite", skip_serializing_if = "Option::is_none")]
    pub(crate) disk_iops_read_write: Option<u32>,
    #[serde(rename = "diskMBpsReadWrite", skip_serializing_if = "Option::is_none")]
    pub(crate) disk_mbps_read_write: Option<u32>,
}

const DISKS: Kind = Kind {
    resource_type: "Microsoft.Compute/disks",
    plural: "disks",
    read: "Microsoft.Compute/disks/read",
    write: "Microsoft.Compute/disks/write",
    delete: "Microsoft.Compute/disks/delete",
};

impl Storage<'_> {
    /// The listings of every disk of the scope.
    pub(crate) fn disk_listings(&self) -> Vec<Listing> {
        self.compute_listings(&DISKS)
    }

    /// Every disk of the scope.
    pub(crate) async fn disks(&self) -> Result<Vec<ManagedDisk>> {
        self.arm.all_of(self.disk_listings()).await
    }

    /// Makes a disk and waits until it is there.
    pub(crate) async fn create_disk(&self, place: (&str, &str), body: &DiskBody) -> Result<()> {
        self.create_compute(&DISKS, place, body).await
    }

    pub(crate) async fn disk(&self, group: &str, name: &str) -> Result<Option<ManagedDisk>> {
        self.compute(&DISKS, (group, name)).await
    }

    /// Deletes a disk and waits until it is gone; one that is absent is success.
    pub(crate) async fn delete_disk(&self, group: &str, name: &str) -> Result<()> {
        self.delete_compute(&DISKS, (group, name)).await
    }
}
