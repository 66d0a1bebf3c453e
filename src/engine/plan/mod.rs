//! Plans: immutable, serialisable, concrete. What `plan` prints is exactly what `apply` receives.

mod changes;
mod claims;
mod groups;
mod objects;
mod unchanged;
mod zones;

use moorline_api::{Account, ClusterIdentity, Object, ObjectRef, ReclaimPolicy, SecretRef, VolumeId, VolumeSpec};
use serde::Serialize;
use serde_json::Value;

use crate::outcome::Cause;

pub use changes::field_changes;
pub(crate) use claims::{ClaimInputs, PlannedClaims, new_name, plan_claims};
pub(crate) use objects::{DryRun, Obstacle, plan_object, prepared};
pub(crate) use unchanged::is_proved;

/// One field of an object that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The field: `.spec.replicas`, `.spec.template.spec.containers[name="nginx"].image`.
    pub path: String,
    /// Its value now; `None` where it is not set. Values of Secrets are withheld.
    pub before: Option<Value>,
    /// Its value then.
    pub after: Option<Value>,
}

/// What would happen to an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ObjectAction {
    /// It is not there.
    Create,
    /// Fields change.
    Update {
        /// Which.
        changes: Vec<FieldChange>,
        /// Why this deletes something, where it does (`whenScaled: Delete`): the user is asked.
        destroys: Option<String>,
    },
    /// A field that cannot change in place changes: deleted and made anew. The user is asked.
    Replace {
        /// The API server's reason.
        reason: String,
        /// Whether its dependents (a StatefulSet's pods) live on meanwhile.
        keeps_dependents: bool,
        /// The UID that is replaced; only that one is deleted.
        uid: String,
    },
    /// Nothing.
    Unchanged,
}

/// One object of the profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectPlan {
    /// Which.
    pub target: ObjectRef,
    /// What would happen.
    pub action: ObjectAction,
    /// The manifest as it is applied.
    #[serde(skip)]
    pub object: Object,
    /// Whether only fields of our own other writes (`scale`) stand in the way, so that forcing takes from no one else.
    pub force: bool,
    /// The object as it is, where nothing happens to it: a run with nothing to do judges by it.
    #[serde(skip)]
    pub live: Option<Object>,
}

/// What would happen for a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClaimAction {
    /// Claim, volume and PersistentVolume are made.
    Create,
    /// The claim is there, made by an earlier run that did not finish; the rest is made.
    Resume {
        /// The claim's UID.
        uid: String,
        /// The volume, where it was found.
        volume: Option<VolumeId>,
        /// Whether the PersistentVolume is there.
        persistent_volume: bool,
    },
    /// Bound to a volume that exists.
    Keep,
    /// Someone else provisions it; it is waited for.
    Await {
        /// Who, and why.
        reason: String,
    },
}

/// One claim of the profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimPlan {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The StatefulSet it is for.
    pub set: Option<String>,
    /// What would happen.
    pub action: ClaimAction,
    /// Name of the PersistentVolume.
    pub persistent_volume: String,
    /// Class.
    pub class: String,
    /// The volume.
    pub volume: Option<VolumeSpec>,
    /// Estimated US dollars a month, where something is created and the price is known.
    pub monthly_usd: Option<f64>,
    /// The claim as it is created.
    #[serde(skip)]
    pub object: Option<Object>,
    /// The class's part of the PersistentVolume.
    #[serde(skip)]
    pub storage: Option<ClaimStorage>,
}

impl ClaimPlan {
    /// Whether a volume is made for it.
    pub(crate) fn makes_volume(&self) -> bool {
        matches!(
            self.action,
            ClaimAction::Create
                | ClaimAction::Resume {
                    volume: None,
                    persistent_volume: false,
                    ..
                }
        )
    }
}

/// What a claim's PersistentVolume needs beside the volume.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimStorage {
    /// The class.
    pub class: moorline_api::StorageClass,
    /// What the claim asks for.
    pub shape: moorline_api::ClaimShape,
}

/// A Secret that PersistentVolumes name for their mounts and that is not there: it is made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountPlan {
    /// Which.
    pub secret: SecretRef,
    /// A volume that is mounted with it.
    pub volume: VolumeId,
}

/// An object that a former version of the profile made and this one no longer names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Which.
    pub target: ObjectRef,
    /// The UID it had when it was planned; only that one is deleted.
    pub uid: String,
}

/// A PersistentVolume of a claim that is there, which an interrupted `down` had put out of everyone's reach: it gets its reclaim policy back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnPlan {
    /// Which.
    pub persistent_volume: Removal,
    /// `namespace/name` of the claim.
    pub claim_name: String,
    /// The reclaim policy from before that `down`.
    pub reclaim_policy: ReclaimPolicy,
}

/// What `scale` does to its set.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleStep {
    /// The set.
    pub target: ObjectRef,
    /// Replicas now.
    pub from: u32,
    /// Replicas then.
    pub to: u32,
}

