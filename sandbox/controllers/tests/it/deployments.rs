//! Deployments and their replica sets.

use serde_json::{Value, json};

use crate::support::{Cluster, deployment, instant};

const DEPLOYMENTS: &str = "deployments.apps";
const REPLICA_SETS: &str = "replicasets.apps";

fn condition(cluster: &Cluster, name: &str, type_: &str) -> Value {
    let conditions = cluster.at(DEPLOYMENTS, name, "/status/conditions");
    conditions
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == type_)
        .cloned()
        .unwrap_or_default()
}

async fn is_rolled_out(cluster: &Cluster, image: &str, replicas: u64) {
    cluster
        .until(&format!("{replicas} pods of {image}"), |cluster| {
            let pods = cluster.api.list("pods", Some("default"));
            pods.len() as u64 == replicas
                && pods
                    .iter()
                    .all(|pod| pod["spec"]["containers"][0]["image"] == image && pod["status"]["phase"] == "Running")
                && condition(cluster, "web", "Progressing")["reason"] == "NewReplicaSetAvailable"
                && cluster.at(DEPLOYMENTS, "web", "/status/availableReplicas") == replicas
        })
        .await;
}

fn set_image(cluster: &Cluster, image: &str) {
    cluster.change(DEPLOYMENTS, "web", |live| {
        live["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    });
}

#[tokio::test]
async fn a_roll_out_replaces_the_pods_and_an_undo_takes_the_old_set_again() {
    let cluster = Cluster::new(instant());
    cluster.create(DEPLOYMENTS, deployment("web", 3));
    is_rolled_out(&cluster, "nginx:1.27", 3).await;
    assert_eq!(
        cluster.at(
            DEPLOYMENTS,
            "web",
            "/metadata/annotations/deployment.kubernetes.io~1revision"
        ),
        "1"
    );
    set_image(&cluster, "nginx:1.28");
    is_rolled_out(&cluster, "nginx:1.28", 3).await;
    assert_eq!(cluster.names(REPLICA_SETS).len(), 2);
    set_image(&cluster, "nginx:1.27");
    is_rolled_out(&cluster, "nginx:1.27", 3).await;
    assert_eq!(cluster.names(REPLICA_SETS).len(), 2);
    assert_eq!(
        cluster.at(
            DEPLOYMENTS,
            "web",
            "/metadata/annotations/deployment.kubernetes.io~1revision"
        ),
        "3"
    );
}

#[tokio::test]
async fn a_roll_out_that_cannot_succeed_keeps_the_old_pods_and_misses_its_deadline() {
    let cluster = Cluster::new(instant());
    let mut wanted = deployment("web", 4);
    wanted["spec"]["progressDeadlineSeconds"] = json!(60);
    cluster.create(DEPLOYMENTS, wanted);
    is_rolled_out(&cluster, "nginx:1.27", 4).await;
    set_image(&cluster, "nginx:missing");
    cluster.settle().await;
    assert_eq!(
        cluster.at(DEPLOYMENTS, "web", "/status/availableReplicas"),
        3,
        "one may be unavailable"
    );
    assert_eq!(
        cluster.at(DEPLOYMENTS, "web", "/status/replicas"),
        5,
        "one may be too many"
    );
    assert_eq!(condition(&cluster, "web", "Progressing")["status"], "True");
    cluster.advance(62);
    cluster
        .until("the deadline is missed", |cluster| {
            condition(cluster, "web", "Progressing")["reason"] == "ProgressDeadlineExceeded"
        })
        .await;
    set_image(&cluster, "nginx:1.27");
    is_rolled_out(&cluster, "nginx:1.27", 4).await;
}

#[tokio::test]
async fn recreate_has_no_pods_of_two_templates() {
    let cluster = Cluster::new(instant());
    let mut wanted = deployment("web", 2);
    wanted["spec"]["strategy"] = json!({"type": "Recreate"});
    cluster.create(DEPLOYMENTS, wanted);
    is_rolled_out(&cluster, "nginx:1.27", 2).await;
    let mut changes = cluster.api.subscribe();
    set_image(&cluster, "nginx:1.28");
    is_rolled_out(&cluster, "nginx:1.28", 2).await;
    let mut old_left = 2;
    while let Ok(change) = changes.try_recv() {
        if &*change.resource == "pods" {
            match change.kind {
                moorline_sandbox_kubernetes::ChangeKind::Deleted => old_left -= 1,
                moorline_sandbox_kubernetes::ChangeKind::Added => assert_eq!(old_left, 0),
                moorline_sandbox_kubernetes::ChangeKind::Modified => {}
            }
        }
    }
}

#[tokio::test]
async fn scaling_follows_the_deployment() {
    let cluster = Cluster::new(instant());
    cluster.create(DEPLOYMENTS, deployment("web", 1));
    is_rolled_out(&cluster, "nginx:1.27", 1).await;
    for replicas in [5, 2, 0] {
        cluster.change(DEPLOYMENTS, "web", |live| live["spec"]["replicas"] = json!(replicas));
        cluster
            .until(&format!("{replicas} pods"), |cluster| {
                cluster.names("pods").len() == replicas
            })
            .await;
    }
    assert_eq!(cluster.names(REPLICA_SETS).len(), 1);
}
