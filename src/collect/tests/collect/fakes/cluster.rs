//! A cluster in memory: objects, finalizers, and the controllers that release PersistentVolumes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{
    Applied, ApplyOptions, Cluster, ClusterIdentity, DeleteOptions, Deletion, Error, ErrorKind, Gvk, Kinds, ListQuery,
    MountStatistics, Object, ObjectRef, Page, ResourceKind, Result, WatchEvent, Write,
};
use serde_json::{Value, json};

use super::{Script, failure};

const PAGE: usize = 2;

type Key = (String, String, String);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<Key, Object>,
    /// Kinds beside the built-in ones.
    pub(crate) custom: Vec<ResourceKind>,
    pub(crate) unanswered: Vec<String>,
    /// Whether a CSI driver removes the volume of a claim that is deleted, and its PersistentVolume: the volumes' ids.
    pub(crate) driver: Option<super::FakeCloud>,
    /// Of the object that was written last.
    version: u32,
    /// What was deleted, in order.
    pub(crate) deletions: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeCluster {
    name: String,
    uid: String,
    script: Script,
    state: Arc<Mutex<State>>,
}

pub(crate) fn resource(group: &str, kind: &str, plural: &str, namespaced: bool) -> ResourceKind {
    ResourceKind {
        gvk: Gvk {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
        },
        plural: plural.to_owned(),
        namespaced,
        verbs: vec!["get".to_owned(), "list".to_owned()],
    }
}

fn built_in() -> Vec<ResourceKind> {
    [
        ("", "PersistentVolume", "persistentvolumes", false),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
        ("", "Pod", "pods", true),
        ("", "Secret", "secrets", true),
        ("", "Service", "services", true),
        ("", "ReplicationController", "replicationcontrollers", true),
        ("apps", "StatefulSet", "statefulsets", true),
        ("apps", "Deployment", "deployments", true),
        ("apps", "ReplicaSet", "replicasets", true),
        ("apps", "DaemonSet", "daemonsets", true),
        ("batch", "Job", "jobs", true),
        ("batch", "CronJob", "cronjobs", true),
        ("storage.k8s.io", "StorageClass", "storageclasses", false),
        ("storage.k8s.io", "VolumeAttachment", "volumeattachments", false),
    ]
    .map(|(group, kind, plural, namespaced)| resource(group, kind, plural, namespaced))
    .into()
}

fn key_of(object: &Object) -> Key {
    let kind = object.gvk().kind;
    (
        kind,
        object.namespace().unwrap_or_default().to_owned(),
        object.name().to_owned(),
    )
}

impl State {
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.objects
            .get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    fn used(&self, claim: &Object) -> bool {
        self.objects.values().any(|object| {
            let volumes = object.list_at(&["spec", "volumes"]).iter();
            let mut claims = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str());
            object.gvk().kind == "Pod"
                && object.namespace() == claim.namespace()
                && claims.any(|name| name == claim.name())
        })
    }

    /// Removes an object, with what controllers do then.
    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(object) = self.objects.remove(key) else { return };
        self.deletions.push(format!("{} {}", key.0, key.2));
        if key.0 != "PersistentVolumeClaim" {
            return;
        }
        let mut driven = Vec::new();
        for pv in self
            .objects
            .values_mut()
            .filter(|object| object.gvk().kind == "PersistentVolume")
        {
            if pv.str_at(&["spec", "claimRef", "uid"]) == object.uid() {
                pv.set(&["status", "phase"], json!("Released"));
                driven.push((
                    key_of(pv),
                    pv.str_at(&["spec", "csi", "volumeHandle"])
                        .unwrap_or_default()
                        .to_owned(),
                ));
            }
        }
        if let Some(cloud) = self.driver.clone() {
            for (key, volume) in driven {
                cloud.with(|state| state.volumes.remove(&moorline_api::VolumeId(volume)));
                self.objects.remove(&key);
            }
        }
    }
}

