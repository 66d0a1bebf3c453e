//! Marks, grace, caps and the order of deletions.

use jiff::{SignedDuration, Timestamp};
use moorline_api::{Volume, VolumeId, VolumeSort, VolumeState};
use moorline_gc::plan::{Clock, Kept, Plan, plan, second_look};
use moorline_gc::verdict::Verdict;
use moorline_gc::{Caps, Detail, Grace, Kind, Mark, Step, names};
use serde_json::json;

use crate::build::*;

pub(crate) fn run(scene: &Scene) -> Plan {
    let plan = plan(
        &scene.world(),
        &scene.policy,
        &scene.records,
        Clock { now: now() },
        "run-2",
    );
    // What is printed is what is carried out.
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    plan
}

/// The volume with a mark that was set so long ago.
pub(crate) fn marked(mut volume: Volume, ago: SignedDuration) -> Volume {
    let mark = Mark {
        verdict: Verdict::Orphan,
        since: now() - ago,
        run: "run-1".to_owned(),
    };
    volume.tags.insert(names::UNUSED.to_owned(), mark.to_string());
    volume
}

pub(crate) fn a_week() -> SignedDuration {
    hours(7 * 24)
}

pub(crate) fn only_kept(plan: &Plan) -> Kept {
    assert!(plan.deletions.is_empty() && plan.marks.is_empty(), "{plan:?}");
    assert_eq!(plan.kept.len(), 1);
    plan.kept[0].kept.clone()
}

#[test]
fn the_first_run_marks_and_deletes_nothing() {
    for grace in [SignedDuration::ZERO, a_week()] {
        let scene = Scene::of([]).policy(|policy| policy.grace = Grace::all(grace));
        let plan = run(&scene);
        assert_eq!(plan.deletions, []);
        assert_eq!(plan.kept[0].kept, Kept::Marked);
        let mark: Mark = plan.marks[0].text.parse().unwrap();
        assert_eq!(
            (mark.verdict, mark.since, mark.run.as_str()),
            (Verdict::Orphan, now(), "run-2")
        );
    }
}

#[test]
fn grace_counts_from_the_mark() {
    let early = Scene::of([]).volume(marked(volume(), a_week() - SignedDuration::from_secs(1)));
    let Kept::Waiting(until) = only_kept(&run(&early)) else {
        panic!()
    };
    assert_eq!(until, now() + SignedDuration::from_secs(1));
    let due = run(&Scene::of([]).volume(marked(volume(), a_week())));
    assert_eq!(due.deletions[0].since, now() - a_week());
    assert_eq!(due.marks, []);
}

#[test]
fn each_verdict_has_its_own_grace() {
    let of = |objects: Vec<moorline_api::Object>| {
        Scene::of(objects).volume(marked(volume(), hours(5))).policy(|policy| {
            policy.grace = Grace {
                left_behind: hours(4),
                released: hours(5),
                orphan: hours(6),
            };
        })
    };
    assert_eq!(run(&of(vec![pv(), claim()])).deletions[0].verdict, Verdict::LeftBehind);
    assert_eq!(run(&of(vec![released(pv())])).deletions[0].verdict, Verdict::Released);
    assert!(matches!(only_kept(&run(&of(vec![]))), Kept::Waiting(_)));
}

#[test]
fn what_a_run_began_goes_on_without_the_grace_of_what_is_left_of_it() {
    let scene = Scene::of([released(pv())]).volume(marked(volume(), hours(5)));
    let scene = scene.policy(|policy| policy.grace.released = hours(500));
    assert!(matches!(only_kept(&run(&scene)), Kept::Waiting(_)));
    let scene = scene.records(|records| _ = records.begun.insert("vol-1".to_owned()));
    assert_eq!(run(&scene).deletions.len(), 1);
    // Where the claim is still there nothing of it has begun.
    let scene = Scene::of([pv(), claim()]).volume(marked(volume(), hours(5)));
    let scene = scene.records(|records| _ = records.begun.insert("vol-1".to_owned()));
    assert!(matches!(only_kept(&run(&scene)), Kept::Waiting(_)));
}

