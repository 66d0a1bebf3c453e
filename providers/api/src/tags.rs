//! The tags by which every volume says whose it is, whatever the cloud calls a tag.
//!
//! The engine writes them in the creating call. A provider may read them, for instance to keep the volumes of two clusters in
//! different accounts; it must hand them back as they were given, even where its own names for them have to look different.

/// UID of the cluster's namespace `kube-system`.
pub const CLUSTER_UID: &str = "moorline.dev/cluster-uid";
/// The profile's name.
pub const PROFILE: &str = "moorline.dev/profile";
/// The claim's namespace.
pub const NAMESPACE: &str = "moorline.dev/namespace";
/// The claim's name.
pub const CLAIM: &str = "moorline.dev/claim";
/// The claim's UID: unique to one life of the claim.
pub const CLAIM_UID: &str = "moorline.dev/claim-uid";
/// On a volume that its class names and that was made for no claim: it is mounted and never deleted. Nobody writes this tag; a
/// provider tells it of a volume that it has looked at.
pub const ADOPTED: &str = "moorline.dev/adopted";
/// Who the profile says owns it.
pub const OWNER: &str = "moorline.dev/owner";
/// Annotation of a claim that moorline made: the StatefulSet it was made for. Outlives the set.
pub const SET: &str = "moorline.dev/stateful-set";
/// Since when runs of the garbage collector have seen the thing unused.
pub const UNUSED: &str = "moorline.dev/unused";
/// Never delete this; on volumes a tag, on claims and PersistentVolumes an annotation or a label. Any value but `false` counts.
pub const PROTECT: &str = "moorline.dev/protect";
/// Tag of a snapshot that the garbage collector took: when it may go, in RFC 3339.
pub const EXPIRES: &str = "moorline.dev/expires";
