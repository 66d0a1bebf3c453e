//! Claims, volumes, storage classes.

use serde_json::Value;

use super::{Check, names};
use crate::object::{copy_key, list, text};
use crate::quantity::Quantity;

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const STORAGE: &str = "/spec/resources/requests/storage";

/// A claim, or a claim template under `prefix` (`spec.volumeClaimTemplates[0].`).
pub(super) fn claim(claim: &Value, prefix: &str, check: &mut Check) {
    let at = |field: &str| format!("{prefix}spec.{field}");
    access_modes(claim, &at("accessModes"), "at least 1 access mode is required", check);
    storage_amount(claim, &at("resources"), check);
    check.one_of(
        &at("volumeMode"),
        text(claim, "/spec/volumeMode"),
        &["Block", "Filesystem"],
    );
    let class = text(claim, "/spec/storageClassName");
    if let Some(detail) = (!class.is_empty()).then(|| names::dns_subdomain(class)).flatten() {
        check.invalid(&at("storageClassName"), class, detail);
    }
}

fn access_modes(object: &Value, field: &str, required: &str, check: &mut Check) {
    let modes = list(object, "/spec/accessModes");
    if modes.is_empty() {
        check.required(field, required);
    }
    for mode in modes.iter().filter_map(Value::as_str) {
        check.one_of(field, mode, &ACCESS_MODES);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        check.forbidden(field, "may not use ReadWriteOncePod with other access modes");
    }
}

fn storage_amount(claim: &Value, field: &str, check: &mut Check) {
    let Some(amount) = claim.pointer(STORAGE).and_then(Value::as_str) else {
        return check.required(&format!("{field}[storage]"), "");
    };
    if Quantity::parse(amount).is_none_or(|size| size.is_negative() || size.is_zero()) {
        check.invalid(&format!("{field}[storage]"), amount, "must be greater than zero");
    }
}

pub(super) fn claim_change(live: &Value, new: &Value, check: &mut Check) {
    let mut masked = new["spec"].clone();
    let was = &live["spec"];
    let bound = text(live, "/status/phase") == "Bound";
    if text(was, "/volumeName").is_empty() {
        copy_key(&mut masked, was, "volumeName");
    }
    if was.get("storageClassName").is_none() {
        copy_key(&mut masked, was, "storageClassName");
    }
    copy_key(&mut masked, was, "volumeAttributesClassName");
    let size = |object: &Value| Quantity::parse(text(object, STORAGE));
    if bound {
        let requests = crate::object::child(crate::object::child(&mut masked, "resources"), "requests");
        copy_key(requests, &was["resources"]["requests"], "storage");
    }
    if masked != *was {
        check.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    } else if size(new) < size(live) {
        let capacity = Quantity::parse(text(live, "/status/capacity/storage"));
        if capacity.is_none() || size(new) < capacity {
            check.forbidden(
                "spec.resources.requests.storage",
                "field can not be less than status.capacity",
            );
        }
    }
}

/// The fields of a volume's spec that are no volume source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// Sources in the order in which the real server looks at them; others come before.
const SOURCES: [&str; 9] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "nfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "local",
    "csi",
];

fn sources(volume: &Value) -> Vec<(&str, &Value)> {
    let spec = volume["spec"].as_object().into_iter().flatten();
    let mut sources: Vec<(&str, &Value)> = spec
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(key, _)| !NO_SOURCE.contains(key))
        .collect();
    // In the order in which the real server looks at them.
    sources.sort_by_key(|(key, _)| SOURCES.iter().position(|source| source == key));
    sources
}

pub(super) fn volume(volume: &Value, check: &mut Check) {
    access_modes(volume, "spec.accessModes", "", check);
    let capacity = &volume["spec"]["capacity"];
    let amounts = capacity.as_object();
    if amounts.is_none_or(serde_json::Map::is_empty) {
        check.required("spec.capacity", "");
    }
    if amounts.is_none_or(|amounts| amounts.len() > 1 || !amounts.contains_key("storage")) {
        check.not_supported("spec.capacity", capacity, &["storage"]);
    }
    for (resource, amount) in amounts.into_iter().flatten() {
        let size = amount.as_str().and_then(Quantity::parse);
        if size.is_none_or(|size| size.is_negative() || size.is_zero()) {
            check.invalid(
                &format!("spec.capacity[{resource}]"),
                amount.clone(),
                "must be greater than zero",
            );
        }
    }
    check.one_of(
        "spec.persistentVolumeReclaimPolicy",
        text(volume, "/spec/persistentVolumeReclaimPolicy"),
        &["Delete", "Recycle", "Retain"],
    );
    check.one_of(
        "spec.volumeMode",
        text(volume, "/spec/volumeMode"),
        &["Block", "Filesystem"],
    );
    let sources = sources(volume);
    if sources.is_empty() {
        check.required("spec", "must specify a volume type");
    }
    for (key, _) in sources.iter().skip(1) {
        check.forbidden(&format!("spec.{key}"), "may not specify more than 1 volume type");
    }
    for (key, source) in sources {
        let wanted: &[&str] = match key {
            "csi" => &["driver", "volumeHandle"],
            "awsElasticBlockStore" => &["volumeID"],
            "hostPath" | "local" => &["path"],
            _ => &[],
        };
        for field in wanted {
            if text(source, &format!("/{field}")).is_empty() {
                check.required(&format!("spec.{key}.{field}"), "");
            }
        }
    }
}

pub(super) fn volume_change(live: &Value, new: &Value, check: &mut Check) {
    if sources(live) != sources(new) {
        check.forbidden(
            "spec.persistentvolumesource",
            "spec.persistentvolumesource is immutable after creation",
        );
    }
    if live["spec"]["volumeMode"] != new["spec"]["volumeMode"] {
        check.invalid(
            // The real server leaves `spec` out here.
            "volumeMode",
            new["spec"]["volumeMode"].clone(),
            "field is immutable",
        );
    }
    let affinity = live.pointer("/spec/nodeAffinity");
    if affinity.is_some() && affinity != new.pointer("/spec/nodeAffinity") {
        let shown = new.pointer("/spec/nodeAffinity").cloned().unwrap_or(Value::Null);
        check.invalid(
            "nodeAffinity",
            shown,
            "field is immutable, except for updating from beta label to GA",
        );
    }
}

pub(super) fn class(class: &Value, check: &mut Check) {
    if text(class, "/provisioner").is_empty() {
        check.required("provisioner", "");
    }
    check.one_of("reclaimPolicy", text(class, "/reclaimPolicy"), &["Delete", "Retain"]);
    check.one_of(
        "volumeBindingMode",
        text(class, "/volumeBindingMode"),
        &["Immediate", "WaitForFirstConsumer"],
    );
}

pub(super) fn class_change(live: &Value, new: &Value, check: &mut Check) {
    for key in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if live.get(key) != new.get(key) {
            check.invalid(key, new[key].clone(), "field is immutable");
        }
    }
}
