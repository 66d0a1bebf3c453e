//! What listings show when they overlap, change on the way, or end early; and what a judgement tells of its evidence.

use moorline_api::{Object, Volume, VolumeId, VolumeState};
use moorline_gc::plan::Kept;
use moorline_gc::verdict::Verdict;
use moorline_gc::{ClusterIndex, Detail, Kind, Policy, Records, World, judge};
use serde_json::json;

use crate::build::*;
use crate::plans::{a_week, marked, run};

fn verdict(scene: &Scene) -> Verdict {
    scene.judge().verdict
}

/// What becomes of `vol-1` in a scene's world that this has changed.
fn verdict_in(scene: &Scene, change: impl FnOnce(&mut World)) -> Verdict {
    let mut world = scene.world();
    change(&mut world);
    let volume = world.find_volume(&VolumeId("vol-1".to_owned())).unwrap();
    judge(&world, volume, &scene.policy, &scene.records, now()).verdict
}

/// The claim `web/<name>` of another UID.
fn other_claim(name: &str) -> Object {
    named_claim(name, "db").with(&["metadata", "uid"], json!(OTHER_UID))
}

/// The claim before it names a PersistentVolume.
fn pending_claim() -> Object {
    claim()
        .with(&["status", "phase"], json!("Pending"))
        .with(&["spec"], json!({}))
}

#[test]
fn every_claim_that_names_the_persistent_volume_counts() {
    let pod = user("v1", "Pod", &json!({})).with(
        &["spec", "volumes"],
        json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data-db-1"}}]),
    );
    let both = [pv(), claim(), other_claim("data-db-1"), pod];
    assert_eq!(verdict(&Scene::of(both)), Verdict::InUse);
}

#[test]
fn the_claim_that_a_persistent_volume_is_reserved_for_counts_before_it_names_it() {
    let by_name = pv().with(&["spec", "claimRef"], json!({"namespace": "web", "name": "data-db-0"}));
    for pv in [pv(), by_name] {
        let pv = pv.with(&["status", "phase"], json!("Available"));
        // Also where the volume does not say which claim it was made for.
        for volume in [volume(), tagged(&[])] {
            let scene = Scene::of([pv.clone(), pending_claim(), set("db", 1)]).volume(volume);
            assert_eq!(verdict(&scene), Verdict::InUse);
        }
    }
}

#[test]
fn a_claim_of_ours_that_never_got_a_volume_name_is_left_behind_all_the_same() {
    let ours = pending_claim().with(
        &["metadata", "labels"],
        json!({"app": "db", moorline_api::tags::PROFILE: "web"}),
    );
    assert_eq!(verdict(&Scene::of([ours])), Verdict::LeftBehind);
    assert_eq!(verdict(&Scene::of([pending_claim()])), Verdict::Claimed);
}

#[test]
fn a_claim_that_waits_keeps_what_was_made_for_it_whatever_its_persistent_volume_names() {
    let other = pv().with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    let waiting = claim().with(&["status", "phase"], json!("Pending"));
    assert_eq!(verdict(&Scene::of([other, waiting, set("db", 1)])), Verdict::InUse);
}

#[test]
fn a_persistent_volume_made_anew_points_to_what_it_names_now() {
    let before = pv().with(&["metadata", "uid"], json!("pv-uid-0"));
    let before = before.with(&["spec", "csi", "volumeHandle"], json!("vol-2"));
    assert_eq!(
        verdict(&Scene::of([before, pv(), claim(), set("db", 1)])),
        Verdict::InUse
    );
}

#[test]
fn what_a_readable_persistent_volume_says_beside_its_handle_counts_too() {
    let odd = pv()
        .with(&["spec", "csi", "volumeHandle"], json!("vol-2"))
        .with(&["spec", "csi", "volumeAttributes"], json!({"volumeId": "vol-1"}));
    assert_eq!(verdict(&Scene::of([odd])), Verdict::Claimed);
}

#[test]
fn every_part_of_a_handle_that_nobody_can_read_may_be_the_volume() {
    let handle = |handle: &str| {
        let source = json!({"driver": "ebs.example.com", "volumeHandle": handle});
        Scene::of([pv().with(&["spec", "csi"], source)])
    };
    for odd in ["vol-1", "vol-1#zone#x", "zone#x#vol-1"] {
        assert_eq!(verdict(&handle(odd)), Verdict::Claimed, "{odd}");
    }
    assert_eq!(verdict(&handle("vol-10#zone#x")), Verdict::Orphan);
}

