//! What a PersistentVolume looks like, and which volume one means.

use moorline_api::{
    AzureAccount, AzureContainer, AzureShare, Object, PvRequest, PvSource, SecretRef, StorageClass, StorageRules as _,
    VolumeConfig, VolumeId, VolumeSpec,
};
use moorline_azure_rules::AzureRules;
use serde_json::{Value, json};

use crate::{BLOB, FILE, IN_TREE, claim, class};

fn account() -> AzureAccount {
    AzureAccount {
        sku: "Standard_LRS".to_owned(),
        kind: "StorageV2".to_owned(),
        name: Some("fml0123".to_owned()),
        resource_group: Some("data".to_owned()),
        ..AzureAccount::default()
    }
}

fn share(account: AzureAccount, protocol: &str) -> VolumeConfig {
    VolumeConfig::AzureFile(AzureShare {
        account,
        protocol: protocol.to_owned(),
        ..AzureShare::default()
    })
}

fn source(class: &StorageClass, id: &str, config: VolumeConfig) -> PvSource {
    let spec = VolumeSpec {
        size_gib: 1,
        zone: None,
        config,
    };
    AzureRules.pv_source(&PvRequest {
        class,
        id: &VolumeId(id.to_owned()),
        spec: &spec,
        shape: &claim(1),
        namespace: "web",
        claim: "data-web-0",
        persistent_volume: "pv-1",
    })
}

fn volume_id(spec: &Value) -> Option<String> {
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec});
    let object = Object::from_value(object).unwrap();
    AzureRules.volume_id(&object).map(|id| id.0)
}

#[test]
fn a_share_is_mounted_with_its_accounts_secret() {
    let class = class(IN_TREE, &[("skuName", "Standard_LRS"), ("readOnly", "true")]);
    let source = source(&class, "fml0123.file/pvc-1", share(account(), "smb"));
    let secret = SecretRef {
        namespace: "web".to_owned(),
        name: "azure-storage-account-fml0123-secret".to_owned(),
    };
    assert_eq!(source.secret, Some(secret));
    assert_eq!((source.provisioned_by.as_str(), &source.node_affinity), (FILE, &None));
    let expected = json!({
        "driver": FILE,
        "volumeHandle": "data#fml0123#pvc-1###web",
        "readOnly": true,
        "volumeAttributes": {
            "resourceGroup": "data",
            "storageAccount": "fml0123",
            "shareName": "pvc-1",
            "protocol": "smb",
            "secretName": "azure-storage-account-fml0123-secret",
            "secretNamespace": "web",
            "csi.storage.k8s.io/pvc/namespace": "web",
            "csi.storage.k8s.io/pvc/name": "data-web-0",
            "csi.storage.k8s.io/pv/name": "pv-1",
        },
        "nodeStageSecretRef": {"name": "azure-storage-account-fml0123-secret", "namespace": "web"},
    });
    assert_eq!(source.source, ("csi".to_owned(), expected.clone()));
    assert_eq!(
        volume_id(&json!({"csi": expected})).as_deref(),
        Some("fml0123.file/pvc-1")
    );
}

#[test]
fn the_class_names_secret_attributes_and_subscription() {
    let parameters = [
        ("storageAccount", "fml0123"),
        ("secretName", "key"),
        ("secretNamespace", "kube-system"),
        ("folderName", "data"),
        ("FSGROUPCHANGEPOLICY", "none"),
        ("mountPermissions", "0755"),
    ];
    let in_another = AzureAccount {
        subscription: Some("s-1".to_owned()),
        ..account()
    };
    let source = source(
        &class(FILE, &parameters),
        "fml0123.file/pvc-1",
        share(in_another, "smb"),
    );
    let csi = source.source.1;
    assert_eq!(csi["volumeHandle"], "data#fml0123#pvc-1###kube-system#s-1");
    assert_eq!(
        csi["nodeStageSecretRef"],
        json!({"name": "key", "namespace": "kube-system"})
    );
    let attributes = &csi["volumeAttributes"];
    for (key, value) in [
        ("folderName", "data"),
        ("fsGroupChangePolicy", "None"),
        ("mountPermissions", "0755"),
        ("subscriptionID", "s-1"),
    ] {
        assert_eq!(attributes[key], value, "{key}");
    }
}

#[test]
fn without_a_key_there_is_no_secret() {
    let nfs = class(FILE, &[("protocol", "nfs"), ("storageAccount", "fml0123")]);
    let identity = class(
        FILE,
        &[("storageAccount", "fml0123"), ("mountWithManagedIdentity", "true")],
    );
    let stored = class(FILE, &[("storeAccountKey", "false")]);
    let blobs = class(BLOB, &[("AzureStorageAuthType", "MSI")]);
    for (class, protocol) in [(nfs, "nfs"), (identity, "smb"), (stored, "smb"), (blobs, "fuse")] {
        let source = source(&class, "fml0123.file/pvc-1", share(account(), protocol));
        assert_eq!(source.secret, None, "{class:?}");
        assert_eq!(source.source.1.get("nodeStageSecretRef"), None);
        assert_eq!(source.source.1["volumeAttributes"].get("secretName"), None);
        assert_eq!(source.source.1["volumeAttributes"]["protocol"], protocol);
    }
}

