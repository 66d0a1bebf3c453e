//! Names, ordinals and identities of a set's pods.

use std::ops::Range;

use serde_json::{Value, json};

use super::{REVISION, wanted_replicas};
use crate::object::{child, entries, list, name, number, text};
use crate::workload::pods::from_template;

/// The ordinals that the set is to have.
pub(super) fn ordinals(set: &Value) -> Range<u64> {
    let start = u64::try_from(number(set, "/spec/ordinals/start")).unwrap_or_default();
    start..start + wanted_replicas(set)
}

/// The ordinal in the name of one of the set's pods.
pub(super) fn ordinal(set: &Value, pod: &str) -> Option<u64> {
    let digits = pod.strip_prefix(name(set))?.strip_prefix('-')?;
    digits
        .parse()
        .ok()
        .filter(|ordinal: &u64| ordinal.to_string() == digits)
}

pub(super) fn pod_name(set: &Value, ordinal: u64) -> String {
    format!("{}-{ordinal}", name(set))
}

/// The name of the claim that the template makes for `ordinal`.
pub(super) fn claim_name(set: &Value, template: &Value, ordinal: u64) -> String {
    format!("{}-{}-{ordinal}", name(template), name(set))
}

/// The pod of `ordinal` at a revision of the set's template.
pub(super) fn pod(set: &Value, revision: &Value, ordinal: u64) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    entries(&mut template).remove("$patch");
    let mut pod = from_template(set, &template);
    let pod_name = pod_name(set, ordinal);
    let metadata = child(&mut pod, "metadata");
    metadata.insert("name".to_owned(), pod_name.clone().into());
    // Nothing is generated, but this is what the real controller writes.
    metadata.insert("generateName".to_owned(), format!("{}-", name(set)).into());
    let labels = entries(metadata.entry("labels").or_insert(Value::Null));
    labels.insert(REVISION.to_owned(), name(revision).into());
    labels.insert("apps.kubernetes.io/pod-index".to_owned(), ordinal.to_string().into());
    labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), pod_name.clone().into());
    let mut volumes: Vec<Value> = list(set, "/spec/volumeClaimTemplates")
        .iter()
        .map(|template| {
            json!({"name": name(template), "persistentVolumeClaim": {"claimName": claim_name(set, template, ordinal)}})
        })
        .collect();
    let others = list(&pod, "/spec/volumes")
        .iter()
        .filter(|other| volumes.iter().all(|own| own["name"] != other["name"]));
    let others: Vec<Value> = others.cloned().collect();
    volumes.extend(others);
    let spec = child(&mut pod, "spec");
    spec.insert("hostname".to_owned(), pod_name.into());
    if !text(set, "/spec/serviceName").is_empty() {
        spec.insert("subdomain".to_owned(), set["spec"]["serviceName"].clone());
    }
    if !volumes.is_empty() {
        spec.insert("volumes".to_owned(), volumes.into());
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_ordinal_is_read_exactly() {
        let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "ordinals": {"start": 5}}});
        assert_eq!(ordinals(&set), 5..7);
        assert_eq!(ordinal(&set, "web-12"), Some(12));
        for other in ["web-012", "web-", "web-a", "website-1", "web", "web--1"] {
            assert_eq!(ordinal(&set, other), None, "{other}");
        }
    }
}
