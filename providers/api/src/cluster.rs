//! A Kubernetes cluster.

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MountStatistics, Object, ObjectRef, ResourceKind, Result};

/// Which cluster this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// The UID of namespace `kube-system`: unique to this life of the cluster.
    pub uid: String,
    /// The kubeconfig context, or `in-cluster`.
    pub context: String,
    /// The API server's address, without credentials.
    pub server: String,
    /// The server's version: `v1.36.3`.
    pub version: String,
}

/// What discovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Every kind that the server serves now, in the version that it prefers, in its order; no subresources.
    pub served: Vec<ResourceKind>,
    /// Group versions whose own server does not answer: `metrics.k8s.io/v1beta1`. Their kinds are not among the served ones,
    /// and which objects of them there are cannot be known.
    pub unanswered: Vec<String>,
}

/// What to list or watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The kind.
    pub resource: ResourceKind,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// Label selector in kubectl's syntax.
    pub labels: Option<String>,
    /// Field selector in kubectl's syntax.
    pub fields: Option<String>,
    /// How much of `metadata.managedFields` is wanted: often it is half of an object. A watch gives all of it.
    pub managed_fields: ManagedFields,
    /// Fields that are of no use to who asks, each with the part of the object it is in: `("spec", "nodeAffinity")`. They are left
    /// out of lists, so that long ones take less time and memory; a watch gives them all the same.
    pub unwanted: &'static [(&'static str, &'static str)],
}

/// How much of objects' `metadata.managedFields` is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ManagedFields {
    /// All of it.
    #[default]
    All,
    /// The entries of a manager, for the object itself and not for a subresource, that name a field.
    Of {
        /// The manager.
        manager: String,
        /// The field as entries write it: `f:accessModes`.
        field: &'static str,
    },
    /// Nothing; the field is left out.
    None,
}

impl ListQuery {
    /// Everything of a kind, in one namespace where the kind has them.
    pub fn within(resource: ResourceKind, namespace: &str) -> Self {
        let namespace = resource.namespaced.then(|| namespace.to_owned());
        Self {
            resource,
            namespace,
            labels: None,
            fields: None,
            managed_fields: ManagedFields::All,
            unwanted: &[],
        }
    }

    /// Everything of a kind in the whole cluster.
    pub fn everywhere(resource: ResourceKind) -> Self {
        Self {
            resource,
            namespace: None,
            labels: None,
            fields: None,
            managed_fields: ManagedFields::All,
            unwanted: &[],
        }
    }

    /// The same, with so much of the objects' managed fields.
    #[must_use]
    pub fn managed_fields(mut self, wanted: ManagedFields) -> Self {
        self.managed_fields = wanted;
        self
    }

    /// The same, without these fields.
    #[must_use]
    pub fn without(mut self, unwanted: &'static [(&'static str, &'static str)]) -> Self {
        self.unwanted = unwanted;
        self
    }

    /// The same, of objects with these labels.
    #[must_use]
    pub fn labelled(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The objects; each has `apiVersion` and `kind` set even where the server leaves them out of lists.
    pub objects: Vec<Object>,
    /// The version to watch from, on every page the same.
    pub resource_version: String,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// Added or changed.
    Applied(Object),
    /// Gone; its last state.
    Deleted(Object),
    /// Nothing changed up to this version.
    Bookmark(String),
}

/// How to apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// The server does everything but persist.
    pub dry_run: bool,
    /// Take fields that others own.
    pub force: bool,
}

/// What an apply came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object as it is now (or would be).
    pub object: Object,
    /// Whether it was not there before.
    pub created: bool,
    /// Warnings that the server sent.
    pub warnings: Vec<String>,
}

/// What happens to dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Deleted afterwards, by the garbage collector.
    Background,
    /// Deleted first.
    Foreground,
    /// Kept.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only the object with this UID; anything else is `ErrorKind::Stale`.
    pub uid: Option<String>,
    /// Only the object as it was read in this version; one that has changed since is `ErrorKind::Stale`.
    pub resource_version: Option<String>,
    /// What happens to dependents.
    pub propagation: Propagation,
    /// The server does everything but delete.
    pub dry_run: bool,
}

/// A write to rehearse.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// [`Cluster::create`].
    Create(&'a Object),
    /// [`Cluster::merge`].
    Merge(&'a Value),
    /// [`Cluster::scale`].
    Scale(u32),
    /// [`Cluster::delete`].
    Delete(&'a DeleteOptions),
}

/// What a deletion came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Deletion {
    /// It was not there.
    Absent,
    /// It is gone.
    Gone,
    /// It is on its way: finalizers or a grace period hold it.
    Terminating,
}

/// A Kubernetes cluster. Every write names the field manager `moorline`.
///
/// Calls are paced, bounded in number and retried inside where that is safe; an error that comes out is final for now.
/// Dropping a future stops waiting and may leave its call's effect done.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Which cluster this is. Asked once, then remembered.
    async fn identity(&self) -> Result<ClusterIdentity>;

    /// What the server serves, by discovery; asked anew each time.
    async fn kinds(&self) -> Result<Kinds>;

    /// One object; `None` only where the server says 404 for the object itself.
    async fn get(&self, target: &ObjectRef) -> Result<Option<Object>>;

    /// A consistent listing, page by page; ends early only with an `Err`.
    fn list(&self, query: ListQuery) -> BoxStream<'_, Result<Page>>;

    /// Changes after `from`; ends with `ErrorKind::Expired` when `from` is too old, or `Ok`-ends when the server closes it.
    fn watch(&self, query: ListQuery, from: String) -> BoxStream<'_, Result<WatchEvent>>;

    /// Server-side apply.
    async fn apply(&self, target: &ObjectRef, object: &Object, options: ApplyOptions) -> Result<Applied>;

    /// Creates; `ErrorKind::AlreadyExists` where the name is taken.
    async fn create(&self, target: &ObjectRef, object: &Object) -> Result<Object>;

    /// JSON merge patch of the object; a `metadata.uid` or `metadata.resourceVersion` inside is a precondition.
    async fn merge(&self, target: &ObjectRef, patch: &Value) -> Result<Object>;

    /// Sets the `scale` subresource's replicas.
    async fn scale(&self, target: &ObjectRef, replicas: u32) -> Result<()>;

    /// Asks the server whether it would take a write, by a dry run: permissions, quotas, admission and validation are
    /// checked, and nothing is changed.
    async fn rehearse(&self, target: &ObjectRef, write: &Write<'_>) -> Result<()>;

    /// Every claim that pods on a node have mounted, as its kubelet measured it; one call, through the API server. A node whose
    /// kubelet is silent, or keeps no statistics, or that may not be asked, is an `Err`.
    async fn mount_statistics(&self, node: &str) -> Result<Vec<MountStatistics>>;

    /// Deletes.
    async fn delete(&self, target: &ObjectRef, options: &DeleteOptions) -> Result<Deletion>;
}