/// The plan of `up` and `scale`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpPlan {
    /// Profile.
    pub profile: String,
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// Account; `None` where the profile needs none.
    pub account: Option<Account>,
    /// Objects in the order of the manifests.
    pub objects: Vec<ObjectPlan>,
    /// Claims in the order of set, template and ordinal.
    pub claims: Vec<ClaimPlan>,
    /// Secrets for mounts to make again.
    pub mounts: Vec<MountPlan>,
    /// PersistentVolumes that an interrupted `down` had decided about, and whose claims are still there.
    pub returns: Vec<ReturnPlan>,
    /// PersistentVolumes to delete whose claims and volumes are gone.
    pub pointless: Vec<Removal>,
    /// Objects to remove. The user is asked.
    pub removals: Vec<Removal>,
    /// The one set whose replicas change (`scale` only).
    pub scale: Option<ScaleStep>,
    /// Claims and volumes that go because a set shrinks under `whenScaled: Delete`: the user is asked. And volumes that an interrupted
    /// `down` was to snapshot and delete: that was asked then.
    pub releases: Vec<ClaimRemoval>,
    /// Calls to the cloud that create something.
    pub volume_creates: u32,
    /// Estimated US dollars a month of what is created, as far as prices are known.
    pub monthly_usd: f64,
    /// Volumes to create whose price is not known.
    pub unpriced: usize,
    /// The least seconds that the account's rate limits allow.
    pub floor_seconds: f64,
    /// What the run will meet that is not an error: waits on others, things it leaves alone.
    pub notices: Vec<String>,
    /// What must be fixed before anything can be done; `apply` refuses a plan that has any.
    pub blocked: Vec<Cause>,
}

impl UpPlan {
    /// How many objects and claims would change.
    pub fn changes(&self) -> usize {
        let objects = self
            .objects
            .iter()
            .filter(|o| o.action != ObjectAction::Unchanged)
            .count();
        let claims = self
            .claims
            .iter()
            .filter(|c| matches!(c.action, ClaimAction::Create | ClaimAction::Resume { .. }))
            .count();
        objects
            + claims
            + self.mounts.len()
            + self.returns.len()
            + self.pointless.len()
            + self.removals.len()
            + self.releases.len()
            + usize::from(self.scale.as_ref().is_some_and(|s| s.from != s.to))
    }

    /// What would be deleted or replaced, a line each; the user is asked where there is any.
    pub fn destroys(&self) -> Vec<String> {
        let objects = self.objects.iter().filter_map(|o| match &o.action {
            ObjectAction::Replace { reason, .. } => Some(format!("replace {}: {reason}", o.target)),
            ObjectAction::Update {
                destroys: Some(what), ..
            } => Some(format!("change {}: {what}", o.target)),
            _ => None,
        });
        let removals = self
            .removals
            .iter()
            .map(|r| format!("delete {}: no longer in the profile", r.target));
        let finished = |r: &&ClaimRemoval| r.claim.is_none() && r.fate == VolumeFate::SnapshotThenDelete;
        let releases = self.releases.iter().filter(|r| !finished(r)).map(|r| {
            let what = match &r.claim {
                Some(_) => format!("delete claim {}: whenScaled: Delete", r.claim_name),
                None => format!("finish deleting claim {}: whenScaled: Delete", r.claim_name),
            };
            format!("{what}; its volume: {}", r.why)
        });
        objects.chain(removals).chain(releases).collect()
    }
}

/// What becomes of a volume on `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeFate {
    /// Deleted.
    Delete,
    /// Snapshotted, then deleted.
    SnapshotThenDelete,
    /// Kept: the PersistentVolume stays as the pointer to it.
    Keep,
}

/// One claim on `down`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRemoval {
    /// The claim; `None` where an earlier run already deleted it and only its volume is left.
    pub claim: Option<Removal>,
    /// `namespace/name` of the claim.
    pub claim_name: String,
    /// Its PersistentVolume.
    pub persistent_volume: Option<Removal>,
    /// What its PersistentVolume says of the volume, or said before a `down` changed that.
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// Its volume.
    pub volume: Option<VolumeId>,
    /// What becomes of the volume.
    pub fate: VolumeFate,
    /// Why: `reclaim policy Delete`, `onDown: keep`.
    pub why: String,
}

/// A load balancer that goes when its Service is deleted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerRemoval {
    /// The cloud's name for it.
    pub name: String,
    /// Its Service.
    pub service: ObjectRef,
}

/// The plan of `down`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DownPlan {
    /// Profile.
    pub profile: String,
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// Account; `None` where the profile needs none.
    pub account: Option<Account>,
    /// Objects to delete, in the order of their deletion.
    pub objects: Vec<Removal>,
    /// Claims and volumes.
    pub claims: Vec<ClaimRemoval>,
    /// Secrets for mounts, which go when no PersistentVolume names them any more.
    pub secrets: Vec<Removal>,
    /// Load balancers that go with their Services and are waited for.
    pub load_balancers: Vec<BalancerRemoval>,
    /// Things left alone, and why.
    pub keeps: Vec<crate::outcome::Fate>,
    /// Things worth knowing.
    pub notices: Vec<String>,
    /// Whether something could not be read (exit code 3).
    pub incomplete: bool,
}

impl DownPlan {
    /// Whether nothing of the profile is there.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.claims.is_empty() && self.secrets.is_empty() && self.load_balancers.is_empty()
    }
}

#[cfg(test)]
mod tests;
