//! A server under test, and a namespace of it for one case.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::manifests;
use crate::conformance::{Case, eventually};
use crate::{
    Applied, ApplyOptions, Cluster, DeleteOptions, Deletion, ListQuery, Object, ObjectRef, Propagation, ResourceKind,
    Result, WatchEvent,
};

/// Marks what a case makes outside its namespace; the value is the namespace.
const MARK: &str = "conformance.moorline.dev/case";

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: &'static str,
    /// Path and query, encoded.
    pub path: String,
    /// Type of the body.
    pub content_type: &'static str,
    /// The body, where there is one.
    pub body: Option<Value>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// The body; null where it is not JSON.
    pub body: Value,
}

/// The way to the same server past [`Cluster`], for what that has no call for. Panics where no answer comes.
#[async_trait]
pub trait Door: Send + Sync {
    /// Sends a request as a user who may do everything.
    async fn send(&self, request: Request) -> Answer;

    /// Opens a watch: the lines of the answer as JSON, until the server ends it.
    async fn watch(&self, path: String) -> BoxStream<'static, Value>;

    /// Makes the server forget every version before now. Only [`forgetting_cases`](super::forgetting_cases) ask for it.
    async fn forget(&self);
}

/// A server to hold to the cases.
#[derive(Clone)]
pub struct Server {
    /// The provider under test, talking to it.
    pub cluster: Arc<dyn Cluster>,
    /// The other way in.
    pub door: Arc<dyn Door>,
    /// How long its controllers may take for one step; generous, since a machine may be busy.
    pub patience: Duration,
}

/// Runs a case in a namespace of its own, and removes afterwards what it left.
///
/// # Panics
/// Where the case does, and where the server gives no namespace.
pub async fn run(case: Case<Backend>, server: Server) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "conformance-"}});
    let made = server.door.send(Request::post("/api/v1/namespaces", namespace)).await;
    let namespace = made.body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!(made.code, 201, "{}", made.body);
    let backend = Backend { server, namespace };
    let outcome = AssertUnwindSafe(case.run(backend.clone())).catch_unwind().await;
    backend.sweep().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A server, and the namespace of one case.
#[derive(Clone)]
pub struct Backend {
    server: Server,
    /// Fresh and empty.
    pub(super) namespace: String,
}

impl Request {
    fn new(method: &'static str, path: impl Into<String>, content_type: &'static str, body: Option<Value>) -> Self {
        let path = path.into();
        Self {
            method,
            path,
            content_type,
            body,
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "application/json", None)
    }

    pub(super) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new("POST", path, "application/json", Some(body))
    }

    pub(super) fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new("PUT", path, "application/json", Some(body))
    }

    pub(super) fn merge(path: impl Into<String>, body: Value) -> Self {
        Self::new("PATCH", path, "application/merge-patch+json", Some(body))
    }

    pub(super) fn apply(path: impl Into<String>, body: Value) -> Self {
        Self::new("PATCH", path, "application/apply-patch+yaml", Some(body))
    }

    pub(super) fn delete(path: impl Into<String>, options: Value) -> Self {
        Self::new("DELETE", path, "application/json", Some(options))
    }
}

impl Answer {
    /// The object of a success.
    pub(super) fn done(self) -> Object {
        assert!((200..300).contains(&self.code), "{} {}", self.code, self.body);
        Object::from_value(self.body).unwrap()
    }

    /// The `Status` of a refusal with this code and reason.
    pub(super) fn refused(self, code: u16, reason: &str) -> Value {
        assert_eq!(
            (self.code, self.body["reason"].as_str()),
            (code, Some(reason)),
            "{}",
            self.body
        );
        assert_eq!(
            (&self.body["kind"], &self.body["status"]),
            (&json!("Status"), &json!("Failure"))
        );
        assert_eq!(self.body["code"], json!(code));
        self.body
    }

