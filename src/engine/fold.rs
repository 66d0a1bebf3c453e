//! Small views of cluster objects: what the engine keeps of each, so that memory does not grow with manifests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorline_api::{Object, ObjectRef, ReclaimPolicy, SecretRef, StorageRules, VolumeId, quantity, tags};
use moorline_profile::Profile;

use crate::{mounts, names};

/// Namespace and name.
pub(crate) type Key = (String, String);

/// Where an object is, in whatever version it is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Place {
    pub(crate) fn of(target: &ObjectRef) -> Self {
        Self {
            group: target.resource.gvk.group.clone(),
            kind: target.resource.gvk.kind.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
        }
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClaimView {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) phase: String,
    pub(crate) volume_name: String,
    pub(crate) class: String,
    pub(crate) capacity: String,
    pub(crate) access_modes: Vec<String>,
    pub(crate) requested: u64,
    pub(crate) labels: BTreeMap<String, String>,
    /// Who was chosen to provision it, where Kubernetes has chosen.
    pub(crate) provisioner: Option<String>,
    /// The snapshot or deleted volume that `restore` brings it back from.
    pub(crate) restored_from: Option<String>,
    pub(crate) terminating: bool,
    /// Whether it goes when a pod goes: the StatefulSet controller has it owned by the pod of an ordinal that it takes away.
    pub(crate) goes_with_its_pod: bool,
    pub(crate) created: Option<Timestamp>,
}

impl ClaimView {
    pub(crate) fn of(claim: &Object) -> Self {
        let text = |path: &[&str]| claim.str_at(path).unwrap_or_default().to_owned();
        let strings = |path: &[&str]| {
            claim
                .list_at(path)
                .iter()
                .filter_map(|v| Some(v.as_str()?.to_owned()))
                .collect::<Vec<_>>()
        };
        let bound_modes = strings(&["status", "accessModes"]);
        Self {
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
            uid: text(&["metadata", "uid"]),
            phase: text(&["status", "phase"]),
            volume_name: text(&["spec", "volumeName"]),
            class: text(&["spec", "storageClassName"]),
            capacity: text(&["status", "capacity", "storage"]),
            access_modes: if bound_modes.is_empty() {
                strings(&["spec", "accessModes"])
            } else {
                bound_modes
            },
            requested: claim
                .str_at(&["spec", "resources", "requests", "storage"])
                .and_then(quantity::bytes)
                .unwrap_or(0),
            labels: string_map(claim, &["metadata", "labels"]),
            provisioner: [
                "volume.kubernetes.io/storage-provisioner",
                "volume.beta.kubernetes.io/storage-provisioner",
            ]
            .iter()
            .find_map(|key| claim.annotation(key))
            .map(str::to_owned),
            restored_from: claim.annotation(tags::RESTORED_FROM).map(str::to_owned),
            terminating: claim.is_terminating(),
            goes_with_its_pod: is_owned_by(claim, "Pod", None),
            created: claim.created(),
        }
    }

    pub(crate) fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.phase == "Bound" && !self.volume_name.is_empty()
    }

    /// The profile that made it.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.labels.get(names::PROFILE).map(String::as_str)
    }

    /// Whether a run of the profile was cut short between the claim and the PersistentVolume that it names: nothing was ever bound to it.
    /// What `restore` begins is its own to finish.
    pub(crate) fn is_half_made(&self, profile: &str, is_there: impl Fn(&str) -> bool) -> bool {
        self.profile() == Some(profile)
            && self.phase == "Pending"
            && !self.terminating
            && self.restored_from.is_none()
            && !self.volume_name.is_empty()
            && !is_there(&self.volume_name)
    }
}

/// A PersistentVolume.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PvView {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) phase: String,
    pub(crate) claim: Option<Key>,
    pub(crate) claim_uid: Option<String>,
    /// What becomes of its volume by itself. Where a `down` made it Retain: what it was before.
    pub(crate) reclaim: ReclaimPolicy,
    pub(crate) volume: Option<VolumeId>,
    /// The Secret with which nodes mount it.
    pub(crate) secret: Option<SecretRef>,
    pub(crate) profile: Option<String>,
    /// What an earlier `down` had decided for its volume.
    pub(crate) decided: Option<String>,
}

impl PvView {
    pub(crate) fn of(pv: &Object, rules: &dyn StorageRules) -> Self {
        let text = |path: &[&str]| pv.str_at(path).unwrap_or_default().to_owned();
        let claim = pv
            .str_at(&["spec", "claimRef", "name"])
            .map(|name| (text(&["spec", "claimRef", "namespace"]), name.to_owned()));
        let decided = pv.annotation(names::ON_DOWN);
        let recorded = decided.and_then(|_| pv.annotation(names::RECLAIM_POLICY));
        Self {
            name: text(&["metadata", "name"]),
            uid: text(&["metadata", "uid"]),
            phase: text(&["status", "phase"]),
            claim,
            claim_uid: pv.str_at(&["spec", "claimRef", "uid"]).map(str::to_owned),
            // The API server's default is Retain, and so is ours for anything we do not know.
            reclaim: match recorded.or(pv.str_at(&["spec", "persistentVolumeReclaimPolicy"])) {
                Some("Delete") => ReclaimPolicy::Delete,
                _ => ReclaimPolicy::Retain,
            },
            volume: rules.volume_id(pv),
            secret: mounts::secret_of(pv),
            profile: pv.label(names::PROFILE).map(str::to_owned),
            decided: decided.map(str::to_owned),
        }
    }
}

