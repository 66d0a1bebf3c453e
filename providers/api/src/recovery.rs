//! What brings a volume back: snapshots, and deleted volumes that their cloud still keeps.

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{NewVolume, Result, Tags, Volume, VolumeId, VolumeSpec};

/// Something that a volume can be brought back from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recoverable {
    /// Where from.
    pub origin: Origin,
    /// The volume that it was.
    pub volume: VolumeId,
    /// Whether it can be used now; a snapshot may still be under way.
    pub ready: bool,
    /// When it was taken, or the volume deleted.
    pub taken: Option<Timestamp>,
    /// When its cloud removes it by itself.
    pub removed: Option<Timestamp>,
    /// The volume's size in GiB.
    pub size_gib: u32,
    /// What the volume was like, as far as the cloud or our tags say: size, zone, type.
    pub spec: Option<VolumeSpec>,
    /// Tags or metadata; those of the volume are among them.
    pub tags: Tags,
}

/// Where a volume can be brought back from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A snapshot, by its id; a new volume is made of it.
    Snapshot(String),
    /// A deleted volume that its cloud still keeps: the same volume comes back, under its id. `version` tells it from others of its
    /// name that were deleted before.
    Deleted {
        /// Its id when it was alive.
        volume: VolumeId,
        /// Which of the deleted ones.
        version: String,
    },
}

impl Origin {
    /// For people: the snapshot's id, or that of the deleted volume.
    pub fn id(&self) -> &str {
        match self {
            Self::Snapshot(id) => id,
            Self::Deleted { volume, .. } => &volume.0,
        }
    }
}

/// Lists, uses and deletes what volumes can be brought back from, in one scope.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Our own account's snapshots with all of these tags (none: every one), and deleted volumes that can be brought back; page by
    /// page; ends early only with an `Err`.
    fn recoverable(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>>;

    /// Those of [`recoverable`](Self::recoverable) that are snapshots, in no more calls than they need.
    fn snapshots(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        let is_snapshot = |one: &Recoverable| matches!(one.origin, Origin::Snapshot(_));
        let pages = self.recoverable(tags);
        pages
            .map_ok(move |page| page.into_iter().filter(is_snapshot).collect())
            .boxed()
    }

    /// Brings a volume back. A snapshot gives a new volume as `new` says, idempotent by its token as with
    /// [`Volumes::create`](crate::Volumes::create); a deleted volume comes back as it was and gets the tags of `new`, and one that came back already is
    /// returned. Waits until it is usable; the caller bounds it in time.
    async fn recover(&self, origin: &Origin, new: &NewVolume) -> Result<Volume>;

    /// Deletes a snapshot. An absent one is success; one that something is made of is `ErrorKind::InUse`.
    async fn delete_snapshot(&self, id: &str) -> Result<()>;
}
