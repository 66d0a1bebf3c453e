//! Every profile that ships is valid, and means what the tutorial says.

use std::path::{Path, PathBuf};

use moorline_api::{
    AzureContainer, AzureShare, BindingMode, Placement, ReclaimPolicy, StorageRules as _, VolumeConfig,
};
use moorline_aws_rules::EbsRules;
use moorline_azure_rules::AzureRules;
use moorline_profile::{ClassRef, OnDown, Profile, ProviderBlock};

use crate::common::read;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles").join(name)
}

fn shipped(name: &str) -> Profile {
    read(&folder(name)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn every_shipped_profile_is_valid_and_gives_no_warning() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let profile = shipped(&name);
        assert!(profile.warnings.is_empty(), "{}", profile.warnings);
        assert_eq!(profile.name, name, "a profile is named as its folder");
        names.push(name);
    }
    assert!(names.len() >= 5, "{names:?}");
}

#[test]
fn the_deployment_of_the_tutorial_has_no_claims() {
    let profile = shipped("aws-nginx");
    assert!(profile.sets.is_empty() && profile.claims.is_empty() && profile.classes.is_empty());
    let titles: Vec<_> = profile
        .manifests
        .iter()
        .map(|m| format!("{} {}", m.object.gvk(), m.object.name()))
        .collect();
    assert_eq!(titles, ["apps/v1 Deployment web-nginx", "v1 Service my-app"]);
    assert_eq!(
        profile.manifests[1]
            .object
            .list_at(&["spec", "loadBalancerSourceRanges"])
            .len(),
        1
    );
}

#[test]
fn the_statefulset_of_the_tutorial_has_three_claims() {
    let profile = shipped("aws-nginx-stateful");
    let region = Some("us-east-1".to_owned());
    assert_eq!(profile.provider, ProviderBlock::Aws { region, account: None });
    assert_eq!(profile.on_down, OnDown::ReclaimPolicy);
    assert_eq!(profile.digest.len(), 64);
    let [set] = &profile.sets[..] else { panic!("one set") };
    let [template] = &set.templates[..] else {
        panic!("one template")
    };
    let names: Vec<_> = set
        .ordinals(set.replicas.unwrap())
        .map(|ordinal| set.claim_name(&template.name, ordinal))
        .collect();
    let expected = [
        "my-volume-nginx-home-deployment-0",
        "my-volume-nginx-home-deployment-1",
        "my-volume-nginx-home-deployment-2",
    ];
    assert_eq!(names, expected);
    assert_eq!(template.class, ClassRef::Named("my-aws-ebs-gp2".to_owned()));
    assert_eq!(template.shape.bytes, 10 << 30);
    assert_eq!(template.shape.access_modes, ["ReadWriteOnce"]);
    let class = &profile.classes["my-aws-ebs-gp2"];
    assert_eq!(
        (class.reclaim_policy, class.binding_mode),
        (ReclaimPolicy::Delete, BindingMode::Immediate)
    );
    let placement = EbsRules.place(class, &template.shape, None).unwrap();
    assert_eq!(placement.size_gib, 10);
    let VolumeConfig::Ebs { volume_type, .. } = &placement.config else {
        panic!("EBS")
    };
    assert_eq!(volume_type, "gp2");
}

const WITHOUT_PINS: ProviderBlock = ProviderBlock::Azure {
    subscription: None,
    resource_group: None,
    location: None,
    create_resource_group: false,
    tenant: None,
};

/// The seven mount options of the tutorial.
const MOUNT_OPTIONS: [&str; 7] = [
    "dir_mode=0777",
    "file_mode=0777",
    "uid=1000",
    "gid=1000",
    "mfsymlinks",
    "nobrl",
    "cache=none",
];

fn share(placement: &Placement) -> &AzureShare {
    let VolumeConfig::AzureFile(share) = &placement.config else {
        panic!("a share: {:?}", placement.config)
    };
    share
}