/// An event: what it is about, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventView {
    pub(crate) namespace: String,
    /// Kind and name of what it is about.
    pub(crate) kind: String,
    pub(crate) about: String,
    /// `Normal` or `Warning`.
    pub(crate) event_type: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) count: i64,
    /// In whichever of the fields that writers use.
    pub(crate) last_seen: Option<Timestamp>,
}

impl EventView {
    pub(crate) fn of(event: &Object) -> Self {
        let text = |path: &[&str]| event.str_at(path).unwrap_or_default().to_owned();
        let times: [&[&str]; 5] = [
            &["series", "lastObservedTime"],
            &["lastTimestamp"],
            &["eventTime"],
            &["firstTimestamp"],
            &["metadata", "creationTimestamp"],
        ];
        let count = event.i64_at(&["series", "count"]).or_else(|| event.i64_at(&["count"]));
        Self {
            namespace: text(&["metadata", "namespace"]),
            kind: text(&["involvedObject", "kind"]),
            about: text(&["involvedObject", "name"]),
            event_type: text(&["type"]),
            reason: text(&["reason"]),
            message: text(&["message"]),
            count: count.unwrap_or(1),
            last_seen: times.iter().find_map(|path| event.str_at(path)?.parse().ok()),
        }
    }
}

/// A node: where it is and what selectors see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeView {
    pub(crate) zone: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl NodeView {
    /// `None` for a node without a zone, which no zonal volume can follow.
    pub(crate) fn of(node: &Object) -> Option<Self> {
        let zone = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
        let zone = zone.iter().find_map(|key| node.label(key))?.to_owned();
        Some(Self {
            zone,
            labels: string_map(node, &["metadata", "labels"]),
        })
    }
}

/// The strings of a JSON object; others are left out.
pub(crate) fn string_map(object: &Object, path: &[&str]) -> BTreeMap<String, String> {
    let map = object.at(path).and_then(serde_json::Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

/// Whether an object of this kind, and of this name where one is given, owns it.
pub(crate) fn is_owned_by(object: &Object, kind: &str, name: Option<&str>) -> bool {
    let owners = object.list_at(&["metadata", "ownerReferences"]);
    let text =
        |owner: &serde_json::Value, field: &str| owner.get(field).and_then(|value| value.as_str().map(str::to_owned));
    owners.iter().any(|owner| {
        text(owner, "kind").as_deref() == Some(kind)
            && name.is_none_or(|name| text(owner, "name").as_deref() == Some(name))
    })
}

/// The claims that a pod mounts.
pub(crate) fn claims_of_pod(pod_spec: &serde_json::Value) -> impl Iterator<Item = &str> {
    let volumes = pod_spec.get("volumes").and_then(serde_json::Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .filter_map(|v| v.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// Whether a labelled object was made for this very profile and is its to remove. Controllers copy labels (a Service's go
/// to its `EndpointSlice`s), so moorline must have applied it; and a profile of the same name may live in another
/// namespace, so what has no namespace of its own says whose it is.
pub(crate) fn made_for(profile: &Profile, object: &Object) -> bool {
    let home = object.namespace().or_else(|| object.label(names::NAMESPACE));
    applied_by_us(object) && (object.namespace().is_some() || home.is_none_or(|home| home == profile.namespace))
}

/// Whether the fields of this object were applied by moorline.
pub(crate) fn applied_by_us(object: &Object) -> bool {
    let entries = object.list_at(&["metadata", "managedFields"]);
    entries.iter().any(|entry| {
        entry.get("manager").and_then(serde_json::Value::as_str) == Some(names::FIELD_MANAGER)
            && entry.get("operation").and_then(serde_json::Value::as_str) == Some("Apply")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_moorline_applied_itself_is_its_own() {
        let by = |entries: &[(&str, &str)]| {
            let entries: Vec<_> = entries
                .iter()
                .map(|(manager, operation)| json!({"manager": manager, "operation": operation}))
                .collect();
            applied_by_us(&Object::from_value(json!({"metadata": {"managedFields": entries}})).unwrap())
        };
        assert!(by(&[("kubectl", "Update"), (names::FIELD_MANAGER, "Apply")]));
        assert!(!by(&[]));
        assert!(!by(&[("kubectl", "Apply")]));
        assert!(!by(&[(names::FIELD_MANAGER, "Update")]));
        assert!(!by(&[("kubectl", "Apply"), (names::FIELD_MANAGER, "Update")]));
    }
}