#[test]
fn the_group_of_a_share_is_no_volume() {
    let share = Volume {
        id: VolumeId("account.file/group".to_owned()),
        ..volume()
    };
    let source = json!({"driver": "file.csi.azure.com", "volumeHandle": "group#other#share#"});
    let stranger = pv().with(&["spec", "csi"], source);
    assert_eq!(verdict(&Scene::of([stranger]).volume(share)), Verdict::Orphan);
}

#[test]
fn in_use_where_the_cloud_says_so_without_an_attachment() {
    for state in [VolumeState::InUse, VolumeState::Creating] {
        let held = Volume { state, ..volume() };
        assert_eq!(verdict(&Scene::of([]).volume(held)), Verdict::InUse, "{state:?}");
    }
}

#[test]
fn an_owner_that_only_looks_like_a_set_is_none_of_ours() {
    for (version, kind) in [("apps.kruise.io/v1beta1", "StatefulSet"), ("apps/v1", "ReplicaSet")] {
        let reference = json!([{"apiVersion": version, "kind": kind, "name": "db", "uid": "gone"}]);
        let owned = controllers_claim("data-db-0").with(&["metadata", "ownerReferences"], reference);
        assert_eq!(verdict(&Scene::of([pv(), owned])), Verdict::Claimed, "{version} {kind}");
    }
}

#[test]
fn a_set_that_is_listed_again_is_as_it_was_listed_last() {
    let scene = |first, last| Scene::of([pv(), claim(), set("db", first), set("db", last)]);
    assert_eq!(verdict(&scene(3, 0)), Verdict::Claimed);
    assert_eq!(verdict(&scene(0, 3)), Verdict::InUse);
}

#[test]
fn sets_that_give_claims_the_same_names_do_not_replace_each_other() {
    let of = |name: &str, template: &str, replicas| {
        let template = json!([{"metadata": {"name": template}}]);
        set(name, replicas).with(&["spec", "volumeClaimTemplates"], template)
    };
    let pv = pv().with(&["spec", "claimRef", "name"], json!("my-data-db-0"));
    let claim = named_claim("my-data-db-0", "db");
    let sets = [of("db", "my-data", 3), of("data-db", "my", 0)];
    assert_eq!(verdict(&Scene::of([pv, claim].into_iter().chain(sets))), Verdict::InUse);
}

#[test]
fn an_object_without_a_namespace_may_mean_a_claim_of_any() {
    let of = |claim: &str| {
        object(json!({
            "apiVersion": "example.com/v1", "kind": "ClusterBackup", "metadata": {"name": "all", "uid": "u"},
            "spec": {"existingClaim": claim},
        }))
    };
    let with = |others: Vec<Object>| verdict(&Scene::of([pv(), claim()].into_iter().chain(others)));
    assert_eq!(with(vec![of("data-db-0")]), Verdict::InUse);
    assert_eq!(with(vec![of("data-db-1")]), Verdict::LeftBehind);
    // The strongest counts, wherever it lives.
    let resting = user("batch/v1", "CronJob", &json!({"suspend": true}));
    assert_eq!(with(vec![resting, of("data-db-0")]), Verdict::InUse);
}

#[test]
fn a_text_that_happens_to_be_a_claims_name_is_no_use_of_it() {
    let mut stranger = user("apps/v1", "Deployment", &json!({"replicas": 1}));
    let container = json!([{"name": "data-db-0", "image": "data-db-0"}]);
    stranger.set(&["spec", "template", "spec"], json!({"containers": container}));
    assert_eq!(verdict(&Scene::of([pv(), claim(), stranger])), Verdict::LeftBehind);
}

#[test]
fn a_job_is_over_only_where_its_condition_says_so_and_is_true() {
    let job = |condition: &str, status: &str| {
        let conditions = json!([{"type": condition, "status": status}]);
        let job = user("batch/v1", "Job", &json!({})).with(&["status", "conditions"], conditions);
        verdict(&Scene::of([pv(), claim(), job]))
    };
    assert_eq!(job("Complete", "True"), Verdict::Claimed);
    assert_eq!(job("Complete", "False"), Verdict::InUse);
    assert_eq!(job("SuccessCriteriaMet", "True"), Verdict::InUse);
}

