//! Claims, volumes, storage classes, CSI drivers.

use serde_json::{Value, json};

use crate::object::{child, default_text, default_to};

/// A claim, or a claim template of a StatefulSet.
pub(super) fn claim(claim: &mut Value) {
    let spec = child(claim, "spec");
    default_text(spec, "volumeMode", "Filesystem");
    child(spec, "resources");
}

pub(super) fn volume(volume: &mut Value) {
    let spec = child(volume, "spec");
    default_text(spec, "persistentVolumeReclaimPolicy", "Retain");
    default_text(spec, "volumeMode", "Filesystem");
    if let Some(source) = spec.get_mut("hostPath") {
        default_to(source, "type", "");
    }
}

pub(super) fn class(class: &mut Value) {
    default_text(class, "reclaimPolicy", "Delete");
    default_text(class, "volumeBindingMode", "Immediate");
}

pub(super) fn driver(driver: &mut Value) {
    let spec = child(driver, "spec");
    for (key, value) in [
        ("attachRequired", true),
        ("podInfoOnMount", false),
        ("storageCapacity", false),
        ("requiresRepublish", false),
        ("seLinuxMount", false),
    ] {
        default_to(spec, key, value);
    }
    default_text(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    default_to(spec, "volumeLifecycleModes", json!(["Persistent"]));
}
