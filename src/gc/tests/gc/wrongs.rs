//! What other tools do wrong, by their own sources and issue trackers. Ours does none of it.

use futures::executor::block_on;
use futures::stream;
use moorline_api::{Error, ErrorKind, Page, VolumeId};
use moorline_gc::plan::{Clock, Kept, plan};
use moorline_gc::verdict::Verdict;
use moorline_gc::{ClusterIndex, Detail, Grace, Kind, Records, World, listing};
use serde_json::json;

use crate::build::*;
use crate::plans::{a_week, marked, only_kept, run};

fn throttled() -> Error {
    Error::new(
        ErrorKind::Throttled { retry_after: None },
        "list",
        "volumes",
        "slow down",
    )
}

/// grafana/unused, boskos, cloud-nuke.
#[test]
fn grace_is_not_counted_from_creation() {
    let old = volume();
    assert!(old.created.unwrap() < now() - a_week());
    assert_eq!(run(&Scene::of([]).volume(old)).deletions, []);
}

/// boskos.
#[test]
fn grace_is_not_lost_with_a_partial_listing() {
    let volume = marked(volume(), a_week());
    let partial = run(&Scene::of([]).volume(volume.clone()).without(Kind::PersistentVolumes));
    assert_eq!(
        (partial.unmarks.len(), partial.marks.len(), partial.deletions.len()),
        (0, 0, 0)
    );
    assert_eq!(run(&Scene::of([]).volume(volume)).deletions.len(), 1);
}

/// kor.
#[test]
fn claims_of_a_set_scaled_down_are_not_flagged() {
    assert_eq!(
        Scene::of([pv(), claim(), set("db", 0)]).judge().verdict,
        Verdict::Claimed
    );
}

/// All of them.
#[test]
fn a_second_cluster_is_not_overlooked() {
    let its_claim = plain_claim("data-db-0");
    let in_stage = || {
        Scene::of([])
            .stage([pv(), its_claim.clone(), set("db", 1)])
            .volume(tagged(&[]))
    };
    assert_eq!(in_stage().judge().verdict, Verdict::InUse);
    for kind in [Kind::PersistentVolumes, Kind::Claims, Kind::VolumeAttachments] {
        assert_eq!(Scene::of([]).stage_without(kind).judge().verdict, Verdict::Unknown);
    }
}

/// All of them.
#[test]
fn a_cluster_that_nobody_named_is_not_taken_for_none() {
    let volume = tagged(&[
        (moorline_api::tags::CLUSTER_UID, "another"),
        (moorline_api::tags::CLAIM_UID, UID),
    ]);
    assert_eq!(Scene::of([]).volume(volume).judge().verdict, Verdict::Foreign);
}

/// cloud-nuke skips a throttled batch and never tries it again.
#[test]
fn a_throttled_batch_is_not_taken_for_read() {
    let scene = Scene::of([]);
    let mut world = scene.world();
    let pages = stream::iter([Ok(Page::default()), Err(throttled())]);
    block_on(listing::objects(
        &mut world,
        ClusterIndex(0),
        Kind::PersistentVolumes,
        now(),
        pages,
        &Handles,
    ));
    let plan = plan(
        &world,
        &scene.policy,
        &Records::default(),
        Clock { now: now() },
        "run-2",
    );
    assert_eq!(plan.kept[0].verdict, Verdict::Unknown);
    assert!(plan.gaps[0].why.contains("slow down"), "{:?}", plan.gaps);
    assert!(plan.is_incomplete());
}

/// libnuke drops what exceeds 50,000 in its queue.
#[test]
fn nothing_is_dropped_however_much_there_is() {
    let many = |index: usize| {
        let mut volume = volume();
        volume.id = VolumeId(format!("vol-{index}"));
        (volume, Detail::Full)
    };
    let scene = Scene::of([]).listed((0..60_000).map(many).collect());
    let plan = plan(
        &scene.world(),
        &scene.policy,
        &scene.records,
        Clock { now: now() },
        "run-2",
    );
    assert_eq!(plan.marks.len(), 60_000);
    assert_eq!(plan.kept.len(), 60_000);
}

/// libnuke only logs a lister that failed.
#[test]
fn a_failed_region_is_not_only_logged() {
    let scene = Scene::of([]).volume(marked(volume(), a_week()));
    let mut world = scene.world();
    let other = world.scope("aws 123456789012/us-east-1");
    let pages = stream::iter([Err(throttled())]);
    block_on(listing::volumes(&mut world, other, Detail::Full, now(), pages, |_| {
        None
    }));
    let plan = plan(
        &world,
        &scene.policy,
        &Records::default(),
        Clock { now: now() },
        "run-2",
    );
    // The rest is done.
    assert_eq!(plan.deletions.len(), 1);
    assert_eq!(plan.gaps[0].place, "aws 123456789012/us-east-1");
    assert!(plan.is_incomplete());
}

