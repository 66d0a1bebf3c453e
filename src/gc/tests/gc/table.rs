//! Every cell of the verdict table.

use moorline_api::tags;
use moorline_gc::verdict::{Verdict, Withheld};
use moorline_gc::{Kind, names};
use serde_json::json;

use crate::build::*;

fn verdict(scene: &Scene) -> Verdict {
    let judgement = scene.judge();
    assert!(!judgement.why.is_empty(), "a verdict without a reason");
    assert!(
        judgement
            .chain
            .iter()
            .all(|link| !link.what.is_empty() && !link.source.is_empty())
    );
    judgement.verdict
}

#[test]
fn in_use_where_the_cloud_has_it_attached() {
    assert_eq!(verdict(&Scene::of([]).volume(attached(volume()))), Verdict::InUse);
}

#[test]
fn in_use_where_a_volume_attachment_names_its_persistent_volume() {
    let attachment = object(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "a"},
        "spec": {"nodeName": "n", "source": {"persistentVolumeName": "pv-1"}},
    }));
    assert_eq!(verdict(&Scene::of([pv(), claim(), attachment])), Verdict::InUse);
}

#[test]
fn in_use_where_a_volume_attachment_has_it_without_a_persistent_volume() {
    let attachment = object(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "a"},
        "spec": {"nodeName": "n", "source": {"inlineVolumeSpec": {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}}},
    }));
    assert_eq!(verdict(&Scene::of([attachment])), Verdict::InUse);
}

#[test]
fn in_use_where_a_pod_uses_its_claim() {
    assert_eq!(
        verdict(&Scene::of([pv(), claim(), user("v1", "Pod", &json!({}))])),
        Verdict::InUse
    );
}

#[test]
fn in_use_where_a_pod_has_it_as_its_own_ephemeral_volume() {
    let pod = object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "web", "name": "data", "uid": "p"},
        "spec": {"volumes": [{"name": "db-0", "ephemeral": {"volumeClaimTemplate": {}}}]},
    }));
    assert_eq!(
        verdict(&Scene::of([pv(), plain_claim("data-db-0"), pod])),
        Verdict::InUse
    );
}

#[test]
fn in_use_where_any_workload_may_start_a_pod_with_its_claim() {
    for (version, kind, spec) in [
        ("apps/v1", "Deployment", json!({"replicas": 1})),
        ("apps/v1", "Deployment", json!({})),
        ("apps/v1", "ReplicaSet", json!({"replicas": 2})),
        ("apps/v1", "DaemonSet", json!({})),
        ("apps/v1", "StatefulSet", json!({"replicas": 1})),
        ("batch/v1", "Job", json!({})),
        ("batch/v1", "CronJob", json!({"schedule": "@daily"})),
        ("v1", "ReplicationController", json!({"replicas": 1})),
        ("argoproj.io/v1alpha1", "Rollout", json!({})),
    ] {
        let scene = Scene::of([pv(), claim(), user(version, kind, &spec)]);
        assert_eq!(verdict(&scene), Verdict::InUse, "{kind}");
    }
}

#[test]
fn in_use_where_its_set_has_the_ordinal() {
    assert_eq!(verdict(&Scene::of([pv(), claim(), set("db", 1)])), Verdict::InUse);
}

#[test]
fn in_use_where_kubernetes_says_that_its_claim_is_not_unused() {
    let used = claim().with(
        &["status", "conditions"],
        json!([{"type": "Unused", "status": "False"}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), used])), Verdict::InUse);
}

#[test]
fn in_use_while_a_snapshot_of_its_claim_is_taken() {
    let snapshot = |ready: bool| {
        object(json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"namespace": "web", "name": "s"},
            "spec": {"source": {"persistentVolumeClaimName": "data-db-0"}}, "status": {"readyToUse": ready},
        }))
    };
    assert_eq!(verdict(&Scene::of([pv(), claim(), snapshot(false)])), Verdict::InUse);
    assert_eq!(
        verdict(&Scene::of([pv(), claim(), snapshot(true)])),
        Verdict::LeftBehind
    );
}

