//! What a StorageClass and a claim mean to a provider: pure rules, no calls.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Object, SecretRef, VolumeConfig, VolumeId, VolumeSpec};

/// What becomes of a volume when its claim goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReclaimPolicy {
    /// The volume goes too. The default of a class that says nothing.
    Delete,
    /// The volume stays.
    Retain,
}

/// When a claim is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingMode {
    /// As soon as it exists. The default of a class that says nothing.
    Immediate,
    /// When a pod that uses it is scheduled.
    WaitForFirstConsumer,
}

/// A StorageClass, from a manifest or from a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageClass {
    /// Name.
    pub name: String,
    /// Provisioner, as written: in-tree names too.
    pub provisioner: String,
    /// Parameters, as written.
    pub parameters: BTreeMap<String, String>,
    /// Reclaim policy.
    pub reclaim_policy: ReclaimPolicy,
    /// Binding mode.
    pub binding_mode: BindingMode,
    /// Mount options for the PV.
    pub mount_options: Vec<String>,
    /// `allowedTopologies` as it stands.
    pub allowed_topologies: Vec<Value>,
}

impl StorageClass {
    /// Reads a well-formed class; what is missing takes the API server's default.
    pub fn from_object(object: &Object) -> Self {
        let parameters = object.at(&["parameters"]).and_then(Value::as_object);
        let parameters = parameters
            .into_iter()
            .flatten()
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
        let strings = |path: &[&str]| {
            object
                .list_at(path)
                .iter()
                .filter_map(|v| Some(v.as_str()?.to_owned()))
                .collect()
        };
        Self {
            name: object.name().to_owned(),
            provisioner: object.str_at(&["provisioner"]).unwrap_or_default().to_owned(),
            parameters: parameters.collect(),
            reclaim_policy: match object.str_at(&["reclaimPolicy"]) {
                Some("Retain") => ReclaimPolicy::Retain,
                _ => ReclaimPolicy::Delete,
            },
            binding_mode: match object.str_at(&["volumeBindingMode"]) {
                Some("WaitForFirstConsumer") => BindingMode::WaitForFirstConsumer,
                _ => BindingMode::Immediate,
            },
            mount_options: strings(&["mountOptions"]),
            allowed_topologies: object.list_at(&["allowedTopologies"]).to_vec(),
        }
    }
}

/// What a claim asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimShape {
    /// `spec.resources.requests.storage` in bytes.
    pub bytes: u64,
    /// `spec.accessModes`.
    pub access_modes: Vec<String>,
    /// `spec.volumeMode`: `Filesystem` or `Block`.
    pub volume_mode: String,
}

/// A field of a StorageClass or of a claim's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldPath {
    /// Below the StorageClass: `["parameters", "iops"]`.
    Class(Vec<String>),
    /// Below the claim (or template): `["spec", "accessModes"]`.
    Claim(Vec<String>),
}

/// One thing wrong with a class or a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Where.
    pub field: FieldPath,
    /// What is wrong: `io1 needs iops or iopsPerGB`.
    pub cause: String,
    /// What would be right: `add iops: "100" to 64000`.
    pub cure: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.cure)
    }
}

/// Everything about a claim's volume but its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Size in whole GiB.
    pub size_gib: u32,
    /// The provider's part.
    pub config: VolumeConfig,
    /// Zones that the class allows; `None` where it allows all.
    pub zones: Option<Vec<String>>,
    /// Whether volumes of this sort live in one zone.
    pub zonal: bool,
}

/// What the provider's part of a PersistentVolume is made from.
#[derive(Clone, Copy, Debug)]
pub struct PvRequest<'a> {
    /// The claim's class.
    pub class: &'a StorageClass,
    /// The volume.
    pub id: &'a VolumeId,
    /// The volume as it is.
    pub spec: &'a VolumeSpec,
    /// What the claim asks for.
    pub shape: &'a ClaimShape,
    /// The claim's namespace.
    pub namespace: &'a str,
    /// The claim's name.
    pub claim: &'a str,
    /// The PersistentVolume's name.
    pub persistent_volume: &'a str,
}

/// The provider's part of a PersistentVolume.
#[derive(Clone, Debug, PartialEq)]
pub struct PvSource {
    /// Field of `spec` and its value: `("csi", {driver, volumeHandle, fsType, …})`.
    pub source: (String, Value),
    /// `spec.nodeAffinity`, where the volume is zonal.
    pub node_affinity: Option<Value>,
    /// The value of the annotation `pv.kubernetes.io/provisioned-by`: the CSI driver's name.
    pub provisioned_by: String,
    /// The Secret that must exist before a node mounts the volume; [`MountSecrets`](crate::MountSecrets) says what is in it.
    pub secret: Option<SecretRef>,
}

/// A cloud that has a provider here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloudName {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

impl CloudName {
    /// As profiles call it: `aws`, `azure`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }
}

/// As messages call it: `AWS`, `Azure`.
impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
        })
    }
}

/// A provider's storage rules.
pub trait StorageRules: Send + Sync {
    /// The cloud that they are of: they serve the profiles whose provider it is.
    fn cloud(&self) -> CloudName;

    /// Whether a class with this provisioner is this provider's.
    fn serves(&self, provisioner: &str) -> bool;

    /// The provisioners it serves, for messages.
    fn provisioners(&self) -> &'static [&'static str];

    /// What a claim of this class gets, or all that is wrong. `zones` are those of the region where they are known.
    fn place(
        &self,
        class: &StorageClass,
        claim: &ClaimShape,
        zones: Option<&[String]>,
    ) -> Result<Placement, Vec<FieldProblem>>;

    /// How a volume appears in its PersistentVolume.
    fn pv_source(&self, request: &PvRequest<'_>) -> PvSource;

    /// The volume behind a PersistentVolume in any of its handle forms; `None` where it is not this provider's.
    fn volume_id(&self, persistent_volume: &Object) -> Option<VolumeId>;

    /// Tags that the provider's CSI driver and its permissions expect on a volume made for a claim.
    fn standard_tags(&self, namespace: &str, claim: &str, claim_uid: &str, pv_name: &str) -> BTreeMap<String, String>;

    /// Estimated cost in US dollars a month, where the price table has it.
    fn monthly_cost(&self, region: &str, spec: &VolumeSpec) -> Option<f64>;
}