impl FakeCluster {
    pub(crate) fn new(name: &str, uid: &str, script: &Script) -> Self {
        Self {
            name: name.to_owned(),
            uid: uid.to_owned(),
            script: script.clone(),
            state: Arc::default(),
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn add(&self, object: Value) {
        let mut object = Object::from_value(object).unwrap();
        self.with(|state| {
            state.version += 1;
            object.set(&["metadata", "resourceVersion"], json!(state.version.to_string()));
            state.objects.insert(key_of(&object), object);
        });
    }

    pub(crate) fn remove(&self, kind: &str, namespace: &str, name: &str) {
        self.with(|state| state.remove(&(kind.to_owned(), namespace.to_owned(), name.to_owned())));
    }

    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.with(|state| state.objects.keys().any(|key| key.0 == kind && key.2 == name))
    }

    async fn answer<T>(&self, call: &str, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let call = format!("{call} of {}", self.name);
        let fate = self.script.begins(&call).await?;
        let outcome = self.with(effect)?;
        fate.ends(&call).await?;
        Ok(outcome)
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn identity(&self) -> Result<ClusterIdentity> {
        self.answer("identity", |_| {
            Ok(ClusterIdentity {
                uid: self.uid.clone(),
                context: self.name.clone(),
                server: String::new(),
                version: "v1.36.3".to_owned(),
            })
        })
        .await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.answer("kinds", |state| {
            Ok(Kinds {
                served: built_in().into_iter().chain(state.custom.clone()).collect(),
                unanswered: state.unanswered.clone(),
            })
        })
        .await
    }

    async fn get(&self, target: &ObjectRef) -> Result<Option<Object>> {
        self.answer(&format!("get {target}"), |state| {
            let namespace = target.namespace.as_deref().unwrap_or_default();
            Ok(state.get(&target.resource.gvk.kind, namespace, &target.name).cloned())
        })
        .await
    }

    fn list(&self, query: ListQuery) -> BoxStream<'_, Result<Page>> {
        let pages = async move {
            let place = query.namespace.clone().map(|namespace| format!(" in {namespace}"));
            let call = format!("list {}{}", query.resource.plural, place.unwrap_or_default());
            self.answer(&call, |state| {
                let name = query
                    .fields
                    .as_deref()
                    .and_then(|fields| fields.strip_prefix("metadata.name="));
                let wanted = |object: &&Object| {
                    object.gvk().kind == query.resource.gvk.kind
                        && query
                            .namespace
                            .as_deref()
                            .is_none_or(|namespace| object.namespace() == Some(namespace))
                        && name.is_none_or(|name| object.name() == name)
                };
                let all: Vec<Object> = state.objects.values().filter(wanted).cloned().collect();
                let page = |objects: &[Object]| Page {
                    objects: objects.to_vec(),
                    resource_version: "1".to_owned(),
                };
                let pages: Vec<Page> = all.chunks(PAGE).map(page).collect();
                Ok(if pages.is_empty() { vec![page(&[])] } else { pages })
            })
            .await
        };
        stream::once(pages)
            .flat_map(|pages| match pages {
                Ok(pages) => stream::iter(pages.into_iter().map(Ok)).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }

    /// Whatever is on its way out goes now, unless something holds it: then nothing comes. First it tells of others, as a server does that
    /// does not know the selector: one that went, and one that is there.
    fn watch(&self, query: ListQuery, _from: String) -> BoxStream<'_, Result<WatchEvent>> {
        let other = |uid: &str| {
            let other = json!({
                "apiVersion": query.resource.gvk.api_version(), "kind": query.resource.gvk.kind,
                "metadata": {"namespace": query.namespace, "name": "another", "uid": uid},
            });
            Object::from_value(other).unwrap()
        };
        let others = [
            Ok(WatchEvent::Deleted(other("another that went"))),
            Ok(WatchEvent::Applied(other("another that is there"))),
        ];
        let changes = async move {
            let name = query
                .fields
                .as_deref()
                .and_then(|fields| fields.strip_prefix("metadata.name="));
            let gone = self
                .answer("watch", |state| {
                    let leaving = state.objects.values().find(|object| {
                        object.gvk().kind == query.resource.gvk.kind
                            && Some(object.name()) == name
                            && object.is_terminating()
                    });
                    let leaving = leaving
                        .cloned()
                        .filter(|object| !state.used(object) && !is_held(object));
                    if let Some(object) = &leaving {
                        state.remove(&key_of(object));
                    }
                    Ok(leaving)
                })
                .await?;
            match gone {
                Some(object) => Ok(WatchEvent::Deleted(object)),
                None => std::future::pending().await,
            }
        };
        stream::iter(others).chain(stream::once(changes)).boxed()
    }

    async fn apply(&self, _target: &ObjectRef, _object: &Object, _options: ApplyOptions) -> Result<Applied> {
        Err(failure("apply", ErrorKind::Unsupported))
    }

    async fn create(&self, _target: &ObjectRef, _object: &Object) -> Result<Object> {
        Err(failure("create", ErrorKind::Unsupported))
    }

    async fn merge(&self, _target: &ObjectRef, _patch: &Value) -> Result<Object> {
        Err(failure("merge", ErrorKind::Unsupported))
    }

    async fn scale(&self, _target: &ObjectRef, _replicas: u32) -> Result<()> {
        Err(failure("scale", ErrorKind::Unsupported))
    }

    async fn rehearse(&self, _target: &ObjectRef, _write: &Write<'_>) -> Result<()> {
        Err(failure("rehearse", ErrorKind::Unsupported))
    }

    async fn mount_statistics(&self, _node: &str) -> Result<Vec<MountStatistics>> {
        Err(failure("statistics", ErrorKind::Unsupported))
    }

    /// Claims go when a watch looks at them, as they do in life: a moment later.
    async fn delete(&self, target: &ObjectRef, options: &DeleteOptions) -> Result<Deletion> {
        self.answer(&format!("!delete {target}"), |state| {
            let kind = &target.resource.gvk.kind;
            let namespace = target.namespace.as_deref().unwrap_or_default();
            let Some(object) = state.get(kind, namespace, &target.name).cloned() else {
                return Ok(Deletion::Absent);
            };
            if options.uid.as_deref() != object.uid() {
                return Err(Error::new(
                    ErrorKind::Stale,
                    "delete",
                    &target.name,
                    "the UID does not match",
                ));
            }
            let version = options.resource_version.as_deref();
            if version.is_some() && version != object.resource_version() {
                let why = "the version does not match";
                return Err(Error::new(ErrorKind::Stale, "delete", &target.name, why));
            }
            let key = key_of(&object);
            if kind == "PersistentVolumeClaim" || is_held(&object) {
                let mut leaving = object;
                leaving.set(&["metadata", "deletionTimestamp"], json!("2026-11-21T12:00:00Z"));
                state.version += 1;
                leaving.set(&["metadata", "resourceVersion"], json!(state.version.to_string()));
                state.objects.insert(key, leaving);
                return Ok(Deletion::Terminating);
            }
            state.remove(&key);
            Ok(Deletion::Gone)
        })
        .await
    }
}

fn is_held(object: &Object) -> bool {
    !object.list_at(&["metadata", "finalizers"]).is_empty()
}
