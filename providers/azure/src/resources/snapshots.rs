//! Snapshots of managed disks.

use std::collections::BTreeMap;

use moorline_api::Result;
use serde::{Deserialize, Serialize};

use super::Storage;
use super::compute::Kind;
use super::disks::CreationData;
use crate::arm::Listing;

/// A snapshot as Azure shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DiskSnapshot {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) properties: SnapshotProperties,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SnapshotProperties {
    pub(crate) time_created: Option<String>,
    pub(crate) provisioning_state: Option<String>,
    /// How much was copied in the background, of an incremental one.
    pub(crate) completion_percent: Option<f64>,
    #[serde(rename = "diskSizeGB")]
    pub(crate) disk_size_gb: Option<u32>,
    pub(crate) creation_data: CreationData,
}

impl DiskSnapshot {
    /// Whether a disk can be made of it.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.properties.provisioning_state.as_deref();
        let made = state.is_none_or(|state| state.eq_ignore_ascii_case("Succeeded"));
        made && self
            .properties
            .completion_percent
            .is_none_or(|percent| percent >= 100.0)
    }

    /// What it was taken of.
    pub(crate) fn source(&self) -> Option<&str> {
        self.properties.creation_data.source_resource_id.as_deref()
    }
}

/// A snapshot to be.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SnapshotBody {
    location: String,
    tags: BTreeMap<String, String>,
    properties: NewSnapshot,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewSnapshot {
    creation_data: CreationData,
    /// Only what changed since the one before is paid for, and some SKUs have no other.
    incremental: bool,
}

impl SnapshotBody {
    /// A snapshot of the disk with this id.
    pub(crate) fn of(disk: &str, location: &str, tags: BTreeMap<String, String>) -> Self {
        Self {
            location: location.to_owned(),
            tags,
            properties: NewSnapshot {
                creation_data: CreationData::copy_of(disk),
                incremental: true,
            },
        }
    }
}

const SNAPSHOTS: Kind = Kind {
    resource_type: "Microsoft.Compute/snapshots",
    plural: "snapshots",
    read: "Microsoft.Compute/snapshots/read",
    write: "Microsoft.Compute/snapshots/write",
    delete: "Microsoft.Compute/snapshots/delete",
};

impl Storage<'_> {
    /// The listings of every snapshot of the scope.
    pub(crate) fn snapshot_listings(&self) -> Vec<Listing> {
        self.compute_listings(&SNAPSHOTS)
    }

    pub(crate) async fn snapshot(&self, place: (&str, &str)) -> Result<Option<DiskSnapshot>> {
        self.compute(&SNAPSHOTS, place).await
    }

    /// Takes a snapshot and waits until Azure has it; its data may follow.
    pub(crate) async fn create_snapshot(&self, place: (&str, &str), body: &SnapshotBody) -> Result<()> {
        self.create_compute(&SNAPSHOTS, place, body).await
    }

    /// Deletes a snapshot and waits until it is gone; one that is absent is success.
    pub(crate) async fn delete_disk_snapshot(&self, place: (&str, &str)) -> Result<()> {
        self.delete_compute(&SNAPSHOTS, place).await
    }
}
