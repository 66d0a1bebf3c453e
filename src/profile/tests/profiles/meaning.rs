//! What good profiles mean, and what is allowed and warned about.

use std::collections::BTreeMap;

use crate::common::{CONFIG_MAP, PROFILE, folder, read};
use moorline_api::{BindingMode, CloudName};
use moorline_profile::{ClassRef, OnDown, Profile, ProviderBlock, Retention};
use serde_json::json;

fn good(files: &[(&str, &str)]) -> Profile {
    read(folder(files).path()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// The warnings of a profile, without their places.
fn warnings(files: &[(&str, &str)]) -> Vec<String> {
    good(files).warnings.iter().map(|one| one.cause.clone()).collect()
}

const SET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: data
spec:
  serviceName: db
  replicas: 4
  podManagementPolicy: Parallel
  ordinals: {start: 5}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector:
    matchLabels: {app: db}
  template:
    metadata:
      labels: {app: db, tier: back}
    spec:
      nodeSelector: {disk: fast}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [us-east-1a]}]
      containers:
        - name: db
          image: postgres:17.6
          volumeMounts: [{name: data, mountPath: /data}]
          volumeDevices: [{name: raw, devicePath: /dev/raw}]
  volumeClaimTemplates:
    - metadata: {name: data, labels: {a: b}, annotations: {c: d}}
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: fast
        resources: {requests: {storage: 10.5Gi}}
    - metadata: {name: raw}
      spec:
        accessModes: [ReadWriteOncePod]
        volumeMode: Block
        resources: {requests: {storage: 1000}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, selector: {app: db}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
parameters: {type: gp3, iops: "4000"}
"#;

#[test]
fn a_set_is_resolved_with_everything_that_decides_about_its_claims() {
    let profile = good(&[("db.yaml", SET)]);
    assert!(profile.warnings.is_empty(), "{}", profile.warnings);
    let set = &profile.sets[0];
    assert_eq!(
        (
            &*set.namespace,
            &*set.name,
            set.replicas,
            set.first_ordinal,
            set.parallel
        ),
        ("data", "db", Some(4), 5, true)
    );
    assert_eq!(
        (set.when_deleted, set.when_scaled),
        (Retention::Delete, Retention::Retain)
    );
    assert_eq!(set.ordinals(2).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(set.claim_name("data", 5), "data-db-5");
    assert_eq!(set.match_labels, BTreeMap::from([("app".to_owned(), "db".to_owned())]));
    assert_eq!(set.node_selector, Some(json!({"disk": "fast"})));
    assert!(
        set.affinity
            .as_ref()
            .unwrap()
            .pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution")
            .is_some()
    );
    let [data, raw] = &set.templates[..] else {
        panic!("two templates")
    };
    assert_eq!(
        (&*data.name, &data.class, data.shape.bytes),
        ("data", &ClassRef::Named("fast".to_owned()), 21 << 29)
    );
    assert_eq!(
        (&data.labels["a"], &data.annotations["c"]),
        (&"b".to_owned(), &"d".to_owned())
    );
    assert_eq!(data.spec["resources"]["requests"]["storage"], "10.5Gi", "as written");
    assert_eq!(
        (&raw.class, raw.shape.bytes, &*raw.shape.volume_mode),
        (&ClassRef::ClusterDefault, 1000, "Block")
    );
    assert_eq!(profile.classes["fast"].binding_mode, BindingMode::WaitForFirstConsumer);
}

#[test]
fn every_field_of_profile_yaml_is_read() {
    let text = "name: web\nprovider:\n  aws: {region: eu-west-1, account: \"012345678901\"}\ncluster:\n  context: prod\n  uid: \
                3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f\nnamespace: shop\nowner: team-web\nonDown: snapshot\nlock: {namespace: locks}\nmanifests: [a.yaml]\n\
                externalClasses: [gp2]\n";
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: [ReadWriteOnce]\n  \
                 storageClassName: gp2\n  resources: {requests: {storage: 1Gi}}\n";
    let profile = good(&[("profile.yaml", text), ("a.yaml", claim), ("b.yaml", "\tnot read")]);
    assert_eq!(
        (&*profile.name, &*profile.namespace, profile.owner.as_deref()),
        ("web", "shop", Some("team-web"))
    );
    let provider = ProviderBlock::Aws {
        region: Some("eu-west-1".to_owned()),
        account: Some("012345678901".to_owned()),
    };
    assert_eq!((profile.provider, profile.on_down), (provider, OnDown::Snapshot));
    assert_eq!(profile.lock.namespace.as_deref(), Some("locks"));
    assert_eq!(profile.cluster.context.as_deref(), Some("prod"));
    assert_eq!(
        profile.cluster.uid.as_deref(),
        Some("3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f")
    );
    assert_eq!(profile.external_classes, ["gp2"]);
    assert_eq!(
        (&*profile.claims[0].namespace, &profile.claims[0].class),
        ("shop", &ClassRef::Named("gp2".to_owned()))
    );
    assert_eq!(profile.manifests[0].object.namespace(), None, "as written");
}

#[test]
fn a_lock_may_be_in_a_namespace_that_nobody_can_delete() {
    let text = "name: web\nprovider: {aws: {}}\nlock: {namespace: default}\n";
    let made = |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n");
    let profile = good(&[("profile.yaml", text), ("a.yaml", &(made("default") + &made("shop")))]);
    let place = profile.own_namespace("shop").unwrap();
    assert_eq!((place.line, place.column), (5, 1));
    assert_eq!(
        (profile.own_namespace("default"), profile.own_namespace("ops")),
        (None, None)
    );
}

#[test]
fn empty_fields_of_profile_yaml_take_their_defaults() {
    let profile = good(&[
        ("profile.yaml", "name: web\nprovider:\n  aws:\nnamespace:\nonDown: ~\n"),
        ("a.yaml", CONFIG_MAP),
    ]);
    assert_eq!(
        profile.provider,
        ProviderBlock::Aws {
            region: None,
            account: None
        }
    );
    assert_eq!(
        (&*profile.namespace, profile.on_down),
        ("default", OnDown::ReclaimPolicy)
    );
}

#[test]
fn lists_documents_and_json_are_flattened_in_order() {
    let list = "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: ConfigMapList\n    items:\n      - {apiVersion: v1, \
                kind: ConfigMap, metadata: {name: one}}\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n---\n# \
                nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: three\n...\n";
    let json = "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"four\"},\n\t\"data\": {\"a\": \"\\u00e9\\/\"}\n}\n";
    let profile = good(&[("a.yaml", list), ("b.json", json)]);
    let names: Vec<_> = profile
        .manifests
        .iter()
        .map(|manifest| manifest.object.name())
        .collect();
    assert_eq!(names, ["one", "two", "three", "four"]);
    let lines: Vec<_> = profile.manifests.iter().map(|manifest| manifest.origin.line).collect();
    assert_eq!(lines, [7, 8, 12, 2]);
    assert_eq!(profile.manifests[3].object.str_at(&["data", "a"]), Some("é/"));
}

#[test]
fn anchors_merges_and_block_text_mean_what_they_mean_to_kubectl() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  labels: &labels {app: web, tier: front}\n  annotations:\n    \
                <<: *labels\n    tier: back\ndata:\n  text: |\n    a\n    b\n  folded: >-\n    a\n    b\n  time: 12:30\n  day: 2026-11-21\n  \
                \"on\": quoted\n  8080: port\n";
    let object = &good(&[("a.yaml", text)]).manifests[0].object;
    assert_eq!(
        object.at(&["metadata", "annotations"]),
        Some(&json!({"app": "web", "tier": "back"}))
    );
    let data = json!({"text": "a\nb\n", "folded": "a b", "time": "12:30", "day": "2026-11-21", "on": "quoted", "8080": "port"});
    assert_eq!(object.at(&["data"]), Some(&data));
}

#[test]
fn unknown_kinds_pass_as_they_are() {
    let text = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {group: \
                example.com, names: {kind: Widget, plural: widgets}, scope: Namespaced, versions: []}\n---\napiVersion: \
                example.com/v1alpha1\nkind: Widget\nmetadata: {name: one}\nanything: [goes, 1, true, null, 1.5]\n---\napiVersion: \
                gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: one}\nspec: {}\n";
    let profile = good(&[("a.yaml", text)]);
    assert_eq!(profile.manifests.len(), 3);
    assert_eq!(
        profile.manifests[1].object.at(&["anything"]),
        Some(&json!(["goes", 1, true, null, 1.5]))
    );
}

