//! Everything that a scope of a cloud holds, and the marks that runs leave on it: what garbage collection asks of a cloud.
//!
//! A scope is what one set of credentials sees at once: an AWS account in one region, an Azure subscription.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Result, Tags, Volume, VolumeId};

/// How much of a volume a listing showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// All of its tags.
    Full,
    /// Without its tags or metadata, as Azure lists shares: before it is marked or deleted it has to be read by itself.
    Listed,
}

/// Some of a scope's volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventoried {
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// How much of each of them is known.
    pub detail: Detail,
}

/// Lists and reads the volumes of one scope, whoever made them.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Every volume of the scope, of every sort that a cluster may use, page by page in any order; ends early only with an `Err`.
    /// What can be listed at the same time is, within the account's budgets.
    fn inventory(&self) -> BoxStream<'_, Result<Inventoried>>;

    /// These volumes with all of their tags, as far as they exist: `Detail::Full`. Any number; batched inside. Ids of other
    /// scopes are left out.
    fn read(&self, ids: Vec<VolumeId>) -> BoxStream<'_, Result<Vec<Volume>>>;

    /// The cloud's clock: the time that its latest answer bore, and that passed since. `None` before the first answer.
    fn clock(&self) -> Option<Timestamp>;
}

/// Something of a cloud that can bear a tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// A volume of any sort.
    Volume(VolumeId),
    /// A snapshot, by its id.
    Snapshot(String),
    /// A load balancer, by [`LoadBalancer::id`](crate::LoadBalancer::id).
    LoadBalancer(String),
    /// A target group, by [`TargetGroup::id`](crate::TargetGroup::id).
    TargetGroup(String),
    /// What holds volumes, by [`Holder::id`](crate::Holder::id).
    Holder(String),
}

impl Resource {
    /// The id in its cloud.
    pub fn id(&self) -> &str {
        match self {
            Self::Volume(id) => &id.0,
            Self::Snapshot(id) | Self::LoadBalancer(id) | Self::TargetGroup(id) | Self::Holder(id) => id,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = match self {
            Self::Volume(_) => "volume",
            Self::Snapshot(_) => "snapshot",
            Self::LoadBalancer(_) => "load balancer",
            Self::TargetGroup(_) => "target group",
            Self::Holder(_) => "storage account",
        };
        write!(f, "{sort} {}", self.id())
    }
}

/// One tag to set or to take off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagChange {
    /// The tag's key, as the engine knows it.
    pub key: String,
    /// Its new value; `None` takes the tag off, whatever its value.
    pub value: Option<String>,
}

/// What became of a change to some things.
#[derive(Debug)]
pub struct Tagged {
    /// The things; those that are absent count as done.
    pub things: Vec<Resource>,
    /// Whether all of them have the change now, or none is known to.
    pub outcome: Result<()>,
}

/// Sets and takes off tags.
pub trait Tagging: Send + Sync {
    /// Makes one change to many things, in as few calls as the cloud allows, and leaves every other tag as it is, also where the
    /// cloud replaces all metadata at once. Each thing is told exactly once; what fails for one does not keep others from it. A repeat
    /// does no harm.
    fn tag(&self, things: Vec<Resource>, change: TagChange) -> BoxStream<'_, Tagged>;
}

/// What holds volumes and may be left empty: a storage account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The id in its cloud.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Who made it, as far as its tags prove that: the cluster's UID for moorline's own, or a driver by name.
    pub maker: HolderMaker,
    /// What it holds.
    pub content: Content,
    /// Its tags.
    pub tags: Tags,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// Who made a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolderMaker {
    /// moorline, for the cluster with this UID.
    Moorline {
        /// UID of the cluster's namespace `kube-system`.
        cluster: String,
    },
    /// A CSI driver, which does not say for which cluster.
    Driver(String),
    /// Nobody that can be proved.
    Unknown,
}

/// What a holder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nothing at all: no share, no deleted share that can be restored, no container, table or queue.
    Nothing,
    /// Something, in words: `2 deleted shares that can still be restored`.
    Something(String),
    /// It could not be found out, or not wholly.
    Unread(String),
}

/// Lists and deletes what holds volumes. A cloud without such things lists none.
#[async_trait]
pub trait Holders: Send + Sync {
    /// Every holder of the scope that moorline or a CSI driver made, with what it holds; ends early only with an `Err`.
    fn holders(&self) -> BoxStream<'_, Result<Vec<Holder>>>;

    /// One holder as it is now; `None` where it is gone.
    async fn holder(&self, id: &str) -> Result<Option<Holder>>;

    /// Deletes a holder that is empty. It is looked at once more directly before: one that holds anything is `ErrorKind::InUse`. One that
    /// is absent is success.
    async fn delete_holder(&self, id: &str) -> Result<()>;
}
