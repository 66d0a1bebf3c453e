//! `KubeCluster`: each call of the contract in terms of requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::try_join;
use futures::stream::BoxStream;
use http::Method;
use moorline_api::{
    Applied, ApplyOptions, Cluster, ClusterIdentity, DeleteOptions, Deletion, Error, ErrorKind, Kinds, ListQuery,
    MountStatistics, Object, ObjectRef, Page, Propagation, ResourceKind, Result, WatchEvent, Write,
};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::call::{Call, Subject, collection_path, object_path, with_query};
use crate::kubeconfig::{Access, KubeSettings};
use crate::refusal::Status;
use crate::text::warnings;
use crate::transport::{Answer, Transport, is_in_doubt};
use crate::{FIELD_MANAGER, discovery, listing, statistics, watch};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// Every JSON document is a YAML document, so the body is JSON.
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// A Kubernetes cluster behind its API server.
///
/// One value is one pool of connections and one bound on calls in flight; share it. Nothing is sent before the first call.
pub struct KubeCluster {
    transport: Arc<Transport>,
    default_namespace: String,
    identity: OnceCell<ClusterIdentity>,
}

impl KubeCluster {
    /// The cluster that the settings choose by kubectl's rules: credential plugins, proxies and client certificates included.
    ///
    /// Reads files and calls nobody. Fails with `ErrorKind::Invalid` and what to do when the kubeconfig is missing, names
    /// no such context, or points to files that cannot be read.
    pub async fn connect(settings: &KubeSettings) -> Result<Self> {
        Ok(Self::new(Access::load(settings).await?, settings))
    }

    /// The cluster at an address that asks for no credentials, such as the embedded sandbox's; `context` is its name in messages.
    ///
    /// Of the settings only `concurrency` and `call_timeout` count. Fails where `server` is not an `http` or `https` address.
    pub fn at(server: &str, context: &str, settings: &KubeSettings) -> Result<Self> {
        Ok(Self::new(Access::plain(server, context)?, settings))
    }

    /// The cluster that this runs in, as the service account of its pod, whatever kubeconfig there is. Of the settings only
    /// `concurrency` and `call_timeout` count. Fails with `ErrorKind::Invalid` outside a pod.
    pub fn in_cluster(settings: &KubeSettings) -> Result<Self> {
        Ok(Self::new(Access::in_cluster()?, settings))
    }

    /// The same cluster with the same credentials, and a bound of its own: a call by this way never waits for those of the other to
    /// end. For the few small calls that must be in time.
    #[must_use]
    pub fn beside(&self, concurrency: usize, call_timeout: Duration) -> Self {
        Self::over(self.transport.beside(concurrency, call_timeout))
    }

    fn new(access: Access, settings: &KubeSettings) -> Self {
        Self::over(Transport::new(access, settings.concurrency, settings.call_timeout))
    }

    fn over(transport: Transport) -> Self {
        Self {
            default_namespace: transport.access().config.default_namespace.clone(),
            transport: Arc::new(transport),
            identity: OnceCell::new(),
        }
    }

    /// The context's namespace; `default` where it names none.
    pub fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    /// The context's name, or `in-cluster`.
    pub fn context(&self) -> &str {
        &self.transport.access().context
    }

    /// The API server's address without credentials.
    pub fn server(&self) -> &str {
        &self.transport.access().server
    }

    async fn ask_identity(&self) -> Result<ClusterIdentity> {
        let kube_system = ObjectRef::new(ResourceKind::namespace(), "", "kube-system");
        let version_call = Call::read("get", Subject::path("/version"), "/version");
        let (system, version) = try_join(self.get(&kube_system), self.transport.try_send(&version_call)).await?;
        let lost = |what: &str| Error::new(ErrorKind::Internal, "get", kube_system.to_string(), what.to_owned());
        let system = system.ok_or_else(|| lost("a cluster without this namespace cannot be told from others"))?;
        let uid = system.uid().ok_or_else(|| lost("the server gave no uid"))?.to_owned();
        // A server may keep its version to itself, and nothing depends on it.
        let version = version
            .ok()
            .and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
        let version = version
            .as_ref()
            .and_then(|version| version.get("gitVersion")?.as_str())
            .unwrap_or("unknown");
        let version = crate::text::printable(version);
        Ok(ClusterIdentity {
            uid,
            context: self.context().to_owned(),
            server: self.server().to_owned(),
            version,
        })
    }

