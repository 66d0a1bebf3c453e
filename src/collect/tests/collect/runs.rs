//! Whole runs: marks, deletions in their order, what stops them, and what they report.

use std::time::Duration;

use moorline_api::{ErrorKind, VolumeSort, VolumeState, tags};
use moorline_collect::{Line, Outcome, Report, Selection};
use moorline_gc::plan::Kept;
use moorline_gc::{Caps, Verdict, names};
use serde_json::json;

use crate::fakes::Happening;
use crate::fakes::cluster::resource;
use crate::stage::{DAY, PROD, Stage, claim, claim_uid, pod, pv, set, volume};

fn outcome_of(report: &Report, number: u32) -> Outcome {
    let id = format!("vol-{number}");
    let done = report.done.iter().find(|done| done.volume.0 == id);
    done.unwrap_or_else(|| unreachable!("{id} is not in {report:#?}"))
        .outcome
        .clone()
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let stage = Stage::left_behind(3);
    let report = stage.dry_run().await;
    assert_eq!(report.plan.marks.len(), 3);
    assert!(!report.applied && report.has_findings() && !report.is_incomplete());
    assert_eq!((report.seen.scopes[0].count, report.seen.clusters[0].count), (3, 6));
    stage.cloud.passes(DAY);
    let writes: Vec<String> = stage
        .script
        .take()
        .into_iter()
        .filter(|call| call.starts_with('!'))
        .collect();
    assert_eq!(writes, [""; 0]);
    assert_eq!(stage.store.keys(), [""; 0]);
}

#[tokio::test]
async fn the_first_run_marks_and_the_one_after_grace_deletes_claim_volume_and_persistent_volume_in_this_order() {
    let stage = Stage::left_behind(1);
    let first = stage.apply().await;
    assert_eq!((first.marks_written, first.done.len()), (1, 0));
    assert!(
        stage
            .cloud
            .tag_of("vol-0", names::UNUSED)
            .unwrap()
            .starts_with("v1 left-behind ")
    );
    stage.cloud.passes(DAY / 2);
    let early = stage.apply().await;
    assert!(matches!(early.plan.kept[0].kept, Kept::Waiting(_)), "{early:?}");
    stage.deeds();
    stage.cloud.passes(DAY / 2);
    let last = stage.apply().await;
    assert_eq!(outcome_of(&last, 0), Outcome::Gone);
    assert_eq!(
        stage.deeds(),
        [
            "!delete persistentvolumeclaims web/data-db-0 of prod",
            "!delete vol-0 of aws",
            "!delete persistentvolumes pv-0 of prod",
        ]
    );
    assert_eq!((last.saved.count, last.saved.gib), (1, 10));
    assert!((last.saved.monthly - 10.0).abs() < 1e-9);
    assert!(!last.is_incomplete() && !last.has_failures() && !last.has_findings());
    let again = stage.apply().await;
    assert!(again.done.is_empty() && again.plan.deletions.is_empty());
}

#[tokio::test]
async fn one_line_stands_before_and_one_after_each_deletion() {
    let stage = Stage::past_grace(2).await;
    stage.apply().await;
    let runs = stage.collector().history(1).await.unwrap();
    let words: Vec<&str> = runs[0]
        .lines
        .iter()
        .map(|line| match line {
            Line::Start { .. } => "start",
            Line::Seen { .. } => "seen",
            Line::Begin(_) => "begin",
            Line::End(done) if done.is_gone() => "gone",
            Line::Finish { .. } => "finish",
            _ => "other",
        })
        .collect();
    assert_eq!(words.iter().filter(|word| **word == "begin").count(), 2, "{words:?}");
    assert_eq!(words.iter().filter(|word| **word == "gone").count(), 2, "{words:?}");
    assert_eq!(
        (words[0], words[1], *words.last().unwrap()),
        ("start", "seen", "finish")
    );
    assert_eq!((runs[0].saved.count, runs[0].open.len()), (2, 0));
    assert!(runs[0].finished.is_some());
    assert_eq!(stage.collector().history_of("run-2").await.unwrap(), runs[0]);
    let unknown = stage.collector().history_of("run-77").await.unwrap_err();
    assert!(unknown.to_string().contains("no run run-77"), "{unknown}");
}