#[test]
fn claims_go_before_the_volume_and_persistent_volumes_after_it() {
    let scene = Scene::of([pv(), claim()]).volume(marked(volume(), a_week()));
    let scene = scene.policy(|policy| _ = policy.snapshot_first.insert(VolumeSort::Disk, hours(24)));
    let plan = run(&scene);
    let steps = &plan.deletions[0].steps;
    let [
        Step::Snapshot { expires },
        Step::Claim(claim),
        Step::Volume,
        Step::PersistentVolume(pv),
    ] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    assert_eq!(*expires, now() + hours(24));
    assert_eq!(
        (&*claim.cluster, &*claim.namespace, &*claim.name, &*claim.uid),
        ("prod", "web", "data-db-0", UID)
    );
    assert_eq!((&*pv.cluster, &*pv.name, &*pv.uid), ("prod", "pv-1", "pv-uid-1"));
}

#[test]
fn a_snapshot_is_taken_of_the_sorts_that_the_policy_names() {
    let scene = Scene::of([]).volume(marked(volume(), a_week()));
    let scene = scene.policy(|policy| _ = policy.snapshot_first.insert(VolumeSort::Share, hours(24)));
    assert_eq!(run(&scene).deletions[0].steps, [Step::Volume]);
}

#[test]
fn a_deletion_says_which_cluster_made_the_volume() {
    let of = |volume| run(&Scene::of([pv(), claim()]).volume(marked(volume, a_week()))).deletions;
    assert_eq!(of(volume())[0].maker.as_deref(), Some(PROD));
    // The driver's volumes name no cluster: the claim's UID tells.
    let by_driver = tagged(&[("CSIVolumeName", &format!("pvc-{UID}"))]);
    assert_eq!(of(by_driver)[0].maker.as_deref(), Some(PROD));
}

#[test]
fn a_mark_goes_when_the_volume_is_used_claimed_or_protected() {
    let old = || marked(volume(), a_week());
    let mut protected = old();
    protected.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    for scene in [
        Scene::of([pv(), claim(), set("db", 1)]).volume(old()),
        Scene::of([pv(), claim(), set("db", 0)]).volume(old()),
        Scene::of([]).volume(protected),
        Scene::of([]).volume(attached(old())),
    ] {
        let plan = run(&scene);
        assert_eq!(plan.unmarks.len(), 1);
        assert_eq!(plan.deletions, []);
    }
    assert_eq!(run(&Scene::of([pv(), claim(), set("db", 1)])).unmarks, []);
}

#[test]
fn an_unreadable_mark_goes_too_when_the_volume_is_used() {
    let mut odd = volume();
    odd.tags.insert(names::UNUSED.to_owned(), "yes".to_owned());
    assert_eq!(
        run(&Scene::of([pv(), claim(), set("db", 1)]).volume(odd)).unmarks.len(),
        1
    );
}

#[test]
fn a_mark_stays_on_what_is_unknown_or_foreign() {
    let old = marked(volume(), a_week());
    let unknown = run(&Scene::of([]).volume(old.clone()).without(Kind::Claims));
    assert_eq!((unknown.unmarks.len(), only_kept(&unknown)), (0, Kept::Never));
    let mut foreign = old;
    foreign
        .tags
        .insert(moorline_api::tags::CLUSTER_UID.to_owned(), "another".to_owned());
    assert_eq!(run(&Scene::of([]).volume(foreign)).unmarks, []);
}

#[test]
fn an_unreadable_mark_counts_as_none() {
    let mut odd = volume();
    odd.tags
        .insert(names::UNUSED.to_owned(), "v9 orphan 1970-01-01T00:00:00Z x".to_owned());
    let plan = run(&Scene::of([]).volume(odd));
    assert_eq!((plan.marks.len(), plan.deletions.len()), (1, 0));
}

#[test]
fn a_mark_from_before_the_volumes_last_use_counts_as_none() {
    // Restored from a snapshot with its tags.
    let mut restored = marked(volume(), a_week());
    restored.created = Some(now() - hours(1));
    assert_eq!(run(&Scene::of([]).volume(restored)).marks.len(), 1);
    // The claim was made, and left, between two runs.
    let young = claim().with(
        &["metadata", "creationTimestamp"],
        json!((now() - hours(1)).to_string()),
    );
    assert_eq!(
        run(&Scene::of([pv(), young]).volume(marked(volume(), a_week())))
            .marks
            .len(),
        1
    );
    // Kubernetes says that a pod used it until an hour ago.
    let since = (now() - hours(1)).to_string();
    let used = json!([{"type": "Unused", "status": "True", "lastTransitionTime": since}]);
    let left = claim().with(&["status", "conditions"], used);
    assert_eq!(
        run(&Scene::of([pv(), left]).volume(marked(volume(), a_week())))
            .marks
            .len(),
        1
    );
}

