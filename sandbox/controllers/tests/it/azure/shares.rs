//! Shares and containers, provisioned and deleted by their drivers.

use moorline_sandbox_azure::AzureSettings;
use serde_json::{Value, json};

use super::{CLASSES, bound_volume, cluster, files, shared, shares};
use crate::support::{CLAIMS, SETS, VOLUMES, instant, pod, set, text};

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
