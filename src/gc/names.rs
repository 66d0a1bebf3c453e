//! The tags, labels and annotations by which volumes, claims and PersistentVolumes say whose they are.

use moorline_api::tags;

/// Tag of a volume: since when runs have seen it unused; its value is a [`Mark`](crate::Mark).
pub const UNUSED: &str = tags::UNUSED;
/// Tag of a volume, annotation or label of a claim or PersistentVolume: never delete it. Any value but `false` counts.
pub const PROTECT: &str = tags::PROTECT;
/// Annotation of a claim that moorline made: the StatefulSet it was made for.
pub const SET: &str = tags::SET;
/// The field manager under which the StatefulSet controller makes claims.
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// How managed fields write the field of a claim by which that is seen.
pub(crate) const ACCESS_MODES: &str = "f:accessModes";

/// Tags that say for which claim a driver or provisioner made a volume: its namespace, its name, and its PersistentVolume.
pub(crate) const CREATED_FOR: [[&str; 3]; 2] = [
    [
        "kubernetes.io/created-for/pvc/namespace",
        "kubernetes.io/created-for/pvc/name",
        "kubernetes.io/created-for/pv/name",
    ],
    [
        "kubernetes.io-created-for-pvc-namespace",
        "kubernetes.io-created-for-pvc-name",
        "kubernetes.io-created-for-pv-name",
    ],
];
/// Tag of the EBS CSI driver: the name that the provisioner gave the volume.
pub(crate) const CSI_VOLUME_NAME: &str = "CSIVolumeName";
/// Tag key of what belongs to a cluster, followed by the cluster's id.
pub(crate) const CLUSTER_PREFIX: &str = "kubernetes.io/cluster/";
/// Tags whose value is a cluster's id.
pub(crate) const CLUSTER_IDS: [&str; 2] = ["KubernetesCluster", "ebs.csi.aws.com/cluster-name"];
/// Tag keys of a cluster's own disks, which kops marks as the cluster's too: no claim made them.
pub(crate) const TRAPS: [&str; 2] = ["k8s.io/etcd/", "k8s.io/role/"];