#[test]
fn a_mark_from_before_its_claim_was_deleted_counts_as_none() {
    // Bound again and released again between two runs.
    let since = json!((now() - hours(1)).to_string());
    let again = released(pv()).with(&["status", "lastPhaseTransitionTime"], since.clone());
    let scene = Scene::of([again]).volume(marked(volume(), a_week()));
    assert_eq!(run(&scene).marks.len(), 1);
    // Unless an earlier run had begun to delete it, and had deleted the claim.
    let scene = scene.records(|records| _ = records.begun.insert("vol-1".to_owned()));
    assert_eq!(run(&scene).deletions.len(), 1);
    // A driver that tries and fails again and again uses nothing.
    let failed = pv().with(
        &["status"],
        json!({"phase": "Failed", "lastPhaseTransitionTime": since}),
    );
    assert_eq!(
        run(&Scene::of([failed]).volume(marked(volume(), a_week())))
            .deletions
            .len(),
        1
    );
}

#[test]
fn a_clock_put_back_deletes_and_marks_nothing() {
    let later_run = |records: &mut moorline_gc::Records| records.last_run = Some(now() + hours(1));
    let plan = run(&Scene::of([]).volume(marked(volume(), a_week())).records(later_run));
    assert_eq!(only_kept(&plan), Kept::Clock);
    assert!(plan.is_incomplete());
    let used = Scene::of([pv(), claim(), set("db", 1)]).volume(marked(volume(), a_week()));
    assert_eq!(run(&used.records(later_run)).unmarks, []);
    // A mark of the future is left as it is: written anew, it would be too old when the clock is right again.
    assert_eq!(
        only_kept(&run(&Scene::of([]).volume(marked(volume(), hours(-1))))),
        Kept::Clock
    );
}

/// Due orphans, of 10 GiB and 0.80 US dollars a month each, and volumes in use beside them.
fn orphans(due: usize, used: usize) -> Scene {
    let named = |index: usize, mut volume: Volume| {
        volume.id = VolumeId(format!("vol-{index}"));
        (volume, Detail::Full)
    };
    let mut volumes: Vec<_> = (0..due).map(|index| named(index, marked(volume(), a_week()))).collect();
    volumes.extend((due..due + used).map(|index| named(index, attached(volume()))));
    Scene::of([]).listed(volumes)
}

#[test]
fn over_a_cap_nothing_is_deleted_and_the_plan_says_so() {
    for (caps, fits) in [
        (
            Caps {
                count: Some(3),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                count: Some(2),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                percent: Some(30),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                percent: Some(29),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                gib: Some(30),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                gib: Some(29),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                monthly: Some(2.41),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                monthly: Some(2.39),
                ..Caps::default()
            },
            false,
        ),
    ] {
        let plan = run(&orphans(3, 7).policy(|policy| policy.caps = caps));
        assert_eq!(plan.deletions.len(), if fits { 3 } else { 0 }, "{caps:?}");
        assert_eq!(plan.exceeded.len(), usize::from(!fits));
        assert_eq!(plan.doomed.count, 3);
        let capped = plan.kept.iter().filter(|keep| keep.kept == Kept::Capped).count();
        assert_eq!(capped, if fits { 0 } else { 3 });
    }
}

#[test]
fn what_has_no_price_stays_where_money_is_capped() {
    let scene = Scene::of([]).policy(|policy| policy.caps.monthly = Some(100.0));
    let mut world = scene.world();
    let scope = world.scope("aws 123456789012/eu-west-1");
    world.add_volume(scope, &marked(volume(), a_week()), Detail::Full, None);
    let plan = plan(&world, &scene.policy, &scene.records, Clock { now: now() }, "run-2");
    assert_eq!(only_kept(&plan), Kept::Unpriced);
}