#[test]
fn the_strongest_use_counts_in_whichever_order_they_are_listed() {
    let resting = || user("batch/v1", "CronJob", &json!({"suspend": true}));
    let pod = || user("v1", "Pod", &json!({}));
    for users in [[resting(), pod()], [pod(), resting()]] {
        let objects = [pv(), claim()].into_iter().chain(users);
        assert_eq!(verdict(&Scene::of(objects)), Verdict::InUse);
    }
}

#[test]
fn what_is_known_of_a_claim_waits_for_no_listing_that_cannot_change_it() {
    let scene = Scene::of([pv(), plain_claim("data-db-0")]).without(Kind::PersistentVolumes);
    assert_eq!(verdict(&scene), Verdict::Claimed);
}

#[test]
fn unknown_where_what_the_whole_cluster_shares_was_read_in_a_namespace_only() {
    for kind in [Kind::PersistentVolumes, Kind::VolumeAttachments] {
        for objects in [vec![], vec![released(pv())], vec![pv(), claim()]] {
            let scene = Scene::of(objects).without(kind.clone());
            let within = verdict_in(&scene, |world| {
                world.read_within(ClusterIndex(0), kind.clone(), "web", now());
            });
            assert_eq!(within, Verdict::Unknown, "{kind}");
        }
    }
}

#[test]
fn namespaces_that_were_read_one_by_one_all_count_from_the_first() {
    let scene = Scene::of([released(pv())])
        .without(Kind::Claims)
        .stage_without(Kind::Claims);
    let read = |namespaces: &[&str], began| {
        verdict_in(&scene, |world| {
            for cluster in [0, 1].map(ClusterIndex) {
                for namespace in namespaces {
                    world.read_within(cluster, Kind::Claims, namespace, began);
                }
                world.read_within(cluster, Kind::Claims, "last", now());
            }
        })
    };
    assert_eq!(read(&["web", "other"], now()), Verdict::Released);
    assert_eq!(read(&["other", "web"], now()), Verdict::Released);
    assert_eq!(read(&["other"], now()), Verdict::Unknown);
    assert_eq!(read(&["web"], now() - hours(2)), Verdict::Unknown);
}

#[test]
fn unknown_where_a_kind_that_is_waited_for_was_never_read() {
    let rollouts = || Kind::Other("rollouts.argoproj.io".to_owned());
    let scene = Scene::of([pv(), claim()]);
    assert_eq!(
        verdict_in(&scene, |world| world.expect(ClusterIndex(0), rollouts())),
        Verdict::Unknown
    );
    let again = verdict_in(&scene, |world| {
        world.read_whole(ClusterIndex(0), rollouts(), now());
        world.expect(ClusterIndex(0), rollouts());
    });
    assert_eq!(again, Verdict::LeftBehind);
}

#[test]
fn a_listing_is_fresh_for_as_long_as_the_policy_says() {
    let scene = Scene::of([]);
    let oldest = now() - scene.policy.stale_after;
    assert_eq!(verdict(&scene.read_at(oldest)), Verdict::Orphan);
    let older = oldest - jiff::SignedDuration::from_secs(1);
    assert_eq!(verdict(&Scene::of([]).read_at(older)), Verdict::Unknown);
}

#[test]
fn unknown_where_only_the_volumes_are_stale() {
    let stale = verdict_in(&Scene::of([]), |world| {
        let scope = world.scope("aws 123456789012/eu-west-1");
        world.scope_read(scope, now() - hours(2));
    });
    assert_eq!(stale, Verdict::Unknown);
}

