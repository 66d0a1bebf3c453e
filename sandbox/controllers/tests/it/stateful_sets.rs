//! StatefulSets.

use serde_json::{Value, json};

use crate::support::{CLAIMS, Cluster, SETS, class, instant, set, text};

const CLASSES: &str = "storageclasses.storage.k8s.io";

fn cluster() -> Cluster {
    let cluster = Cluster::new(instant());
    cluster.create(CLASSES, class("fast", "Immediate"));
    cluster
}

/// The pods in the order they were made.
fn made(cluster: &Cluster) -> Vec<String> {
    let mut pods = cluster.api.list("pods", Some("default"));
    pods.sort_by_key(|pod| text(pod, "/metadata/resourceVersion").parse::<u64>().unwrap());
    pods.iter().map(|pod| text(pod, "/metadata/name")).collect()
}

#[tokio::test]
async fn pods_and_claims_get_their_ordinals_and_labels() {
    let cluster = cluster();
    let mut wanted = set("web", 2, "OrderedReady");
    wanted["spec"]["ordinals"] = json!({"start": 5});
    cluster.create(SETS, wanted);
    cluster.set_is_ready("web", 2).await;
    assert_eq!(cluster.names("pods"), ["web-5", "web-6"]);
    assert_eq!(cluster.names(CLAIMS), ["data-web-5", "data-web-6"]);
    assert_eq!(
        cluster.at(CLAIMS, "data-web-5", "/metadata/labels"),
        json!({"app": "web"})
    );
    let labels = cluster.at("pods", "web-5", "/metadata/labels");
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-5");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "5");
    assert_eq!(
        labels["controller-revision-hash"],
        cluster.at(SETS, "web", "/status/updateRevision")
    );
    let spec = cluster.at("pods", "web-5", "/spec");
    assert_eq!(
        (&spec["hostname"], &spec["subdomain"]),
        (&json!("web-5"), &json!("web"))
    );
    let messages = cluster.messages("web", "SuccessfulCreate");
    for wanted in [
        "create Claim data-web-5 Pod web-5 in StatefulSet web success",
        "create Pod web-5 in StatefulSet web successful",
    ] {
        assert!(
            messages.iter().any(|message| message == wanted),
            "{wanted} in {messages:?}"
        );
    }
}

#[tokio::test]
async fn an_ordered_set_waits_for_each_pod_and_a_parallel_one_does_not() {
    let cluster = cluster();
    let mut ordered = set("slow", 2, "OrderedReady");
    ordered["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:missing".into();
    let mut parallel = ordered.clone();
    parallel["metadata"]["name"] = "fast".into();
    parallel["spec"]["podManagementPolicy"] = "Parallel".into();
    cluster.create(SETS, ordered);
    cluster.create(SETS, parallel);
    cluster.settle().await;
    assert_eq!(cluster.names("pods"), ["fast-0", "fast-1", "slow-0"]);
}

#[tokio::test]
async fn scaling_down_takes_the_highest_and_keeps_the_claims() {
    let cluster = cluster();
    cluster.create(SETS, set("web", 3, "OrderedReady"));
    cluster.set_is_ready("web", 3).await;
    let before = cluster.at(CLAIMS, "data-web-2", "/metadata/uid");
    cluster.change(SETS, "web", |set| set["spec"]["replicas"] = json!(1));
    cluster.set_is_ready("web", 1).await;
    assert_eq!(cluster.names("pods"), ["web-0"]);
    assert_eq!(cluster.names(CLAIMS).len(), 3);
    cluster
        .until("the volumes are detached", |cluster| {
            cluster
                .cloud
                .volumes()
                .iter()
                .filter(|volume| volume.attachment.is_some())
                .count()
                == 1
        })
        .await;
    cluster.change(SETS, "web", |set| set["spec"]["replicas"] = json!(3));
    cluster.set_is_ready("web", 3).await;
    assert_eq!(cluster.at(CLAIMS, "data-web-2", "/metadata/uid"), before, "adopted");
}

#[tokio::test]
async fn claims_that_exist_are_adopted() {
    let cluster = cluster();
    let made = cluster.create(CLAIMS, crate::support::claim("data-web-0", "fast"));
    cluster.create(SETS, set("web", 1, "OrderedReady"));
    cluster.set_is_ready("web", 1).await;
    assert_eq!(
        cluster.at(CLAIMS, "data-web-0", "/metadata/uid"),
        made["metadata"]["uid"]
    );
}

#[tokio::test]
async fn the_retention_policy_takes_claims_along() {
    let cluster = cluster();
    let mut wanted = set("web", 2, "OrderedReady");
    wanted["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenScaled": "Delete", "whenDeleted": "Delete"});
    cluster.create(SETS, wanted);
    cluster.set_is_ready("web", 2).await;
    assert_eq!(
        cluster.at(CLAIMS, "data-web-0", "/metadata/ownerReferences/0/kind"),
        "StatefulSet"
    );
    cluster.change(SETS, "web", |set| set["spec"]["replicas"] = json!(1));
    cluster
        .until("the condemned pod's claim is gone", |cluster| {
            cluster.names(CLAIMS) == ["data-web-0"]
        })
        .await;
    cluster.delete(SETS, "web");
    cluster
        .until("all is gone", |cluster| {
            cluster.names(CLAIMS).is_empty() && cluster.names("pods").is_empty() && cluster.cloud.volumes().is_empty()
        })
        .await;
}

