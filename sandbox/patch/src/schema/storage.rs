//! Volumes, claims, nodes and what attaches the one to the other, from `k8s.io/api/core/v1` and `storage/v1`.

use super::meta::{CONDITIONS, METADATA, NAME, TYPE};
use super::pods::SECRET_REF;
use super::{PLAIN, Type, atomic, merged, object, set};

pub(super) static CLAIM: Type = fields![METADATA, object("spec", &CLAIM_SPEC), object("status", &CONDITIONS)];

/// `dataSourceRef` is not atomic, `dataSource` is.
pub(super) static CLAIM_SPEC: Type = fields![atomic("dataSource"), atomic("selector")];

pub(super) static VOLUME: Type = fields![METADATA, object("spec", &VOLUME_SPEC)];

/// `claimRef` is `+structType=granular`, unlike every other object reference.
static VOLUME_SPEC: Type = fields![
    object("cephfs", &SECRET_REF),
    object("cinder", &SECRET_REF),
    object("csi", &CSI_VOLUME),
    object("flexVolume", &SECRET_REF),
    object("iscsi", &SECRET_REF),
    object("nodeAffinity", &NODE_AFFINITY),
    object("rbd", &SECRET_REF),
    object("scaleIO", &SECRET_REF),
    object("storageos", &SECRET_REF),
];

static CSI_VOLUME: Type = fields![
    atomic("controllerExpandSecretRef"),
    atomic("controllerPublishSecretRef"),
    atomic("nodeExpandSecretRef"),
    atomic("nodePublishSecretRef"),
    atomic("nodeStageSecretRef"),
];

static NODE_AFFINITY: Type = fields![atomic("required")];

pub(super) static NODE: Type = fields![METADATA, object("spec", &NODE_SPEC), object("status", &NODE_STATUS)];

static NODE_SPEC: Type = fields![set("podCIDRs").merged_as_set()];

static NODE_STATUS: Type = fields![merged("addresses", &TYPE, &PLAIN), merged("conditions", &TYPE, &PLAIN)];

pub(super) static VOLUME_ATTACHMENT: Type = fields![METADATA, object("spec", &ATTACHMENT_SPEC)];

static ATTACHMENT_SPEC: Type = fields![object("source", &ATTACHMENT_SOURCE)];

static ATTACHMENT_SOURCE: Type = fields![object("inlineVolumeSpec", &VOLUME_SPEC)];

pub(super) static CSI_DRIVER: Type = fields![METADATA, object("spec", &CSI_DRIVER_SPEC)];

static CSI_DRIVER_SPEC: Type = fields![set("volumeLifecycleModes")];

pub(super) static CSI_NODE: Type = fields![METADATA, object("spec", &CSI_NODE_SPEC)];

static CSI_NODE_SPEC: Type = fields![merged("drivers", &NAME, &PLAIN)];