    /// The message of a `Status`.
    pub(super) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// A UID that no object has.
pub(super) const ANOTHER_UID: &str = "11111111-2222-3333-4444-555555555555";

/// How to delete in the background, whatever it is.
pub(super) const BACKGROUND: DeleteOptions = DeleteOptions {
    uid: None,
    resource_version: None,
    propagation: Propagation::Background,
    dry_run: false,
};

impl Backend {
    /// The provider under test.
    pub(super) fn cluster(&self) -> &dyn Cluster {
        &*self.server.cluster
    }

    /// How long the server's controllers may take for one step.
    pub(super) fn patience(&self) -> Duration {
        self.server.patience
    }

    /// A name for something outside the namespace, unlike that of any other case.
    pub(super) fn own(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Something in the case's namespace, or outside of it by its [own](Self::own) name.
    pub(super) fn target(&self, resource: ResourceKind, name: &str) -> ObjectRef {
        let name = if resource.namespaced {
            name.to_owned()
        } else {
            self.own(name)
        };
        ObjectRef::new(resource, &self.namespace, name)
    }

    /// The path of an object.
    pub(super) fn path(target: &ObjectRef) -> String {
        let collection = Self::collection(&target.resource, target.namespace.as_deref());
        format!("{collection}/{}", target.name)
    }

    /// The path of a kind in the case's namespace.
    pub(super) fn here(&self, resource: &ResourceKind) -> String {
        Self::collection(resource, Some(&self.namespace))
    }

    fn collection(resource: &ResourceKind, namespace: Option<&str>) -> String {
        let root = if resource.gvk.group.is_empty() { "/api" } else { "/apis" };
        let version = resource.gvk.api_version();
        match namespace.filter(|_| resource.namespaced) {
            Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{}", resource.plural),
            None => format!("{root}/{version}/{}", resource.plural),
        }
    }

    /// Sends a request past the provider.
    pub(super) async fn send(&self, request: Request) -> Answer {
        self.server.door.send(request).await
    }

    /// Opens a watch past the provider.
    pub(super) async fn watch_raw(&self, path: String) -> BoxStream<'static, Value> {
        self.server.door.watch(path).await
    }

    /// Makes the server forget what was before now.
    pub(super) async fn forget(&self) {
        self.server.door.forget().await;
    }

    /// The manifest of `target` with these fields, marked so that it is removed after the case.
    pub(super) fn manifest(&self, target: &ObjectRef, fields: Value) -> Object {
        let mut object = Object::from_value(fields).unwrap();
        object.set(&["apiVersion"], json!(target.resource.gvk.api_version()));
        object.set(&["kind"], json!(target.resource.gvk.kind));
        object.set(&["metadata", "name"], json!(target.name));
        match &target.namespace {
            Some(namespace) => object.set(&["metadata", "namespace"], json!(namespace)),
            None => object.set(&["metadata", "labels", MARK], json!(self.namespace)),
        }
        object
    }

    /// Creates an object through the provider.
    pub(super) async fn create(&self, target: &ObjectRef, fields: Value) -> Object {
        self.cluster()
            .create(target, &self.manifest(target, fields))
            .await
            .unwrap()
    }

    /// Applies an object through the provider, as `moorline`.
    pub(super) async fn apply(&self, target: &ObjectRef, fields: Value) -> Object {
        self.try_apply(target, fields, ApplyOptions::default())
            .await
            .unwrap()
            .object
    }

    /// Tries to apply an object through the provider.
    pub(super) async fn try_apply(&self, target: &ObjectRef, fields: Value, options: ApplyOptions) -> Result<Applied> {
        self.cluster()
            .apply(target, &self.manifest(target, fields), options)
            .await
    }

    /// Applies an object as another field manager; `more` goes into the query.
    pub(super) async fn apply_as(&self, manager: &str, target: &ObjectRef, fields: Value, more: &str) -> Answer {
        let path = format!("{}?fieldManager={manager}{more}", Self::path(target));
        let manifest = self.manifest(target, fields).into_value();
        self.send(Request::apply(path, manifest)).await
    }