    async fn send_for_object(&self, call: &Call) -> Result<(Object, Answer)> {
        let answer = self.transport.send(call).await?;
        Ok((object_of(call, &answer)?, answer))
    }
}

impl fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Access { context, server, .. } = self.transport.access();
        f.debug_struct("KubeCluster")
            .field("context", context)
            .field("server", server)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Cluster for KubeCluster {
    async fn identity(&self) -> Result<ClusterIdentity> {
        self.identity.get_or_try_init(|| self.ask_identity()).await.cloned()
    }

    async fn kinds(&self) -> Result<Kinds> {
        discovery::discover(&self.transport).await
    }

    async fn get(&self, target: &ObjectRef) -> Result<Option<Object>> {
        let call = Call::read("get", Subject::one(target), object_path("get", target)?);
        match self.transport.try_send(&call).await? {
            Ok(answer) => object_of(&call, &answer).map(Some),
            Err(refusal) if refusal.is_absence_of(&call.subject) => Ok(None),
            Err(refusal) => Err(self.transport.refused(&call, refusal)),
        }
    }

    fn list(&self, query: ListQuery) -> BoxStream<'_, Result<Page>> {
        listing::pages(&self.transport, query).boxed()
    }

    fn watch(&self, query: ListQuery, from: String) -> BoxStream<'_, Result<WatchEvent>> {
        watch::events(&self.transport, query, from)
    }

    async fn apply(&self, target: &ObjectRef, object: &Object, options: ApplyOptions) -> Result<Applied> {
        let mut query = vec![("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")];
        query.extend(options.force.then_some(("force", "true")));
        query.extend(options.dry_run.then_some(("dryRun", "All")));
        let path = with_query(object_path("patch", target)?, &query);
        let call = Call::write("patch", Method::PATCH, Subject::one(target), path).json(APPLY_PATCH, object)?;
        let (object, answer) = self.send_for_object(&call).await?;
        Ok(Applied {
            object,
            created: answer.created,
            warnings: warnings(&answer.headers),
        })
    }

    async fn create(&self, target: &ObjectRef, object: &Object) -> Result<Object> {
        let call = create_call(target, object, &[])?;
        let mut in_doubt = false;
        let mut tries = 1;
        loop {
            let error = match self.send_for_object(&call).await {
                Ok((made, _)) => return Ok(made),
                Err(error) => error,
            };
            // Once in doubt, a name that is taken may be taken by us.
            let ours = in_doubt && error.kind == ErrorKind::AlreadyExists;
            let unclear = is_in_doubt(&error);
            if !(ours || (unclear && tries < CREATIONS)) {
                return Err(error);
            }
            match self.get(target).await {
                Ok(Some(found)) if says(found.fields(), object.fields()) => return Ok(found),
                Ok(Some(_)) => return Err(taken(&call)),
                Ok(None) if unclear => {}
                Ok(None) | Err(_) => return Err(error),
            }
            tokio::time::sleep(CREATION_PAUSE * tries).await;
            in_doubt = true;
            tries += 1;
        }
    }

    async fn merge(&self, target: &ObjectRef, changes: &Value) -> Result<Object> {
        Ok(self.send_for_object(&merge_call(target, changes, &[])?).await?.0)
    }

    async fn scale(&self, target: &ObjectRef, replicas: u32) -> Result<()> {
        self.transport.send(&scale_call(target, replicas, &[])?).await.map(drop)
    }

    async fn rehearse(&self, target: &ObjectRef, write: &Write<'_>) -> Result<()> {
        let call = match write {
            Write::Create(object) => create_call(target, object, &DRY_RUN)?,
            Write::Merge(changes) => merge_call(target, changes, &DRY_RUN)?,
            Write::Scale(replicas) => scale_call(target, *replicas, &DRY_RUN)?,
            Write::Delete(options) => {
                return self
                    .delete(
                        target,
                        &DeleteOptions {
                            dry_run: true,
                            ..(*options).clone()
                        },
                    )
                    .await
                    .map(drop);
            }
        };
        self.transport.send(&call).await.map(drop)
    }

    async fn mount_statistics(&self, node: &str) -> Result<Vec<MountStatistics>> {
        statistics::of_node(&self.transport, node).await
    }

    async fn delete(&self, target: &ObjectRef, options: &DeleteOptions) -> Result<Deletion> {
        // The server reads the options from the body; in the query a dry run shows in access logs too.
        let dry_run: &[(&str, &str)] = if options.dry_run { &DRY_RUN } else { &[] };
        let path = with_query(object_path("delete", target)?, dry_run);
        let call = Call::write("delete", Method::DELETE, Subject::one(target), path);
        let call = call.json(JSON, &delete_body(options))?;
        let answer = match self.transport.try_send(&call).await? {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_absence_of(&call.subject) => return Ok(Deletion::Absent),
            Err(refusal) => return Err(self.transport.refused(&call, refusal)),
        };
        let gone = match serde_json::from_slice::<Status>(&answer.body) {
            Ok(status) if status.is_success() => !answer.accepted,
            // Some kinds answer with the object's last state even when it is gone at once.
            _ => !object_of(&call, &answer)?.is_terminating(),
        };
        Ok(if gone { Deletion::Gone } else { Deletion::Terminating })
    }
}