#[tokio::test]
async fn a_set_that_is_made_again_saves_its_volumes_and_takes_their_marks_off() {
    let stage = Stage::past_grace(2).await;
    stage.prod.add(set(1));
    let report = stage.apply().await;
    assert_eq!(report.plan.unmarks.len(), 2);
    assert!(stage.is_whole(0) && stage.is_whole(1));
    assert_eq!(stage.cloud.tag_of("vol-1", names::UNUSED), None);
}

#[tokio::test]
async fn a_set_scaled_down_keeps_its_claims() {
    let stage = Stage::left_behind(2);
    stage.prod.add(set(0));
    let report = stage.apply().await;
    assert_eq!(report.plan.totals[&Verdict::Claimed].count, 2);
    assert!(stage.deeds().is_empty());
}

#[tokio::test]
async fn a_pod_that_comes_before_the_second_look_saves_its_volume_and_not_the_others() {
    let stage = Stage::past_grace(3).await;
    let prod = stage.prod.clone();
    stage
        .script
        .at("read volumes", Happening::Do(Box::new(move || prod.add(pod(1)))));
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 1), Outcome::Kept(why) if why.contains("Pod db-1")));
    assert!(stage.is_whole(1) && stage.is_gone(0) && stage.is_gone(2));
}

#[tokio::test]
async fn a_volume_attached_at_the_last_moment_stays_and_nothing_is_forced() {
    let stage = Stage::past_grace(1).await;
    let cloud = stage.cloud.clone();
    let attach = move || {
        cloud.with(|state| {
            state
                .volumes
                .values_mut()
                .for_each(|volume| volume.state = VolumeState::InUse);
        });
    };
    stage.script.at("!delete vol-0", Happening::Do(Box::new(attach)));
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Kept(why) if why.contains("VolumeInUse")));
    assert!(stage.cloud.has("vol-0") && stage.prod.has("PersistentVolume", "pv-0"));
    assert_eq!(report.saved.count, 0);
}

#[tokio::test]
async fn a_set_that_comes_back_after_the_second_look_saves_its_claims() {
    for object in [set(1), pod(0)] {
        let stage = Stage::past_grace(1).await;
        let prod = stage.prod.clone();
        // After the look, and before the claim: when the journal says that the deletion begins.
        let journal = "!create gc/runs/2026-11/20261122t120000.000z-run-2/000002";
        stage
            .script
            .at(journal, Happening::Do(Box::new(move || prod.add(object))));
        let report = stage.apply().await;
        assert!(matches!(outcome_of(&report, 0), Outcome::Kept(why) if why.contains("came back")));
        assert!(stage.is_whole(0) && !report.has_failures());
    }
}

#[tokio::test]
async fn a_claim_made_anew_while_its_volume_waits_keeps_the_volume() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    let mut anew = claim(0);
    anew["metadata"]["uid"] = json!("another");
    let remake = move || prod.add(anew);
    stage
        .script
        .at("get persistentvolumeclaims", Happening::Do(Box::new(remake)));
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Kept(why) if why.contains("made anew")));
    assert!(stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn a_persistent_volume_given_to_another_claim_keeps_the_volume() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    let mut given = pv(0);
    given["spec"]["claimRef"]["uid"] = json!("another");
    stage.script.at(
        "get persistentvolumes ",
        Happening::Do(Box::new(move || prod.add(given))),
    );
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Kept(why) if why.contains("another claim")));
    assert!(stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn a_claim_that_a_pod_holds_is_left_for_the_next_run_and_nothing_is_forced() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    stage.script.at(
        "!delete persistentvolumeclaims",
        Happening::Do(Box::new(move || prod.add(pod(0)))),
    );
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Failed(why) if why.contains("claim web/data-db-0")));
    assert!(report.has_failures() && stage.is_whole(0));
    // The pod goes, the claim with it; what was begun goes on without a second grace.
    stage.prod.remove("Pod", "web", "db-0");
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-0");
    let next = stage.apply().await;
    assert_eq!(outcome_of(&next, 0), Outcome::Gone);
    assert_eq!(next.done[0].resumed.as_deref(), Some("run-2"));
}