#[test]
fn the_same_name_in_another_namespace_or_group_is_another_object() {
    let text = format!(
        "{CONFIG_MAP}---\n{CONFIG_MAP}  namespace: other\n---\n{}",
        CONFIG_MAP.replace("ConfigMap", "Secret")
    );
    assert_eq!(good(&[("a.yaml", &text)]).manifests.len(), 3);
}

#[test]
fn claims_name_a_class_or_the_default_or_none() {
    let claim = |name: &str, class: &str| {
        format!(
            "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: {{accessModes: [ReadWriteOnce], \
             {class}resources: {{requests: {{storage: 1Gi}}}}}}\n"
        )
    };
    let text = [claim("a", ""), claim("b", "storageClassName: \"\", volumeName: pv-1, ")].concat();
    let profile = good(&[("a.yaml", &text)]);
    let classes: Vec<_> = profile.claims.iter().map(|claim| &claim.class).collect();
    assert_eq!(classes, [&ClassRef::ClusterDefault, &ClassRef::None]);
    let default = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: fast\n  annotations: \
                   {storageclass.kubernetes.io/is-default-class: \"true\"}\nprovisioner: ebs.csi.aws.com\n";
    let profile = good(&[("a.yaml", &text), ("b.yaml", default)]);
    let classes: Vec<_> = profile.claims.iter().map(|claim| &claim.class).collect();
    assert_eq!(
        classes,
        [&ClassRef::Named("fast".to_owned()), &ClassRef::None],
        "the profile's own default is the cluster's newest"
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_about() {
    let without_service = SET.replace("serviceName: db", "serviceName: dbs");
    assert_eq!(
        warnings(&[("a.yaml", &without_service)]),
        ["spec.serviceName names Service \"dbs\", which is not in this profile"]
    );
    let unmounted = SET.replace("          volumeDevices: [{name: raw, devicePath: /dev/raw}]\n", "");
    assert_eq!(
        warnings(&[("a.yaml", &unmounted)]),
        ["no container mounts the template \"raw\""]
    );
    let other = SET.replace("ebs.csi.aws.com", "efs.csi.aws.com");
    assert_eq!(
        warnings(&[("a.yaml", &other)]),
        ["moorline does not serve provisioner \"efs.csi.aws.com\""]
    );
    let shared = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOnce], resources: \
                  {requests: {storage: 1Gi}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 2\n  \
                  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers: [{name: c, \
                  image: i}]\n      volumes:\n        - {name: a, persistentVolumeClaim: {claimName: a}}\n        - {name: b, \
                  persistentVolumeClaim: {claimName: b}}\n";
    let expected = [
        "2 replicas share claim \"a\", which one node at a time can use",
        "claim \"b\" is not in this profile",
    ];
    assert_eq!(warnings(&[("a.yaml", shared)]), expected);
}

const AZURE: &str = "name: web\nprovider:\n  azure:\n";

fn class_and_claim(provisioner: &str, sku: &str, size: &str) -> String {
    format!(
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: shares}}\nprovisioner: {provisioner}\nvolumeBindingMode: \
         WaitForFirstConsumer\nparameters: {{skuName: {sku}}}\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: \
         a}}\nspec: {{accessModes: [ReadWriteMany], storageClassName: shares, resources: {{requests: {{storage: {size}}}}}}}\n"
    )
}

