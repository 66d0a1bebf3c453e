//! A small Kubernetes API server: real clients (kubectl, kube-rs, client-go) work against it over
//! loopback HTTP, and the sandbox's controllers work on it in-process.
//!
//! Objects are JSON values; their shapes come from `k8s-openapi`. One write goes one way: decode,
//! default, admit, validate, track ownership, store; one store keeps the objects, their versions and the recent changes
//! that watches and consistent lists are answered from.
//!
//! Where it differs from the real server, on purpose or for now:
//! - it is stricter: a StatefulSet's pod template is validated when the set is written, not when its pods are;
//! - everyone may do everything; what a client may not do is set as a fault;
//! - kinds and status of custom resources: only the storage version of a definition is served, and its schema is held to
//!   types, `required`, `enum`, bounds, lengths and defaults;
//! - answers are JSON; protobuf is understood in request bodies of built-in kinds;
//! - not served: `events.k8s.io`, pod logs and exec, service account tokens, quotas, budgets on eviction.

mod admission;
mod apply;
mod custom;
mod defaults;
mod delete;
mod discovery;
mod error;
mod events;
mod http;
mod kubelets;
mod object;
mod openapi;
mod prepare;
mod protobuf;
mod quantity;
mod registry;
mod selectors;
mod server;
mod settings;
mod shape;
mod store;
mod tables;
mod validation;
mod write;

pub use error::{ApiError, Cause, Details, OpenError};
pub use kubelets::Kubelets;
pub use server::ApiServer;
pub use settings::ApiSettings;

use std::sync::Arc;

use serde_json::Value;

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
