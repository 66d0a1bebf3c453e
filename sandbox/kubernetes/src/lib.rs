//! A small Kubernetes API server: real clients (kubectl, kube-rs, client-go) work against it over
//! loopback HTTP, and the sandbox's controllers work on it in-process.
//!
//! Objects are JSON values; their shapes come from `k8s-openapi`.

mod error;
mod settings;

pub use error::{ApiError, Cause, Details, OpenError};
pub use settings::ApiSettings;

use std::sync::Arc;

use moorline_sandbox_core::World;
use serde_json::Value;
use tokio::sync::broadcast;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// `pods`, `statefulsets.apps`, …
    pub resource: Arc<str>,
    /// Namespace, for namespaced kinds.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the change; for deletions its last state, with the deletion's resourceVersion.
    pub object: Arc<Value>,
    /// The object before the change.
    pub old: Option<Arc<Value>>,
}

/// What becomes of an object's dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Only if the object has this UID.
    pub uid: Option<String>,
    /// Grace in seconds; 0 removes a pod at once.
    pub grace_seconds: Option<i64>,
    /// What becomes of dependents.
    pub propagation: Option<Propagation>,
}

/// The API server. Cheap to clone; clones share one cluster.
#[derive(Clone)]
pub struct ApiServer {}

#[expect(unused_variables, clippy::unused_self, reason = "signatures first; bodies follow")]
impl ApiServer {
    /// Restores the cluster from `world`'s journal, or makes a fresh one.
    pub fn open(world: World, settings: ApiSettings) -> Result<Self, OpenError> {
        Ok(Self {})
    }
    /// The HTTP side.
    pub fn router(&self) -> axum::Router {
        axum::Router::new()
    }
    /// The settings in force.
    pub fn settings(&self) -> ApiSettings {
        ApiSettings::default()
    }
    /// Changes the settings.
    pub fn set_settings(&self, settings: ApiSettings) {}
    /// One object. `resource` is `plural[.group]`.
    pub fn get(&self, resource: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        None
    }
    /// Every object of a resource, in one namespace or all.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        Vec::new()
    }
    /// Creates `object` (its namespace is in its metadata).
    pub fn create(&self, resource: &str, object: Value, manager: &str) -> Result<Arc<Value>, ApiError> {
        Err(ApiError::unknown_path())
    }
    /// Reads, changes and writes one object under the lock; `None` when it does not exist. A change that changes
    /// nothing writes nothing. `subresource` is `status`, `scale`, `finalize`, or none.
    pub fn modify(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<&str>,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Option<Arc<Value>>, ApiError> {
        Err(ApiError::unknown_path())
    }
    /// Deletes as the API would: grace, finalizers, preconditions.
    pub fn delete(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), ApiError> {
        Err(ApiError::unknown_path())
    }
    /// Every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        broadcast::channel(1).1
    }
    /// Records a core/v1 Event about `involved`; a repeat raises the count of the first.
    pub fn record_event(&self, involved: &Value, type_: &str, reason: &str, message: &str, component: &str) {}
    /// Back to a fresh cluster.
    pub fn clear(&self) {}
}
