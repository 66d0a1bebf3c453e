//! What proves a maker, and what only looks like it.

use moorline_api::{AzureAccount, AzureShare, Object, Volume, VolumeConfig, VolumeId, tags};
use moorline_gc::verdict::{Verdict, Withheld};
use serde_json::json;

use crate::build::*;

const PVC: &str = "pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";

fn verdict(scene: &Scene) -> Verdict {
    scene.judge().verdict
}

fn orphan(tags: &[(&str, &str)]) -> Verdict {
    verdict(&Scene::of([]).volume(tagged(tags)))
}

#[test]
fn a_clusters_tag_and_a_claims_together_are_proof() {
    let owned = ("kubernetes.io/cluster/prod.example.com", "owned");
    assert_eq!(orphan(&[owned, ("CSIVolumeName", PVC)]), Verdict::Orphan);
    assert_eq!(
        orphan(&[owned, ("kubernetes.io/created-for/pvc/name", "data-db-0")]),
        Verdict::Orphan
    );
    assert_eq!(
        orphan(&[owned, ("Name", &format!("kubernetes-dynamic-{PVC}"))]),
        Verdict::Orphan
    );
    assert_eq!(
        orphan(&[("KubernetesCluster", "stage.example.com"), ("CSIVolumeName", PVC)]),
        Verdict::Orphan
    );
    assert_eq!(
        orphan(&[
            ("ebs.csi.aws.com/cluster-name", "prod.example.com"),
            ("CSIVolumeName", PVC)
        ]),
        Verdict::Orphan
    );
}

#[test]
fn a_share_that_was_brought_back_is_its_new_claims_whatever_its_name_says() {
    let ours = [
        (tags::CLUSTER_UID, PROD),
        (tags::CLAIM_UID, "0b8bd6a5-2b8e-4a5e-9d2c-000000000009"),
    ];
    let old = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";
    let back = |more: &[(&str, &str)]| {
        let all: Vec<_> = ours
            .iter()
            .chain([&("CSIVolumeName", PVC)])
            .chain(more)
            .copied()
            .collect();
        orphan(&all)
    };
    assert_eq!(back(&[]), Verdict::Foreign);
    assert_eq!(back(&[(tags::FORMER_CLAIM_UID, old)]), Verdict::Orphan);
    // Only the name that it had: any other maker is one too many.
    assert_eq!(back(&[(tags::FORMER_CLAIM_UID, "another")]), Verdict::Foreign);
    let without = [
        (tags::CLUSTER_UID, PROD),
        ("CSIVolumeName", PVC),
        (tags::FORMER_CLAIM_UID, old),
    ];
    assert_eq!(
        orphan(&without),
        Verdict::Orphan,
        "without a new claim it is still the old one's"
    );
}

#[test]
fn each_by_itself_is_none() {
    let owned = ("kubernetes.io/cluster/prod.example.com", "owned");
    assert_eq!(orphan(&[owned]), Verdict::Foreign);
    assert_eq!(orphan(&[("CSIVolumeName", PVC)]), Verdict::Foreign);
    assert_eq!(
        orphan(&[("Name", &format!("kubernetes-dynamic-{PVC}"))]),
        Verdict::Foreign
    );
    assert_eq!(orphan(&[(tags::CLUSTER_UID, PROD)]), Verdict::Foreign);
    assert_eq!(
        orphan(&[(tags::CLAIM_UID, UID), (tags::CLAIM, "data-db-0")]),
        Verdict::Foreign
    );
}

#[test]
fn shared_is_no_owner() {
    let shared = ("kubernetes.io/cluster/prod.example.com", "shared");
    assert_eq!(orphan(&[shared, ("CSIVolumeName", PVC)]), Verdict::Foreign);
}

#[test]
fn a_clusters_own_disks_are_traps() {
    let owned = ("kubernetes.io/cluster/prod.example.com", "owned");
    assert_eq!(orphan(&[owned, ("k8s.io/etcd/main", "a/a,b,c")]), Verdict::Foreign);
    let dressed_up = [
        owned,
        ("k8s.io/etcd/main", "a"),
        ("kubernetes.io/created-for/pvc/name", "data-db-0"),
    ];
    assert_eq!(orphan(&dressed_up), Verdict::Foreign);
}

