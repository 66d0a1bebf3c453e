//! Names of resources as the API server's in-process side knows them.

use std::sync::Arc;

use moorline_sandbox_kubernetes::ApiServer;

use crate::object::name;

pub(crate) const ATTACHMENTS: &str = "volumeattachments.storage.k8s.io";
pub(crate) const CLAIMS: &str = "persistentvolumeclaims";
pub(crate) const CLASSES: &str = "storageclasses.storage.k8s.io";
pub(crate) const CSI_DRIVERS: &str = "csidrivers.storage.k8s.io";
pub(crate) const CSI_NODES: &str = "csinodes.storage.k8s.io";
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";
pub(crate) const DEPLOYMENTS: &str = "deployments.apps";
pub(crate) const ENDPOINTS: &str = "endpoints";
pub(crate) const EVENTS: &str = "events";
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const NODES: &str = "nodes";
pub(crate) const PODS: &str = "pods";
pub(crate) const REPLICA_SETS: &str = "replicasets.apps";
pub(crate) const REVISIONS: &str = "controllerrevisions.apps";
pub(crate) const SERVICES: &str = "services";
pub(crate) const SLICES: &str = "endpointslices.discovery.k8s.io";
pub(crate) const STATEFUL_SETS: &str = "statefulsets.apps";
pub(crate) const VOLUMES: &str = "persistentvolumes";

/// Every built-in resource that may hold objects.
const BUILT_IN: [&str; 34] = [
    ATTACHMENTS,
    CLAIMS,
    CLASSES,
    CSI_DRIVERS,
    CSI_NODES,
    DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    SERVICES,
    SLICES,
    STATEFUL_SETS,
    VOLUMES,
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "configmaps",
    "cronjobs.batch",
    "daemonsets.apps",
    "horizontalpodautoscalers.autoscaling",
    "ingresses.networking.k8s.io",
    "jobs.batch",
    "leases.coordination.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "replicationcontrollers",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "secrets",
    "serviceaccounts",
];

/// The driver that provisions, attaches and deletes EBS volumes.
pub(crate) const EBS_DRIVER: &str = "ebs.csi.aws.com";
/// Its in-tree forerunner, which every supported cluster hands over to the driver.
pub(crate) const EBS_IN_TREE: &str = "kubernetes.io/aws-ebs";

/// The driver that makes, mounts and deletes Azure's file shares.
pub(crate) const FILE_DRIVER: &str = "file.csi.azure.com";
/// The driver that makes, mounts and deletes Azure's blob containers.
pub(crate) const BLOB_DRIVER: &str = "blob.csi.azure.com";
/// The driver that makes, attaches and deletes Azure's managed disks.
pub(crate) const DISK_DRIVER: &str = "disk.csi.azure.com";

/// Field managers and event sources.
pub(crate) const MANAGER: &str = "kube-controller-manager";
pub(crate) const SCHEDULER: &str = "kube-scheduler";
pub(crate) const KUBELET: &str = "kubelet";
pub(crate) const PROVISIONER: &str = "csi-provisioner";
pub(crate) const ATTACHER: &str = "csi-attacher";
pub(crate) const CLOUD: &str = "aws-cloud-controller-manager";

/// Every resource that may hold objects, those of custom resource definitions included.
pub(crate) fn resources(api: &ApiServer) -> Vec<Arc<str>> {
    // The name of a definition is the plural and the group of what it defines.
    let custom = api.list(DEFINITIONS, None);
    BUILT_IN
        .iter()
        .map(|&resource| resource.into())
        .chain(custom.iter().map(|definition| name(definition).into()))
        .collect()
}
