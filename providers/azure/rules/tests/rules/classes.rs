//! What a class and a claim get, or are told.

use moorline_api::{AzureContainer, AzureShare, FieldPath, StorageRules as _, VolumeConfig, VolumeSpec};
use moorline_azure_rules::AzureRules;

use crate::{BLOB, FILE, IN_TREE, claim, class, place};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn share(provisioner: &str, parameters: &[(&str, &str)]) -> AzureShare {
    match place(provisioner, parameters, GIB).unwrap().config {
        VolumeConfig::AzureFile(share) => share,
        other => panic!("{other:?}"),
    }
}

fn container(parameters: &[(&str, &str)]) -> AzureContainer {
    match place(BLOB, parameters, GIB).unwrap().config {
        VolumeConfig::AzureBlob(container) => container,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tutorials_claim_gets_one_gib() {
    let placed = place(IN_TREE, &[("skuName", "Standard_LRS")], 50 * MIB).unwrap();
    assert_eq!((placed.size_gib, placed.zonal, placed.zones), (1, false, None));
    let VolumeConfig::AzureFile(share) = placed.config else {
        panic!("no share")
    };
    assert_eq!(share.protocol, "smb");
    assert_eq!(
        (&*share.account.sku, &*share.account.kind, share.account.https_only),
        ("Standard_LRS", "StorageV2", true)
    );
}

#[test]
fn sizes_follow_the_sku() {
    for (sku, bytes, expected) in [
        ("Standard_LRS", 1, Some(1)),
        ("standard_lrs", GIB + 1, Some(2)),
        ("Standard_ZRS", 5120 * GIB, Some(5120)),
        ("Standard_GRS", 102_400 * GIB, Some(102_400)),
        ("Standard_RAGRS", 102_401 * GIB, None),
        ("Premium_LRS", 50 * MIB, Some(100)),
        ("Premium_ZRS", 101 * GIB, Some(101)),
        ("Premium_LRS", 102_401 * GIB, None),
        ("PremiumV2_LRS", GIB, Some(32)),
        ("StandardV2_GZRS", 262_144 * GIB, Some(262_144)),
        ("StandardV2_ZRS", 262_145 * GIB, None),
    ] {
        let placed = place(FILE, &[("skuName", sku)], bytes);
        assert_eq!(
            placed.as_ref().ok().map(|placed| placed.size_gib),
            expected,
            "{sku} {bytes}: {placed:?}"
        );
        if let Err(problems) = placed {
            let path = ["spec", "resources", "requests", "storage"].map(str::to_owned).to_vec();
            assert_eq!(problems[0].field, FieldPath::Claim(path));
        }
    }
}

#[test]
fn large_standard_shares_need_an_account_for_them() {
    let large = |parameters: &[(&str, &str)], gib| place(FILE, parameters, gib * GIB);
    let setting = |gib| match large(&[], gib).unwrap().config {
        VolumeConfig::AzureFile(share) => share.account.large_file_shares,
        other => panic!("{other:?}"),
    };
    assert_eq!((setting(5120), setting(5121)), (None, Some(true)));
    let problems = large(&[("enableLargeFileShares", "false")], 5121).unwrap_err();
    assert!(problems[0].cure.contains("5120Gi"), "{problems:?}");
}

#[test]
fn the_kind_follows_sku_and_service() {
    for (provisioner, sku, kind) in [
        (FILE, "Standard_GZRS", "StorageV2"),
        (FILE, "Premium_LRS", "FileStorage"),
        (FILE, "StandardV2_LRS", "FileStorage"),
        (BLOB, "Standard_RAGRS", "StorageV2"),
        (BLOB, "Premium_ZRS", "BlockBlobStorage"),
    ] {
        let placed = place(provisioner, &[("storageAccountType", sku)], GIB).unwrap();
        let account = match &placed.config {
            VolumeConfig::AzureFile(share) => &share.account,
            VolumeConfig::AzureBlob(container) => &container.account,
            other => panic!("{other:?}"),
        };
        assert_eq!((&*account.sku, &*account.kind), (sku, kind));
        assert_eq!(placed.config.type_name(), sku);
    }
}

#[test]
fn parameters_of_creation_are_read() {
    let share = share(
        FILE,
        &[
            ("SKUNAME", "Standard_ZRS"),
            ("location", "East US"),
            ("resourceGroup", "data"),
            ("shareNamePrefix", "web"),
            ("shareAccessTier", "hot"),
            ("allowBlobPublicAccess", "true"),
            ("requireInfraEncryption", "true"),
            ("publicNetworkAccess", "disabled"),
            ("disableDeleteRetentionPolicy", "true"),
            ("tags", "team=web, cost = 12"),
        ],
    );
    assert_eq!(
        (share.name_prefix.as_deref(), share.access_tier.as_deref()),
        (Some("web"), Some("Hot"))
    );
    let account = share.account;
    assert_eq!(
        (account.location.as_deref(), account.resource_group.as_deref()),
        (Some("eastus"), Some("data"))
    );
    assert_eq!(
        (account.public_blobs, account.infrastructure_encryption),
        (true, Some(true))
    );
    assert_eq!(account.public_network_access.as_deref(), Some("Disabled"));
    assert_eq!(account.keep_deleted_shares, Some(false));
    let tags: Vec<_> = account.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(tags, [("cost", "12"), ("team", "web")]);

    let container = container(&[("protocol", "fuse2"), ("accessTier", "Cool"), ("isHnsEnabled", "true")]);
    assert_eq!(container.protocol, "fuse2");
    assert_eq!(container.account.access_tier.as_deref(), Some("Cool"));
    assert_eq!(container.account.hierarchical, Some(true));
}

#[test]
fn a_class_may_name_its_shares_and_containers() {
    let name = "${pvc.metadata.namespace}-${pvc.metadata.name}";
    for provisioner in [FILE, IN_TREE] {
        assert_eq!(share(provisioner, &[("shareName", name)]).name.as_deref(), Some(name));
    }
    assert_eq!(container(&[("containerName", "data")]).name.as_deref(), Some("data"));
    let named = |name: &str| {
        let config = VolumeConfig::AzureBlob(container(&[("containerName", name)]));
        config.named_for("default", "web-0")
    };
    assert_eq!(named("data").as_deref(), Some("data"));
    assert_eq!(named(name).as_deref(), Some("default-web-0"));
    assert_eq!(named("x-${pv.metadata.name}"), None);
    let of_class = |provisioner: &str, key: &str| {
        AzureRules::named_volume(&class(provisioner, &[(key, " data ")])).map(str::to_owned)
    };
    assert_eq!(of_class(IN_TREE, "sharename").as_deref(), Some("data"));
    assert_eq!(of_class(BLOB, "containerName").as_deref(), Some("data"));
    assert_eq!(of_class(BLOB, "shareName"), None);
    assert_eq!(
        VolumeConfig::AzureFile(share(FILE, &[])).named_for("default", "web-0"),
        None
    );
}

#[test]
fn what_is_wrong_is_said_of_its_parameter() {
    for (provisioner, parameters, key, words) in [
        (
            FILE,
            &[("skuName", "Standard_LSR")][..],
            "skuName",
            "did you mean Standard_LRS",
        ),
        (
            BLOB,
            &[("skuName", "PremiumV2_LRS")],
            "skuName",
            "no SKU of an account for blobs",
        ),
        (FILE, &[("skuname", "")], "skuname", "is empty"),
        (
            FILE,
            &[("skuName", "Standard_LRS"), ("storageAccountType", "Standard_LRS")],
            "storageAccountType",
            "another name",
        ),
        (
            FILE,
            &[("skuName", "Standard_LRS"), ("SkuName", "Standard_LRS")],
            "skuName",
            "the same parameter",
        ),
        (FILE, &[("shareName", "My_Data")], "shareName", "lower-case letters"),
        (
            FILE,
            &[("shareName", "a-${pvc.metadata.uid}")],
            "shareName",
            "${pvc.metadata.uid} stands for nothing",
        ),
        (
            BLOB,
            &[("containerName", "data"), ("containerNamePrefix", "web")],
            "containerNamePrefix",
            "keep one of them",
        ),
        (
            FILE,
            &[("storageAccount", "My_Account")],
            "storageAccount",
            "lower-case letters",
        ),
        (FILE, &[("protocol", "nfs")], "protocol", "networks"),
        (FILE, &[("protocol", "cifs")], "protocol", "use smb, nfs"),
        (
            FILE,
            &[
                ("protocol", "nfs"),
                ("storageAccount", "mine"),
                ("skuName", "Standard_LRS"),
            ],
            "skuName",
            "no NFS shares",
        ),
        (
            FILE,
            &[("shareAccessTier", "Premium")],
            "shareAccessTier",
            "no tier Premium",
        ),
        (
            FILE,
            &[("skuName", "Premium_LRS"), ("shareAccessTier", "Hot")],
            "shareAccessTier",
            "no tier Hot",
        ),
        (FILE, &[("rootSquashType", "RootSquash")], "rootSquashType", "only NFS"),
        (
            FILE,
            &[("provisionedIOPS", "500")],
            "provisionedIOPS",
            "second generation",
        ),
        (
            FILE,
            &[("skuName", "PremiumV2_LRS"), ("provisionedIOPS", "-5")],
            "provisionedIOPS",
            "positive whole number",
        ),
        (FILE, &[("secretName", "key")], "secretName", "several accounts"),
        (
            FILE,
            &[("allowSharedKeyAccess", "false")],
            "allowSharedKeyAccess",
            "useless",
        ),
        (
            FILE,
            &[("subscriptionID", "s")],
            "subscriptionID",
            "needs a resource group",
        ),
        (
            FILE,
            &[("storageAccount", "mine"), ("location", "eastus")],
            "location",
            "accounts to be made",
        ),
        (
            FILE,
            &[("server", "mine.file.core.windows.net")],
            "server",
            "not known before",
        ),
        (FILE, &[("matchTags", "true")], "matchTags", "derives the account"),
        (
            FILE,
            &[("useDataPlaneAPI", "oauth")],
            "useDataPlaneAPI",
            "Resource Manager",
        ),
        (
            FILE,
            &[("networkEndpointType", "privateEndpoint")],
            "networkEndpointType",
            "does not change networks",
        ),
        (
            FILE,
            &[("shareNamePrefix", "Web")],
            "shareNamePrefix",
            "cannot begin a name",
        ),
        (
            FILE,
            &[("shareNamePrefix", "much-too-long-a-prefix")],
            "shareNamePrefix",
            "cannot begin a name",
        ),
        (FILE, &[("tags", "a")], "tags", "is no tag"),
        (FILE, &[("tags", "moorline-profile=x")], "tags", "moorline's own"),
        (
            FILE,
            &[("mountPermissions", "0999")],
            "mountPermissions",
            "no octal number",
        ),
        (
            FILE,
            &[("mountWithManagedIdentity", "true")],
            "mountWithManagedIdentity",
            "admits identities",
        ),
        (FILE, &[("sku", "Standard_LRS")], "sku", "has no parameter sku"),
        (FILE, &[("skuNam", "Standard_LRS")], "skuNam", "did you mean skuName"),
        (
            IN_TREE,
            &[("protocol", "smb")],
            "protocol",
            "use provisioner: file.csi.azure.com",
        ),
        (IN_TREE, &[("readOnly", "yes")], "readOnly", "neither true nor false"),
        (FILE, &[("readOnly", "true")], "readOnly", "has no parameter"),
        (BLOB, &[("accessTier", "Premium")], "accessTier", "Hot or Cool"),
        (BLOB, &[("softDeleteBlobs", "7")], "softDeleteBlobs", "policies"),
        (BLOB, &[("protocol", "nfs")], "protocol", "networks"),
    ] {
        let problems = place(provisioner, parameters, GIB).unwrap_err();
        let at = FieldPath::Class(vec!["parameters".to_owned(), key.to_owned()]);
        let said = problems
            .iter()
            .any(|problem| problem.field == at && problem.to_string().contains(words));
        assert!(said, "{provisioner} {parameters:?}: {problems:?}");
    }
}

#[test]
fn defaults_may_be_written_out() {
    let parameters = [
        ("matchTags", "false"),
        ("useDataPlaneAPI", "false"),
        ("networkEndpointType", ""),
        ("enableMultichannel", "false"),
        ("storeAccountKey", "true"),
    ];
    assert!(place(FILE, &parameters, GIB).is_ok());
}

#[test]
fn every_access_mode_is_possible_and_no_block_device() {
    for provisioner in [FILE, BLOB] {
        for mode in ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"] {
            let shape = moorline_api::ClaimShape {
                access_modes: vec![mode.to_owned()],
                ..claim(GIB)
            };
            assert!(
                AzureRules.place(&class(provisioner, &[]), &shape, None).is_ok(),
                "{mode}"
            );
        }
        for shape in [
            moorline_api::ClaimShape {
                volume_mode: "Block".to_owned(),
                ..claim(GIB)
            },
            moorline_api::ClaimShape {
                access_modes: Vec::new(),
                ..claim(GIB)
            },
            moorline_api::ClaimShape {
                access_modes: vec!["ReadWriteSometimes".to_owned()],
                ..claim(GIB)
            },
        ] {
            let problems = AzureRules.place(&class(provisioner, &[]), &shape, None).unwrap_err();
            assert!(matches!(problems[0].field, FieldPath::Claim(_)), "{problems:?}");
        }
    }
}

#[test]
fn accounts_that_classes_name_are_known() {
    let named = |provisioner: &str, name: &str| {
        AzureRules::named_account(&class(provisioner, &[("STORAGEACCOUNT", name)])).map(str::to_owned)
    };
    assert_eq!(named(FILE, "mine"), Some("mine".to_owned()));
    assert_eq!(named(FILE, "Not Mine"), None);
    assert_eq!(named("ebs.csi.aws.com", "mine"), None);
}

#[test]
fn prices_are_of_the_size_and_the_tier() {
    let cost = |region: &str, config| {
        let spec = VolumeSpec {
            size_gib: 100,
            zone: None,
            config,
        };
        AzureRules
            .monthly_cost(region, &spec)
            .map(|usd| (usd * 100.0).round() / 100.0)
    };
    assert_eq!(cost("eastus", VolumeConfig::AzureFile(share(FILE, &[]))), Some(6.0));
    assert_eq!(
        cost(
            "East US",
            VolumeConfig::AzureFile(share(FILE, &[("accessTier", "Cool")]))
        ),
        Some(2.28)
    );
    assert_eq!(
        cost(
            "eastus",
            VolumeConfig::AzureFile(share(FILE, &[("skuName", "Premium_LRS")]))
        ),
        Some(16.0)
    );
    assert_eq!(cost("eastus", VolumeConfig::AzureBlob(container(&[]))), Some(2.08));
    assert_eq!(cost("marsnorth", VolumeConfig::AzureFile(share(FILE, &[]))), None);
    assert_eq!(
        cost(
            "eastus",
            VolumeConfig::AzureFile(share(FILE, &[("skuName", "PremiumV2_LRS")]))
        ),
        None
    );
}
