//! What a profile says, resolved: the types that the engine plans from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use moorline_api::{ClaimShape, CloudName, Object, ResourceKind, StorageClass};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Diagnostics;

/// A profile that was read, checked and resolved. Nothing in it has been compared with a cluster or a cloud yet.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name: a DNS label.
    pub name: String,
    /// The folder, as it was given.
    pub folder: PathBuf,
    /// The cloud.
    pub provider: ProviderBlock,
    /// Which cluster it is for; every other one is refused.
    pub cluster: ClusterPins,
    /// Where namespaced objects without a namespace go.
    pub namespace: String,
    /// Who answers for it; goes into the tag `moorline.dev/owner`.
    pub owner: Option<String>,
    /// What `down` does to volumes.
    pub on_down: OnDown,
    /// Where the Lease is that keeps other runs out.
    pub lock: LockPlace,
    /// Every object, in the order of files and documents; `List`s are flattened.
    pub manifests: Vec<Manifest>,
    /// The StorageClasses among them, by name.
    pub classes: BTreeMap<String, StorageClass>,
    /// StorageClasses that the cluster has already.
    pub external_classes: Vec<String>,
    /// The StatefulSets among them.
    pub sets: Vec<SetClaims>,
    /// The claims among them.
    pub claims: Vec<StandaloneClaim>,
    /// SHA-256 over the names and contents of all files read, in lower-case hexadecimal digits.
    pub digest: String,
    /// What is allowed and probably not meant; warnings only.
    pub warnings: Diagnostics,
}

impl Profile {
    /// The place of the Namespace of this name, where the profile has it and `down` therefore deletes it, with all that is in it.
    pub fn own_namespace(&self, name: &str) -> Option<&Origin> {
        if is_everlasting(name) {
            return None;
        }
        let is_it = |made: &&Manifest| made.object.gvk() == ResourceKind::namespace().gvk && made.object.name() == name;
        self.manifests.iter().find(is_it).map(|made| &made.origin)
    }
}

/// Whether a namespace is one that no API server deletes, whoever asks for it.
pub(crate) fn is_everlasting(namespace: &str) -> bool {
    matches!(namespace, "default" | "kube-system" | "kube-public")
}

/// The cloud of a profile: exactly one. Fields of different clouds cannot mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "provider")]
pub enum ProviderBlock {
    /// Amazon Web Services: volumes are EBS volumes.
    #[serde(rename_all = "camelCase")]
    Aws {
        /// The region, such as `us-east-1`. Without it `--region`, `AWS_REGION` or the AWS configuration decides; with it, any
        /// other region is refused.
        #[serde(default)]
        region: Option<String>,
        /// The account, twelve digits in quotes. Credentials of any other account are refused.
        #[serde(default)]
        account: Option<String>,
    },
    /// Microsoft Azure: volumes are file shares and blob containers, in storage accounts that moorline makes for them.
    #[serde(rename_all = "camelCase")]
    Azure {
        /// The subscription's id. Without it `AZURE_SUBSCRIPTION_ID` decides; with it, any other is refused.
        #[serde(default, deserialize_with = "lower_case")]
        subscription: Option<String>,
        /// The resource group of storage accounts whose class names none. Without it `AZURE_RESOURCE_GROUP` decides.
        #[serde(default)]
        resource_group: Option<String>,
        /// The region of storage accounts whose class names none, as Resource Manager calls it: `eastus`, not `East US`.
        /// Default: where the resource group is.
        #[serde(default)]
        location: Option<String>,
        /// Whether the resource group is made where it is missing; `resourceGroup` and `location` are needed then. Default:
        /// `false`, a missing resource group is an error.
        #[serde(default)]
        create_resource_group: bool,
        /// The tenant's id. Credentials of any other tenant are refused.
        #[serde(default, deserialize_with = "lower_case")]
        tenant: Option<String>,
    },
}

/// Ids of Azure are compared and shown in lower case, however they are written.
fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    Ok(id.map(|id| id.to_ascii_lowercase()))
}

impl ProviderBlock {
    /// The cloud; the storage rules of this one serve the profile.
    pub fn cloud(&self) -> CloudName {
        match self {
            Self::Aws { .. } => CloudName::Aws,
            Self::Azure { .. } => CloudName::Azure,
        }
    }

    /// The account or subscription that the profile is pinned to.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Aws { account, .. } => account.as_deref(),
            Self::Azure { subscription, .. } => subscription.as_deref(),
        }
    }

    /// How messages call the account, and what helps where a run is in another one.
    pub fn account_words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Aws { .. } => ("account", "use credentials of that account, or another --aws-profile"),
            Self::Azure { .. } => ("subscription", "set AZURE_SUBSCRIPTION_ID to it, or unset it"),
        }
    }

    /// How messages call the region, and what helps where a run is in another one.
    pub fn region_words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Aws { .. } => ("region", "pass --region, or unset the one that overrides it"),
            Self::Azure { .. } => ("location", "pass it as --region, or pass none"),
        }
    }

    /// The region that the profile is pinned to; Azure calls it a location.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Aws { region, .. } => region.as_deref(),
            Self::Azure { location, .. } => location.as_deref(),
        }
    }

    /// The resource group that the profile is pinned to, in clouds that have such.
    pub fn resource_group(&self) -> Option<&str> {
        match self {
            Self::Aws { .. } => None,
            Self::Azure { resource_group, .. } => resource_group.as_deref(),
        }
    }

    /// Whether a missing resource group is made; where it is, [`resource_group`](Self::resource_group) and
    /// [`region`](Self::region) are given.
    pub fn creates_resource_group(&self) -> bool {
        matches!(
            self,
            Self::Azure {
                create_resource_group: true,
                ..
            }
        )
    }

    /// The tenant that the profile is pinned to, in clouds that have such.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Aws { .. } => None,
            Self::Azure { tenant, .. } => tenant.as_deref(),
        }
    }
}