    /// Reads an object that is there.
    pub(super) async fn get(&self, target: &ObjectRef) -> Object {
        let found = self.cluster().get(target).await.unwrap();
        found.unwrap_or_else(|| panic!("{target} is not there"))
    }

    /// Whether an object is there.
    pub(super) async fn exists(&self, target: &ObjectRef) -> bool {
        self.cluster().get(target).await.unwrap().is_some()
    }

    /// Changes an object by a merge patch through the provider.
    pub(super) async fn merge(&self, target: &ObjectRef, patch: Value) -> Object {
        self.cluster().merge(target, &patch).await.unwrap()
    }

    /// Deletes an object through the provider.
    pub(super) async fn delete(&self, target: &ObjectRef, propagation: Propagation) -> Deletion {
        let options = DeleteOptions {
            propagation,
            ..BACKGROUND
        };
        self.cluster().delete(target, &options).await.unwrap()
    }

    /// The objects of a kind in the case's namespace, by name.
    pub(super) async fn list(&self, resource: ResourceKind) -> Vec<Object> {
        let query = ListQuery::within(resource, &self.namespace);
        let pages: Vec<_> = self.cluster().list(query).try_collect().await.unwrap();
        let mut objects: Vec<_> = pages.into_iter().flat_map(|page| page.objects).collect();
        objects.sort_by(|a, b| a.name().cmp(b.name()));
        objects
    }

    /// The names of the objects of a kind in the case's namespace, sorted.
    pub(super) async fn names(&self, resource: ResourceKind) -> Vec<String> {
        self.list(resource)
            .await
            .iter()
            .map(|object| object.name().to_owned())
            .collect()
    }

    /// Waits until an object is as it should be, and gives it.
    pub(super) async fn until(&self, what: &str, target: &ObjectRef, is_so: impl Fn(&Object) -> bool) -> Object {
        self.within(self.patience(), what, target, is_so).await
    }

    /// Waits no longer than this until an object is as it should be.
    pub(super) async fn within(
        &self,
        limit: Duration,
        what: &str,
        target: &ObjectRef,
        is_so: impl Fn(&Object) -> bool,
    ) -> Object {
        eventually(&format!("{what}: {target}"), limit, async || {
            let found = self.cluster().get(target).await.unwrap();
            let found = found.ok_or_else(|| "it is not there".to_owned())?;
            if is_so(&found) { Ok(found) } else { Err(summary(&found)) }
        })
        .await
    }

