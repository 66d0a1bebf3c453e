//! Pods that mount shares.

use serde_json::json;

use super::{ATTACHMENTS, cluster, shared, shares};
use crate::support::{CLAIMS, Cluster, VOLUMES, deployment, pod, text};

#[tokio::test]
async fn many_nodes_mount_one_share_at_once() {
    let cluster = cluster();
    cluster.create(CLAIMS, shared("data", "files"));
    let mut wanted = deployment("web", 6);
    wanted["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "files", "persistentVolumeClaim": {"claimName": "data"}}]);
    cluster.create("deployments.apps", wanted);
    cluster
        .until("all pods run", |cluster| {
            cluster.at("deployments.apps", "web", "/status/readyReplicas") == 6
        })
        .await;
    let pods = cluster.api.list("pods", Some("default"));
    let nodes: std::collections::BTreeSet<String> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
    assert_eq!(nodes.len(), 3);
    assert_eq!(cluster.names(ATTACHMENTS), Vec::<String>::new());
}

/// A volume object over a share, as somebody else than the driver makes it, and its claim.
fn made_by_hand(cluster: &Cluster, name: &str, policy: &str) {
    let mut wanted = shared(name, "files");
    wanted["spec"]["volumeName"] = name.into();
    let claim = cluster.create(CLAIMS, wanted);
    let volume = json!({
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "file.csi.azure.com"}},
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": "files",
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": "default", "name": name, "uid": claim["metadata"]["uid"]},
            "csi": {
                "driver": "file.csi.azure.com", "volumeHandle": format!("moorline#byhand#{name}###default"),
                "volumeAttributes": {"storageAccount": "byhand", "shareName": name, "resourceGroup": "moorline"},
                "nodeStageSecretRef": {"namespace": "default", "name": "key"},
            },
        },
    });
    cluster.create(VOLUMES, volume);
    cluster.change(CLAIMS, name, |claim| {
        claim["metadata"]["annotations"] = json!({"touch": "1"});
    });
}

#[tokio::test]
async fn a_pod_waits_for_the_secret_its_volume_names_and_for_the_right_key() {
    let cluster = cluster();
    cluster
        .azure
        .ensure_account("moorline", "byhand", "Standard_LRS")
        .unwrap();
    made_by_hand(&cluster, "data", "Retain");
    cluster.is_bound("data").await;
    cluster.create("pods", pod("one", &["data"]));
    let told = |why: &'static str| {
        move |cluster: &Cluster| {
            let messages = cluster.messages("one", "FailedMount");
            messages.iter().any(|message| message.contains(why))
        }
    };
    cluster
        .until(
            "the secret is missed",
            told("fetching NodeStageSecretRef default/key failed: kubernetes.io/csi: failed to find the secret key in the namespace default with error: secrets \"key\" not found"),
        )
        .await;
    assert_eq!(
        cluster.at("pods", "one", "/status/containerStatuses/0/state/waiting/reason"),
        "ContainerCreating"
    );

    let secret = |key: &str| {
        json!({
            "metadata": {"name": "key"}, "stringData": {"azurestorageaccountname": "byhand", "azurestorageaccountkey": key},
        })
    };
    cluster.create("secrets", secret("bm90IHRoZSBrZXk="));
    cluster.advance(2);
    cluster
        .until("the key is wrong", told("mount error(13): Permission denied"))
        .await;
    cluster.delete("secrets", "key");
    cluster.create("secrets", secret(&cluster.azure.account_key("byhand").unwrap()));
    cluster.advance(2);
    cluster
        .until("the share is missed", told("mount error(2): No such file or directory"))
        .await;
    assert_eq!(cluster.at("pods", "one", "/status/phase"), "Pending");

    cluster.azure.create_share("byhand", "data", 1, [].into()).unwrap();
    cluster.advance(2);
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "one", "/status/phase") == "Running"
        })
        .await;
}

#[tokio::test]
async fn shares_of_others_go_with_their_claims_where_the_policy_says_so() {
    let cluster = cluster();
    cluster
        .azure
        .ensure_account("moorline", "byhand", "Standard_LRS")
        .unwrap();
    for (name, policy) in [("kept", "Retain"), ("gone", "Delete")] {
        cluster.azure.create_share("byhand", name, 1, [].into()).unwrap();
        made_by_hand(&cluster, name, policy);
        cluster.is_bound(name).await;
    }
    cluster.settle().await;
    for name in ["kept", "gone"] {
        cluster.delete(CLAIMS, name);
    }
    cluster
        .until("one is gone and one released", |cluster| {
            cluster.names(VOLUMES) == ["kept"] && cluster.at(VOLUMES, "kept", "/status/phase") == "Released"
        })
        .await;
    let left: Vec<String> = shares(&cluster).into_iter().map(|share| share.name).collect();
    assert_eq!(left, ["kept"]);
}