#[test]
fn in_use_while_another_claim_is_filled_from_it() {
    let clone = object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "web", "name": "copy", "uid": "c"},
        "spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "data-db-0"}}, "status": {"phase": "Pending"},
    }));
    assert_eq!(verdict(&Scene::of([pv(), claim(), clone])), Verdict::InUse);
}

#[test]
fn claimed_where_a_set_scaled_down_may_want_it_back() {
    assert_eq!(verdict(&Scene::of([pv(), claim(), set("db", 0)])), Verdict::Claimed);
    let shifted = set("db", 3).with(&["spec", "ordinals"], json!({"start": 5}));
    assert_eq!(verdict(&Scene::of([pv(), claim(), shifted])), Verdict::Claimed);
}

#[test]
fn claimed_whatever_the_sets_retention_policy() {
    for policy in ["Retain", "Delete"] {
        let retention = json!({"whenDeleted": policy, "whenScaled": policy});
        let set = set("db", 0).with(&["spec", "persistentVolumeClaimRetentionPolicy"], retention);
        assert_eq!(verdict(&Scene::of([pv(), claim(), set])), Verdict::Claimed);
    }
}

#[test]
fn claimed_where_a_workload_that_stands_still_names_it() {
    let finished = json!([{"type": "Complete", "status": "True"}]);
    for workload in [
        user("apps/v1", "Deployment", &json!({"replicas": 0})),
        user("apps/v1", "ReplicaSet", &json!({"replicas": 0})),
        user("batch/v1", "CronJob", &json!({"suspend": true})),
        user("batch/v1", "Job", &json!({})).with(&["status", "conditions"], finished),
        user("v1", "Pod", &json!({})).with(&["status", "phase"], json!("Succeeded")),
    ] {
        let kind = workload.gvk().kind;
        assert_eq!(
            verdict(&Scene::of([pv(), claim(), workload])),
            Verdict::Claimed,
            "{kind}"
        );
    }
}

#[test]
fn claimed_where_nothing_proves_that_a_set_had_made_the_claim() {
    assert_eq!(verdict(&Scene::of([pv(), plain_claim("data-db-0")])), Verdict::Claimed);
    assert_eq!(verdict(&Scene::of([pv(), plain_claim("backups")])), Verdict::Claimed);
}

#[test]
fn claimed_where_a_persistent_volume_waits_for_a_claim() {
    let reserved = pv().with(&["spec", "claimRef"], json!({"namespace": "web", "name": "later"}));
    assert_eq!(verdict(&Scene::of([reserved])), Verdict::Claimed);
    let offered = pv()
        .with(&["spec", "claimRef"], json!(null))
        .with(&["status", "phase"], json!("Available"));
    assert_eq!(verdict(&Scene::of([offered])), Verdict::Claimed);
}

#[test]
fn claimed_where_an_owner_of_another_kind_is_there() {
    let owned = controllers_claim("data-db-0").with(
        &["metadata", "ownerReferences"],
        json!([{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "db", "uid": "o"}]),
    );
    assert_eq!(verdict(&Scene::of([pv(), owned])), Verdict::Claimed);
}

#[test]
fn claimed_until_an_unbound_claim_gets_its_volume() {
    // Killed between the volume and its PersistentVolume; the next up goes on.
    let unbound = claim().with(&["status", "phase"], json!("Pending"));
    assert_eq!(verdict(&Scene::of([unbound, set("db", 0)])), Verdict::Claimed);
    let provisioned = plain_claim("data-db-0")
        .with(&["status", "phase"], json!("Pending"))
        .with(&["spec"], json!({}));
    assert_eq!(verdict(&Scene::of([provisioned])), Verdict::Claimed);
    // Its set is gone, and its provisioner goes on all the same.
    let controllers = controllers_claim("data-db-0")
        .with(&["status", "phase"], json!("Pending"))
        .with(&["spec"], json!({}));
    assert_eq!(verdict(&Scene::of([controllers])), Verdict::Claimed);
}

