//! From checked objects to what the engine plans from.

use std::collections::BTreeMap;

use moorline_api::{ClaimShape, Object, StorageClass, quantity};
use serde_json::Value as Json;

use crate::manifests::Item;
use crate::model::{ClaimTemplate, ClassRef, Manifest, Origin, Retention, SetClaims, StandaloneClaim};
use moorline_yaml::{Entry, Node, Value};

/// The annotation that named a class before `spec.storageClassName` did.
pub(crate) const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// Marks a class as the one of claims that name none.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The resolved objects of a profile.
pub(crate) struct Resolved {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) classes: BTreeMap<String, StorageClass>,
    pub(crate) sets: Vec<SetClaims>,
    pub(crate) claims: Vec<StandaloneClaim>,
}

/// Resolves objects that were found to be free of errors.
pub(crate) fn resolve(items: &[Item], default_namespace: &str) -> Resolved {
    let default_class = default_class(items);
    let mut resolved = Resolved {
        manifests: Vec::new(),
        classes: BTreeMap::new(),
        sets: Vec::new(),
        claims: Vec::new(),
    };
    for item in items {
        let Ok(object) = Object::from_value(item.node.to_json()) else {
            continue;
        };
        let namespace = || item.namespace.clone().unwrap_or_else(|| default_namespace.to_owned());
        match (&*item.gvk.api_version(), &*item.gvk.kind) {
            ("storage.k8s.io/v1", "StorageClass") => {
                resolved
                    .classes
                    .insert(item.name.clone(), StorageClass::from_object(&object));
            }
            ("apps/v1", "StatefulSet") => resolved.sets.push(set(item, namespace(), default_class)),
            ("v1", "PersistentVolumeClaim") => {
                resolved
                    .claims
                    .extend(standalone_claim(item, namespace(), default_class, &object));
            }
            _ => {}
        }
        let place = item.source.locate(item.node.start());
        let origin = Origin {
            file: place.file,
            line: place.line,
            column: place.column,
        };
        resolved.manifests.push(Manifest { object, origin });
    }
    resolved
}

/// The class of the profile that claims without a class get: it becomes the newest default of the cluster.
fn default_class(items: &[Item]) -> Option<&str> {
    let classes = items.iter().filter(|item| item.is("storage.k8s.io/v1", "StorageClass"));
    let mut default =
        classes.filter(|item| item.node.str_at(&["metadata", "annotations", DEFAULT_CLASS]) == Some("true"));
    default.next().map(|item| &*item.name)
}

fn set(item: &Item, namespace: String, default_class: Option<&str>) -> SetClaims {
    let spec = |path: &[&str]| item.node.at(&["spec"]).and_then(|spec| spec.at(path));
    let retention = |when: &str| match spec(&["persistentVolumeClaimRetentionPolicy", when]).and_then(Node::as_str) {
        Some("Delete") => Retention::Delete,
        _ => Retention::Retain,
    };
    let start = spec(&["ordinals", "start"])
        .and_then(Node::as_i64)
        .and_then(|start| u32::try_from(start).ok());
    let templates = item.node.items_at(&["spec", "volumeClaimTemplates"]);
    SetClaims {
        namespace,
        name: item.name.clone(),
        replicas: replicas(&item.node),
        first_ordinal: start.unwrap_or(0),
        parallel: item.node.str_at(&["spec", "podManagementPolicy"]) == Some("Parallel"),
        match_labels: strings(item.node.entries_at(&["spec", "selector", "matchLabels"])),
        templates: templates
            .iter()
            .filter_map(|claim| template(claim, default_class))
            .collect(),
        node_selector: spec(&["template", "spec", "nodeSelector"]).map(Node::to_json),
        affinity: spec(&["template", "spec", "affinity"]).map(Node::to_json),
        when_scaled: retention("whenScaled"),
        when_deleted: retention("whenDeleted"),
    }
}

/// `spec.replicas`, where it is given.
pub(crate) fn replicas(node: &Node) -> Option<u32> {
    node.at(&["spec", "replicas"])?
        .as_i64()
        .and_then(|replicas| u32::try_from(replicas).ok())
}

fn template(claim: &Node, default_class: Option<&str>) -> Option<ClaimTemplate> {
    Some(ClaimTemplate {
        name: claim.str_at(&["metadata", "name"])?.to_owned(),
        class: or_default(class_ref(claim), default_class),
        shape: shape(claim)?,
        spec: spec_of(claim),
        labels: strings(claim.entries_at(&["metadata", "labels"])),
        annotations: strings(claim.entries_at(&["metadata", "annotations"])),
    })
}

fn standalone_claim(
    item: &Item,
    namespace: String,
    default_class: Option<&str>,
    object: &Object,
) -> Option<StandaloneClaim> {
    let claim = &item.node;
    Some(StandaloneClaim {
        namespace,
        name: item.name.clone(),
        class: or_default(class_ref(claim), default_class),
        shape: shape(claim)?,
        spec: spec_of(claim),
        labels: strings(claim.entries_at(&["metadata", "labels"])),
        annotations: strings(claim.entries_at(&["metadata", "annotations"])),
        object: object.clone(),
    })
}

fn or_default(class: ClassRef, default_class: Option<&str>) -> ClassRef {
    match (class, default_class) {
        (ClassRef::ClusterDefault, Some(name)) => ClassRef::Named(name.to_owned()),
        (class, _) => class,
    }
}

fn spec_of(claim: &Node) -> Json {
    claim.at(&["spec"]).map_or(Json::Null, Node::to_json)
}

fn strings(entries: &[Entry]) -> BTreeMap<String, String> {
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.as_str()?.to_owned())))
        .collect()
}

/// Where a claim or template names its class. The annotation came before the field and wins, as it does in Kubernetes.
pub(crate) fn class_node(claim: &Node) -> Option<&Node> {
    claim
        .at(&["metadata", "annotations", CLASS_ANNOTATION])
        .or_else(|| claim.at(&["spec", "storageClassName"]))
}

/// The class that a claim or template names.
pub(crate) fn class_ref(claim: &Node) -> ClassRef {
    match class_node(claim).and_then(Node::as_str) {
        None => ClassRef::ClusterDefault,
        Some("") => ClassRef::None,
        Some(name) => ClassRef::Named(name.to_owned()),
    }
}

/// What a claim or template asks for; `None` where it does not say how much.
pub(crate) fn shape(claim: &Node) -> Option<ClaimShape> {
    let bytes = match &claim.at(&["spec", "resources", "requests", "storage"])?.value {
        Value::String(text) => quantity::bytes(text)?,
        Value::Number(number) => quantity::bytes(&number.to_string())?,
        _ => return None,
    };
    let modes = claim.items_at(&["spec", "accessModes"]);
    Some(ClaimShape {
        bytes,
        access_modes: modes
            .iter()
            .filter_map(|mode| Some(mode.as_str()?.to_owned()))
            .collect(),
        volume_mode: claim.str_at(&["spec", "volumeMode"]).unwrap_or("Filesystem").to_owned(),
    })
}