fn taken(call: &Call) -> Error {
    call.error(
        ErrorKind::AlreadyExists,
        "an object of this name is there that says something else",
    )
}

/// Whether an object says all that another does, and perhaps more: a server adds defaults and fields of its own.
fn says(more: &Map<String, Value>, less: &Map<String, Value>) -> bool {
    less.iter().all(|(key, value)| match more.get(key) {
        Some(found) => agrees(found, value),
        // A server leaves out what is empty.
        None => match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        },
    })
}

fn agrees(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(more), Value::Object(less)) => says(more, less),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| agrees(found, wanted))
        }
        _ => found == wanted,
    }
}

fn delete_body(options: &DeleteOptions) -> Value {
    let propagation = match options.propagation {
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
        Propagation::Orphan => "Orphan",
    };
    let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
    if let Some(uid) = &options.uid {
        body["preconditions"]["uid"] = json!(uid);
    }
    if let Some(version) = &options.resource_version {
        body["preconditions"]["resourceVersion"] = json!(version);
    }
    if options.dry_run {
        body["dryRun"] = json!(["All"]);
    }
    body
}

fn object_of(call: &Call, answer: &Answer) -> Result<Object> {
    let garbled = || call.error(ErrorKind::Internal, "the answer is not a Kubernetes object");
    let object: Object = serde_json::from_slice(&answer.body).map_err(|error| garbled().with_source(error))?;
    // A login page or a list in place of the object must not pass for it.
    if object.at(&["metadata"]).is_some_and(Value::is_object) {
        Ok(object)
    } else {
        Err(garbled())
    }
}

/// Tries of a creation whose outcome is in doubt: before each further one it is looked whether the last one was done.
const CREATIONS: u32 = 3;
/// The pause before the second, and so much more before each further one.
const CREATION_PAUSE: Duration = Duration::from_millis(100);

/// Asks the server to do everything but persist.
const DRY_RUN: [(&str, &str); 1] = [("dryRun", "All")];

fn create_call(target: &ObjectRef, object: &Object, more: &[(&str, &str)]) -> Result<Call> {
    let collection = collection_path("create", &target.resource, target.namespace.as_deref())?;
    // The path of the object itself refuses a missing namespace or name, which the collection's does not.
    object_path("create", target)?;
    let query = [&[("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")], more].concat();
    let path = with_query(collection, &query);
    let mut call = Call::write("create", Method::POST, Subject::one(target), path).json(JSON, object)?;
    call.repeatable = false;
    Ok(call)
}

fn merge_call(target: &ObjectRef, changes: &Value, more: &[(&str, &str)]) -> Result<Call> {
    let query = [&[("fieldManager", FIELD_MANAGER)], more].concat();
    let path = with_query(object_path("patch", target)?, &query);
    Call::write("patch", Method::PATCH, Subject::one(target), path).json(MERGE_PATCH, changes)
}

fn scale_call(target: &ObjectRef, replicas: u32, more: &[(&str, &str)]) -> Result<Call> {
    let query = [&[("fieldManager", FIELD_MANAGER)], more].concat();
    let path = with_query(object_path("patch", target)? + "/scale", &query);
    let mut subject = Subject::one(target);
    subject.resource += "/scale";
    let call = Call::write("patch", Method::PATCH, subject, path);
    call.json(MERGE_PATCH, &json!({"spec": {"replicas": replicas}}))
}
