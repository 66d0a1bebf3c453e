//! Who may come in, and what those are told who may not.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use kube::config::Kubeconfig;
use libtest_mimic::Trial;
use moorline_api::conformance::eventually;
use moorline_api::conformance::kubernetes::{Door, Request};
use moorline_api::{Cluster, Error, ErrorKind, Gvk, ListQuery, Object, ObjectRef, ResourceKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATIENCE, connect, server, shared, trial};
use crate::block_on;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("access::without_rights_is_told_which_is_missing", || {
            block_on(missing_rights());
        }),
        trial("access::over_a_quota_is_a_limit", || block_on(over_a_quota())),
        trial("access::with_a_withdrawn_token_ends", || block_on(withdrawn_token())),
        trial("access::with_a_new_token_in_the_file_goes_on", || {
            block_on(renewed_token_file());
        }),
        trial("access::to_a_server_of_another_authority_is_refused", || {
            block_on(other_authority());
        }),
        trial("access::without_credentials_is_told_so", || block_on(no_credentials())),
    ]
}

/// A kubeconfig with changes, in a folder that lives as long as the test.
pub(super) struct Variant {
    folder: TempDir,
    pub(super) kubeconfig: PathBuf,
}

impl Variant {
    /// The shared one, with another user.
    fn of_user(change: impl FnOnce(&mut Value, &TempDir)) -> Self {
        Self::of(&shared(), |config, folder| {
            change(&mut config["users"][0]["user"], folder);
        })
    }

    pub(super) fn of(original: &Path, change: impl FnOnce(&mut Value, &TempDir)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = serde_json::to_value(Kubeconfig::read_from(original).unwrap()).unwrap();
        change(&mut config, &folder);
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        Self { folder, kubeconfig }
    }
}

/// The other way in, for a user who may do everything.
async fn door() -> std::sync::Arc<dyn Door> {
    server(shared(), Box::new(|| Box::pin(async {}))).await.door
}

async fn send(door: &dyn Door, method: &'static str, path: &str, body: Value) -> Value {
    let request = Request {
        method,
        path: path.to_owned(),
        content_type: "application/json",
        body: Some(body),
    };
    let answer = door.send(request).await;
    assert!((200..300).contains(&answer.code), "{}", answer.body);
    answer.body
}

/// A namespace for one test.
async fn namespace(door: &dyn Door) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("access-{}-", NUMBER.fetch_add(1, Ordering::Relaxed));
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": prefix}});
    let made = send(door, "POST", "/api/v1/namespaces", made).await;
    made["metadata"]["name"].as_str().unwrap().to_owned()
}

async fn remove(door: &dyn Door, namespace: &str) {
    send(door, "DELETE", &format!("/api/v1/namespaces/{namespace}"), json!({})).await;
}

async fn claims_of(cluster: &impl Cluster, namespace: &str) -> Result<(), Error> {
    let query = ListQuery::within(ResourceKind::claim(), namespace);
    cluster.list(query).try_collect::<Vec<_>>().await.map(drop)
}

async fn missing_rights() {
    let variant = Variant::of_user(|user, _| user["as"] = json!("ann"));
    let cluster = connect(&variant.kubeconfig).await;
    let error = claims_of(&cluster, "default").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert_eq!(
        error.message,
        "\"ann\" may not list persistentvolumeclaims in namespace default; grant \"list\" on persistentvolumeclaims in namespace \
         default to \"ann\""
    );
    let class = ObjectRef::new(ResourceKind::storage_class(), "", "any");
    let error = cluster.get(&class).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert_eq!(
        error.message,
        "\"ann\" may not get storageclasses.storage.k8s.io; grant \"get\" on storageclasses.storage.k8s.io to \"ann\""
    );
    let set = ObjectRef::new(ResourceKind::stateful_set(), "default", "any");
    let error = cluster.scale(&set, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error
            .message
            .starts_with("\"ann\" may not patch statefulsets/scale.apps in namespace default; grant "),
        "{error}"
    );
}

