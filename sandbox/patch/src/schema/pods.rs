//! Pods and their templates, from `k8s.io/api/core/v1`.

use super::meta::{IP, METADATA, NAME, TYPE};
use super::storage::CLAIM_SPEC;
use super::{ATOMIC, Key, KeyDefault, PLAIN, Ref, Type, atomic, key, list, merged, object};

static MOUNT_PATH: [Key; 1] = [key("mountPath")];
static DEVICE_PATH: [Key; 1] = [key("devicePath")];
static SPREAD: [Key; 2] = [key("topologyKey"), key("whenUnsatisfiable")];
static CONTAINER_PORT: [Key; 2] = [
    Key {
        name: Ref::Static("containerPort"),
        default: KeyDefault::Zero,
    },
    Key {
        name: Ref::Static("protocol"),
        default: KeyDefault::Text("TCP"),
    },
];

pub(super) static POD: Type = fields![METADATA, object("spec", &POD_SPEC), object("status", &POD_STATUS)];

pub(super) static POD_TEMPLATE: Type = fields![METADATA, object("spec", &POD_SPEC)];

pub(super) static POD_TEMPLATE_KIND: Type = fields![METADATA, object("template", &POD_TEMPLATE)];

static POD_SPEC: Type = fields![
    object("affinity", &AFFINITY),
    merged("containers", &NAME, &CONTAINER),
    merged("ephemeralContainers", &NAME, &CONTAINER),
    merged("hostAliases", &IP, &PLAIN),
    merged("imagePullSecrets", &NAME, &ATOMIC),
    merged("initContainers", &NAME, &CONTAINER),
    atomic("nodeSelector"),
    merged("resourceClaims", &NAME, &PLAIN),
    object("resources", &RESOURCES),
    merged("schedulingGates", &NAME, &PLAIN),
    list("topologySpreadConstraints", &SPREAD, &SPREAD_CONSTRAINT).merged_by("topologyKey"),
    merged("volumes", &NAME, &VOLUME),
];

/// `Container` and `EphemeralContainer`, which have the same lists.
static CONTAINER: Type = fields![
    merged("env", &NAME, &ENV_VAR),
    list("ports", &CONTAINER_PORT, &PLAIN).merged_by("containerPort"),
    object("resources", &RESOURCES),
    merged("volumeDevices", &DEVICE_PATH, &PLAIN),
    merged("volumeMounts", &MOUNT_PATH, &PLAIN),
];

static ENV_VAR: Type = fields![object("valueFrom", &ENV_VAR_SOURCE)];

static ENV_VAR_SOURCE: Type = fields![
    atomic("configMapKeyRef"),
    atomic("fieldRef"),
    atomic("fileKeyRef"),
    atomic("resourceFieldRef"),
    atomic("secretKeyRef"),
];

static RESOURCES: Type = fields![list("claims", &NAME, &PLAIN)];

static SPREAD_CONSTRAINT: Type = fields![atomic("labelSelector")];

static AFFINITY: Type = fields![object("nodeAffinity", &NODE_AFFINITY)];

/// The terms of every affinity are in atomic lists, so that their selectors need no rule.
static NODE_AFFINITY: Type = fields![atomic("requiredDuringSchedulingIgnoredDuringExecution")];

static VOLUME: Type = fields![
    object("cephfs", &SECRET_REF),
    object("cinder", &SECRET_REF),
    object("csi", &CSI_VOLUME),
    object("ephemeral", &EPHEMERAL_VOLUME),
    object("flexVolume", &SECRET_REF),
    object("iscsi", &SECRET_REF),
    object("rbd", &SECRET_REF),
    object("scaleIO", &SECRET_REF),
    object("storageos", &SECRET_REF),
];

/// The in-tree volume sources whose only special field is this.
pub(super) static SECRET_REF: Type = fields![atomic("secretRef")];

static CSI_VOLUME: Type = fields![atomic("nodePublishSecretRef")];

static EPHEMERAL_VOLUME: Type = fields![object("volumeClaimTemplate", &CLAIM_TEMPLATE)];

static CLAIM_TEMPLATE: Type = fields![METADATA, object("spec", &CLAIM_SPEC)];

static POD_STATUS: Type = fields![
    merged("conditions", &TYPE, &PLAIN),
    atomic("hostIPs").merged_by("ip"),
    merged("podIPs", &IP, &PLAIN),
    merged("resourceClaimStatuses", &NAME, &PLAIN),
    object("resources", &RESOURCES),
];