#[test]
fn a_chain_says_what_was_seen_where_and_when() {
    let mut unused = claim();
    let condition = json!([{"type": "Unused", "status": "True", "lastTransitionTime": "2026-02-01T00:00:00Z"}]);
    let chain_of = |objects: Vec<Object>| {
        let links = Scene::of(objects).judge().chain.into_iter();
        let text = links.map(|link| {
            let read = link.read.map_or("never".to_owned(), |read| read.to_string());
            format!("{} ({}, {read})", link.what, link.source)
        });
        text.collect::<Vec<_>>()
    };
    let read = now();
    let volume = format!("volume vol-1 is attached nowhere (volumes of aws 123456789012/eu-west-1, {read})");
    let records = "(tags, names and records of earlier runs, never)";

    let orphan = chain_of(vec![]);
    assert_eq!(orphan[0], volume);
    assert!(orphan.len() == 2 && orphan[1].ends_with(records), "{orphan:?}");

    let left = chain_of(vec![pv(), claim()]);
    assert_eq!(left[0], volume);
    let pointer = "PersistentVolume pv-1 of cluster prod names it; it is Bound, and its reclaim policy is Delete";
    assert_eq!(
        left[1],
        format!("{pointer} (persistentvolumes of cluster prod, {read})")
    );
    let nothing = format!("nothing refers to claim web/data-db-0 (pods of cluster prod, {read})");
    assert!(left.contains(&nothing), "{left:?}");

    unused.set(&["status", "conditions"], condition);
    let said = "nothing refers to claim web/data-db-0 and Kubernetes says that no pod uses it";
    let left = chain_of(vec![pv(), unused]);
    assert!(left.iter().any(|link| link.starts_with(said)), "{left:?}");
}

#[test]
fn what_nobody_used_has_no_last_use() {
    assert_eq!(Scene::of([]).judge().last_use, None);
    let made = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(Scene::of([released(pv())]).judge().last_use, Some(made));
}

#[test]
fn a_price_that_is_none_is_not_known() {
    let priced = |monthly| {
        let mut world = World::new(&Policy::of([]));
        let scope = world.scope("aws 1/eu-west-1");
        world.add_volume(scope, &volume(), Detail::Full, Some(monthly));
        let volume = world.volumes().next().unwrap();
        world.describe(volume).monthly
    };
    assert_eq!(priced(0.8), Some(0.8));
    assert_eq!(priced(0.0), Some(0.0));
    for odd in [-0.5, f64::NAN, f64::INFINITY] {
        assert_eq!(priced(odd), None, "{odd}");
    }
}

#[test]
fn a_plan_names_the_scope_and_type_of_what_goes_and_stays() {
    let scene = Scene::of([]).volume(marked(volume(), a_week()));
    let deletion = &run(&scene).deletions[0];
    assert_eq!(
        (&*deletion.scope, &*deletion.type_name),
        ("aws 123456789012/eu-west-1", "gp3")
    );
    let kept = &run(&Scene::of([])).kept[0];
    assert_eq!((&*kept.scope, &*kept.type_name), ("aws 123456789012/eu-west-1", "gp3"));
}

#[test]
fn a_plan_is_incomplete_where_something_is_unread_and_not_where_it_waits() {
    let waiting = run(&Scene::of([]).volume(marked(volume(), hours(1))));
    assert!(matches!(waiting.kept[0].kept, Kept::Waiting(_)) && !waiting.is_incomplete());
    let sparse = run(&Scene::of([]).listed(vec![(volume(), Detail::Listed)]));
    assert!(sparse.kept[0].kept == Kept::Unread && sparse.is_incomplete());
}

#[test]
fn records_take_in_every_claim_of_a_cluster() {
    let mut records = Records::default();
    records.observe(&Scene::of([claim(), other_claim("data-db-1")]).world(), now());
    records.observe(&Scene::of([claim(), other_claim("data-db-1")]).world(), now());
    let known: Vec<_> = records.claims[PROD].iter().map(String::as_str).collect();
    assert_eq!(known, [UID, OTHER_UID]);
}

#[test]
fn records_forget_nothing_while_anything_was_not_read() {
    let mut known = Records::default();
    known.observe(&Scene::of([claim(), set("db", 1)]).world(), now());
    let nothing = || Scene::of([]).volume(tagged(&[]));
    let after = |world: &World| {
        let mut records = known.clone();
        records.observe(world, now() + hours(1));
        (records.claims[PROD].len(), records.sets[PROD].len())
    };
    assert_eq!(after(&nothing().world()), (0, 0));
    assert_eq!(after(&nothing().without(Kind::Pods).world()), (1, 1));
    let mut broken = nothing().world();
    let scope = broken.scope("aws 123456789012/us-east-1");
    broken.scope_failed(scope, "403");
    assert_eq!(after(&broken), (1, 1));
}