#[tokio::test]
async fn a_driver_that_removes_volume_and_persistent_volume_by_itself_is_success() {
    let stage = Stage::past_grace(3).await;
    stage.prod.with(|state| state.driver = Some(stage.cloud.clone()));
    let report = stage.apply().await;
    assert!((0..3).all(|number| outcome_of(&report, number) == Outcome::Gone && stage.is_gone(number)));
    assert_eq!(report.saved.count, 3);
}

#[tokio::test]
async fn a_persistent_volume_that_a_finalizer_holds_is_said_and_its_volume_counted_once() {
    let mut stage = Stage::past_grace(1).await;
    stage.settings.deletion_timeout = Duration::from_mins(2);
    stage.prod.with(|state| {
        for object in state
            .objects
            .values_mut()
            .filter(|object| object.gvk().kind == "PersistentVolume")
        {
            object.set(
                &["metadata", "finalizers"],
                json!(["external-provisioner.volume.kubernetes.io/finalizer"]),
            );
        }
    });
    stage.settings.held = Duration::from_millis(100);
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Failed(why) if why.contains("external-provisioner")));
    assert_eq!(report.saved.count, 1);
    stage.prod.remove("PersistentVolume", "", "pv-0");
    let next = stage.apply().await;
    assert_eq!((outcome_of(&next, 0), next.saved.count), (Outcome::Gone, 0));
}

#[tokio::test]
async fn a_persistent_volume_that_may_not_be_deleted_is_tried_once() {
    let stage = Stage::past_grace(1).await;
    stage
        .script
        .break_for_good("!delete persistentvolumes", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Failed(_)), "{report:#?}");
    let deeds = stage.deeds();
    let tried = deeds
        .iter()
        .filter(|deed| deed.starts_with("!delete persistentvolumes pv-0"));
    assert_eq!(tried.count(), 1, "{deeds:?}");
}

#[tokio::test]
async fn a_failed_deletion_is_tried_again_in_the_run_and_counted_once() {
    let stage = Stage::past_grace(1).await;
    stage
        .script
        .at("!delete vol-0", Happening::FailAfter(ErrorKind::Unreachable));
    let report = stage.apply().await;
    assert_eq!((outcome_of(&report, 0), report.saved.count), (Outcome::Gone, 1));
    assert_eq!(stage.cloud.with(|state| state.deletions.len()), 1);
    assert!(stage.is_gone(0));
}

/// Cloud Custodian #10000: failed deletions reported as done.
#[tokio::test]
async fn a_deletion_that_fails_for_good_is_never_reported_as_done_and_taken_up_by_the_next_run() {
    let stage = Stage::past_grace(2).await;
    stage.script.break_for_good("!delete vol-0", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Failed(_)));
    assert_eq!((outcome_of(&report, 1), report.saved.count), (Outcome::Gone, 1));
    assert!(report.has_failures());
    let deeds = stage.deeds();
    let tried = deeds.iter().filter(|deed| deed.starts_with("!delete vol-0"));
    assert_eq!(tried.count(), 1, "trying again helps nobody: {deeds:?}");
    stage.script.forget();
    let next = stage.apply().await;
    assert_eq!(next.done.len(), 1);
    assert_eq!((outcome_of(&next, 0), next.saved.count), (Outcome::Gone, 1));
    assert!(stage.is_gone(0));
}

#[tokio::test]
async fn over_a_cap_nothing_is_deleted_and_marks_are_set_all_the_same() {
    let mut stage = Stage::past_grace(3).await;
    stage.policy.caps = Caps {
        count: Some(2),
        ..Caps::default()
    };
    stage.cloud.add(volume(7));
    let report = stage.apply().await;
    assert_eq!(
        (report.plan.exceeded.len(), report.done.len(), report.marks_written),
        (1, 0, 1)
    );
    assert_eq!(stage.cloud.with(|state| state.volumes.len()), 4);
}