#[test]
fn every_pin_of_azure_is_read() {
    let profile = "name: web\nprovider:\n  azure:\n    subscription: 0B1F6471-1BF0-4DDA-AEC3-CB9272F09590\n    tenant: \
                   0B1F6471-1BF0-4DDA-AEC3-CB9272F09591\n    resourceGroup: Shop_(prod)\n    location: westeurope\n    \
                   createResourceGroup: true\n";
    let provider = good(&[("profile.yaml", profile), ("a.yaml", CONFIG_MAP)]).provider;
    assert_eq!(provider.cloud(), CloudName::Azure);
    assert_eq!(
        (provider.account(), provider.tenant()),
        (
            Some("0b1f6471-1bf0-4dda-aec3-cb9272f09590"),
            Some("0b1f6471-1bf0-4dda-aec3-cb9272f09591")
        ),
        "ids are compared in lower case"
    );
    assert_eq!(
        (provider.resource_group(), provider.region()),
        (Some("Shop_(prod)"), Some("westeurope"))
    );
    assert!(provider.creates_resource_group());
}

#[test]
fn a_cloud_with_nothing_below_it_has_no_pins() {
    for text in [
        AZURE,
        "name: web\nprovider: {azure: {}}\n",
        "name: web\nprovider: {azure: {location: }}\n",
    ] {
        let provider = good(&[("profile.yaml", text), ("a.yaml", CONFIG_MAP)]).provider;
        assert_eq!(
            (
                provider.cloud(),
                provider.account(),
                provider.region(),
                provider.resource_group()
            ),
            (CloudName::Azure, None, None, None)
        );
        assert!(!provider.creates_resource_group() && provider.tenant().is_none());
    }
}