#[test]
fn the_counter_of_the_tutorial_has_a_share_for_each_replica() {
    let profile = shipped("azure-counter");
    assert_eq!(profile.provider, WITHOUT_PINS, "it runs in any subscription");
    let class = &profile.classes["azurefile-div"];
    assert_eq!(class.provisioner, "kubernetes.io/azure-file");
    assert_eq!(class.mount_options, MOUNT_OPTIONS);
    assert_eq!(class.parameters["skuName"], "Standard_LRS");
    assert_eq!(class.reclaim_policy, ReclaimPolicy::Delete);
    let [set] = &profile.sets[..] else { panic!("one set") };
    let [template] = &set.templates[..] else {
        panic!("one template")
    };
    assert_eq!((&*set.name, set.replicas), ("counter-div", Some(1)));
    assert_eq!(set.claim_name(&template.name, 0), "counter-div-counter-div-0");
    assert_eq!(template.class, ClassRef::Named("azurefile-div".to_owned()));
    assert_eq!(template.shape.bytes, 50 << 20);
    assert_eq!(template.shape.access_modes, ["ReadWriteMany"]);
    let placement = AzureRules.place(class, &template.shape, None).unwrap();
    assert_eq!(placement.size_gib, 1, "50Mi become a whole GiB");
    assert!(!placement.zonal);
    let share = share(&placement);
    assert_eq!((&*share.protocol, &*share.account.sku), ("smb", "Standard_LRS"));
    let service = profile
        .manifests
        .iter()
        .find(|manifest| manifest.object.gvk().kind == "Service");
    let service = &service.unwrap().object;
    assert_eq!(
        (service.name(), service.str_at(&["spec", "clusterIP"])),
        ("counter-app-div", Some("None"))
    );
}

#[test]
fn the_pods_of_the_tutorials_contrast_share_one_claim() {
    let profile = shipped("azure-counter-shared");
    assert_eq!(profile.provider, WITHOUT_PINS);
    assert!(profile.sets.is_empty());
    let [claim] = &profile.claims[..] else {
        panic!("one claim")
    };
    assert_eq!(claim.shape.access_modes, ["ReadWriteMany"]);
    let class = &profile.classes[claim.class.name().unwrap()];
    assert_eq!(class.mount_options, MOUNT_OPTIONS);
    share(&AzureRules.place(class, &claim.shape, None).unwrap());
    let deployment = profile
        .manifests
        .iter()
        .find(|manifest| manifest.object.gvk().kind == "Deployment");
    let deployment = &deployment.unwrap().object;
    assert_eq!(deployment.at(&["spec", "replicas"]), Some(&3.into()));
    let mounted = &deployment.list_at(&["spec", "template", "spec", "volumes"])[0];
    assert_eq!(
        mounted["persistentVolumeClaim"]["claimName"].as_str(),
        Some(&*claim.name)
    );
}

#[test]
fn the_servers_on_blobs_have_a_container_each() {
    let profile = shipped("azure-blob");
    assert_eq!(profile.provider, WITHOUT_PINS);
    let [set] = &profile.sets[..] else { panic!("one set") };
    let template = &set.templates[0];
    let class = &profile.classes[template.class.name().unwrap()];
    assert!(class.mount_options.contains(&"-o allow_other".to_owned()));
    let placement = AzureRules.place(class, &template.shape, None).unwrap();
    let VolumeConfig::AzureBlob(AzureContainer {
        account,
        protocol,
        name_prefix,
        ..
    }) = &placement.config
    else {
        panic!("a container: {:?}", placement.config)
    };
    assert_eq!((&**protocol, &*account.sku), ("fuse2", "Standard_LRS"));
    assert_eq!(name_prefix.as_deref(), Some("web"));
}

/// Both halves of the tutorial may be up in one cluster.
#[test]
fn no_two_shipped_profiles_of_a_cloud_have_an_object_in_common() {
    let profiles = ["azure-counter", "azure-counter-shared", "azure-blob"].map(shipped);
    let mut titles: Vec<_> = profiles
        .iter()
        .flat_map(|profile| &profile.manifests)
        .map(|manifest| format!("{} {}", manifest.object.gvk(), manifest.object.name()))
        .collect();
    let all = titles.len();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), all, "{titles:?}");
}
