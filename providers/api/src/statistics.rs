//! What kubelets measure of the volumes that their pods have mounted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A claim mounted in a pod, as the kubelet of the pod's node measured it. A figure that the kubelet leaves out is `None`: what
/// serves the files may not tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountStatistics {
    /// Namespace of pod and claim.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's UID: a pod that was made anew has the name of the one before it, and not its figures.
    pub pod_uid: String,
    /// The claim.
    pub claim: String,
    /// Size of the file system in bytes.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use.
    pub used_bytes: Option<u64>,
    /// Bytes that can still be written.
    pub available_bytes: Option<u64>,
    /// Inodes of the file system.
    pub inodes: Option<u64>,
    /// Inodes in use.
    pub inodes_used: Option<u64>,
    /// Inodes left.
    pub inodes_free: Option<u64>,
    /// When it was measured: kubelets look about once a minute.
    pub time: Option<Timestamp>,
}