/// What each cloud's own provisioners are is known from the profile: the same class is right in one and wrong in the other.
#[test]
fn a_class_is_served_by_its_own_cloud_only() {
    for (profile, provisioner, is_right) in [
        (AZURE, "file.csi.azure.com", true),
        (AZURE, "kubernetes.io/azure-file", true),
        (AZURE, "blob.csi.azure.com", true),
        (AZURE, "ebs.csi.aws.com", false),
        (PROFILE, "ebs.csi.aws.com", true),
        (PROFILE, "blob.csi.azure.com", false),
        (PROFILE, "kubernetes.io/azure-disk", false),
    ] {
        let class = format!(
            "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: one}}\nprovisioner: {provisioner}\n"
        );
        let folder = folder(&[("profile.yaml", profile), ("a.yaml", &class)]);
        match read(folder.path()) {
            Ok(profile) => assert!(is_right && profile.warnings.is_empty(), "{provisioner}"),
            Err(problems) => {
                let text = problems.to_string();
                assert!(!is_right && text.contains("this profile's provider is"), "{text}");
            }
        }
    }
}

#[test]
fn disks_of_azure_are_left_to_the_cluster() {
    for provisioner in ["disk.csi.azure.com", "kubernetes.io/azure-disk"] {
        let class = format!(
            "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: one}}\nprovisioner: {provisioner}\n"
        );
        let profile = good(&[("profile.yaml", AZURE), ("a.yaml", &class)]);
        let [warning] = &profile.warnings.iter().collect::<Vec<_>>()[..] else {
            panic!("{}", profile.warnings)
        };
        assert!(
            warning.cause.contains("does not serve") && warning.cure.contains("only waits for it"),
            "{warning:?}"
        );
    }
}

#[test]
fn a_volume_larger_than_asked_for_is_warned_about() {
    let premium = class_and_claim("file.csi.azure.com", "Premium_LRS", "10Gi");
    assert_eq!(
        warnings(&[("profile.yaml", AZURE), ("a.yaml", &premium)]),
        ["the claim asks for 10 GiB and gets 100 GiB: its class has nothing smaller"]
    );
    // Whole GiB are what everyone expects.
    let standard = class_and_claim("kubernetes.io/azure-file", "Standard_LRS", "50Mi");
    assert!(warnings(&[("profile.yaml", AZURE), ("a.yaml", &standard)]).is_empty());
}

#[test]
fn classes_of_one_account_may_differ_in_what_is_not_the_accounts() {
    let text = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: cool}\nprovisioner: \
                file.csi.azure.com\nparameters: {storageAccount: shopdata, shareAccessTier: Cool}\n---\napiVersion: \
                storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: blobs}\nprovisioner: blob.csi.azure.com\nparameters: \
                {storageAccount: shopdata, resourceGroup: shop}\n";
    assert!(warnings(&[("profile.yaml", AZURE), ("a.yaml", text)]).is_empty());
}

#[test]
fn volumes_that_a_class_names_may_be_of_several_claims_that_differ() {
    let class = |name: &str, provisioner: &str, volume: &str| {
        format!(
            "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: {name}}}\nprovisioner: \
             {provisioner}\nparameters: {{storageAccount: shopdata, {volume}}}\n"
        )
    };
    let claim = |name: &str, class: &str| {
        format!(
            "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: {{accessModes: [ReadWriteMany], \
             storageClassName: {class}, resources: {{requests: {{storage: 1Gi}}}}}}\n"
        )
    };
    let text = [
        class("each", "file.csi.azure.com", "shareName: \"of-${pvc.metadata.name}\""),
        claim("a", "each"),
        claim("b", "each"),
        class("share", "file.csi.azure.com", "shareName: data"),
        class("container", "blob.csi.azure.com", "containerName: data"),
        claim("c", "share"),
        claim("d", "container"),
    ]
    .concat();
    assert!(warnings(&[("profile.yaml", AZURE), ("a.yaml", &text)]).is_empty());
}

#[test]
fn objects_are_checked_even_if_profile_yaml_has_errors() {
    let profile = PROFILE.replace("name: web", "name: 12");
    let diagnostics = read(
        folder(&[
            ("profile.yaml", &profile),
            ("a.yaml", &SET.replace("name: raw,", "name: row,")),
        ])
        .path(),
    )
    .unwrap_err();
    let causes: Vec<_> = diagnostics.iter().map(|one| &*one.cause).collect();
    let expected = [
        "the mount names \"row\", and there is no such volume or claim template",
        "name must be a string, not a number",
    ];
    assert_eq!(causes, expected);
}
