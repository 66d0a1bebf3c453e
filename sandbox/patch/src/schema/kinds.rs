//! Which built-in kind has which type, and which have a `status` subresource.

use super::meta::{ONLY_METADATA, WITH_CONDITIONS};
use super::{Ref, Schema, Shape, UNKNOWN};
use super::{network, pods, storage, workloads};

/// The schema of a kind, or [`ANYTHING`].
pub(super) fn find(api_version: &str, kind: &str) -> &'static Schema {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let found = match group {
        "" => core(kind),
        "apps" => apps(kind),
        "batch" => batch(kind),
        "storage.k8s.io" => storage_group(kind),
        "autoscaling" => autoscaling(api_version, kind),
        _ => others(group, kind),
    };
    found.unwrap_or(&ANYTHING)
}

static ANYTHING: Schema = Schema {
    root: Shape::Object(Ref::Static(&UNKNOWN)),
    has_status: false,
    drops_nulls: false,
};
static PLAIN: Schema = Schema::builtin(&ONLY_METADATA);
static CONDITIONED: Schema = Schema::builtin(&WITH_CONDITIONS).with_status();

fn core(kind: &str) -> Option<&'static Schema> {
    static POD: Schema = Schema::builtin(&pods::POD).with_status();
    static POD_TEMPLATE: Schema = Schema::builtin(&pods::POD_TEMPLATE_KIND);
    static SERVICE: Schema = Schema::builtin(&network::SERVICE).with_status();
    static VOLUME: Schema = Schema::builtin(&storage::VOLUME).with_status();
    static CLAIM: Schema = Schema::builtin(&storage::CLAIM).with_status();
    static ACCOUNT: Schema = Schema::builtin(&network::SERVICE_ACCOUNT);
    static NODE: Schema = Schema::builtin(&storage::NODE).with_status();
    static EVENT: Schema = Schema::builtin(&network::CORE_EVENT);
    static QUOTA: Schema = Schema::builtin(&network::QUOTA).with_status();
    Some(match kind {
        "Pod" => &POD,
        "PodTemplate" => &POD_TEMPLATE,
        "Service" => &SERVICE,
        "PersistentVolume" => &VOLUME,
        "PersistentVolumeClaim" => &CLAIM,
        "ServiceAccount" => &ACCOUNT,
        "Node" => &NODE,
        "Event" => &EVENT,
        "ResourceQuota" => &QUOTA,
        "ReplicationController" => &WORKLOAD,
        "Namespace" => &CONDITIONED,
        "ConfigMap" | "Secret" | "Endpoints" | "LimitRange" => &PLAIN,
        _ => return None,
    })
}

static WORKLOAD: Schema = Schema::builtin(&workloads::WORKLOAD).with_status();

fn apps(kind: &str) -> Option<&'static Schema> {
    static STATEFUL_SET: Schema = Schema::builtin(&workloads::STATEFUL_SET).with_status();
    static REVISION: Schema = Schema::builtin(&workloads::CONTROLLER_REVISION);
    Some(match kind {
        "StatefulSet" => &STATEFUL_SET,
        "Deployment" | "ReplicaSet" | "DaemonSet" => &WORKLOAD,
        "ControllerRevision" => &REVISION,
        _ => return None,
    })
}

fn batch(kind: &str) -> Option<&'static Schema> {
    static JOB: Schema = Schema::builtin(&workloads::JOB).with_status();
    static CRON_JOB: Schema = Schema::builtin(&workloads::CRON_JOB).with_status();
    Some(match kind {
        "Job" => &JOB,
        "CronJob" => &CRON_JOB,
        _ => return None,
    })
}

fn storage_group(kind: &str) -> Option<&'static Schema> {
    static ATTACHMENT: Schema = Schema::builtin(&storage::VOLUME_ATTACHMENT).with_status();
    static DRIVER: Schema = Schema::builtin(&storage::CSI_DRIVER);
    static CSI_NODE: Schema = Schema::builtin(&storage::CSI_NODE);
    Some(match kind {
        "VolumeAttachment" => &ATTACHMENT,
        "CSIDriver" => &DRIVER,
        "CSINode" => &CSI_NODE,
        "StorageClass" | "VolumeAttributesClass" | "CSIStorageCapacity" => &PLAIN,
        _ => return None,
    })
}

fn autoscaling(api_version: &str, kind: &str) -> Option<&'static Schema> {
    static V1: Schema = Schema::builtin(&workloads::AUTOSCALER_V1).with_status();
    match (api_version, kind) {
        ("autoscaling/v1", "HorizontalPodAutoscaler") => Some(&V1),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => Some(&CONDITIONED),
        _ => None,
    }
}

fn others(group: &str, kind: &str) -> Option<&'static Schema> {
    static BUDGET: Schema = Schema::builtin(&workloads::DISRUPTION_BUDGET).with_status();
    static INGRESS: Schema = Schema::builtin(&network::INGRESS).with_status();
    static POLICY: Schema = Schema::builtin(&network::NETWORK_POLICY);
    static BINDING: Schema = Schema::builtin(&network::ROLE_BINDING);
    static EVENT: Schema = Schema::builtin(&network::EVENT);
    Some(match (group, kind) {
        ("policy", "PodDisruptionBudget") => &BUDGET,
        ("networking.k8s.io", "Ingress") => &INGRESS,
        ("networking.k8s.io", "NetworkPolicy") => &POLICY,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => &BINDING,
        ("events.k8s.io", "Event") => &EVENT,
        // Validation rules inside the schemas of a CRD are a keyed list in truth; here they are replaced as one.
        ("apiextensions.k8s.io", "CustomResourceDefinition") | ("networking.k8s.io", "ServiceCIDR") => &CONDITIONED,
        ("coordination.k8s.io", "Lease")
        | ("discovery.k8s.io", "EndpointSlice")
        | ("networking.k8s.io", "IngressClass")
        | ("node.k8s.io", "RuntimeClass")
        | ("rbac.authorization.k8s.io", "Role" | "ClusterRole")
        | ("scheduling.k8s.io", "PriorityClass") => &PLAIN,
        _ => return None,
    })
}
