//! Which kinds of a cluster have to be read, by what it serves.
//!
//! Beside the built-in workloads, any custom kind may hold claims: a Rollout, a `CloneSet`, a database that an operator keeps. Nobody
//! can list them all by name, so the schema in a kind's definition decides: where its `spec` has a field that names claims, or
//! that the schema leaves open, its objects are read; other custom kinds cannot name a claim. Kinds of aggregated servers have no
//! such definition and are read, unless their group is known to have no workloads. (docs/adr has the reasons.)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, stream};
use moorline_api::{Cluster, Error, Kinds, ObjectRef, ResourceKind, Result};
use moorline_gc::Kind;
use serde_json::Value;

/// Groups of Kubernetes itself. Those of their kinds that may use claims are built in.
const OWN_GROUPS: [&str; 26] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "snapshot.storage.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
    "gateway.networking.k8s.io",
];

/// Groups of aggregated servers that measure, and have no objects that last.
const MEASURING: [&str; 3] = ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"];

/// Fields by which objects name claims or make them; the same that `moorline-gc` finds in objects.
const CLAIM_FIELDS: [&str; 5] = [
    "claimName",
    "existingClaim",
    "persistentVolumeClaimName",
    "pvcName",
    "volumeClaimTemplates",
];

/// Definitions read at once.
const AT_ONCE: usize = 4;

/// A kind to read.
#[derive(Clone, Debug)]
pub(crate) struct ToRead {
    pub(crate) kind: Kind,
    pub(crate) how: How,
}

/// How a kind is read.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// It is listed.
    List(ResourceKind),
    /// The cluster does not have it: it is read, and empty.
    Absent,
    /// It cannot be read.
    Unreadable(String),
}

/// Which custom kinds may name claims, as far as it was found out: it does not change within a run.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    known: Mutex<BTreeMap<String, bool>>,
}

/// Everything that has to be read of a cluster.
pub(crate) async fn to_read(cluster: &dyn Cluster, definitions: &Definitions) -> Result<Vec<ToRead>> {
    let served = cluster.kinds().await?;
    let unanswered: BTreeSet<&str> = served.unanswered.iter().map(|version| group_of(version)).collect();
    let mut all: Vec<ToRead> = Kind::BUILT_IN
        .into_iter()
        .map(|kind| ToRead {
            how: built_in(&kind, &served, &unanswered),
            kind,
        })
        .collect();
    let silent = unanswered
        .iter()
        .filter(|group| !MEASURING.contains(group) && !OWN_GROUPS.contains(group));
    all.extend(silent.map(|group| ToRead {
        kind: Kind::Other((*group).to_owned()),
        how: How::Unreadable("its server does not answer".to_owned()),
    }));
    let custom = served.served.into_iter().filter(is_custom);
    let custom = stream::iter(custom).map(|resource| async move {
        let names_claims = definitions.may_name_claims(cluster, &resource).await;
        (resource, names_claims)
    });
    let mut custom = custom.buffered(AT_ONCE);
    while let Some((resource, names_claims)) = custom.next().await {
        if names_claims {
            all.push(ToRead {
                kind: Kind::Other(resource.qualified()),
                how: How::List(resource),
            });
        }
    }
    Ok(all)
}

