//! The in-process side: what the sandbox's controllers rely on.

use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings, ChangeKind, DeleteOptions, Propagation};
use serde_json::{Value, json};

fn server() -> ApiServer {
    ApiServer::open(World::new(Journal::in_memory()).unwrap(), ApiSettings::default()).unwrap()
}

fn stateful_set() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "replicas": 3, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "nginx", "image": "nginx", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}}}}],
    }})
}

#[test]
fn a_fresh_cluster_has_its_namespaces() {
    let server = server();
    let names: Vec<String> = server
        .list("namespaces", None)
        .iter()
        .map(|n| n["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert!(server.get("serviceaccounts", Some("default"), "default").is_some());
    assert_eq!(
        server.get("services", Some("default"), "kubernetes").unwrap()["spec"]["clusterIP"],
        "10.96.0.1"
    );
}

#[test]
fn a_set_is_defaulted_and_counted() {
    let server = server();
    let made = server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    assert_eq!(made["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!(
        made["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"],
        "Filesystem"
    );
    assert_eq!(made["metadata"]["generation"], 1);
    let scaled = server
        .modify(
            "statefulsets.apps",
            Some("default"),
            "web",
            Some("scale"),
            "hpa",
            |set| set["spec"]["replicas"] = json!(5),
        )
        .unwrap()
        .unwrap();
    assert_eq!(scaled["metadata"]["generation"], 2);
    let status = server
        .modify(
            "statefulsets.apps",
            Some("default"),
            "web",
            Some("status"),
            "controller",
            |set| {
                set["status"]["replicas"] = json!(2);
                set["spec"]["replicas"] = json!(9);
            },
        )
        .unwrap()
        .unwrap();
    assert_eq!(
        (&status["spec"]["replicas"], &status["status"]["replicas"]),
        (&json!(5), &json!(2))
    );
    assert_eq!(status["metadata"]["generation"], 2);
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let server = server();
    let made = server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    let mut changes = server.subscribe();
    let same = server
        .modify("statefulsets.apps", Some("default"), "web", None, "other", |_| {})
        .unwrap()
        .unwrap();
    assert_eq!(made["metadata"], same["metadata"]);
    assert!(changes.try_recv().is_err());
    assert!(
        server
            .modify("statefulsets.apps", Some("default"), "absent", None, "other", |_| {})
            .unwrap()
            .is_none()
    );
}

#[test]
fn finalizers_hold_a_deleted_object_until_they_are_gone() {
    let server = server();
    let claim = json!({"metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    server.create("persistentvolumeclaims", claim, "test").unwrap();
    let mut changes = server.subscribe();
    server
        .delete("persistentvolumeclaims", Some("default"), "c", DeleteOptions::default())
        .unwrap();
    let held = server.get("persistentvolumeclaims", Some("default"), "c").unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    server
        .modify("persistentvolumeclaims", Some("default"), "c", None, "kcm", |claim| {
            claim["metadata"]["finalizers"] = json!([]);
        })
        .unwrap();
    assert!(server.get("persistentvolumeclaims", Some("default"), "c").is_none());
    let kinds: Vec<ChangeKind> = std::iter::from_fn(|| changes.try_recv().ok())
        .map(|change| change.kind)
        .collect();
    assert_eq!(kinds, [ChangeKind::Modified, ChangeKind::Deleted]);
}

#[test]
fn foreground_deletion_leaves_a_finalizer_for_the_collector() {
    let server = server();
    server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    let options = DeleteOptions {
        propagation: Some(Propagation::Foreground),
        ..DeleteOptions::default()
    };
    server
        .delete("statefulsets.apps", Some("default"), "web", options)
        .unwrap();
    let held = server.get("statefulsets.apps", Some("default"), "web").unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    let wrong = DeleteOptions {
        uid: Some("other".to_owned()),
        ..DeleteOptions::default()
    };
    assert_eq!(
        server
            .delete("statefulsets.apps", Some("default"), "web", wrong)
            .unwrap_err()
            .status,
        409
    );
}

#[test]
fn namespaces_wait_for_their_own_finalizer() {
    let server = server();
    server
        .create("namespaces", json!({"metadata": {"name": "shop"}}), "test")
        .unwrap();
    server
        .delete("namespaces", None, "shop", DeleteOptions::default())
        .unwrap();
    let leaving = server.get("namespaces", None, "shop").unwrap();
    assert_eq!(leaving["status"]["phase"], "Terminating");
    let refused = server
        .create(
            "configmaps",
            json!({"metadata": {"name": "c", "namespace": "shop"}}),
            "test",
        )
        .unwrap_err();
    assert_eq!((refused.status, refused.reason.as_str()), (403, "Forbidden"));
    server
        .modify("namespaces", None, "shop", Some("finalize"), "kcm", |ns| {
            ns["spec"]["finalizers"] = json!([]);
        })
        .unwrap();
    assert!(server.get("namespaces", None, "shop").is_none());
}

#[test]
fn events_are_counted() {
    let server = server();
    let set = server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    for _ in 0..3 {
        server.record_event(
            &set,
            "Normal",
            "SuccessfulCreate",
            "create Pod web-0",
            "statefulset-controller",
        );
    }
    let events = server.list("events", Some("default"));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["count"], 3);
}

#[test]
fn state_and_versions_survive_a_restart() {
    let world = World::new(Journal::in_memory()).unwrap();
    let server = ApiServer::open(world.clone(), ApiSettings::default()).unwrap();
    let made = server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    server
        .create(
            "configmaps",
            json!({"metadata": {"name": "gone", "namespace": "default"}}),
            "test",
        )
        .unwrap();
    server
        .delete("configmaps", Some("default"), "gone", DeleteOptions::default())
        .unwrap();
    let again = ApiServer::open(world, ApiSettings::default()).unwrap();
    assert_eq!(*again.get("statefulsets.apps", Some("default"), "web").unwrap(), *made);
    let next = again
        .create(
            "configmaps",
            json!({"metadata": {"name": "n", "namespace": "default"}}),
            "test",
        )
        .unwrap();
    let version = |object: &Value| {
        object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(version(&next) >= version(&made) + 3, "a deletion counts too");
}

#[test]
fn clearing_leaves_a_fresh_cluster() {
    let server = server();
    let before = server.get("namespaces", None, "kube-system").unwrap();
    server.create("statefulsets.apps", stateful_set(), "test").unwrap();
    server.clear();
    assert!(server.list("statefulsets.apps", None).is_empty());
    assert_ne!(
        server.get("namespaces", None, "kube-system").unwrap()["metadata"]["uid"],
        before["metadata"]["uid"]
    );
}
