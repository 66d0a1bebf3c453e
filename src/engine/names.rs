//! The labels, annotations and tags by which moorline finds its things again.

use moorline_api::tags;

/// Label of every object that a profile made, and tag of every volume: the profile's name.
pub const PROFILE: &str = tags::PROFILE;
/// Annotation of claims and tag of volumes: who the profile says owns it.
pub const OWNER: &str = tags::OWNER;
/// Annotation of a claim, written when its PersistentVolume exists: the volume's id. Writing it makes Kubernetes bind at once.
pub const VOLUME: &str = "moorline.dev/volume";
/// Annotation of a claim: the StatefulSet it was made for, `<name>`; outlives the set.
pub const SET: &str = tags::SET;
/// Tag: UID of the cluster's namespace `kube-system`.
pub const CLUSTER_UID: &str = tags::CLUSTER_UID;
/// Tag: the claim's namespace. Label of objects that have no namespace: that of the profile which made them.
pub const NAMESPACE: &str = tags::NAMESPACE;
/// Tag: the claim's name.
pub const CLAIM: &str = tags::CLAIM;
/// Tag: the claim's UID.
pub const CLAIM_UID: &str = tags::CLAIM_UID;
/// Tag of a volume that its class names and that was there before: it is mounted and never deleted.
pub const ADOPTED: &str = tags::ADOPTED;
/// Label of a Secret with which nodes mount volumes: the profile it was made for.
pub const MOUNTS_FOR: &str = "moorline.dev/mounts-for";
/// The field manager of every write.
pub const FIELD_MANAGER: &str = "moorline";
/// Annotation of a PersistentVolume: the CSI driver that may delete its volume.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Annotation of a PersistentVolume: what a `down` decided for its volume, so that the next run goes on with it.
pub const ON_DOWN: &str = "moorline.dev/on-down";
/// Annotation of a PersistentVolume: the reclaim policy that it had before a `down` made it Retain.
pub const RECLAIM_POLICY: &str = "moorline.dev/reclaim-policy";
/// Annotation of a claim: when its PersistentVolume was found made and the claim unbound, and the binder was woken (again).
pub const RESUMED: &str = "moorline.dev/resumed";