    /// Looks for a while whether an object becomes as it should be; what it is instead as the error.
    pub(super) async fn settled(
        &self,
        limit: Duration,
        target: &ObjectRef,
        is_so: impl Fn(&Object) -> bool,
    ) -> std::result::Result<Object, String> {
        let end = Instant::now() + limit;
        loop {
            let found = self.get(target).await;
            if is_so(&found) {
                return Ok(found);
            }
            if Instant::now() >= end {
                return Err(summary(&found));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an object is not there.
    pub(super) async fn until_gone(&self, target: &ObjectRef) {
        eventually(&format!("gone: {target}"), self.patience(), async || {
            match self.cluster().get(target).await.unwrap() {
                None => Ok(()),
                Some(found) => Err(summary(&found)),
            }
        })
        .await;
    }

    /// Waits until the names of a kind's objects are these.
    pub(super) async fn until_names(&self, resource: ResourceKind, expected: &[&str]) {
        eventually(&format!("only {expected:?}"), self.patience(), async || {
            let names = self.names(resource.clone()).await;
            if names == expected {
                Ok(())
            } else {
                Err(format!("{names:?}"))
            }
        })
        .await;
    }

    /// Waits until something was said about an object: an event with this reason, and these words in its message.
    pub(super) async fn until_event(&self, target: &ObjectRef, reason: &str, words: &str) {
        let uid = self.get(target).await.uid().unwrap_or_default().to_owned();
        // Events about what has no namespace are in `default`.
        let namespace = target.namespace.as_deref().unwrap_or("default");
        let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.uid%3D{uid}");
        eventually(&format!("{reason} of {target}"), self.patience(), async || {
            let list = self.send(Request::get(&*path)).await.done();
            let said = |event: &&Value| {
                event["reason"] == reason && event["message"].as_str().is_some_and(|text| text.contains(words))
            };
            let events = list.list_at(&["items"]);
            let found: Vec<_> = events
                .iter()
                .map(|event| format!("{}: {}", event["reason"], event["message"]))
                .collect();
            events.iter().find(said).map(drop).ok_or(found.join("; "))
        })
        .await;
    }

    /// A version to watch a kind from, in which all that was done so far is included.
    pub(super) async fn version(&self, resource: ResourceKind) -> String {
        let query = ListQuery::within(resource, &self.namespace);
        let pages: Vec<_> = self.cluster().list(query).try_collect().await.unwrap();
        pages[0].resource_version.clone()
    }

    /// Changes of a kind in the case's namespace through the provider.
    pub(super) fn watch(&self, resource: ResourceKind, from: &str) -> Changes<'_> {
        self.watch_query(ListQuery::within(resource, &self.namespace), from)
    }

    /// Changes of what a query selects, through the provider.
    pub(super) fn watch_query(&self, query: ListQuery, from: &str) -> Changes<'_> {
        Changes {
            events: self.cluster().watch(query, from.to_owned()),
            patience: self.patience(),
        }
    }

    /// Removes the namespace and what was made outside of it; does not wait until they are gone.
    async fn sweep(&self) {
        let outside = ["/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"];
        self.send(Request::delete(
            format!("/api/v1/namespaces/{}", self.namespace),
            json!({}),
        ))
        .await;
        for collection in outside {
            let path = format!(
                "{collection}?labelSelector={}%3D{}",
                MARK.replace('/', "%2F"),
                self.namespace
            );
            self.send(Request::delete(path, json!({}))).await;
        }
    }

    /// A class without a provisioner, in this binding mode; its name.
    pub(super) async fn class(&self, mode: &str) -> String {
        let target = self.target(ResourceKind::storage_class(), &mode.to_lowercase());
        self.create(&target, manifests::storage_class(mode)).await;
        target.name
    }
}

/// A watch through the provider.
pub(super) struct Changes<'a> {
    events: BoxStream<'a, Result<WatchEvent>>,
    patience: Duration,
}

impl Changes<'_> {
    /// The next change; bookmarks are passed over, and the map that the cluster itself puts into every namespace.
    pub(super) async fn next(&mut self) -> WatchEvent {
        loop {
            match self.try_next().await {
                Ok(WatchEvent::Bookmark(_)) => {}
                Ok(WatchEvent::Applied(object)) if object.name() == "kube-root-ca.crt" => {}
                Ok(event) => return event,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next event or the error that ends the watch.
    pub(super) async fn try_next(&mut self) -> Result<WatchEvent> {
        let next = timeout(self.patience, self.events.next()).await;
        next.unwrap_or_else(|_| panic!("no change after {:?}", self.patience))
            .unwrap_or_else(|| panic!("the watch ended"))
    }

    /// The next change, of which only type and name are of interest: `+name`, `-name`.
    pub(super) async fn next_name(&mut self) -> String {
        match self.next().await {
            WatchEvent::Applied(object) => format!("+{}", object.name()),
            WatchEvent::Deleted(object) => format!("-{}", object.name()),
            WatchEvent::Bookmark(_) => unreachable!(),
        }
    }
}

/// What to show of an object that is not as it should be.
fn summary(object: &Object) -> String {
    let mut metadata = object.at(&["metadata"]).cloned().unwrap_or_default();
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("managedFields");
    }
    let part = |name: &str| object.at(&[name]).cloned().unwrap_or_default();
    json!({"metadata": metadata, "spec": part("spec"), "status": part("status")}).to_string()
}