#[tokio::test]
async fn deleting_a_set_leaves_claims_and_volumes() {
    let cluster = cluster();
    cluster.create(SETS, set("web", 2, "Parallel"));
    cluster.set_is_ready("web", 2).await;
    cluster.delete(SETS, "web");
    cluster
        .until("the pods are gone", |cluster| cluster.names("pods").is_empty())
        .await;
    cluster.settle().await;
    assert_eq!(cluster.names(CLAIMS).len(), 2);
    assert_eq!(cluster.cloud.volumes().len(), 2);
    assert!(cluster.names("controllerrevisions.apps").is_empty());
}

#[tokio::test]
async fn an_update_rolls_from_the_top_down_to_the_partition() {
    let cluster = cluster();
    let mut wanted = set("web", 3, "OrderedReady");
    wanted["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    cluster.create(SETS, wanted);
    cluster.set_is_ready("web", 3).await;
    cluster.change(SETS, "web", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.28".into();
    });
    cluster
        .until("one pod is updated", |cluster| {
            cluster.at(SETS, "web", "/status/updatedReplicas") == 1
        })
        .await;
    cluster.set_is_ready("web", 3).await;
    cluster.settle().await;
    let image = |cluster: &Cluster, pod: &str| cluster.at("pods", pod, "/spec/containers/0/image");
    assert_eq!(
        ["web-0", "web-1", "web-2"].map(|pod| image(&cluster, pod)),
        ["nginx:1.27", "nginx:1.27", "nginx:1.28"]
    );
    let status = cluster.at(SETS, "web", "/status");
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    assert_eq!(status["currentReplicas"], 2);
    cluster.change(SETS, "web", |set| {
        set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0);
    });
    cluster
        .until("the roll out is complete", |cluster| {
            let status = cluster.at(SETS, "web", "/status");
            status["currentRevision"] == status["updateRevision"] && status["readyReplicas"] == 3
        })
        .await;
    assert_eq!(image(&cluster, "web-0"), "nginx:1.28");
    assert_eq!(made(&cluster), ["web-2", "web-1", "web-0"]);
    assert_eq!(cluster.names("controllerrevisions.apps").len(), 2);
}

#[tokio::test]
async fn on_delete_waits_for_somebody_to_delete() {
    let cluster = cluster();
    let mut wanted = set("web", 1, "OrderedReady");
    wanted["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    cluster.create(SETS, wanted);
    cluster.set_is_ready("web", 1).await;
    cluster.change(SETS, "web", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.28".into();
    });
    cluster.settle().await;
    assert_eq!(cluster.at("pods", "web-0", "/spec/containers/0/image"), "nginx:1.27");
    cluster.delete("pods", "web-0");
    cluster
        .until("the pod is made anew", |cluster| {
            cluster.at("pods", "web-0", "/spec/containers/0/image") == "nginx:1.28"
        })
        .await;
}

#[tokio::test]
async fn a_failed_pod_is_made_anew_with_its_claim() {
    let cluster = cluster();
    cluster.create(SETS, set("web", 1, "OrderedReady"));
    cluster.set_is_ready("web", 1).await;
    let first = cluster.at("pods", "web-0", "/metadata/uid");
    let failed = |pod: &mut Value| pod["status"]["phase"] = "Failed".into();
    cluster
        .api
        .modify("pods", Some("default"), "web-0", Some("status"), "test", failed)
        .unwrap();
    cluster
        .until("another pod is there", |cluster| {
            let pod = cluster.at("pods", "web-0", "/metadata/uid");
            !pod.is_null() && pod != first
        })
        .await;
    cluster.set_is_ready("web", 1).await;
    assert_eq!(cluster.names(CLAIMS), ["data-web-0"]);
}