#[tokio::test]
async fn a_snapshot_comes_first_and_says_what_it_is_of_and_when_it_may_go() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.snapshot_first.insert(VolumeSort::Disk, DAY);
    let report = stage.apply().await;
    assert_eq!(outcome_of(&report, 0), Outcome::Gone);
    assert!(report.done[0].snapshot.is_some());
    assert!(stage.deeds()[0].starts_with("!snapshot vol-0"));
    let snapshot = stage.cloud.with(|state| state.snapshots[0].clone());
    let tag = |key: &str| snapshot.tags.get(key).map(String::as_str);
    assert_eq!(tag(tags::EXPIRES), Some("2026-11-23T12:00:00Z"));
    assert_eq!(tag(tags::SNAPSHOT_OF), Some("vol-0"));
    assert_eq!(tag(tags::CLUSTER_UID), Some(PROD));
    assert_eq!(tag(tags::STORAGE_CLASS), Some("gp3"));
    assert_eq!(tag(names::UNUSED), None);
}

#[tokio::test]
async fn a_snapshot_that_fails_keeps_claim_and_volume() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.snapshot_first.insert(VolumeSort::Disk, DAY);
    stage.script.break_for_good("!snapshot", ErrorKind::Invalid);
    let report = stage.apply().await;
    assert!(matches!(outcome_of(&report, 0), Outcome::Failed(_)));
    assert!(stage.is_whole(0));
}

/// Large disks take long.
#[tokio::test]
async fn a_snapshot_has_more_time_than_what_is_deleted() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.snapshot_first.insert(VolumeSort::Disk, DAY);
    let slow = stage.settings.deletion_timeout + Duration::from_millis(100);
    stage.script.at("!snapshot", Happening::Slow(slow));
    let report = stage.apply().await;
    assert_eq!(outcome_of(&report, 0), Outcome::Gone);
}

#[tokio::test]
async fn told_to_stop_it_begins_no_deletion_and_ends_those_under_way() {
    let mut stage = Stage::past_grace(100).await;
    stage.settings.drain = Duration::from_mins(1);
    let stop = stage.stop.clone();
    stage
        .script
        .at("!delete vol-", Happening::Do(Box::new(move || stop.cancel())));
    let report = stage.apply().await;
    assert_eq!(report.ended_early.as_deref(), Some("it was told to stop"));
    let gone = report.done.iter().filter(|done| done.is_gone()).count();
    let not_begun = report
        .done
        .iter()
        .filter(|done| matches!(done.outcome, Outcome::NotBegun(_)));
    let not_begun: Vec<u32> = not_begun.map(|done| done.volume.0[4..].parse().unwrap()).collect();
    assert!(gone > 0 && !not_begun.is_empty(), "{gone} gone");
    assert_eq!(gone + not_begun.len(), 100);
    assert!(not_begun.into_iter().all(|number| stage.is_whole(number)));
    assert!(report.is_incomplete() && !report.has_failures());
}

#[tokio::test]
async fn what_is_released_and_what_nothing_points_to_goes_too() {
    let stage = Stage::left_behind(3);
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-1");
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-2");
    stage.prod.remove("PersistentVolume", "", "pv-2");
    stage.age().await;
    let report = stage.apply().await;
    let verdicts: Vec<Verdict> = report.plan.deletions.iter().map(|deletion| deletion.verdict).collect();
    assert_eq!(verdicts, [Verdict::LeftBehind, Verdict::Released, Verdict::Orphan]);
    assert!((0..3).all(|number| stage.is_gone(number)));
}

