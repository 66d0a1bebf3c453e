//! Kubernetes objects as the engine sees them: JSON with a name, of a kind that discovery knows.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Group, version and kind as a manifest writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gvk {
    /// API group; empty for the core group.
    pub group: String,
    /// Version: `v1`.
    pub version: String,
    /// Kind: `StatefulSet`.
    pub kind: String,
}

impl Gvk {
    /// From the two fields of a manifest.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// `group/version`, or `version` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether this is `kind` of `group`, in any version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// A kind as the API server serves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceKind {
    /// Group, version, kind.
    pub gvk: Gvk,
    /// The path segment: `statefulsets`.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// The verbs it takes: `get`, `list`, `watch`, `patch`, `delete` …
    pub verbs: Vec<String>,
}

impl ResourceKind {
    fn built_in(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
            .map(str::to_owned)
            .to_vec();
        let gvk = Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        };
        Self {
            gvk,
            plural: plural.to_owned(),
            namespaced,
            verbs,
        }
    }

    /// `v1 PersistentVolumeClaim`.
    pub fn claim() -> Self {
        Self::built_in("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true)
    }

    /// `v1 PersistentVolume`.
    pub fn persistent_volume() -> Self {
        Self::built_in("", "v1", "PersistentVolume", "persistentvolumes", false)
    }

    /// `v1 Pod`.
    pub fn pod() -> Self {
        Self::built_in("", "v1", "Pod", "pods", true)
    }

    /// `v1 Service`.
    pub fn service() -> Self {
        Self::built_in("", "v1", "Service", "services", true)
    }

    /// `v1 Event`.
    pub fn event() -> Self {
        Self::built_in("", "v1", "Event", "events", true)
    }

    /// `v1 Node`.
    pub fn node() -> Self {
        Self::built_in("", "v1", "Node", "nodes", false)
    }

    /// `v1 Namespace`.
    pub fn namespace() -> Self {
        Self::built_in("", "v1", "Namespace", "namespaces", false)
    }

    /// `v1 Secret`.
    pub fn secret() -> Self {
        Self::built_in("", "v1", "Secret", "secrets", true)
    }

    /// `apps/v1 StatefulSet`.
    pub fn stateful_set() -> Self {
        Self::built_in("apps", "v1", "StatefulSet", "statefulsets", true)
    }

    /// `apps/v1 Deployment`.
    pub fn deployment() -> Self {
        Self::built_in("apps", "v1", "Deployment", "deployments", true)
    }

    /// `apps/v1 ReplicaSet`.
    pub fn replica_set() -> Self {
        Self::built_in("apps", "v1", "ReplicaSet", "replicasets", true)
    }

    /// `apps/v1 DaemonSet`.
    pub fn daemon_set() -> Self {
        Self::built_in("apps", "v1", "DaemonSet", "daemonsets", true)
    }

    /// `v1 ReplicationController`.
    pub fn replication_controller() -> Self {
        Self::built_in("", "v1", "ReplicationController", "replicationcontrollers", true)
    }

    /// `batch/v1 Job`.
    pub fn job() -> Self {
        Self::built_in("batch", "v1", "Job", "jobs", true)
    }

    /// `batch/v1 CronJob`.
    pub fn cron_job() -> Self {
        Self::built_in("batch", "v1", "CronJob", "cronjobs", true)
    }

    /// `storage.k8s.io/v1 StorageClass`.
    pub fn storage_class() -> Self {
        Self::built_in("storage.k8s.io", "v1", "StorageClass", "storageclasses", false)
    }

    /// `storage.k8s.io/v1 VolumeAttachment`.
    pub fn volume_attachment() -> Self {
        Self::built_in("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", false)
    }

    /// `snapshot.storage.k8s.io/v1 VolumeSnapshot`: served only where its definition was installed, which discovery tells.
    pub fn volume_snapshot() -> Self {
        Self::built_in(
            "snapshot.storage.k8s.io",
            "v1",
            "VolumeSnapshot",
            "volumesnapshots",
            true,
        )
    }

    /// Plural with its group, as `kubectl` names it: `statefulsets.apps`.
    pub fn qualified(&self) -> String {
        if self.gvk.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.gvk.group)
        }
    }
}

/// Names one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its kind.
    pub resource: ResourceKind,
    /// Its namespace; `None` exactly when the kind has none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// Names an object; the namespace is dropped for kinds that have none.
    pub fn new(resource: ResourceKind, namespace: &str, name: impl Into<String>) -> Self {
        let namespace = resource.namespaced.then(|| namespace.to_owned());
        Self {
            resource,
            namespace,
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.resource.qualified())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}

/// A Kubernetes object: a JSON object with `apiVersion`, `kind` and `metadata.name`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(Map<String, Value>);

impl Object {
    /// Wraps a JSON object; anything else comes back as the error.
    pub fn from_value(value: Value) -> std::result::Result<Self, Value> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(other),
        }
    }

    /// The JSON.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The JSON's fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The JSON's fields, to change.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The value at a path of field names; `None` where any part is missing or null.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.0.get(*first)?;
        for segment in rest {
            value = value.get(segment)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The string at a path.
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The integer at a path.
    pub fn i64_at(&self, path: &[&str]) -> Option<i64> {
        self.at(path)?.as_i64()
    }

    /// The list at a path; empty where there is none.
    pub fn list_at(&self, path: &[&str]) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Sets the value at a path and makes the objects on the way; a scalar on the way is replaced.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let mut map = &mut self.0;
        for segment in parents {
            let entry = map
                .entry((*segment).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if !entry.is_object() {
                *entry = Value::Object(Map::new());
            }
            let Value::Object(inner) = entry else { return };
            map = inner;
        }
        map.insert((*last).to_owned(), value);
    }

    /// Group, version and kind; empty strings where the manifest has none.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(
            self.str_at(&["apiVersion"]).unwrap_or_default(),
            self.str_at(&["kind"]).unwrap_or_default(),
        )
    }

    /// `metadata.name`, or the empty string.
    pub fn name(&self) -> &str {
        self.str_at(&["metadata", "name"]).unwrap_or_default()
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> Option<&str> {
        self.str_at(&["metadata", "namespace"])
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> Option<&str> {
        self.str_at(&["metadata", "uid"])
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> Option<&str> {
        self.str_at(&["metadata", "resourceVersion"])
    }

    /// `metadata.labels[key]`.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.str_at(&["metadata", "labels", key])
    }

    /// `metadata.annotations[key]`.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.str_at(&["metadata", "annotations", key])
    }

    /// Whether deletion has begun.
    pub fn is_terminating(&self) -> bool {
        self.at(&["metadata", "deletionTimestamp"]).is_some()
    }

    /// `metadata.creationTimestamp`.
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.str_at(&["metadata", "creationTimestamp"])?.parse().ok()
    }
}