#[test]
fn left_behind_where_the_set_is_gone_and_nothing_refers_to_the_claim() {
    let judgement = Scene::of([pv(), claim()]).judge();
    assert_eq!(judgement.verdict, Verdict::LeftBehind);
    assert_eq!(judgement.withheld, None);
    assert_eq!(judgement.claims[0].uid, UID);
    assert_eq!(judgement.persistent_volumes[0].uid, "pv-uid-1");
    let words: Vec<&str> = judgement.chain.iter().map(|link| &*link.what).collect();
    assert!(
        words.iter().any(|what| what.contains("StatefulSet db, which is gone")),
        "{words:?}"
    );
    assert!(
        judgement
            .chain
            .iter()
            .any(|link| link.source == "persistentvolumes of cluster prod")
    );
}

#[test]
fn left_behind_where_no_persistent_volume_was_made_and_the_set_is_gone() {
    let unbound = claim()
        .with(&["status", "phase"], json!("Pending"))
        .with(&["metadata", "labels"], json!({"moorline.dev/profile": "p"}));
    let judgement = Scene::of([unbound]).judge();
    assert_eq!(judgement.verdict, Verdict::LeftBehind);
    assert_eq!((judgement.claims.len(), judgement.persistent_volumes.len()), (1, 0));
}

#[test]
fn left_behind_under_retain_is_withheld_until_the_policy_includes_it() {
    let kept = || pv().with(&["spec", "persistentVolumeReclaimPolicy"], json!("Retain"));
    let scene = Scene::of([kept(), claim()]);
    let judgement = scene.judge();
    assert_eq!(
        (judgement.verdict, judgement.withheld),
        (Verdict::LeftBehind, Some(Withheld::Retain))
    );
    let scene = scene.policy(|policy| policy.include_retain = true);
    assert_eq!(scene.judge().withheld, None);
}

#[test]
fn released_where_the_claim_is_gone() {
    for phase in ["Released", "Failed"] {
        let scene = Scene::of([pv().with(&["status", "phase"], json!(phase))]);
        let judgement = scene.judge();
        assert_eq!((judgement.verdict, judgement.withheld), (Verdict::Released, None));
    }
}

#[test]
fn released_where_another_claim_of_the_name_lives() {
    let reborn = claim()
        .with(&["metadata", "uid"], json!(OTHER_UID))
        .with(&["spec", "volumeName"], json!("pv-2"));
    assert_eq!(verdict(&Scene::of([released(pv()), reborn])), Verdict::Released);
}

#[test]
fn released_under_retain_is_withheld_until_the_policy_includes_it() {
    let silent = released(pv()).with(&["spec", "persistentVolumeReclaimPolicy"], json!(null));
    assert_eq!(Scene::of([silent]).judge().withheld, Some(Withheld::Retain));
    let kept = released(pv()).with(&["spec", "persistentVolumeReclaimPolicy"], json!("Retain"));
    let scene = Scene::of([kept]);
    assert_eq!(scene.judge().withheld, Some(Withheld::Retain));
    let scene = scene.policy(|policy| policy.include_retain = true);
    assert_eq!(scene.judge().withheld, None);
    assert_eq!(verdict(&scene), Verdict::Released);
}

#[test]
fn released_by_hand_is_withheld_where_nothing_proves_that_a_claim_made_it() {
    let scene = Scene::of([released(pv())]).volume(tagged(&[("team", "data")]));
    let judgement = scene.judge();
    assert_eq!(judgement.verdict, Verdict::Released);
    assert!(matches!(judgement.withheld, Some(Withheld::Unproven(_))));
}

#[test]
fn orphan_where_no_persistent_volume_names_it_and_its_tags_prove_its_maker() {
    assert_eq!(verdict(&Scene::of([])), Verdict::Orphan);
}