#[test]
fn contradictions_are_no_proof() {
    let other = format!("pvc-{OTHER_UID}");
    let ours = [(tags::CLUSTER_UID, PROD), (tags::CLAIM_UID, UID)];
    let with = |more: &[(&'static str, &str)]| orphan(&[&ours[..], more].concat());
    assert_eq!(with(&[]), Verdict::Orphan);
    assert_eq!(with(&[("CSIVolumeName", &other)]), Verdict::Foreign);
    assert_eq!(
        with(&[("kubernetes.io/cluster/stage.example.com", "owned")]),
        Verdict::Foreign
    );
    assert_eq!(
        with(&[
            ("kubernetes.io/cluster/x", "owned"),
            ("kubernetes.io/cluster/prod.example.com", "owned")
        ]),
        Verdict::Foreign
    );
    for (ours, drivers) in [
        (tags::CLAIM, "kubernetes.io/created-for/pvc/name"),
        (tags::NAMESPACE, "kubernetes.io/created-for/pvc/namespace"),
    ] {
        assert_eq!(with(&[(ours, "a"), (drivers, "a")]), Verdict::Orphan, "{drivers}");
        assert_eq!(with(&[(ours, "a"), (drivers, "b")]), Verdict::Foreign, "{drivers}");
    }
}

#[test]
fn a_claim_that_lives_in_another_cluster_contradicts_the_tags() {
    let other = pv().with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    let scene = Scene::of([]).stage([claim(), other]);
    assert_eq!(verdict(&scene), Verdict::Foreign);
}

#[test]
fn an_earlier_run_may_know_the_claim() {
    let seen_in = |cluster: &str| {
        let volume = tagged(&[("CSIVolumeName", PVC)]);
        Scene::of([]).volume(volume).records(|records| {
            records
                .claims
                .entry(cluster.to_owned())
                .or_default()
                .insert(UID.to_owned());
        })
    };
    assert_eq!(verdict(&seen_in(PROD)), Verdict::Orphan);
    assert_eq!(verdict(&seen_in("a cluster of former times")), Verdict::Foreign);
    let copied = seen_in(PROD).records(|records| {
        _ = records
            .claims
            .entry(STAGE.to_owned())
            .or_default()
            .insert(UID.to_owned());
    });
    assert_eq!(verdict(&copied), Verdict::Foreign);
}

#[test]
fn a_persistent_volume_reserved_for_the_claim_knows_its_cluster() {
    let csi = tagged(&[("CSIVolumeName", PVC)]);
    let judgement = Scene::of([released(pv())]).volume(csi.clone()).judge();
    assert_eq!((judgement.verdict, judgement.withheld), (Verdict::Released, None));
    let hand_made = released(pv()).with(&["spec", "claimRef", "uid"], json!(OTHER_UID));
    let judgement = Scene::of([hand_made]).volume(csi).judge();
    assert!(
        matches!(judgement.withheld, Some(Withheld::Unproven(_))),
        "{judgement:?}"
    );
}

#[test]
fn a_volume_of_one_cluster_that_another_points_to_is_nobodys() {
    // Reserved for the claim that the tags of another cluster name, or for a claim of its own.
    let other = released(pv()).with(&["spec", "claimRef", "uid"], json!(OTHER_UID));
    for pv in [released(pv()), other] {
        assert_eq!(verdict(&Scene::of([]).stage([pv])), Verdict::Foreign);
    }
}

#[test]
fn a_stranger_that_made_it_outweighs_a_persistent_volume() {
    let strange = [(tags::CLUSTER_UID, "99999999"), (tags::CLAIM_UID, UID)];
    let strange_id = [("kubernetes.io/cluster/elsewhere", "owned"), ("CSIVolumeName", PVC)];
    for tags in [strange, strange_id] {
        assert_eq!(
            verdict(&Scene::of([released(pv())]).volume(tagged(&tags))),
            Verdict::Foreign
        );
        assert_eq!(
            verdict(&Scene::of([pv(), claim()]).volume(tagged(&tags))),
            Verdict::Foreign
        );
    }
}

#[test]
fn a_persistent_volume_of_any_cluster_keeps_it() {
    let in_stage = pv().with(&["spec", "claimRef", "uid"], json!(OTHER_UID));
    let its_claim = plain_claim("data-db-0").with(&["metadata", "uid"], json!(OTHER_UID));
    let scene = Scene::of([released(pv())]).stage([in_stage, its_claim]);
    assert_eq!(verdict(&scene), Verdict::Claimed);
}

#[test]
fn every_form_of_an_ebs_handle_means_the_volume() {
    for handle in ["vol-1", "aws://eu-west-1a/vol-1", "aws:///vol-1"] {
        let source = json!({"volumeID": handle});
        let in_tree = pv()
            .with(&["spec", "csi"], json!(null))
            .with(&["spec", "awsElasticBlockStore"], source);
        assert_eq!(
            verdict(&Scene::of([in_tree, claim(), set("db", 1)])),
            Verdict::InUse,
            "{handle}"
        );
    }
}

#[test]
fn a_persistent_volume_that_nobody_can_read_may_still_mean_it() {
    for source in [
        json!({"csi": {"driver": "ebs.example.com", "volumeHandle": "region/vol-1"}}),
        json!({"csi": {"driver": "x", "volumeHandle": "x", "volumeAttributes": {"volumeId": "VOL-1"}}}),
        json!({"flexVolume": {"options": {"shareName": "vol-1"}}}),
    ] {
        let odd = sourced(&source);
        assert_eq!(verdict(&Scene::of([released(odd)])), Verdict::Claimed, "{source}");
    }
}

fn share(name: &str, tags: &[(&str, &str)]) -> Volume {
    let mut volume = tagged(tags);
    volume.id = VolumeId(format!("f0123.file/{name}"));
    volume.spec.config = VolumeConfig::AzureFile(AzureShare {
        account: AzureAccount::default(),
        protocol: "smb".to_owned(),
        name: None,
        name_prefix: None,
        access_tier: None,
        root_squash: None,
        iops: None,
        bandwidth: None,
    });
    volume
}

fn sourced(source: &serde_json::Value) -> Object {
    let mut pv = pv();
    pv.set(&["spec", "csi"], json!(null));
    let fields = source.as_object().unwrap().clone();
    for (key, value) in fields {
        pv.set(&["spec", &key], value);
    }
    pv
}

#[test]
fn a_shares_name_joins_by_the_claims_uid_only() {
    let alone = Scene::of([]).volume(share(PVC, &[]));
    assert_eq!(verdict(&alone), Verdict::Foreign);
    let known = alone.records(|records| {
        _ = records
            .claims
            .entry(PROD.to_owned())
            .or_default()
            .insert(UID.to_owned());
    });
    assert_eq!(verdict(&known), Verdict::Orphan);
    let other = pv().with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    let spare = Scene::of([claim(), other]).volume(share(&format!("web-{PVC}"), &[]));
    assert_eq!(verdict(&spare), Verdict::Orphan);
}

#[test]
fn every_form_of_a_shares_handle_means_it() {
    let driver = "file.csi.azure.com";
    for source in [
        json!({"csi": {"driver": driver, "volumeHandle": format!("rg#f0123#{PVC}###web")}}),
        json!({"csi": {"driver": driver, "volumeHandle": format!("rg#f0123#{PVC}###web#sub")}}),
        json!({"csi": {"driver": driver, "volumeHandle": "any", "volumeAttributes": {"storageAccount": "f0123", "shareName": PVC}}}),
        json!({"azureFile": {"secretName": "azure-storage-account-f0123-secret", "shareName": PVC}}),
    ] {
        let scene = Scene::of([sourced(&source), claim(), set("db", 1)]).volume(share(PVC, &[]));
        assert_eq!(verdict(&scene), Verdict::InUse, "{source}");
    }
    // Nothing says the account, and the share has the name.
    for source in [
        json!({"azureFile": {"secretName": "my-secret", "shareName": PVC}}),
        json!({"csi": {"driver": driver, "volumeHandle": "any", "volumeAttributes": {"shareName": PVC}}}),
        json!({"nfs": {"server": "f0123.file.core.windows.net", "path": format!("/f0123/{PVC}")}}),
    ] {
        let scene = Scene::of([released(sourced(&source))]).volume(share(PVC, &[]));
        assert_eq!(verdict(&scene), Verdict::Claimed, "{source}");
    }
}

#[test]
fn a_claim_bound_to_what_nobody_can_read_may_have_the_volume() {
    let odd = pv().with(
        &["spec", "csi"],
        json!({"driver": "ebs.example.com", "volumeHandle": "a"}),
    );
    assert_eq!(
        verdict(&Scene::of([odd.clone(), claim(), set("db", 1)])),
        Verdict::InUse
    );
    assert_eq!(verdict(&Scene::of([odd, claim(), set("db", 0)])), Verdict::Claimed);
}

#[test]
fn a_persistent_volume_made_anew_while_it_was_read_shows_nothing() {
    // The listing began again, and the name is another's now.
    let anew = released(pv()).with(&["metadata", "uid"], json!("pv-uid-2"));
    let anew = anew.with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    assert_eq!(verdict(&Scene::of([released(pv()), anew])), Verdict::Unknown);
}

#[test]
fn an_earlier_run_that_saw_the_claim_elsewhere_outweighs_a_persistent_volume() {
    let scene = Scene::of([released(pv())]).volume(tagged(&[("CSIVolumeName", PVC)]));
    assert_eq!(verdict(&scene), Verdict::Released);
    let elsewhere = scene.records(|records| {
        _ = records
            .claims
            .entry("a cluster of former times".to_owned())
            .or_default()
            .insert(UID.to_owned());
    });
    assert_eq!(verdict(&elsewhere), Verdict::Foreign);
}
