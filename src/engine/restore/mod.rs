//! `restore`: a volume and its bound claim from a snapshot, or from a deleted volume that its cloud still keeps.
//!
//! Kubernetes is the journal here too. The claim is made first, with the name of the PersistentVolume to come and the origin
//! in an annotation; its UID is the token under which the volume is made of a snapshot. A run that dies between any two calls
//! leaves something that the same command finishes.

mod blueprint;
mod execute;
mod find;
mod plan;

use jiff::Timestamp;
use moorline_api::{Account, ClusterIdentity, Object, Origin, Recoverable, StorageClass, Tags, VolumeId, VolumeSpec};
use moorline_profile::Profile;
use serde::Serialize;

use crate::context::Context;
use crate::error::EngineError;
use crate::plan::ClaimStorage;

pub use execute::execute_restore;
pub use find::restorable;

/// What to bring back, and what is to be otherwise than it was.
#[derive(Clone, Debug, Default)]
pub struct RestoreRequest {
    /// A snapshot's id, or the id of the volume that it was: then its newest snapshot, or the volume itself.
    pub what: String,
    /// The claim's namespace, where it is not the one of the tags.
    pub namespace: Option<String>,
    /// The claim's name, where it is not the one of the tags.
    pub claim: Option<String>,
    /// Its class.
    pub class: Option<String>,
    /// The zone for the new volume.
    pub zone: Option<String>,
    /// The new volume's size in GiB, where it is to be larger than the snapshot.
    pub size_gib: Option<u32>,
    /// The claim's access modes.
    pub access_modes: Vec<String>,
    /// Whether it may have been another cluster's, or nobody knows whose.
    pub any_cluster: bool,
}

/// What is brought back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Where from.
    pub origin: Origin,
    /// The volume that it was.
    pub volume: VolumeId,
    /// When the snapshot was taken, or the volume deleted.
    pub taken: Option<Timestamp>,
    /// Size in GiB.
    pub size_gib: u32,
    /// What it was like, as far as that is known.
    pub spec: Option<VolumeSpec>,
    /// Tags, as far as they can be read.
    pub tags: Tags,
    /// Whether the volume itself is there (again).
    pub alive: bool,
}

impl Source {
    fn of(found: Recoverable) -> Self {
        Self {
            origin: found.origin,
            volume: found.volume,
            taken: found.taken,
            size_gib: found.size_gib,
            spec: found.spec,
            tags: found.tags,
            alive: false,
        }
    }

    /// For people: `snapshot snap-0abc of volume vol-0abc`.
    pub fn title(&self) -> String {
        match &self.origin {
            Origin::Snapshot(id) => format!("snapshot {id} of volume {}", self.volume),
            Origin::Deleted { volume, .. } if self.alive => format!("volume {volume}"),
            Origin::Deleted { volume, .. } => format!("deleted volume {volume}"),
        }
    }
}

/// What `restore` would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePlan {
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// Account.
    pub account: Account,
    /// What is brought back.
    pub source: Source,
    /// What happens.
    pub action: RestoreAction,
    /// Estimated US dollars a month, where a volume is made and its price is known.
    pub monthly_usd: Option<f64>,
    /// Things worth knowing, a sentence each.
    pub notices: Vec<String>,
}

/// What happens to a volume and its claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RestoreAction {
    /// The deleted volume comes back as it was: the claim that had it is still there and bound to it, or what the volume itself says
    /// of its claim can be read only then.
    Return {
        /// The claim that is still bound to it: `namespace/name`.
        claim: Option<String>,
    },
    /// Claim, volume and PersistentVolume are made, as far as an earlier run has not made them.
    Make(Box<ClaimToMake>),
    /// An earlier run did it all.
    Nothing {
        /// The claim: `namespace/name`.
        claim: String,
        /// Its PersistentVolume.
        persistent_volume: String,
    },
}

/// A claim to be, and the volume behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimToMake {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The UID, where an earlier run made the claim and did not finish.
    pub uid: Option<String>,
    /// Name of its PersistentVolume.
    pub persistent_volume: String,
    /// Class.
    pub class: String,
    /// Access modes.
    pub access_modes: Vec<String>,
    /// The volume.
    pub volume: VolumeSpec,
    /// The profile that it belongs to.
    pub profile: Option<String>,
    /// The StatefulSet that it was made for.
    pub set: Option<String>,
    /// Who owns it.
    #[serde(skip)]
    owner: Option<String>,
    /// The claim as it is created.
    #[serde(skip)]
    object: Object,
    /// The class's part of the PersistentVolume.
    #[serde(skip)]
    storage: ClaimStorage,
}

/// What `restore` came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreOutcome {
    /// What was brought back.
    pub source: Source,
    /// `namespace/name` of the claim; `None` where nothing names the volume.
    pub claim: Option<String>,
    /// Its PersistentVolume.
    pub persistent_volume: Option<String>,
    /// The volume.
    pub volume: Option<VolumeId>,
    /// The volume as it is.
    pub spec: Option<VolumeSpec>,
    /// How many mutating calls changed something.
    pub changed: usize,
    /// Things worth knowing.
    pub notices: Vec<String>,
}

/// The run in the cloud that has what is asked for, where several may be meant.
pub async fn locate(ctx: &Context, request: &RestoreRequest) -> Result<Context, EngineError> {
    if ctx.others.is_empty() {
        return Ok(ctx.clone());
    }
    for there in ctx.each_cloud() {
        match find::source(&there, &plan::site(&there, None).await?, request).await {
            Err(EngineError::Refused { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(there),
        }
    }
    Ok(ctx.clone())
}

/// Reads cluster and cloud and says what `restore` would do. Changes nothing.
pub async fn plan_restore(
    ctx: &Context,
    profile: Option<&Profile>,
    request: &RestoreRequest,
) -> Result<RestorePlan, EngineError> {
    let site = plan::site(ctx, profile).await?;
    let source = find::source(ctx, &site, request).await?;
    plan::plan(ctx, profile, &site, request, source).await
}

fn refused(what: impl Into<String>, cure: impl Into<String>) -> EngineError {
    EngineError::Refused {
        what: what.into(),
        cure: cure.into(),
    }
}

/// A class that is nowhere any more: enough to mount the volume as it was, and nothing that could delete it.
fn forgotten_class(name: &str, provisioner: &str) -> StorageClass {
    StorageClass {
        name: name.to_owned(),
        provisioner: provisioner.to_owned(),
        parameters: std::collections::BTreeMap::new(),
        reclaim_policy: moorline_api::ReclaimPolicy::Retain,
        binding_mode: moorline_api::BindingMode::Immediate,
        mount_options: Vec::new(),
        allowed_topologies: Vec::new(),
    }
}
