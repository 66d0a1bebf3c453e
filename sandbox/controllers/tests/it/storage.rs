//! Binding, provisioning, attaching, protecting, reclaiming.

use moorline_sandbox_aws::VolumeState;
use moorline_sandbox_controllers::ControllerSettings;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq};
use serde_json::{Value, json};

use crate::support::{CLAIMS, Cluster, VOLUMES, claim, class, instant, pod, text, volume};

const CLASSES: &str = "storageclasses.storage.k8s.io";
const ATTACHMENTS: &str = "volumeattachments.storage.k8s.io";

fn cluster() -> Cluster {
    cluster_with(instant())
}

fn cluster_with(settings: ControllerSettings) -> Cluster {
    let cluster = Cluster::new(settings);
    cluster.create(CLASSES, class("fast", "Immediate"));
    cluster.create(CLASSES, class("late", "WaitForFirstConsumer"));
    cluster
}

/// A volume object reserved for a claim.
fn reserved(name: &str, class: &str, ebs: &moorline_sandbox_aws::Volume, claim: &Value) -> Value {
    let mut made = volume(name, class, ebs);
    made["spec"]["claimRef"] = json!({
        "namespace": "default", "name": claim["metadata"]["name"], "uid": claim["metadata"]["uid"],
    });
    made
}

#[tokio::test]
async fn a_claim_waits_for_its_named_volume_until_it_is_touched_or_the_resync_comes() {
    let cluster = cluster();
    for name in ["touched", "left"] {
        let mut wanted = claim(name, "late");
        wanted["spec"]["volumeName"] = format!("pv-{name}").into();
        let made = cluster.create(CLAIMS, wanted);
        cluster.settle().await;
        let ebs = cluster.ebs("us-east-1a");
        cluster.create(VOLUMES, reserved(&format!("pv-{name}"), "late", &ebs, &made));
    }
    cluster.settle().await;
    assert_eq!(
        cluster.at(VOLUMES, "pv-touched", "/status/phase"),
        "Bound",
        "the volume's side is complete at once"
    );
    assert_eq!(cluster.at(CLAIMS, "touched", "/status/phase"), "Pending");
    cluster.change(CLAIMS, "touched", |claim| {
        claim["metadata"]["annotations"] = json!({"touch": "1"});
    });
    cluster.is_bound("touched").await;
    assert_eq!(
        cluster.at(
            CLAIMS,
            "touched",
            "/metadata/annotations/pv.kubernetes.io~1bind-completed"
        ),
        "yes"
    );
    assert_eq!(cluster.at(CLAIMS, "touched", "/status/capacity/storage"), "10Gi");
    assert_eq!(cluster.at(CLAIMS, "left", "/status/phase"), "Pending");
    cluster.advance(15);
    cluster.is_bound("left").await;
    assert_eq!(cluster.cloud.volumes().len(), 2, "nothing was provisioned");
}