#[test]
fn what_was_listed_without_its_tags_is_read_before_anything_is_done_to_it() {
    let mut untagged = volume();
    untagged.created = None;
    let plan = run(&Scene::of([]).listed(vec![(untagged.clone(), Detail::Listed)]));
    assert_eq!(only_kept(&plan), Kept::Unread);
    assert!(plan.is_incomplete());
    assert_eq!(plan.unread().collect::<Vec<_>>(), [&untagged.id]);
    // Read by itself, it goes in again and counts once.
    let full = marked(untagged.clone(), a_week());
    let plan = run(&Scene::of([]).listed(vec![(untagged, Detail::Listed), (full, Detail::Full)]));
    assert_eq!((plan.deletions.len(), plan.doomed.count), (1, 1));
}

#[test]
fn what_is_on_its_way_out_is_not_judged() {
    let mut going = marked(volume(), a_week());
    going.state = VolumeState::Deleting;
    let plan = run(&Scene::of([]).listed(vec![(volume(), Detail::Full), (going, Detail::Full)]));
    assert!(plan.totals.is_empty() && plan.kept.is_empty());
}

#[test]
fn a_plan_says_what_was_not_read_and_does_the_rest() {
    let scene = orphans(1, 0)
        .without(Kind::Pods)
        .expecting(Kind::Other("widgets.example.com".to_owned()));
    let plan = run(&scene.without(Kind::Other("widgets.example.com".to_owned())));
    // An orphan depends on neither.
    assert_eq!(plan.deletions.len(), 1);
    let gaps: Vec<String> = plan.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps.len(), 2);
    assert!(
        gaps.contains(&"pods of cluster prod: could not be read: 403 forbidden".to_owned()),
        "{gaps:?}"
    );
    assert!(plan.is_incomplete());
    assert!(!run(&orphans(1, 0)).is_incomplete());
}

#[test]
fn totals_add_up() {
    let plan = run(&orphans(2, 5));
    let counts: u64 = plan.totals.values().map(|sum| sum.count).sum();
    assert_eq!(counts, 7);
    assert_eq!(plan.totals[&Verdict::InUse].gib, 50);
    assert!((plan.doomed.monthly - 1.6).abs() < 1e-9);
    assert_eq!(plan.at, now());
    assert!(Timestamp::UNIX_EPOCH < plan.at);
}

/// The second look at what the first scene would delete, in the second.
fn looked_at_again(first: &Scene, second: &Scene) -> Result<moorline_gc::Deletion, String> {
    let planned = &run(first).deletions[0];
    let rules = (&second.policy, &second.records);
    second_look(planned, &second.world(), rules, Clock { now: now() }, "run-2")
}

#[test]
fn a_second_look_that_sees_the_same_confirms_it() {
    let scene = Scene::of([pv(), claim()]).volume(marked(volume(), a_week()));
    assert_eq!(looked_at_again(&scene, &scene).as_ref(), Ok(&run(&scene).deletions[0]));
}

#[test]
fn a_second_look_leaves_out_what_is_gone_meanwhile() {
    let old = || marked(volume(), a_week());
    let first = Scene::of([pv(), claim()]).volume(old());
    let again = looked_at_again(&first, &Scene::of([released(pv())]).volume(old())).unwrap();
    assert_eq!(again.verdict, Verdict::Released);
    assert!(matches!(&again.steps[..], [Step::Volume, Step::PersistentVolume(_)]));
    let again = looked_at_again(&first, &Scene::of([]).volume(old())).unwrap();
    assert_eq!(again.steps, [Step::Volume]);
}

#[test]
fn a_second_look_says_what_has_changed() {
    let old = || marked(volume(), a_week());
    let first = Scene::of([pv(), claim()]).volume(old());
    let refused = |second: Scene| looked_at_again(&first, &second).unwrap_err();
    assert!(refused(Scene::of([pv(), claim(), set("db", 1)]).volume(old())).contains("StatefulSet db"));
    assert!(refused(Scene::of([pv(), claim()]).volume(attached(old()))).contains("attached to i-1"));
    assert!(refused(Scene::of([pv(), claim()])).contains("mark is gone"));
    assert!(refused(Scene::of([pv(), claim()]).volume(old()).without(Kind::Pods)).contains("403"));
    assert!(refused(Scene::of([pv(), claim()]).listed(vec![])).contains("does not list it"));
    // Another claim and PersistentVolume of the same names are others.
    let again = pv().with(&["metadata", "uid"], json!("pv-uid-2"));
    assert!(refused(Scene::of([again, claim()]).volume(old())).contains("was not planned"));
}
