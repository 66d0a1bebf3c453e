//! How full volumes are: said from outside, for nobody writes files here.

use std::sync::Arc;

use moorline_sandbox_aws::AwsCloud;
use moorline_sandbox_azure::{AzureCloud, AzureError};
use moorline_sandbox_core::{Journal, JournalError};
use moorline_sandbox_kubernetes::ApiServer;
use serde_json::Value;

use crate::Clouds;
use crate::kinds::VOLUMES;
use crate::object::{text, uid};
use crate::quantity;
use crate::storage::backing::Backing;

const TABLE: &str = "volume-usage";
const GIB: u64 = 1 << 30;
/// What an empty file system of a disk takes for itself.
const OVERHEAD: u64 = 24 << 10;
/// On a disk, one inode for so many bytes.
const BYTES_PER_INODE: u64 = 16 << 10;
/// Inodes of an empty file system.
const FIRST_INODES: u64 = 11;

/// Why the usage of a volume cannot be said.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// There is no such volume object, or nothing in a cloud behind it.
    #[error("there is no volume object {0} with a volume of a cloud behind it")]
    Unknown(String),
    /// More than the volume holds.
    #[error("volume {name} holds {capacity} bytes and not {bytes}")]
    TooMuch {
        /// The volume object.
        name: String,
        /// What it holds.
        capacity: u64,
        /// What it was to hold.
        bytes: u64,
    },
    /// The cloud does not take it.
    #[error("Azure refused")]
    Azure(#[from] AzureError),
    /// It cannot be kept.
    #[error("it could not be kept")]
    Journal(#[from] JournalError),
}

/// What `df` would say of a volume, in bytes and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) capacity: u64,
    pub(crate) used: u64,
    pub(crate) inodes: u64,
    pub(crate) inodes_used: u64,
}

/// The usage of all volumes, kept across processes: of shares by the cloud, of others here.
pub(crate) struct Usage {
    journal: Arc<Journal>,
    aws: AwsCloud,
    azure: AzureCloud,
}

impl Usage {
    pub(crate) fn new(journal: Arc<Journal>, Clouds { aws, azure }: Clouds) -> Self {
        Self { journal, aws, azure }
    }

    /// How full the volume behind a volume object is; `None` where there is none.
    pub(crate) fn room(&self, volume: &Value) -> Option<Room> {
        let kept = || self.journal.get::<u64>(TABLE, uid(volume)).ok().flatten();
        let disk = |gib: u64| {
            let capacity = gib * GIB;
            Room {
                capacity,
                used: kept().unwrap_or(OVERHEAD),
                inodes: capacity / BYTES_PER_INODE,
                inodes_used: FIRST_INODES,
            }
        };
        match Backing::mounted(volume)? {
            Backing::Ebs(id) => Some(disk(self.aws.volume(&id)?.size_gib.into())),
            Backing::Disk(name) => {
                let disks = self.azure.disks().into_iter();
                let mut named = disks.filter(|disk| disk.name.eq_ignore_ascii_case(&name.name));
                Some(disk(named.next()?.size_gib))
            }
            // Neither SMB nor a container has inodes to count.
            Backing::Share(inside) => {
                let share = self.azure.share(&inside.account, &inside.name)?;
                Some(Room {
                    capacity: share.quota_gib * GIB,
                    used: share.used_bytes,
                    ..Room::default()
                })
            }
            Backing::Container(inside) => {
                self.azure.container(&inside.account, &inside.name)?;
                Some(Room {
                    capacity: quantity::bytes(text(volume, "/spec/capacity/storage"))?,
                    used: kept().unwrap_or_default(),
                    ..Room::default()
                })
            }
        }
    }

    /// Says how many bytes the files on the volume of a volume object take.
    pub(crate) fn set(&self, api: &ApiServer, name: &str, bytes: u64) -> Result<(), UsageError> {
        let unknown = || UsageError::Unknown(name.to_owned());
        let volume = api.get(VOLUMES, None, name).ok_or_else(unknown)?;
        let room = self.room(&volume).ok_or_else(unknown)?;
        if bytes > room.capacity {
            return Err(UsageError::TooMuch {
                name: name.to_owned(),
                capacity: room.capacity,
                bytes,
            });
        }
        match Backing::mounted(&volume) {
            Some(Backing::Share(inside)) => self.azure.set_share_usage(&inside.account, &inside.name, bytes)?,
            _ => self.journal.put(TABLE, uid(&volume), &bytes)?,
        }
        Ok(())
    }

    /// Forgets what was said of a volume object that is gone, or of nothing.
    pub(crate) fn forget(&self, uid: &str) {
        match self.journal.get::<u64>(TABLE, uid) {
            Ok(Some(_)) => {
                if let Err(error) = self.journal.delete(TABLE, uid) {
                    tracing::error!(%error, "a usage could not be forgotten");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a usage could not be read"),
        }
    }
}