#[tokio::test]
async fn a_volume_reserved_by_name_gets_the_claim_when_it_comes() {
    let cluster = cluster();
    let ebs = cluster.ebs("us-east-1a");
    let mut wanted = volume("pv", "", &ebs);
    wanted["spec"]["claimRef"] = json!({"namespace": "default", "name": "data"});
    cluster.create(VOLUMES, wanted);
    cluster
        .until("it is available", |cluster| {
            cluster.at(VOLUMES, "pv", "/status/phase") == "Available"
        })
        .await;
    let made = cluster.create(CLAIMS, claim("data", "late"));
    cluster.is_bound("data").await;
    assert_eq!(cluster.at(VOLUMES, "pv", "/spec/claimRef/uid"), made["metadata"]["uid"]);
    assert_eq!(cluster.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn the_smallest_volume_that_fits_is_taken() {
    let cluster = cluster();
    for (name, size, class, mode) in [
        ("small", "5Gi", "static", "ReadWriteOnce"),
        ("large", "50Gi", "static", "ReadWriteOnce"),
        ("right", "12Gi", "static", "ReadWriteOnce"),
        ("other-class", "10Gi", "else", "ReadWriteOnce"),
        ("other-mode", "10Gi", "static", "ReadOnlyMany"),
    ] {
        let mut made = volume(name, class, &cluster.ebs("us-east-1a"));
        made["spec"]["capacity"]["storage"] = size.into();
        made["spec"]["accessModes"] = json!([mode]);
        cluster.create(VOLUMES, made);
    }
    cluster.create(CLAIMS, claim("data", "static"));
    cluster.is_bound("data").await;
    assert_eq!(cluster.at(CLAIMS, "data", "/spec/volumeName"), "right");
    assert_eq!(cluster.at(CLAIMS, "data", "/status/capacity/storage"), "12Gi");
}

#[tokio::test]
async fn a_claim_without_volume_or_class_says_why_it_waits() {
    let cluster = cluster();
    cluster.create(CLAIMS, claim("bare", ""));
    cluster.create(CLAIMS, claim("lost", "absent"));
    cluster.create(CLAIMS, claim("waits", "late"));
    cluster
        .until("all were told", |cluster| {
            cluster.reasons("bare") == ["FailedBinding"]
                && cluster.messages("lost", "ProvisioningFailed")
                    == ["storageclass.storage.k8s.io \"absent\" not found"]
                && cluster.reasons("waits") == ["WaitForFirstConsumer"]
        })
        .await;
    for name in ["bare", "lost", "waits"] {
        assert_eq!(cluster.at(CLAIMS, name, "/status/phase"), "Pending");
    }
}

#[tokio::test]
async fn a_claim_is_lost_with_its_volume() {
    let cluster = cluster();
    cluster.create(CLAIMS, claim("data", "fast"));
    cluster.is_bound("data").await;
    let bound = text(&cluster.get(CLAIMS, "data").unwrap(), "/spec/volumeName");
    cluster.delete(VOLUMES, &bound);
    cluster.change(VOLUMES, &bound, |volume| volume["metadata"]["finalizers"] = json!([]));
    cluster
        .until("the claim is lost", |cluster| {
            cluster.at(CLAIMS, "data", "/status/phase") == "Lost"
        })
        .await;
    assert!(cluster.reasons("data").contains(&"ClaimLost".to_owned()));
}

#[tokio::test]
async fn the_driver_provisions_what_the_class_asks_for() {
    let cluster = cluster();
    let mut in_tree = class("in-tree", "Immediate");
    in_tree["provisioner"] = "kubernetes.io/aws-ebs".into();
    in_tree["parameters"] =
        json!({"type": "io1", "iopsPerGB": "20", "zone": "us-east-1b", "fsType": "xfs", "encrypted": "true"});
    cluster.create(CLASSES, in_tree);
    let made = cluster.create(CLAIMS, claim("data", "in-tree"));
    cluster.is_bound("data").await;
    let name = format!("pvc-{}", text(&made, "/metadata/uid"));
    let volumes = cluster.cloud.volumes();
    let ebs = volumes.first().unwrap();
    assert_eq!(
        (ebs.zone.as_str(), ebs.volume_type.as_str(), ebs.iops, ebs.encrypted),
        ("us-east-1b", "io1", Some(200), true)
    );
    for (key, value) in [
        ("CSIVolumeName", name.as_str()),
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pvc/name", "data"),
        ("kubernetes.io/created-for/pvc/namespace", "default"),
        ("kubernetes.io/created-for/pv/name", name.as_str()),
    ] {
        assert_eq!(ebs.tags.get(key).map(String::as_str), Some(value));
    }
    let spec = cluster.at(VOLUMES, &name, "/spec");
    assert_eq!(
        (&spec["csi"]["volumeHandle"], &spec["csi"]["fsType"]),
        (&json!(ebs.id), &json!("xfs"))
    );
    assert_eq!(spec["persistentVolumeReclaimPolicy"], "Delete");
    for reason in ["Provisioning", "ProvisioningSucceeded", "ExternalProvisioning"] {
        assert!(cluster.reasons("data").contains(&reason.to_owned()), "{reason}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_told_in_an_event() {
    let cluster = cluster();
    let mut wrong = class("wrong", "Immediate");
    wrong["parameters"] = json!({"type": "gp9"});
    cluster.create(CLASSES, wrong);
    cluster.create(CLAIMS, claim("data", "wrong"));
    cluster
        .until("the failure is told", |cluster| {
            !cluster.messages("data", "ProvisioningFailed").is_empty()
        })
        .await;
    let message = cluster.messages("data", "ProvisioningFailed").remove(0);
    assert!(
        message.starts_with("failed to provision volume with StorageClass \"wrong\": rpc error: code = "),
        "{message}"
    );
}

#[tokio::test]
async fn a_late_claim_gets_its_volume_where_its_pod_goes() {
    let cluster = cluster();
    cluster.create(CLAIMS, claim("data", "late"));
    let mut wanted = pod("app", &["data"]);
    wanted["spec"]["nodeSelector"] = json!({"topology.kubernetes.io/zone": "us-east-1c"});
    cluster.create("pods", wanted);
    cluster
        .until("the pod runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
    assert_eq!(cluster.at("pods", "app", "/spec/nodeName"), "node-c");
    assert_eq!(
        cluster.at(
            CLAIMS,
            "data",
            "/metadata/annotations/volume.kubernetes.io~1selected-node"
        ),
        "node-c"
    );
    let volumes = cluster.cloud.volumes();
    let ebs = volumes.first().unwrap();
    assert_eq!((ebs.zone.as_str(), ebs.state), ("us-east-1c", VolumeState::InUse));
    assert_eq!(ebs.attachment.as_ref().unwrap().device, "/dev/xvdba");
}

#[tokio::test]
async fn a_late_claim_takes_a_free_volume_of_the_node() {
    let cluster = cluster();
    let ebs = cluster.ebs("us-east-1b");
    cluster.create(VOLUMES, volume("pv", "late", &ebs));
    cluster.create(CLAIMS, claim("data", "late"));
    let mut wanted = pod("app", &["data"]);
    wanted["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-b"});
    cluster.create("pods", wanted);
    cluster
        .until("the pod runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
    assert_eq!(cluster.at(CLAIMS, "data", "/spec/volumeName"), "pv");
    assert_eq!(cluster.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn deleting_a_claim_follows_the_reclaim_policy() {
    let cluster = cluster();
    let ebs = cluster.ebs("us-east-1a");
    let mut unowned = volume("unowned", "", &ebs);
    unowned["spec"]["persistentVolumeReclaimPolicy"] = "Delete".into();
    cluster.create(VOLUMES, unowned);
    cluster.create(VOLUMES, volume("kept", "kept", &ebs));
    cluster.create(CLAIMS, claim("unowned", ""));
    cluster.create(CLAIMS, claim("kept", "kept"));
    cluster.create(CLAIMS, claim("provisioned", "fast"));
    for name in ["unowned", "kept", "provisioned"] {
        cluster.is_bound(name).await;
        cluster.delete(CLAIMS, name);
    }
    cluster
        .until("each volume went its way", |cluster| {
            cluster.at(VOLUMES, "kept", "/status/phase") == "Released"
                // Nobody but its driver deletes a CSI volume, and this one is none of the driver's.
                && cluster.at(VOLUMES, "unowned", "/status/phase") == "Released"
                && cluster.names(VOLUMES).len() == 2
                && cluster.cloud.volumes().len() == 1
        })
        .await;
    assert_eq!(cluster.cloud.volumes()[0].id, ebs.id);
    cluster.delete(VOLUMES, "kept");
    cluster
        .until("a released volume may be deleted", |cluster| {
            cluster.names(VOLUMES) == ["unowned"]
        })
        .await;
}

#[tokio::test]
async fn a_retained_volume_serves_again_when_its_reference_loses_the_uid() {
    let cluster = cluster();
    cluster.create(VOLUMES, volume("pv", "kept", &cluster.ebs("us-east-1a")));
    cluster.create(CLAIMS, claim("data", "kept"));
    cluster.is_bound("data").await;
    cluster.delete(CLAIMS, "data");
    cluster
        .until("it is released", |cluster| {
            cluster.at(VOLUMES, "pv", "/status/phase") == "Released"
        })
        .await;
    cluster.change(VOLUMES, "pv", |volume| {
        volume["spec"]["claimRef"]
            .as_object_mut()
            .unwrap()
            .retain(|key, _| key == "name" || key == "namespace");
    });
    cluster
        .until("it is available", |cluster| {
            cluster.at(VOLUMES, "pv", "/status/phase") == "Available"
        })
        .await;
    cluster.create(CLAIMS, claim("data", "kept"));
    cluster.is_bound("data").await;
}

#[tokio::test]
async fn a_claim_in_use_stays_until_its_pod_is_gone() {
    let cluster = cluster();
    cluster.create(CLAIMS, claim("data", "fast"));
    cluster.create("pods", pod("app", &["data"]));
    cluster
        .until("the pod runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
    cluster.delete(CLAIMS, "data");
    cluster.settle().await;
    assert!(cluster.at(CLAIMS, "data", "/metadata/deletionTimestamp").is_string());
    cluster.delete("pods", "app");
    cluster
        .until("claim, volume and attachment are gone", |cluster| {
            cluster.names(CLAIMS).is_empty()
                && cluster.names(VOLUMES).is_empty()
                && cluster.names(ATTACHMENTS).is_empty()
        })
        .await;
    assert!(cluster.cloud.volumes().is_empty());
}

#[tokio::test]
async fn a_volume_is_on_one_node_at_a_time() {
    let cluster = cluster();
    // Without node affinity nothing but the attachment stands in the second pod's way.
    let mut wanted = volume("pv", "", &cluster.ebs("us-east-1a"));
    wanted["spec"].as_object_mut().unwrap().remove("nodeAffinity");
    cluster.create(VOLUMES, wanted);
    cluster.create(CLAIMS, claim("data", ""));
    for (name, node) in [("first", "node-a"), ("second", "node-b")] {
        let mut wanted = pod(name, &["data"]);
        wanted["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        cluster.create("pods", wanted);
        cluster
            .until("it has its node", |cluster| {
                cluster.at("pods", name, "/spec/nodeName") == node
            })
            .await;
        cluster.settle().await;
    }
    assert_eq!(cluster.at("pods", "first", "/status/phase"), "Running");
    assert_eq!(cluster.at("pods", "second", "/status/phase"), "Pending");
    assert!(cluster.messages("second", "FailedAttachVolume")[0].starts_with("Multi-Attach error for volume \"pv\""));
    cluster.delete("pods", "first");
    cluster
        .until("the volume is free", |cluster| cluster.names("pods") == ["second"])
        .await;
}

#[tokio::test]
async fn a_driver_that_stops_between_volume_and_object_leaks_when_the_claim_goes() {
    let cluster = cluster_with(ControllerSettings {
        csi_stops_after_volume: true,
        ..instant()
    });
    cluster.create(CLAIMS, claim("kept", "fast"));
    cluster.create(CLAIMS, claim("dropped", "fast"));
    cluster
        .until("both volumes are made", |cluster| cluster.cloud.volumes().len() == 2)
        .await;
    cluster.delete(CLAIMS, "dropped");
    cluster.settle().await;
    cluster.controllers.set_settings(instant());
    cluster.is_bound("kept").await;
    cluster.settle().await;
    assert_eq!(
        (cluster.names(VOLUMES).len(), cluster.cloud.volumes().len()),
        (1, 2),
        "one volume has no object"
    );
}

#[tokio::test]
async fn without_the_driver_nothing_is_provisioned_or_deleted() {
    let cluster = cluster_with(ControllerSettings {
        csi: false,
        ..instant()
    });
    cluster.create(CLAIMS, claim("data", "fast"));
    cluster
        .until("the wait is told", |cluster| {
            cluster.reasons("data").contains(&"ExternalProvisioning".to_owned())
        })
        .await;
    cluster.settle().await;
    assert!(cluster.cloud.volumes().is_empty());
    cluster.controllers.set_settings(instant());
    cluster.is_bound("data").await;
}

proptest::proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever volumes and claims come in whatever order, no volume serves two claims and no claim has two volumes.
    #[test]
    fn every_bound_claim_has_exactly_one_volume(
        steps in vec((any::<bool>(), 0..4_u8, 1..20_u8), 1..24)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::new(ControllerSettings { csi: false, ..instant() });
            let ebs = cluster.ebs("us-east-1a");
            for (number, (is_claim, wish, size)) in steps.into_iter().enumerate() {
                let size = format!("{size}Gi");
                if is_claim {
                    let mut made = claim(&format!("c{number}"), "static");
                    made["spec"]["resources"]["requests"]["storage"] = size.into();
                    if wish == 1 {
                        made["spec"]["volumeName"] = format!("v{}", number / 2).into();
                    }
                    cluster.create(CLAIMS, made);
                } else {
                    let mut made = volume(&format!("v{number}"), "static", &ebs);
                    made["spec"]["capacity"]["storage"] = size.into();
                    if wish == 2 {
                        made["spec"]["claimRef"] = json!({"namespace": "default", "name": format!("c{}", number + 1)});
                    }
                    cluster.create(VOLUMES, made);
                }
            }
            cluster.settle().await;
            let mut taken = std::collections::BTreeSet::new();
            for claim in cluster.api.list(CLAIMS, None) {
                if claim["status"]["phase"] != "Bound" {
                    continue;
                }
                let volume = text(&claim, "/spec/volumeName");
                prop_assert_eq!(cluster.at(VOLUMES, &volume, "/spec/claimRef/uid"), claim["metadata"]["uid"].clone());
                prop_assert_eq!(cluster.at(VOLUMES, &volume, "/status/phase"), json!("Bound"));
                prop_assert!(taken.insert(volume));
            }
            Ok(())
        })?;
    }
}
