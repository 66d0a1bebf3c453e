//! Disks, and what a cluster has of its cloud.

use moorline_sandbox_controllers::{ClusterCloud, ControllerSettings};
use serde_json::json;

use super::{ATTACHMENTS, CLASSES, bound_volume, cluster, files, shared};
use crate::support::{CLAIMS, Cluster, claim, instant, pod, text};

#[tokio::test]
async fn a_claim_without_class_gets_a_disk_which_one_node_has_at_a_time() {
    let cluster = cluster();
    let mut wanted = claim("data", "");
    wanted["spec"].as_object_mut().unwrap().remove("storageClassName");
    let made = cluster.create(CLAIMS, wanted);
    assert_eq!(made["spec"]["storageClassName"], "default");
    cluster.create("pods", pod("one", &["data"]));
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "one", "/status/phase") == "Running"
        })
        .await;
    let disks = cluster.azure.disks();
    let [disk] = disks.as_slice() else { panic!("{disks:?}") };
    assert_eq!(disk.tags["kubernetes.io-created-for-pvc-name"], "data");
    let node = text(&cluster.get("pods", "one").unwrap(), "/spec/nodeName");
    assert!(disk.holders[0].ends_with(&node), "{disk:?}");
    let volume = bound_volume(&cluster, "data");
    assert_eq!(volume["spec"]["csi"]["volumeHandle"], disk.id.as_str());
    assert_eq!(volume["spec"]["capacity"]["storage"], "10Gi");
    let attachment = cluster.names(ATTACHMENTS).pop().unwrap();
    assert_eq!(
        cluster.at(ATTACHMENTS, &attachment, "/status/attachmentMetadata/LUN"),
        "0"
    );

    cluster.delete("pods", "one");
    cluster
        .until("it is detached", |cluster| cluster.azure.disks()[0].holders.is_empty())
        .await;
    cluster.delete(CLAIMS, "data");
    cluster
        .until("the disk is gone", |cluster| cluster.azure.disks().is_empty())
        .await;
    cluster.create(CLAIMS, shared("many", "managed-premium"));
    cluster
        .until("a disk for many nodes is refused", |cluster| {
            let messages = cluster.messages("many", "ProvisioningFailed");
            messages
                .iter()
                .any(|message| message.contains("MULTI_NODE_MULTI_WRITER"))
        })
        .await;
}

#[tokio::test]
async fn a_claim_gets_the_default_class_that_comes_later() {
    let cluster = Cluster::new(ControllerSettings {
        classes: false,
        ..instant()
    });
    let mut wanted = claim("data", "");
    wanted["spec"].as_object_mut().unwrap().remove("storageClassName");
    cluster.create(CLAIMS, wanted);
    cluster
        .until("it waits", |cluster| cluster.reasons("data") == ["FailedBinding"])
        .await;
    let mut class = files("late", &json!({}));
    class["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    cluster.create(CLASSES, class);
    cluster.advance(15);
    cluster.is_bound("data").await;
    assert_eq!(cluster.at(CLAIMS, "data", "/spec/storageClassName"), "late");
}

#[tokio::test]
async fn a_cluster_has_what_its_cloud_gives_it() {
    let of = |cloud| ControllerSettings { cloud, ..instant() };
    let names = |cluster: &Cluster, resource: &str| cluster.names(resource);
    let default = |cluster: &Cluster, class: &str| {
        cluster.at(
            CLASSES,
            class,
            "/metadata/annotations/storageclass.kubernetes.io~1is-default-class",
        )
    };
    for (cloud, classes, node) in [
        (ClusterCloud::Both, &["default", "managed-premium"][..], "node-a"),
        (ClusterCloud::Aws, &["gp2"][..], "node-a"),
        (
            ClusterCloud::Azure,
            &["default", "managed-premium"][..],
            "aks-agentpool-36099114-vmss000000",
        ),
    ] {
        let cluster = Cluster::new(of(cloud));
        assert_eq!(names(&cluster, CLASSES), classes, "{cloud:?}");
        assert_eq!(default(&cluster, classes[0]), "true");
        assert_eq!(names(&cluster, "nodes")[0], node);
        assert_eq!(names(&cluster, "nodes").len(), 3);
    }
    let bare = Cluster::new(ControllerSettings {
        classes: false,
        ..instant()
    });
    assert_eq!(names(&bare, CLASSES), Vec::<String>::new());
    let aws = Cluster::new(of(ClusterCloud::Aws));
    aws.create(CLASSES, files("files", &json!({})));
    aws.create(CLAIMS, shared("data", "files"));
    aws.settle().await;
    assert_eq!(aws.reasons("data"), ["ExternalProvisioning"], "nobody listens");
}

#[tokio::test]
async fn disks_of_a_zonal_cluster_are_where_their_pods_are() {
    let cluster = Cluster::new(ControllerSettings {
        cloud: ClusterCloud::Azure,
        ..instant()
    });
    let mut late = files("late", &json!({"skuName": "Premium_LRS"}));
    late["provisioner"] = "disk.csi.azure.com".into();
    late["volumeBindingMode"] = "WaitForFirstConsumer".into();
    cluster.create(CLASSES, late);
    for class in ["default", "late"] {
        cluster.create(CLAIMS, claim(class, class));
        cluster.create("pods", pod(class, &[class]));
        cluster
            .until("it runs", |cluster| {
                cluster.at("pods", class, "/status/phase") == "Running"
            })
            .await;
        let term = "/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0";
        let volume = bound_volume(&cluster, class);
        let expression = volume.pointer(term).unwrap();
        assert_eq!(expression["key"], "topology.disk.csi.azure.com/zone");
        let node = text(&cluster.get("pods", class).unwrap(), "/spec/nodeName");
        let zone = cluster.at("nodes", &node, "/metadata/labels/topology.kubernetes.io~1zone");
        assert_eq!(expression["values"], json!([zone]));
        let provider_id = cluster.at("nodes", &node, "/spec/providerID");
        let holder = cluster
            .azure
            .disks()
            .into_iter()
            .find(|disk| volume["spec"]["csi"]["volumeHandle"] == disk.id);
        assert_eq!(
            format!("azure://{}", holder.unwrap().holders[0]),
            provider_id.as_str().unwrap()
        );
    }
}