/// Cloud Custodian's documented policy has no second look. Here the same judgement is made again of a small world.
#[test]
fn a_second_look_sees_what_came_meanwhile() {
    let scene = Scene::of([pv(), claim()]).volume(marked(volume(), a_week()));
    assert_eq!(run(&scene).deletions.len(), 1);
    let mut look = World::new(&scene.policy);
    let scope = look.scope("aws 123456789012/eu-west-1");
    look.add_volume(scope, &marked(volume(), a_week()), Detail::Full, None);
    look.scope_read(scope, now());
    for cluster in look.clusters() {
        for kind in Kind::BUILT_IN {
            if matches!(kind, Kind::PersistentVolumes | Kind::VolumeAttachments) {
                look.read_whole(cluster, kind, now());
            } else {
                look.read_within(cluster, kind, "web", now());
            }
        }
    }
    let judge = |look: &World| {
        let volume = look.find_volume(&VolumeId("vol-1".to_owned())).unwrap();
        moorline_gc::judge(look, volume, &scene.policy, &scene.records, now()).verdict
    };
    for object in [pv(), claim()] {
        look.add(ClusterIndex(0), &object, &Handles);
    }
    assert_eq!(judge(&look), Verdict::LeftBehind);
    look.add(ClusterIndex(0), &set("db", 1), &Handles);
    assert_eq!(judge(&look), Verdict::InUse);
}

/// And a look into the wrong namespace is none.
#[test]
fn a_second_look_into_another_namespace_shows_nothing() {
    let scene = Scene::of([pv(), claim()]);
    let mut world = scene.world();
    world.read_within(ClusterIndex(0), Kind::Pods, "other", now());
    let volume = world.find_volume(&VolumeId("vol-1".to_owned())).unwrap();
    let judgement = moorline_gc::judge(&world, volume, &scene.policy, &scene.records, now());
    assert_eq!(judgement.verdict, Verdict::Unknown);
}

/// c7n #10000: failed deletions are reported as done. A plan saves nothing by itself.
#[test]
fn what_is_planned_is_not_counted_as_done() {
    let plan = run(&Scene::of([]).volume(marked(volume(), a_week())));
    assert_eq!(plan.doomed.count, 1);
    // It is seen and counted until the cloud lists it no more.
    assert_eq!(plan.totals[&Verdict::Orphan].count, 1);
}

/// kor: a deleted Retain PersistentVolume makes of a released volume an orphan that nobody can trace.
#[test]
fn no_pointer_is_lost_before_its_target() {
    use moorline_gc::Step;
    for objects in [vec![pv(), claim()], vec![released(pv())], vec![]] {
        let plan = run(&Scene::of(objects).volume(marked(volume(), a_week())));
        let steps = &plan.deletions[0].steps;
        let volume = steps.iter().position(|step| *step == Step::Volume).unwrap();
        let is_pv = |step: &Step| matches!(step, Step::PersistentVolume(_));
        assert!(steps[..volume].iter().all(|step| !is_pv(step)));
        assert!(steps[volume + 1..].iter().all(is_pv));
    }
}

/// 62 volumes leaked because the sweep ran while they were detaching.
#[test]
fn what_is_detaching_is_neither_deleted_nor_forgotten() {
    let mut detaching = attached(volume());
    detaching.attachments[0].state = "detaching".to_owned();
    assert_eq!(
        run(&Scene::of([]).volume(detaching.clone())).totals[&Verdict::InUse].count,
        1
    );
    // Detached, it is an orphan like any other.
    detaching.attachments.clear();
    detaching.state = moorline_api::VolumeState::Available;
    let zero = |policy: &mut moorline_gc::Policy| policy.grace = Grace::all(hours(0));
    let first = run(&Scene::of([]).volume(detaching.clone()).policy(zero));
    assert_eq!(first.marks.len(), 1);
    let second = run(&Scene::of([]).volume(marked(detaching, hours(0))).policy(zero));
    assert_eq!(second.deletions.len(), 1);
}

/// A cluster that answers under another's name shows nothing.
#[test]
fn the_wrong_cluster_proves_nothing() {
    let scene = Scene::of([]).volume(marked(volume(), a_week()));
    let mut world = World::new(&scene.policy);
    let scope = world.scope("s");
    world.add_volume(scope, &marked(volume(), a_week()), Detail::Full, None);
    world.scope_read(scope, now());
    for cluster in world.clusters() {
        world.identify(cluster, "a cluster made anew");
        for kind in Kind::BUILT_IN {
            world.read_whole(cluster, kind, now());
        }
    }
    let plan = plan(
        &world,
        &scene.policy,
        &Records::default(),
        Clock { now: now() },
        "run-2",
    );
    assert_eq!(only_kept(&plan), Kept::Never);
    assert_eq!(plan.kept[0].verdict, Verdict::Unknown);
    assert!(plan.gaps.iter().all(|gap| gap.why.contains("another cluster answered")));
    assert!(json!(plan).is_object());
}