fn group_of(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

fn is_custom(resource: &ResourceKind) -> bool {
    let group = resource.gvk.group.as_str();
    let listable = resource.verbs.iter().any(|verb| verb == "list");
    listable && !OWN_GROUPS.contains(&group) && !MEASURING.contains(&group)
}

fn built_in(kind: &Kind, served: &Kinds, unanswered: &BTreeSet<&str>) -> How {
    let group = kind.name().split_once('.').map_or("", |(_, group)| group);
    let found = served
        .served
        .iter()
        .find(|resource| resource.qualified() == kind.name());
    match found {
        Some(resource) => How::List(resource.clone()),
        None if unanswered.contains(group) => How::Unreadable("its server does not answer".to_owned()),
        // The one that comes with an add-on.
        None if *kind == Kind::VolumeSnapshots => How::Absent,
        None => How::Unreadable("the cluster does not serve it".to_owned()),
    }
}

impl Definitions {
    /// Whether objects of a kind may name claims. In doubt they may: then they are read, and where that fails it shows.
    async fn may_name_claims(&self, cluster: &dyn Cluster, resource: &ResourceKind) -> bool {
        let name = resource.qualified();
        let version = resource.gvk.version.as_str();
        let key = format!("{name}/{version}");
        if let Some(known) = self.known().get(&key) {
            return *known;
        }
        let found = match definition(cluster, &name).await {
            Ok(Some(definition)) => schema_of(&definition, version).is_none_or(leaves_room_for_claims),
            Ok(None) | Err(_) => true,
        };
        self.known().insert(key, found);
        found
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn definition(cluster: &dyn Cluster, name: &str) -> std::result::Result<Option<Value>, Error> {
    let definitions = ResourceKind {
        gvk: moorline_api::Gvk::new("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        plural: "customresourcedefinitions".to_owned(),
        namespaced: false,
        verbs: vec!["get".to_owned()],
    };
    let found = cluster.get(&ObjectRef::new(definitions, "", name)).await?;
    Ok(found.map(moorline_api::Object::into_value))
}

/// The schema of `spec` in one version; `None` where there is none.
fn schema_of<'a>(definition: &'a Value, version: &str) -> Option<&'a Value> {
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    let same = |candidate: &&Value| candidate.get("name").and_then(Value::as_str) == Some(version);
    let schema = versions.iter().find(same)?.pointer("/schema/openAPIV3Schema")?;
    if is_open(schema) {
        return None;
    }
    // A kind without a `spec` keeps no claim there, and elsewhere none is looked for.
    Some(schema.pointer("/properties/spec").unwrap_or(&Value::Null))
}

fn is_open(schema: &Value) -> bool {
    schema
        .get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        == Some(true)
}

/// Whether something that fits the schema can name a claim.
fn leaves_room_for_claims(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            let named = properties.is_some_and(|fields| CLAIM_FIELDS.iter().any(|field| fields.contains_key(*field)));
            let embedded = map.get("x-kubernetes-embedded-resource").and_then(Value::as_bool) == Some(true);
            named || embedded || is_open(schema) || map.values().any(leaves_room_for_claims)
        }
        Value::Array(items) => items.iter().any(leaves_room_for_claims),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition_with(spec: &Value) -> Value {
        json!({"spec": {"versions": [
            {"name": "v1alpha1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}},
            {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}},
        ]}})
    }

    fn kind(version: &str, name: &str, plural: &str, verbs: &[&str]) -> ResourceKind {
        ResourceKind {
            gvk: moorline_api::Gvk::new(version, name),
            plural: plural.to_owned(),
            namespaced: true,
            verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        }
    }

    #[test]
    fn only_a_kind_that_a_cluster_surely_does_not_have_is_empty() {
        let unserved = |kind: Kind, unanswered: &str| {
            let kinds = Kinds {
                served: Vec::new(),
                unanswered: Vec::new(),
            };
            built_in(&kind, &kinds, &BTreeSet::from([unanswered]))
        };
        assert!(matches!(unserved(Kind::VolumeSnapshots, "metrics.k8s.io"), How::Absent));
        let silent = unserved(Kind::VolumeSnapshots, "snapshot.storage.k8s.io");
        assert!(
            matches!(&silent, How::Unreadable(why) if why.contains("does not answer")),
            "{silent:?}"
        );
        for kind in Kind::BUILT_IN.into_iter().filter(|kind| *kind != Kind::VolumeSnapshots) {
            assert!(matches!(unserved(kind, "metrics.k8s.io"), How::Unreadable(_)));
        }
    }

    #[test]
    fn custom_kinds_are_those_of_other_groups_that_can_be_listed() {
        assert!(is_custom(&kind("example.com/v1", "Kite", "kites", &["get", "list"])));
        assert!(!is_custom(&kind("example.com/v1", "Kite", "kites", &["get"])));
        assert!(!is_custom(&kind("apps/v1", "Deployment", "deployments", &["list"])));
        assert!(!is_custom(&kind("metrics.k8s.io/v1", "PodMetrics", "pods", &["list"])));
    }

    fn names_claims(definition: &Value) -> bool {
        schema_of(definition, "v1").is_none_or(leaves_room_for_claims)
    }

    #[test]
    fn a_schema_says_whether_its_objects_can_name_claims() {
        let closed = json!({"type": "object", "properties": {"replicas": {"type": "integer"}}});
        assert!(!names_claims(&definition_with(&closed)));
        for spec in [
            json!({"properties": {"volumeClaimTemplates": {"type": "array"}}}),
            json!({"properties": {"storage": {"properties": {"existingClaim": {"type": "string"}}}}}),
            json!({"properties": {"pods": {"type": "array", "items": {"properties": {"claimName": {}}}}}}),
            json!({"properties": {"volumes": {"x-kubernetes-preserve-unknown-fields": true}}}),
            json!({"properties": {"object": {"x-kubernetes-embedded-resource": true}}}),
            json!({"additionalProperties": {"properties": {"pvcName": {}}}}),
            json!({"anyOf": [{"required": ["a"]}, {"properties": {"claimName": {}}}]}),
        ] {
            assert!(names_claims(&definition_with(&spec)), "{spec}");
        }
        let open = json!({"spec": {"versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"x-kubernetes-preserve-unknown-fields": true}}}]}});
        assert!(names_claims(&open));
        assert!(names_claims(&json!({"spec": {"versions": [{"name": "v1"}]}})));
        let without = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"data": {}}}}}]}});
        assert!(!names_claims(&without));
    }
}
