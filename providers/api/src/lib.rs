//! The contract between moorline's engine and what stands behind it: a Kubernetes cluster and a cloud.
//!
//! Traits are cut by capability and name no SDK type; the domain types below are all the engine knows.
//! Every listing is complete or an error: a forbidden, failed or truncated one never looks like absence.

pub mod account;
pub mod answer;
pub mod azure;
pub mod cluster;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod inventory;
pub mod load_balancer;
pub mod mount;
pub mod object;
pub mod places;
pub mod quantity;
pub mod recovery;
pub mod statistics;
pub mod storage;
pub mod store;
pub mod tags;
pub mod upkeep;
pub mod volume;
pub mod words;

pub use account::{Account, AccountId, Accounts};
pub use azure::{AzureAccount, AzureContainer, AzureDisk, AzureShare};
pub use cluster::{
    Applied, ApplyOptions, Cluster, ClusterIdentity, DeleteOptions, Deletion, Kinds, ListQuery, ManagedFields, Page,
    Propagation, WatchEvent, Write,
};
pub use error::{Error, ErrorKind, FieldConflict, Result};
pub use inventory::{
    Content, Detail, Holder, HolderMaker, Holders, Inventoried, Inventory, Resource, TagChange, Tagged, Tagging,
};
pub use load_balancer::{LoadBalancer, LoadBalancerKind, LoadBalancers, TargetGroup, TargetGroups};
pub use mount::{MountSecrets, SecretRef, Sensitive, Usage};
pub use object::{Gvk, Object, ObjectRef, ResourceKind};
pub use recovery::{Origin, Recoverable, Recovery};
pub use statistics::MountStatistics;
pub use storage::{
    BindingMode, ClaimShape, CloudName, FieldPath, FieldProblem, Placement, PvRequest, PvSource, ReclaimPolicy,
    StorageClass, StorageRules,
};
pub use store::{RunStore, StoreKey, StoreVersion, Stored};
pub use upkeep::{Swept, Upkeep};
pub use volume::{
    Attachment, ClientToken, NewVolume, Owner, Snapshot, Tags, Volume, VolumeConfig, VolumeFilter, VolumeId,
    VolumeSort, VolumeSpec, VolumeState, Volumes,
};
