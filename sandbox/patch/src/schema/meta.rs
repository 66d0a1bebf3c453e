//! `k8s.io/apimachinery/pkg/apis/meta/v1`, and kinds that have nothing special but their metadata.

use super::{Field, Key, PLAIN, Type, key, merged, object, set};

pub(super) static NAME: [Key; 1] = [key("name")];
pub(super) static TYPE: [Key; 1] = [key("type")];
pub(super) static IP: [Key; 1] = [key("ip")];
static UID: [Key; 1] = [key("uid")];

pub(super) static OBJECT_META: Type = fields![
    // The items are +structType=atomic.
    merged("ownerReferences", &UID, &super::ATOMIC),
    set("finalizers").merged_as_set(),
];

pub(super) const METADATA: Field = object("metadata", &OBJECT_META);

/// A kind with nothing special but its metadata.
pub(super) static ONLY_METADATA: Type = fields![METADATA];

/// A status with nothing special but conditions.
pub(super) static CONDITIONS: Type = fields![merged("conditions", &TYPE, &PLAIN)];

/// A kind with nothing special but metadata, and conditions in its status.
pub(super) static WITH_CONDITIONS: Type = fields![METADATA, object("status", &CONDITIONS)];
