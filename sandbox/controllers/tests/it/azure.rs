//! Shares, containers and disks: provisioned, mounted, attached, deleted.

use moorline_sandbox_azure::AzureSettings;
use moorline_sandbox_controllers::{ClusterCloud, ControllerSettings};
use serde_json::{Value, json};

use crate::support::{CLAIMS, Cluster, SETS, VOLUMES, claim, deployment, instant, pod, set, text};

const CLASSES: &str = "storageclasses.storage.k8s.io";
const ATTACHMENTS: &str = "volumeattachments.storage.k8s.io";

/// A class as the tutorial has it.
fn files(name: &str, parameters: &Value) -> Value {
    json!({
        "metadata": {"name": name}, "provisioner": "kubernetes.io/azure-file", "parameters": parameters,
        "mountOptions": ["dir_mode=0777", "nobrl"],
    })
}

fn cluster() -> Cluster {
    let cluster = Cluster::new(instant());
    cluster.create(CLASSES, files("files", &json!({"skuName": "Standard_LRS"})));
    cluster
}

/// A claim that many nodes may use.
fn shared(name: &str, class: &str) -> Value {
    let mut shared = claim(name, class);
    shared["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    shared["spec"]["resources"]["requests"]["storage"] = "50Mi".into();
    shared
}

fn bound_volume(cluster: &Cluster, claim: &str) -> Value {
    let volume = text(&cluster.get(CLAIMS, claim).unwrap(), "/spec/volumeName");
    cluster.get(VOLUMES, &volume).unwrap().as_ref().clone()
}

fn shares(cluster: &Cluster) -> Vec<moorline_sandbox_azure::Share> {
    let accounts = cluster.azure.accounts().into_iter();
    accounts
        .flat_map(|account| cluster.azure.shares(&account.name))
        .collect()
}

#[tokio::test]
async fn each_replica_more_makes_one_share_more_and_none_goes_with_it() {
    let cluster = cluster();
    let mut tutorial = set("counter", 1, "OrderedReady");
    tutorial["spec"]["volumeClaimTemplates"][0] = shared("data", "files");
    cluster.create(SETS, tutorial);
    for replicas in 1..=4 {
        cluster.change(SETS, "counter", |set| set["spec"]["replicas"] = replicas.into());
        cluster.set_is_ready("counter", replicas).await;
        assert_eq!(shares(&cluster).len() as u64, replicas);
    }
    cluster.change(SETS, "counter", |set| set["spec"]["replicas"] = 1.into());
    cluster.set_is_ready("counter", 1).await;
    cluster.delete(SETS, "counter");
    cluster
        .until("the pods are gone", |cluster| cluster.names("pods").is_empty())
        .await;
    cluster.delete(CLASSES, "files");
    cluster.settle().await;
    assert_eq!(
        (cluster.names(CLAIMS).len(), shares(&cluster).len()),
        (4, 4),
        "as in life"
    );

    for claim in cluster.names(CLAIMS) {
        cluster.delete(CLAIMS, &claim);
    }
    cluster
        .until("the volumes are gone", |cluster| cluster.names(VOLUMES).is_empty())
        .await;
    assert_eq!(shares(&cluster), []);
    assert_eq!(cluster.azure.accounts().len(), 1, "accounts stay");
}

#[tokio::test]
async fn a_share_is_made_and_named_as_the_driver_does_it() {
    let cluster = cluster();
    let made = cluster.create(CLAIMS, shared("data", "files"));
    cluster.is_bound("data").await;
    let name = format!("pvc-{}", text(&made, "/metadata/uid"));
    let accounts = cluster.azure.accounts();
    let [account] = accounts.as_slice() else {
        panic!("{accounts:?}")
    };
    assert!(account.name.starts_with('f') && account.name.len() == 23, "{account:?}");
    assert_eq!(account.tags["k8s-azure-created-by"], "azure");
    assert_eq!(
        (account.sku.as_str(), account.resource_group.as_str()),
        ("Standard_LRS", "moorline")
    );
    let [share] = &shares(&cluster)[..] else { panic!() };
    assert_eq!((share.name.as_str(), share.quota_gib), (name.as_str(), 1));
    assert_eq!(share.metadata["createdBy"], "file.csi.azure.com");

    let volume = bound_volume(&cluster, "data");
    let spec = &volume["spec"];
    assert_eq!(spec["csi"]["driver"], "file.csi.azure.com");
    assert_eq!(
        spec["csi"]["volumeHandle"],
        format!("moorline#{}#{name}###default", account.name)
    );
    let attributes = &spec["csi"]["volumeAttributes"];
    assert_eq!(
        (
            &attributes["skuName"],
            &attributes["secretnamespace"],
            &attributes["csi.storage.k8s.io/pvc/name"]
        ),
        (&json!("Standard_LRS"), &json!("default"), &json!("data"))
    );
    assert_eq!(
        (
            &spec["capacity"]["storage"],
            &spec["mountOptions"],
            &spec["persistentVolumeReclaimPolicy"]
        ),
        (&json!("1Gi"), &json!(["dir_mode=0777", "nobrl"]), &json!("Delete"))
    );
    assert_eq!(
        (&spec["nodeAffinity"], &spec["csi"]["nodeStageSecretRef"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(cluster.at(CLAIMS, "data", "/status/capacity/storage"), "1Gi");
    let secret = format!("azure-storage-account-{}-secret", account.name);
    let data = cluster.at("secrets", &secret, "/data");
    assert!(data["azurestorageaccountname"].is_string() && data["azurestorageaccountkey"].is_string());
    assert!(cluster.reasons("data").contains(&"ProvisioningSucceeded".to_owned()));
}

#[tokio::test]
async fn accounts_are_shared_by_claims_whose_classes_ask_for_alike_ones() {
    let cluster = cluster();
    cluster.create(CLASSES, files("alike", &json!({"storageAccountType": "Standard_LRS"})));
    cluster.create(CLASSES, files("zonal", &json!({"skuName": "Standard_ZRS"})));
    cluster.create(
        CLASSES,
        files("premium", &json!({"skuName": "Premium_LRS", "tags": "team=red"})),
    );
    cluster.create(
        CLASSES,
        files("nfs", &json!({"protocol": "nfs", "shareNamePrefix": "mine"})),
    );
    for class in ["files", "alike", "zonal", "premium", "nfs"] {
        cluster.create(CLAIMS, shared(class, class));
        cluster.is_bound(class).await;
    }
    let account = |claim: &str| {
        let volume = bound_volume(&cluster, claim);
        text(&volume, "/spec/csi/volumeHandle")
            .split('#')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    assert_eq!(account("files"), account("alike"));
    assert_eq!(account("premium"), account("nfs"));
    assert_eq!(cluster.azure.accounts().len(), 3);
    let premium = cluster
        .azure
        .accounts()
        .into_iter()
        .find(|one| one.name == account("premium"))
        .unwrap();
    assert_eq!(premium.tags["team"], "red");
    assert_eq!(cluster.at(CLAIMS, "premium", "/status/capacity/storage"), "100Gi");
    let nfs = bound_volume(&cluster, "nfs");
    assert!(text(&nfs, "/spec/csi/volumeHandle").contains("#mine-pvc-"));
}

#[tokio::test]
async fn a_claim_waits_until_its_account_is_made() {
    let cluster = cluster();
    let slow = AzureSettings {
        account_millis: 600_000,
        ..AzureSettings::instant()
    };
    cluster.azure.set_settings(slow).unwrap();
    cluster.create(CLAIMS, shared("data", "files"));
    cluster
        .until("an account is being made", |cluster| {
            cluster.azure.accounts().len() == 1
        })
        .await;
    cluster.settle().await;
    assert_eq!((shares(&cluster).len(), cluster.names("secrets").len()), (0, 0));
    cluster.advance(601);
    cluster.is_bound("data").await;
}

#[tokio::test]
async fn what_the_driver_does_not_know_is_refused_in_its_words() {
    let cluster = cluster();
    for (class, parameters, why) in [
        (
            "unknown",
            json!({"speed": "fast"}),
            "invalid parameter \"speed\" in storage class",
        ),
        ("protocol", json!({"protocol": "ftp"}), "protocol(ftp) is not supported"),
        (
            "cheap-nfs",
            json!({"protocol": "nfs", "skuName": "Standard_LRS"}),
            "nfs protocol only supports premium storage",
        ),
        (
            "sku",
            json!({"skuName": "Gold_LRS"}),
            "failed to ensure storage account",
        ),
        (
            "group",
            json!({"resourceGroup": "absent"}),
            "Resource group 'absent' could not be found",
        ),
        (
            "account",
            json!({"storageAccount": "absent"}),
            "failed to create file share(pvc-",
        ),
    ] {
        cluster.create(CLASSES, files(class, &parameters));
        cluster.create(CLAIMS, shared(class, class));
        cluster
            .until(class, |cluster| {
                let messages = cluster.messages(class, "ProvisioningFailed");
                messages.iter().any(|message| message.contains(why))
            })
            .await;
    }
    assert_eq!(cluster.names(VOLUMES), Vec::<String>::new());
}

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

#[tokio::test]
async fn a_driver_that_dies_leaves_a_share_that_nothing_names() {
    let cluster = cluster();
    let mut settings = instant();
    settings.csi_stops_after_volume = true;
    cluster.controllers.set_settings(settings);
    cluster.create(CLAIMS, shared("data", "files"));
    cluster
        .until("there is a share", |cluster| shares(cluster).len() == 1)
        .await;
    cluster.delete(CLAIMS, "data");
    cluster.controllers.set_settings(instant());
    cluster.settle().await;
    assert_eq!((cluster.names(VOLUMES).len(), shares(&cluster).len()), (0, 1));
}

#[tokio::test]
async fn containers_are_made_mounted_and_deleted() {
    let cluster = cluster();
    let mut class = files("blobs", &json!({"protocol": "fuse2"}));
    class["provisioner"] = "blob.csi.azure.com".into();
    cluster.create(CLASSES, class);
    let made = cluster.create(CLAIMS, shared("data", "blobs"));
    cluster.create("pods", pod("one", &["data"]));
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "one", "/status/phase") == "Running"
        })
        .await;
    let name = format!("pvc-{}", text(&made, "/metadata/uid"));
    let accounts = cluster.azure.accounts();
    let [account] = accounts.as_slice() else {
        panic!("{accounts:?}")
    };
    assert!(account.name.starts_with("fuse2"), "{account:?}");
    assert!(cluster.azure.container(&account.name, &name).is_some());
    let volume = bound_volume(&cluster, "data");
    assert_eq!(
        volume["spec"]["csi"]["volumeHandle"],
        format!("moorline#{}#{name}##default#", account.name)
    );
    assert_eq!(volume["spec"]["csi"]["volumeAttributes"]["containername"], name);
    assert_eq!(
        volume["spec"]["capacity"]["storage"], "50Mi",
        "a container has no quota"
    );
    cluster.delete("pods", "one");
    cluster.delete(CLAIMS, "data");
    cluster
        .until("the volume is gone", |cluster| cluster.names(VOLUMES).is_empty())
        .await;
    assert_eq!(cluster.azure.containers(&account.name), []);
}

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
