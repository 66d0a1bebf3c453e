//! The garbage collector and namespaces.

use moorline_sandbox_kubernetes::{DeleteOptions, Propagation};
use serde_json::json;

use crate::support::{Cluster, class, deployment, instant, set};

const DEPLOYMENTS: &str = "deployments.apps";
const REPLICA_SETS: &str = "replicasets.apps";

async fn running(cluster: &Cluster) {
    cluster.create(DEPLOYMENTS, deployment("web", 2));
    cluster
        .until("two pods run", |cluster| {
            cluster.at(DEPLOYMENTS, "web", "/status/availableReplicas") == 2
        })
        .await;
}

fn delete(cluster: &Cluster, propagation: Propagation) {
    let options = DeleteOptions {
        propagation: Some(propagation),
        ..DeleteOptions::default()
    };
    cluster
        .api
        .delete(DEPLOYMENTS, Some("default"), "web", options)
        .unwrap();
}

#[tokio::test]
async fn dependents_go_after_their_owner() {
    let cluster = Cluster::new(instant());
    running(&cluster).await;
    delete(&cluster, Propagation::Background);
    assert!(cluster.get(DEPLOYMENTS, "web").is_none());
    cluster
        .until("all is gone", |cluster| {
            cluster.names(REPLICA_SETS).is_empty() && cluster.names("pods").is_empty()
        })
        .await;
}

#[tokio::test]
async fn in_the_foreground_the_owner_goes_last() {
    let cluster = Cluster::new(instant());
    running(&cluster).await;
    let mut changes = cluster.api.subscribe();
    delete(&cluster, Propagation::Foreground);
    assert!(cluster.get(DEPLOYMENTS, "web").is_some());
    cluster
        .until("all is gone", |cluster| cluster.get(DEPLOYMENTS, "web").is_none())
        .await;
    let mut gone = Vec::new();
    while let Ok(change) = changes.try_recv() {
        if change.kind == moorline_sandbox_kubernetes::ChangeKind::Deleted {
            gone.push(change.resource.to_string());
        }
    }
    assert_eq!(gone, ["pods", "pods", REPLICA_SETS, DEPLOYMENTS]);
}

#[tokio::test]
async fn orphans_stay_and_forget_their_owner() {
    let cluster = Cluster::new(instant());
    running(&cluster).await;
    delete(&cluster, Propagation::Orphan);
    cluster
        .until("the owner is gone", |cluster| cluster.get(DEPLOYMENTS, "web").is_none())
        .await;
    cluster.settle().await;
    assert_eq!((cluster.names(REPLICA_SETS).len(), cluster.names("pods").len()), (1, 2));
    let set = cluster.names(REPLICA_SETS).remove(0);
    assert!(cluster.at(REPLICA_SETS, &set, "/metadata/ownerReferences").is_null());
}

#[tokio::test]
async fn an_orphaned_set_is_taken_over_by_the_next_of_its_name() {
    let cluster = Cluster::new(instant());
    cluster.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    cluster.create("statefulsets.apps", set("web", 2, "Parallel"));
    cluster.set_is_ready("web", 2).await;
    let pod = cluster.at("pods", "web-0", "/metadata/uid");
    let options = DeleteOptions {
        propagation: Some(Propagation::Orphan),
        ..DeleteOptions::default()
    };
    cluster
        .api
        .delete("statefulsets.apps", Some("default"), "web", options)
        .unwrap();
    cluster
        .until("the owner is gone", |cluster| {
            cluster.get("statefulsets.apps", "web").is_none()
        })
        .await;
    cluster.create("statefulsets.apps", set("web", 3, "Parallel"));
    cluster.set_is_ready("web", 3).await;
    assert_eq!(cluster.at("pods", "web-0", "/metadata/uid"), pod);
    assert_eq!(cluster.names("controllerrevisions.apps").len(), 1);
}

#[tokio::test]
async fn events_are_forgotten_after_an_hour() {
    let cluster = Cluster::new(instant());
    cluster.create("pods", crate::support::pod("app", &[]));
    cluster
        .until("it started", |cluster| {
            cluster.reasons("app").contains(&"Started".to_owned())
        })
        .await;
    cluster.settle().await;
    cluster.advance(1800);
    cluster.settle().await;
    assert!(!cluster.reasons("app").is_empty());
    cluster.advance(1800);
    cluster
        .until("the events are gone", |cluster| cluster.reasons("app").is_empty())
        .await;
}

#[tokio::test]
async fn a_cluster_that_is_cleared_starts_afresh() {
    let cluster = Cluster::new(instant());
    cluster.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    cluster.create("statefulsets.apps", set("web", 3, "Parallel"));
    cluster
        .until("something was made", |cluster| !cluster.cloud.volumes().is_empty())
        .await;
    let ((), is_fresh) = cluster.controllers.paused(|| {
        cluster.api.clear();
        cluster.cloud.clear().unwrap();
    });
    is_fresh.await.unwrap();
    assert_eq!(cluster.names("nodes").len(), 3, "the nodes are back");
    cluster.settle().await;
    assert!(cluster.cloud.volumes().is_empty());
    assert!(cluster.names("pods").is_empty() && cluster.names("persistentvolumes").is_empty());
    cluster.create("pods", crate::support::pod("app", &[]));
    cluster
        .until("pods run again", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
}

#[tokio::test]
async fn an_object_made_for_an_owner_that_never_was_is_collected() {
    let cluster = Cluster::new(instant());
    cluster.create(
        "configmaps",
        json!({"metadata": {"name": "stray", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "6f1d3d5e-0000-0000-0000-000000000000"},
        ]}}),
    );
    cluster
        .until("it is gone", |cluster| cluster.get("configmaps", "stray").is_none())
        .await;
}

#[tokio::test]
async fn a_namespace_takes_everything_with_it() {
    let cluster = Cluster::new(instant());
    cluster.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    cluster.create("namespaces", json!({"metadata": {"name": "shop"}}));
    for (resource, mut object) in [
        ("statefulsets.apps", set("web", 2, "Parallel")),
        (DEPLOYMENTS, deployment("api", 1)),
    ] {
        object["metadata"]["namespace"] = "shop".into();
        cluster.create(resource, object);
    }
    cluster
        .until("it lives", |cluster| {
            let pods = cluster.api.list("pods", Some("shop"));
            pods.len() == 3 && pods.iter().all(|pod| pod["status"]["phase"] == "Running")
        })
        .await;
    cluster.delete("namespaces", "shop");
    cluster
        .until("it is gone", |cluster| cluster.get("namespaces", "shop").is_none())
        .await;
    for resource in ["pods", "persistentvolumeclaims", "statefulsets.apps", "serviceaccounts"] {
        assert!(cluster.api.list(resource, Some("shop")).is_empty(), "{resource}");
    }
    cluster
        .until("its volumes are gone", |cluster| cluster.cloud.volumes().is_empty())
        .await;
}