#[tokio::test]
async fn marks_that_cannot_be_written_are_said_and_delete_nothing() {
    let stage = Stage::left_behind(1);
    stage.script.break_for_good("!tag", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert_eq!((report.marks_written, report.marks_failed.len()), (0, 1));
    assert!(report.has_failures());
    stage.cloud.passes(DAY * 9);
    assert!(stage.apply().await.plan.deletions.is_empty());
}

#[tokio::test]
async fn a_thousand_deletions_do_not_cost_a_thousand_listings() {
    let stage = Stage::past_grace(1000).await;
    let report = stage.apply().await;
    assert_eq!(report.saved.count, 1000);
    let calls = stage.script.take();
    let count = |start: &str| calls.iter().filter(|call| call.starts_with(start)).count();
    assert!(
        count("list persistentvolumes ") <= 2 * (1000 / 64 + 2),
        "{}",
        count("list persistentvolumes ")
    );
    assert!(count("read volumes") <= 1000 / 64 + 1);
    assert_eq!(count("!delete vol-"), 1000);
}

#[tokio::test]
async fn what_fails_keeps_nobody_from_being_looked_at() {
    let stage = Stage::past_grace(130).await;
    stage
        .script
        .break_for_good("!delete persistentvolumeclaims", ErrorKind::Forbidden);
    let report = stage.apply().await;
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    assert_eq!(report.done.iter().filter(|done| failed(&done.outcome)).count(), 130);
}

#[tokio::test]
async fn explain_names_each_link_and_what_comes_next() {
    let stage = Stage::past_grace(1).await;
    for subject in ["vol-0", "pv-0", "web/data-db-0"] {
        let found = stage.collector().explain(subject).await.unwrap();
        assert_eq!((found.len(), found[0].judgement.verdict), (1, Verdict::LeftBehind));
        assert_eq!(found[0].action, "the next run with --apply deletes it");
        assert!(
            found[0]
                .judgement
                .chain
                .iter()
                .any(|link| link.what.contains(&claim_uid(0)) && link.read.is_some())
        );
    }
    let error = stage.collector().explain("vol-9").await.unwrap_err();
    assert!(error.to_string().contains("is in no scope"), "{error}");
    stage
        .script
        .break_for_good("inventory", ErrorKind::Throttled { retry_after: None });
    let error = stage.collector().explain("vol-9").await.unwrap_err();
    assert!(error.to_string().contains("not everything could be read"), "{error}");
}

#[tokio::test]
async fn unmark_begins_grace_anew_and_protect_ends_it() {
    let stage = Stage::past_grace(3).await;
    let these = Selection::These(vec![volume(0).id, volume(9).id]);
    let tagged = stage.collector().unmark(these).await.unwrap();
    let failed: Vec<bool> = tagged.iter().map(|one| one.failed.is_some()).collect();
    assert_eq!((tagged[0].volume.0.as_str(), failed), ("vol-9", vec![true, false]));
    stage.collector().protect(vec![volume(1).id], true).await.unwrap();
    let report = stage.apply().await;
    assert!(stage.is_whole(0) && stage.is_whole(1) && stage.is_gone(2), "{report:?}");
    assert_eq!(report.plan.totals[&Verdict::Protected].count, 1);
    stage.collector().protect(vec![volume(1).id], false).await.unwrap();
    assert_eq!(stage.cloud.tag_of("vol-1", names::PROTECT), None);
    stage.cloud.with(|state| state.listed_only = true);
    let all = stage.collector().unmark(Selection::All).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(stage.cloud.tag_of("vol-0", names::UNUSED), None);
}

#[tokio::test]
async fn protection_taken_off_begins_grace_anew_though_no_run_saw_it() {
    let stage = Stage::past_grace(2).await;
    let both = vec![volume(0).id, volume(1).id];
    stage.collector().protect(both.clone(), true).await.unwrap();
    // One that keeps its mark stays protected.
    stage.script.at("!tag", Happening::Fail(ErrorKind::Forbidden));
    let tagged = stage.collector().protect(both.clone(), false).await.unwrap();
    let failed: Vec<_> = tagged.iter().filter(|one| one.failed.is_some()).collect();
    assert_eq!((tagged.len(), failed.len()), (2, 2), "one call is for both: {tagged:?}");
    assert!(stage.cloud.tag_of("vol-1", names::PROTECT).is_some());
    stage.collector().protect(both, false).await.unwrap();
    assert_eq!(stage.cloud.tag_of("vol-0", names::UNUSED), None);
    let report = stage.apply().await;
    assert_eq!((report.marks_written, report.done.len()), (2, 0));
}

#[tokio::test]
async fn a_custom_kind_that_names_a_claim_keeps_it() {
    let stage = Stage::past_grace(2).await;
    stage
        .prod
        .with(|state| state.custom.push(resource("argoproj.io", "Rollout", "rollouts", true)));
    stage.prod.add(json!({
        "apiVersion": "argoproj.io/v1", "kind": "Rollout", "metadata": {"namespace": "web", "name": "r", "uid": "r"},
        "spec": {"template": {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data-db-0"}}]}}},
    }));
    stage.apply().await;
    assert!(stage.is_whole(0) && stage.is_gone(1));
}
