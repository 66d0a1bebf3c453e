//! Every profile that ships is valid, and means what the tutorial says.

use std::path::{Path, PathBuf};

use moorline_api::{BindingMode, ReclaimPolicy, StorageRules as _, VolumeConfig};
use moorline_aws_rules::EbsRules;
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
    assert!(names.len() >= 2, "{names:?}");
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
