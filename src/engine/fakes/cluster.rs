//! A cluster in memory: objects, finalizers, and the controller that releases PersistentVolumes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{
    Applied, ApplyOptions, Cluster, ClusterIdentity, DeleteOptions, Deletion, Error, ErrorKind, Kinds, ListQuery,
    MountStatistics, Object, ObjectRef, Page, ResourceKind, Result, WatchEvent, Write,
};
use serde_json::{Value, json};

use super::{CLUSTER, Script, object};

/// Kind, namespace and name.
type Key = (String, String, String);

pub(crate) struct FakeCluster {
    script: Script,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    objects: BTreeMap<Key, Object>,
    /// Kinds beside the built-in ones.
    pub(crate) custom: Vec<ResourceKind>,
    /// API groups whose server does not answer.
    pub(crate) unanswered: Vec<String>,
    version: u32,
}

fn built_in() -> Vec<ResourceKind> {
    let core = |kind: &str, plural: &str| ResourceKind {
        gvk: moorline_api::Gvk::new("v1", kind),
        plural: plural.to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    };
    let class = ResourceKind::storage_class();
    let event = ResourceKind::event();
    let kinds = [
        core("ConfigMap", "configmaps"),
        core("ServiceAccount", "serviceaccounts"),
        class,
        event,
        ResourceKind::claim(),
        ResourceKind::namespace(),
        ResourceKind::persistent_volume(),
        ResourceKind::pod(),
        ResourceKind::secret(),
        ResourceKind::service(),
        ResourceKind::stateful_set(),
    ];
    kinds.into_iter().map(served).collect()
}

/// With the verbs of what can be read, written and deleted.
pub(crate) fn served(mut kind: ResourceKind) -> ResourceKind {
    kind.verbs = ["get", "list", "patch", "delete"].map(str::to_owned).into();
    kind
}

fn key_of(object: &Object) -> Key {
    let namespace = object.namespace().unwrap_or_default().to_owned();
    (object.gvk().kind, namespace, object.name().to_owned())
}

fn key_to(target: &ObjectRef) -> Key {
    let namespace = target.namespace.clone().unwrap_or_default();
    (target.resource.gvk.kind.clone(), namespace, target.name.clone())
}

fn stale(target: &ObjectRef) -> Error {
    Error::new(ErrorKind::Stale, "write", target.to_string(), "it is another one now")
}

impl State {
    fn put(&mut self, mut object: Object) -> Object {
        self.version += 1;
        object.set(&["metadata", "resourceVersion"], json!(self.version.to_string()));
        self.objects.insert(key_of(&object), object.clone());
        object
    }

    /// Takes an object away; the PersistentVolume of a claim is released then.
    fn take(&mut self, key: &Key) {
        let Some(gone) = self.objects.remove(key).filter(|_| key.0 == "PersistentVolumeClaim") else {
            return;
        };
        for pv in self
            .objects
            .values_mut()
            .filter(|pv| pv.gvk().kind == "PersistentVolume")
        {
            if pv.str_at(&["spec", "claimRef", "uid"]) == gone.uid() {
                pv.set(&["status", "phase"], json!("Released"));
            }
        }
    }

    fn matching(&self, query: &ListQuery) -> Vec<Object> {
        let labels: Vec<(&str, &str)> = query
            .labels
            .iter()
            .flat_map(|labels| labels.split(',').filter_map(|label| label.split_once('=')))
            .collect();
        let wanted = |object: &&Object| {
            object.gvk().kind == query.resource.gvk.kind
                && query
                    .namespace
                    .as_deref()
                    .is_none_or(|of| object.namespace() == Some(of))
                && labels.iter().all(|(key, value)| object.label(key) == Some(value))
        };
        self.objects.values().filter(wanted).cloned().collect()
    }
}

impl FakeCluster {
    pub(super) fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn add(&self, value: Value) {
        self.with(|state| state.put(object(value)));
    }