async fn over_a_quota() {
    let door = door().await;
    let namespace = namespace(&*door).await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"persistentvolumeclaims": "1", "requests.storage": "5Gi"}},
    });
    let path = format!("/api/v1/namespaces/{namespace}/resourcequotas");
    send(&*door, "POST", &path, quota).await;
    let cluster = connect(&shared()).await;
    let target = ObjectRef::new(ResourceKind::claim(), &namespace, "data");
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "9Gi"}}},
    });
    let claim = Object::from_value(claim).unwrap();
    // Until the quota controller has counted, it is refused for another reason.
    eventually("refused for the quota", PATIENCE, async || {
        let error = cluster.create(&target, &claim).await.unwrap_err();
        let is_limit =
            error.kind == ErrorKind::LimitExceeded && error.message.contains("requested: requests.storage=9Gi");
        if is_limit { Ok(()) } else { Err(format!("{error:?}")) }
    })
    .await;
    remove(&*door, &namespace).await;
}

/// A service account's token; it is refused soon after the account is deleted.
async fn token_of(door: &dyn Door, namespace: &str) -> String {
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "visitor"}});
    send(door, "POST", &accounts, account).await;
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let made = send(door, "POST", &format!("{accounts}/visitor/token"), request).await;
    made["status"]["token"].as_str().unwrap().to_owned()
}

async fn withdrawn_token() {
    let door = door().await;
    let namespace = namespace(&*door).await;
    let token = token_of(&*door, &namespace).await;
    let variant = Variant::of_user(|user, _| *user = json!({"token": token}));
    let cluster = connect(&variant.kubeconfig).await;
    cluster.kinds().await.unwrap();
    let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/visitor");
    send(&*door, "DELETE", &account, json!({})).await;
    // The server remembers for some seconds whom it let in.
    let error = eventually("refused", PATIENCE, async || match cluster.kinds().await {
        Ok(_) => Err("let in"),
        Err(error) => Ok(error),
    })
    .await;
    assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
    assert!(error.message.contains("does not accept these credentials"), "{error}");
    assert!(!error.to_string().contains(&token));
    remove(&*door, &namespace).await;
}

async fn renewed_token_file() {
    let door = door().await;
    let namespace = namespace(&*door).await;
    let token = token_of(&*door, &namespace).await;
    let variant = Variant::of_user(|user, folder| {
        let file = folder.path().join("token");
        std::fs::write(&file, "of-yesterday").unwrap();
        *user = json!({"tokenFile": file});
    });
    let cluster = connect(&variant.kubeconfig).await;
    assert_eq!(cluster.kinds().await.unwrap_err().kind, ErrorKind::Unauthenticated);
    std::fs::write(variant.folder.path().join("token"), token).unwrap();
    // The client that was refused reads the file again.
    cluster.kinds().await.unwrap();
    remove(&*door, &namespace).await;
}

async fn other_authority() {
    let other = include_bytes!("../../api_server/certificates/ca.crt");
    let variant = Variant::of(&shared(), |config, folder| {
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, other).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster["certificate-authority"] = json!(file);
        cluster.as_object_mut().unwrap().remove("certificate-authority-data");
    });
    let error = connect(&variant.kubeconfig).await.kinds().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(
        error.message.contains("no trust between us and https://127.0.0.1:"),
        "{error}"
    );
}

async fn no_credentials() {
    let variant = Variant::of_user(|user, _| *user = json!({}));
    let cluster = connect(&variant.kubeconfig).await;
    let resource = ResourceKind {
        gvk: Gvk::new("v1", "ConfigMap"),
        plural: "configmaps".to_owned(),
        ..ResourceKind::pod()
    };
    let error = cluster
        .get(&ObjectRef::new(resource, "default", "any"))
        .await
        .unwrap_err();
    // The server takes who says nothing for `system:anonymous`, who may do nothing.
    assert!(
        matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated),
        "{error}"
    );
    assert!(
        error
            .message
            .contains("\"system:anonymous\" may not get configmaps in namespace default"),
        "{error}"
    );
}