#[test]
fn a_container_has_the_blob_drivers_form() {
    let config = VolumeConfig::AzureBlob(AzureContainer {
        account: account(),
        protocol: "fuse2".to_owned(),
        name: None,
        name_prefix: None,
    });
    let source = source(&class(BLOB, &[("protocol", "fuse2")]), "fml0123.blob/pvc-1", config);
    let csi = source.source.1;
    assert_eq!(csi["driver"], BLOB);
    assert_eq!(csi["volumeHandle"], "data#fml0123#pvc-1##web");
    assert_eq!(csi["volumeAttributes"]["containerName"], "pvc-1");
    assert_eq!(csi["volumeAttributes"]["protocol"], "fuse2");
    assert_eq!(volume_id(&json!({"csi": csi})).as_deref(), Some("fml0123.blob/pvc-1"));
}

#[test]
fn a_disk_is_one_however_a_persistent_volume_writes_it() {
    let id = "/subscriptions/2222-bbbb/resourceGroups/nodes/providers/Microsoft.Compute/disks/pvc-1";
    let shouted = "/subscriptions/2222-BBBB/resourcegroups/Nodes/providers/microsoft.compute/disks/PVC-1";
    for handle in [id, shouted] {
        for spec in [
            json!({"csi": {"driver": "disk.csi.azure.com", "volumeHandle": handle}}),
            json!({"azureDisk": {"diskName": "pvc-1", "diskURI": handle, "kind": "Managed"}}),
        ] {
            assert_eq!(volume_id(&spec).as_deref(), Some(id), "{spec}");
        }
    }
    let unmanaged = |uri: &str| volume_id(&json!({"azureDisk": {"diskName": "a.vhd", "diskURI": uri}}));
    let vhd = "https://acct.blob.core.windows.net/vhds/a.vhd";
    assert_eq!(unmanaged(vhd).as_deref(), Some("acct.blob/vhds"));
    for other in [
        "https://acct.file.core.windows.net/vhds/a.vhd",
        "https://acct/vhds/a.vhd",
        "a.vhd",
    ] {
        assert_eq!(unmanaged(other), None, "{other}");
    }
}

#[test]
fn finds_the_volume_behind_a_persistent_volume() {
    let csi = |driver: &str, handle: &str, attributes: Value| json!({"csi": {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes}});
    let none = || json!({});
    for (spec, expected) in [
        (csi(FILE, "rg#acct#pvc-1#", none()), Some("acct.file/pvc-1")),
        (csi(FILE, "rg#acct#pvc-1###ns", none()), Some("acct.file/pvc-1")),
        (
            csi(FILE, "rg#acct#pvc-1#disk.vhd#uuid#ns#sub", none()),
            Some("acct.file/pvc-1"),
        ),
        (csi(FILE, "#acct#pvc-1##ns", none()), Some("acct.file/pvc-1")),
        (csi(FILE, "RG#Acct#PVC-1#", none()), Some("acct.file/pvc-1")),
        (
            csi(
                FILE,
                "acct_share",
                json!({"storageaccount": "acct", "shareName": "share"}),
            ),
            Some("acct.file/share"),
        ),
        (
            csi(
                FILE,
                "rg#old#old",
                json!({"storageAccount": "acct", "SHARENAME": "share"}),
            ),
            Some("acct.file/share"),
        ),
        (
            csi(
                FILE,
                "x",
                json!({"server": "acct.file.core.windows.net", "shareName": "share"}),
            ),
            Some("acct.file/share"),
        ),
        (csi(FILE, "x", json!({"shareName": "share"})), None),
        (csi(FILE, "nothing", none()), None),
        (csi(BLOB, "rg#acct#pvc-1##ns#sub", none()), Some("acct.blob/pvc-1")),
        (
            csi(BLOB, "x", json!({"storageAccount": "acct", "containerName": "data"})),
            Some("acct.blob/data"),
        ),
        (csi("ebs.csi.aws.com", "vol-1", none()), None),
        (csi("disk.csi.azure.com", "rg#acct#pvc-1", none()), None),
        (
            json!({"azureFile": {"secretName": "azure-storage-account-acct-secret", "shareName": "share"}}),
            Some("acct.file/share"),
        ),
        (json!({"azureFile": {"secretName": "mine", "shareName": "share"}}), None),
        (
            json!({"csi": {
                "driver": FILE, "volumeHandle": "x", "volumeAttributes": {"shareName": "share"},
                "nodeStageSecretRef": {"name": "azure-storage-account-acct-secret", "namespace": "ns"},
            }}),
            Some("acct.file/share"),
        ),
    ] {
        assert_eq!(volume_id(&spec).as_deref(), expected, "{spec}");
    }
}
