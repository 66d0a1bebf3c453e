//! Which volume suits a claim.

use std::sync::Arc;

use serde_json::Value;

use super::names;
use crate::cluster::Cluster;
use crate::kinds::VOLUMES;
use crate::object::{is_deleting, list, name, namespace, selector_matches, text};
use crate::quantity::bytes;
use crate::storage::class_name;

/// The best volume for a claim: one reserved for it, else the smallest free one that fits. With `reserved_only`, as for
/// claims that wait for their first consumer, only the former.
pub(super) fn best(cluster: &Cluster, claim: &Value, reserved_only: bool) -> Option<Arc<Value>> {
    let named = cluster.index.volumes_of_claim(namespace(claim), name(claim));
    let reserved = named.iter().filter_map(|volume| cluster.get(VOLUMES, "", volume));
    let mut reserved = reserved.filter(|volume| names(volume, claim) && mismatch(volume, claim).is_none());
    reserved.next().or_else(|| {
        if reserved_only {
            None
        } else {
            smallest_free(cluster, claim, |_| true)
        }
    })
}

/// The smallest free volume that fits a claim and that `suits`.
pub(crate) fn smallest_free(cluster: &Cluster, claim: &Value, suits: impl Fn(&Value) -> bool) -> Option<Arc<Value>> {
    let free = cluster
        .index
        .free_volumes()
        .filter_map(|volume| cluster.get(VOLUMES, "", volume));
    let fitting = free.filter(|volume| is_eligible(volume, claim) && suits(volume));
    fitting.min_by_key(|volume| bytes(text(volume, "/spec/capacity/storage")))
}

/// Whether a volume that nobody claimed may serve a claim: size, modes, class and selector.
fn is_eligible(volume: &Value, claim: &Value) -> bool {
    let selector = claim
        .pointer("/spec/selector")
        .filter(|selector| selector.as_object().is_some_and(|map| !map.is_empty()));
    let selected = selector.is_none() || selector_matches(selector, volume);
    let available = matches!(text(volume, "/status/phase"), "Available" | "Pending" | "");
    available
        && selected
        && !is_deleting(volume)
        && class_name(volume) == class_name(claim)
        && mismatch(volume, claim).is_none()
}

/// Why a volume cannot serve a claim even where each names the other; `None` when it can.
pub(super) fn mismatch(volume: &Value, claim: &Value) -> Option<&'static str> {
    let wanted = bytes(text(claim, "/spec/resources/requests/storage"));
    if bytes(text(volume, "/spec/capacity/storage")) < wanted {
        return Some("requested PV is too small");
    }
    let mode = |object: &Value| match text(object, "/spec/volumeMode") {
        "" => "Filesystem".to_owned(),
        mode => mode.to_owned(),
    };
    if mode(volume) != mode(claim) {
        return Some("incompatible volumeMode");
    }
    let offered = list(volume, "/spec/accessModes");
    if !list(claim, "/spec/accessModes")
        .iter()
        .all(|mode| offered.contains(mode))
    {
        return Some("incompatible accessMode");
    }
    None
}

/// Why a volume that a claim asks for by name cannot serve it.
pub(super) fn mismatch_of_named(volume: &Value, claim: &Value) -> Option<&'static str> {
    if class_name(volume) != class_name(claim) {
        return Some("storageClassName does not match");
    }
    mismatch(volume, claim)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_volume_must_be_large_enough_and_of_the_same_modes() {
        let claim = json!({"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "a",
            "resources": {"requests": {"storage": "10Gi"}}}});
        let volume = |size: &str, modes: &[&str], mode: &str| json!({"spec": {"capacity": {"storage": size}, "accessModes": modes, "volumeMode": mode, "storageClassName": "b"}});
        assert_eq!(
            mismatch(
                &volume("10Gi", &["ReadWriteOnce", "ReadOnlyMany"], "Filesystem"),
                &claim
            ),
            None
        );
        assert_eq!(
            mismatch(&volume("9Gi", &["ReadWriteOnce"], ""), &claim),
            Some("requested PV is too small")
        );
        assert_eq!(
            mismatch(&volume("10Gi", &["ReadOnlyMany"], ""), &claim),
            Some("incompatible accessMode")
        );
        assert_eq!(
            mismatch(&volume("10Gi", &["ReadWriteOnce"], "Block"), &claim),
            Some("incompatible volumeMode")
        );
        let named = mismatch_of_named(&volume("10Gi", &["ReadWriteOnce"], ""), &claim);
        assert_eq!(named, Some("storageClassName does not match"));
    }
}