    pub(crate) fn remove(&self, kind: &str, name: &str) {
        self.with(|state| {
            let key = state.objects.keys().find(|key| key.0 == kind && key.2 == name).cloned();
            state.take(&key.unwrap());
        });
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<Object> {
        self.with(|state| {
            let mut found = state.objects.iter().filter(|(key, _)| key.0 == kind && key.2 == name);
            found.next().map(|(_, object)| object.clone())
        })
    }

    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.find(kind, name).is_some()
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn identity(&self) -> Result<ClusterIdentity> {
        Ok(ClusterIdentity {
            uid: CLUSTER.to_owned(),
            context: "test".to_owned(),
            server: String::new(),
            version: "v1.36.3".to_owned(),
        })
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.script.begins("kinds")?;
        Ok(self.with(|state| Kinds {
            served: built_in().into_iter().chain(state.custom.clone()).collect(),
            unanswered: state.unanswered.clone(),
        }))
    }

    async fn get(&self, target: &ObjectRef) -> Result<Option<Object>> {
        self.script.begins(&format!("get {target}"))?;
        Ok(self.with(|state| state.objects.get(&key_to(target)).cloned()))
    }

    fn list(&self, query: ListQuery) -> BoxStream<'_, Result<Page>> {
        let page = || {
            let place = query.namespace.as_deref().unwrap_or("*");
            self.script.begins(&format!("list {} {place}", query.resource.plural))?;
            Ok(Page {
                objects: self.with(|state| state.matching(&query)),
                resource_version: "1".to_owned(),
            })
        };
        stream::iter([page()]).boxed()
    }

    fn watch(&self, _query: ListQuery, _from: String) -> BoxStream<'_, Result<WatchEvent>> {
        stream::pending().boxed()
    }

    async fn apply(&self, target: &ObjectRef, object: &Object, options: ApplyOptions) -> Result<Applied> {
        let before = self.with(|state| state.objects.get(&key_to(target)).cloned());
        let created = before.is_none();
        let mut after = before.unwrap_or_default().into_value();
        merge(&mut after, &object.clone().into_value());
        let mut after = super::object(after);
        if !options.dry_run {
            self.script.begins(&format!("!apply {target}"))?;
            after = self.with(|state| state.put(after));
        }
        Ok(Applied {
            object: after,
            created,
            warnings: Vec::new(),
        })
    }

    async fn create(&self, target: &ObjectRef, object: &Object) -> Result<Object> {
        self.script.begins(&format!("!create {target}"))?;
        self.with(|state| {
            if state.objects.contains_key(&key_to(target)) {
                let taken = ErrorKind::AlreadyExists;
                return Err(Error::new(taken, "create", target.to_string(), "the name is taken"));
            }
            let mut object = object.clone();
            object.set(&["metadata", "uid"], json!(format!("uid-{}", state.version)));
            Ok(state.put(object))
        })
    }

    async fn merge(&self, target: &ObjectRef, patch: &Value) -> Result<Object> {
        self.script.begins(&format!("!merge {target}"))?;
        self.with(|state| {
            let missing = || Error::new(ErrorKind::NotFound, "merge", target.to_string(), "it is not there");
            let live = state.objects.get(&key_to(target)).cloned().ok_or_else(missing)?;
            let differs = |field: &str, live: Option<&str>| {
                let wanted = patch.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
                wanted.is_some_and(|wanted| Some(wanted) != live)
            };
            if differs("uid", live.uid()) || differs("resourceVersion", live.resource_version()) {
                return Err(stale(target));
            }
            let mut merged = live.into_value();
            merge(&mut merged, patch);
            Ok(state.put(object(merged)))
        })
    }

    async fn scale(&self, target: &ObjectRef, replicas: u32) -> Result<()> {
        self.script.begins(&format!("!scale {target} to {replicas}"))?;
        self.with(|state| {
            let mut set = state.objects[&key_to(target)].clone();
            set.set(&["spec", "replicas"], json!(replicas));
            state.put(set);
        });
        Ok(())
    }

    async fn rehearse(&self, target: &ObjectRef, _write: &Write<'_>) -> Result<()> {
        self.script.begins(&format!("rehearse {target}"))
    }

    async fn mount_statistics(&self, _node: &str) -> Result<Vec<MountStatistics>> {
        let kind = ErrorKind::Unsupported;
        Err(Error::new(kind, "read statistics", "", "not on this stage"))
    }

    async fn delete(&self, target: &ObjectRef, options: &DeleteOptions) -> Result<Deletion> {
        if options.dry_run {
            return Ok(Deletion::Gone);
        }
        self.script.begins(&format!("!delete {target}"))?;
        self.with(|state| {
            let key = key_to(target);
            let Some(live) = state.objects.get(&key).cloned() else {
                return Ok(Deletion::Absent);
            };
            let other_version =
                options.resource_version.is_some() && options.resource_version.as_deref() != live.resource_version();
            if options.uid.as_deref().is_some_and(|uid| live.uid() != Some(uid)) || other_version {
                return Err(stale(target));
            }
            if live.list_at(&["metadata", "finalizers"]).is_empty() {
                state.take(&key);
                return Ok(Deletion::Gone);
            }
            let mut leaving = live;
            leaving.set(&["metadata", "deletionTimestamp"], json!("2026-11-22T00:00:00Z"));
            state.put(leaving);
            Ok(Deletion::Terminating)
        })
    }
}

/// JSON merge patch.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}