/// Pins a profile to a cluster: the wrong cluster is the commonest accident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "cluster")]
pub struct ClusterPins {
    /// The kubeconfig context, by name.
    #[serde(default)]
    pub context: Option<String>,
    /// The UID of the cluster's namespace `kube-system`, which is unique to this life of the cluster:
    /// `kubectl get namespace kube-system -o jsonpath={.metadata.uid}`.
    #[serde(default)]
    pub uid: Option<String>,
}

/// Where the Lease of a profile is, which keeps a second run out while one changes something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "lock")]
pub struct LockPlace {
    /// The Lease's namespace, which `down` does not delete: not one of the profile's own. `--lock-namespace` and
    /// `MOORLINE_LOCK_NAMESPACE` win over it. Default: `default`.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// What `down` does to the volumes of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "onDown")]
pub enum OnDown {
    /// What each volume's reclaim policy says: `Delete` deletes, `Retain` keeps. The default.
    #[default]
    ReclaimPolicy,
    /// Delete every volume.
    Delete,
    /// Keep every volume.
    Keep,
    /// Take a snapshot of every volume, then delete it.
    Snapshot,
}

/// One object and where it stands.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The object as written; `metadata.namespace` is missing where the file has none.
    pub object: Object,
    /// Where it begins.
    pub origin: Origin,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The file, below the folder as it was given.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Which StorageClass a claim names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClassRef {
    /// This one: of the profile, or one that the cluster has already.
    Named(String),
    /// None is named: the cluster's default class decides.
    ClusterDefault,
    /// `storageClassName: ""`: no class, only an existing volume will do.
    None,
}

impl ClassRef {
    /// The class's name, where one is named.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::ClusterDefault | Self::None => None,
        }
    }
}

/// What becomes of the claims of a StatefulSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retention {
    /// They stay. Kubernetes' default.
    #[default]
    Retain,
    /// They go.
    Delete,
}

/// A StatefulSet and the claims it makes.
#[derive(Clone, Debug)]
pub struct SetClaims {
    /// Namespace, filled in.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `spec.replicas`; `None` where the manifest leaves the number to others (an autoscaler).
    pub replicas: Option<u32>,
    /// `spec.ordinals.start`, 0 where it is not given.
    pub first_ordinal: u32,
    /// Whether pods start all at once (`podManagementPolicy: Parallel`).
    pub parallel: bool,
    /// `spec.selector.matchLabels`: the labels that the set's claims get.
    pub match_labels: BTreeMap<String, String>,
    /// `spec.volumeClaimTemplates`.
    pub templates: Vec<ClaimTemplate>,
    /// The pods' `nodeSelector`.
    pub node_selector: Option<Value>,
    /// The pods' `affinity`.
    pub affinity: Option<Value>,
    /// What becomes of claims of ordinals that the set no longer has.
    pub when_scaled: Retention,
    /// What becomes of claims when the set goes.
    pub when_deleted: Retention,
}

impl SetClaims {
    /// The name of an ordinal's claim: `<template>-<set>-<ordinal>`.
    pub fn claim_name(&self, template: &str, ordinal: u32) -> String {
        format!("{template}-{}-{ordinal}", self.name)
    }

    /// The ordinal of a claim of this template that is called so, and nothing where none is.
    pub fn ordinal_of(&self, template: &str, claim: &str) -> Option<u32> {
        let ordinal = claim
            .strip_prefix(template)?
            .strip_prefix('-')?
            .strip_prefix(&*self.name)?
            .strip_prefix('-')?;
        let is_canonical = ordinal == "0" || !ordinal.starts_with('0');
        let is_number = is_canonical && ordinal.bytes().all(|b| b.is_ascii_digit());
        ordinal.parse().ok().filter(|_| is_number)
    }

    /// The ordinals of that many replicas.
    pub fn ordinals(&self, replicas: u32) -> Range<u32> {
        self.first_ordinal..self.first_ordinal.saturating_add(replicas)
    }
}

/// One entry of `spec.volumeClaimTemplates`.
#[derive(Clone, Debug)]
pub struct ClaimTemplate {
    /// Name, which the pods' `volumeMounts` repeat.
    pub name: String,
    /// Its class.
    pub class: ClassRef,
    /// What it asks for.
    pub shape: ClaimShape,
    /// `spec` as written.
    pub spec: Value,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// A claim that stands by itself.
#[derive(Clone, Debug)]
pub struct StandaloneClaim {
    /// Namespace, filled in.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its class.
    pub class: ClassRef,
    /// What it asks for.
    pub shape: ClaimShape,
    /// `spec` as written.
    pub spec: Value,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// The whole object as written.
    pub object: Object,
}