#[test]
fn claimed_where_a_claim_is_being_brought_back_from_it() {
    let waiting = plain_claim("data-db-0")
        .with(&["metadata", "uid"], json!("uid-of-a-later-life"))
        .with(&["metadata", "annotations"], json!({tags::RESTORED_FROM: "vol-1"}))
        .with(&["status", "phase"], json!("Pending"));
    assert_eq!(verdict(&Scene::of([waiting.clone()])), Verdict::Claimed);
    let done = waiting.with(&["status", "phase"], json!("Bound"));
    assert_eq!(verdict(&Scene::of([done])), Verdict::Orphan, "bound to another one");
}

#[test]
fn orphan_beside_the_volume_that_the_claim_has() {
    let other = pv().with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    assert_eq!(verdict(&Scene::of([other, claim(), set("db", 1)])), Verdict::Orphan);
}

#[test]
fn foreign_without_proof() {
    for tags in [
        &[][..],
        &[("Name", "database")],
        &[
            ("kubernetes.io/created-for/pvc/name", "data-db-0"),
            ("kubernetes.io/created-for/pvc/namespace", "web"),
        ],
        &[
            ("CSIVolumeName", "pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11"),
            ("ebs.csi.aws.com/cluster", "true"),
        ],
        &[("kubernetes.io/cluster/prod.example.com", "owned")],
    ] {
        assert_eq!(
            verdict(&Scene::of([]).volume(tagged(tags))),
            Verdict::Foreign,
            "{tags:?}"
        );
    }
}

#[test]
fn foreign_where_a_cluster_that_the_policy_does_not_name_made_it() {
    let stranger = [
        (moorline_api::tags::CLUSTER_UID, "99999999"),
        (moorline_api::tags::CLAIM_UID, UID),
    ];
    assert_eq!(verdict(&Scene::of([]).volume(tagged(&stranger))), Verdict::Foreign);
    let csi = [
        ("kubernetes.io/cluster/elsewhere", "owned"),
        ("kubernetes.io/created-for/pvc/name", "data-db-0"),
    ];
    assert_eq!(verdict(&Scene::of([]).volume(tagged(&csi))), Verdict::Foreign);
}

#[test]
fn protected_by_its_tag_its_claim_or_its_persistent_volume() {
    let mut tagged = volume();
    tagged.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    assert_eq!(verdict(&Scene::of([]).volume(tagged.clone())), Verdict::Protected);
    tagged.tags.insert(names::PROTECT.to_owned(), "false".to_owned());
    assert_eq!(verdict(&Scene::of([]).volume(tagged)), Verdict::Orphan);
    let by_claim = claim().with(&["metadata", "annotations", names::PROTECT], json!("yes"));
    assert_eq!(verdict(&Scene::of([pv(), by_claim])), Verdict::Protected);
    let by_pv = released(pv()).with(&["metadata", "labels"], json!({"moorline.dev/protect": "yes"}));
    assert_eq!(verdict(&Scene::of([by_pv])), Verdict::Protected);
}

#[test]
fn protected_by_the_policy() {
    let pair = |key: &str| (key.to_owned(), None);
    let rules = [
        ("volume's name", "vol-*", ""),
        ("claim's name", "data-db-*", ""),
        ("namespace", "", "web"),
    ];
    for (what, name, namespace) in rules {
        let scene = |objects: Vec<moorline_api::Object>| {
            Scene::of(objects).policy(|policy| {
                policy.protect.names.push(name.to_owned());
                policy.protect.namespaces.push(namespace.to_owned());
            })
        };
        assert_eq!(verdict(&scene(vec![])), Verdict::Protected, "{what} of an orphan");
        assert_eq!(
            verdict(&scene(vec![pv(), claim()])),
            Verdict::Protected,
            "{what}, left behind"
        );
        assert_eq!(
            verdict(&scene(vec![released(pv())])),
            Verdict::Protected,
            "{what}, released"
        );
    }
    let by_tag = Scene::of([]).policy(|policy| _ = policy.protect.tags.insert("moorline.dev/claim".to_owned(), None));
    assert_eq!(verdict(&by_tag), Verdict::Protected);
    let by_label = Scene::of([pv(), claim()]).policy(|policy| policy.protect.labels.extend([pair("app")]));
    assert_eq!(verdict(&by_label), Verdict::Protected);
}

#[test]
fn protected_where_its_class_names_it() {
    let mut adopted = volume();
    adopted
        .tags
        .insert(moorline_api::tags::ADOPTED.to_owned(), "true".to_owned());
    assert_eq!(verdict(&Scene::of([]).volume(adopted)), Verdict::Protected);
}

#[test]
fn in_use_is_said_even_of_what_is_protected() {
    let protected = claim().with(&["metadata", "annotations", names::PROTECT], json!("yes"));
    assert_eq!(verdict(&Scene::of([pv(), protected, set("db", 1)])), Verdict::InUse);
}

#[test]
fn unknown_where_any_kind_that_could_use_the_claim_was_not_read() {
    for kind in Kind::BUILT_IN {
        let scene = Scene::of([pv(), claim()]).without(kind.clone());
        let judgement = scene.judge();
        assert_eq!(judgement.verdict, Verdict::Unknown, "{kind}");
        assert!(
            judgement.why.contains(kind.name()) && judgement.why.contains("403"),
            "{}",
            judgement.why
        );
    }
    let rollouts = Kind::Other("rollouts.argoproj.io".to_owned());
    let scene = Scene::of([pv(), claim()]).expecting(rollouts.clone());
    assert_eq!(verdict(&scene), Verdict::LeftBehind);
    assert_eq!(verdict(&scene.without(rollouts)), Verdict::Unknown);
}

#[test]
fn unknown_where_claims_of_a_released_volume_or_an_orphan_were_not_read() {
    for kind in [Kind::Claims, Kind::PersistentVolumes, Kind::VolumeAttachments] {
        for objects in [vec![], vec![released(pv())]] {
            let scene = Scene::of(objects).without(kind.clone());
            assert_eq!(verdict(&scene), Verdict::Unknown, "{kind}");
        }
    }
    // Neither depends on pods.
    assert_eq!(verdict(&Scene::of([]).without(Kind::Pods)), Verdict::Orphan);
    assert_eq!(
        verdict(&Scene::of([released(pv())]).without(Kind::Pods)),
        Verdict::Released
    );
}

#[test]
fn unknown_where_a_listing_is_stale_or_of_the_future() {
    for began in [now() - hours(2), now() + hours(2)] {
        for objects in [vec![], vec![released(pv())], vec![pv(), claim()]] {
            assert_eq!(verdict(&Scene::of(objects).read_at(began)), Verdict::Unknown);
        }
    }
}

#[test]
fn unknown_where_the_cloud_gives_it_a_state_that_nobody_knows() {
    let mut odd = volume();
    odd.state = moorline_api::VolumeState::Unknown;
    assert_eq!(verdict(&Scene::of([]).volume(odd)), Verdict::Unknown);
}

#[test]
fn unknown_where_a_persistent_volume_is_bound_and_its_claim_is_not_there() {
    assert_eq!(verdict(&Scene::of([pv()])), Verdict::Unknown);
}

#[test]
fn what_is_alive_is_alive_whatever_else_was_not_read() {
    let everything = |mut scene: Scene| {
        for kind in Kind::BUILT_IN {
            scene = scene.without(kind.clone()).stage_without(kind);
        }
        scene
    };
    assert_eq!(
        verdict(&everything(Scene::of([pv(), claim(), set("db", 1)]))),
        Verdict::InUse
    );
    assert_eq!(
        verdict(&everything(Scene::of([pv(), claim(), set("db", 0)]))),
        Verdict::Claimed
    );
}
