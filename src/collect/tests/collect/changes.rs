//! What changes between a look and a deletion, and what was not yet at rest when a run began.

use std::time::{Duration, Instant};

use moorline_api::ErrorKind;
use moorline_collect::{Line, Outcome};
use moorline_gc::plan::Kept;
use serde_json::json;

use crate::fakes::Happening;
use crate::stage::{DAY, Stage, claim, pv, set};

const DELETE_CLAIM: &str = "!delete persistentvolumeclaims";
/// The journal's line before the first deletion.
const BEGINS: &str = "!create gc/runs/2026-11/20261122t120000.000z-run-2/000002";

/// Somebody writes to the claim, just before it is deleted.
fn touched(stage: &Stage, condition: Option<&str>) -> Happening {
    let prod = stage.prod.clone();
    let mut changed = claim(0);
    changed["metadata"]["annotations"]["example.com/note"] = json!("seen");
    if let Some(since) = condition {
        changed["status"]["conditions"] = json!([{"type": "Unused", "status": "True", "lastTransitionTime": since}]);
    }
    Happening::Do(Box::new(move || prod.add(changed)))
}

#[tokio::test]
async fn a_claim_that_changed_is_looked_at_again_and_goes() {
    let stage = Stage::past_grace(1).await;
    stage.script.at(DELETE_CLAIM, touched(&stage, None));
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    let tried = stage
        .deeds()
        .iter()
        .filter(|deed| deed.starts_with(DELETE_CLAIM))
        .count();
    assert_eq!((tried, report.saved.count), (2, 1));
    assert!(stage.is_gone(0) && !report.is_incomplete());
}

#[tokio::test]
async fn a_claim_that_changes_again_and_again_is_kept_and_said() {
    let stage = Stage::past_grace(1).await;
    stage.script.at(DELETE_CLAIM, touched(&stage, None));
    stage.script.at(DELETE_CLAIM, touched(&stage, None));
    let report = stage.apply().await;
    assert!(matches!(&report.done[0].outcome, Outcome::Unsettled(why) if why.contains("data-db-0")));
    assert!(stage.is_whole(0) && report.is_incomplete() && !report.has_failures());
    // Nothing of it was begun for the next run to go on with.
    let next = stage.apply().await;
    assert_eq!(
        (next.done[0].outcome.clone(), next.done[0].resumed.clone()),
        (Outcome::Gone, None)
    );
}

#[tokio::test]
async fn a_claim_that_was_used_meanwhile_begins_grace_anew() {
    let stage = Stage::past_grace(1).await;
    // A pod came and went: the journal has the deletion's first line, and that changes nothing.
    stage
        .script
        .at(DELETE_CLAIM, touched(&stage, Some("2026-11-22T11:59:00Z")));
    let report = stage.apply().await;
    assert!(
        matches!(&report.done[0].outcome, Outcome::Kept(why) if why.contains("last use")),
        "{report:#?}"
    );
    assert!(stage.is_whole(0));
    let next = stage.apply().await;
    assert_eq!((next.marks_written, next.done.len()), (1, 0));
    assert_eq!(next.plan.kept[0].kept, Kept::Marked);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_change() {
    let stage = Stage::past_grace(1).await;
    stage
        .script
        .at(DELETE_CLAIM, Happening::FailAfter(ErrorKind::Unreachable));
    let report = stage.apply().await;
    assert_eq!((report.done[0].outcome.clone(), report.saved.count), (Outcome::Gone, 1));
}

/// The client sent it again, and what it did the first time makes the second one refused.
#[tokio::test]
async fn a_claim_that_is_on_its_way_already_is_waited_for() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    let mut leaving = claim(0);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let deed = move || prod.add(leaving);
    stage.script.at(DELETE_CLAIM, Happening::Do(Box::new(deed)));
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    let deeds = stage.deeds();
    let tried = deeds.iter().filter(|deed| deed.starts_with(DELETE_CLAIM));
    assert_eq!(tried.count(), 1, "{deeds:?}");
}

#[tokio::test]
async fn a_claim_that_was_made_anew_is_another_one() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    let mut anew = claim(0);
    anew["metadata"]["uid"] = json!("a later life");
    let deed = move || prod.add(anew);
    stage.script.at(DELETE_CLAIM, Happening::Do(Box::new(deed)));
    let report = stage.apply().await;
    assert!(
        matches!(&report.done[0].outcome, Outcome::Kept(why) if why.ends_with("was made anew")),
        "{report:#?}"
    );
    assert!(stage.is_whole(0));
}

#[tokio::test]
async fn what_is_not_there_to_be_deleted_is_gone() {
    let stage = Stage::past_grace(1).await;
    let call = "!delete persistentvolumes pv-0";
    stage.script.at(call, Happening::FailAfter(ErrorKind::NotFound));
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(stage.is_gone(0));
}

#[tokio::test]
async fn a_persistent_volume_that_others_write_goes_all_the_same() {
    let stage = Stage::past_grace(1).await;
    let call = "!delete persistentvolumes pv-0";
    for _ in 0..2 {
        stage.script.at(call, Happening::Fail(ErrorKind::Stale));
    }
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(stage.is_gone(0));
}

#[tokio::test]
async fn a_persistent_volume_that_cannot_go_is_left_to_the_next_run() {
    let stage = Stage::past_grace(1).await;
    let call = "!delete persistentvolumes pv-0";
    for _ in 0..8 {
        stage.script.at(call, Happening::Fail(ErrorKind::Stale));
    }
    for round in 0..2 {
        let report = stage.apply().await;
        assert!(
            matches!(&report.done[0].outcome, Outcome::Failed(_)),
            "{round}: {report:#?}"
        );
        assert!(!stage.is_gone(0) && report.has_failures());
    }
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(stage.is_gone(0), "the third run finishes");
}

#[tokio::test]
async fn a_persistent_volume_that_was_made_anew_is_no_obstacle_and_stays() {
    let stage = Stage::past_grace(1).await;
    let prod = stage.prod.clone();
    let deed = move || {
        let mut anew = pv(0);
        anew["metadata"]["uid"] = json!("a later life");
        prod.add(anew);
    };
    stage
        .script
        .at("!delete persistentvolumes pv-0", Happening::Do(Box::new(deed)));
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(stage.prod.has("PersistentVolume", "pv-0"));
}

#[tokio::test]
async fn a_store_that_fails_for_a_moment_costs_no_run() {
    let stage = Stage::past_grace(1).await;
    // Taking the lease asks again by itself: it fails from the first line of the deletion on.
    let script = stage.script.clone();
    let fail = move || {
        for _ in 0..3 {
            script.at("read gc/lease.json", Happening::Fail(ErrorKind::Unreachable));
        }
    };
    stage.script.at(BEGINS, Happening::Do(Box::new(fail)));
    let report = stage.apply().await;
    assert!(
        stage.is_gone(0) && !report.is_incomplete() && !report.has_failures(),
        "{report:#?}"
    );
}

#[tokio::test]
async fn a_store_that_fails_for_good_is_asked_for_the_margin_and_no_longer() {
    let mut stage = Stage::past_grace(1).await;
    stage.settings.lock_margin = Duration::from_millis(100);
    let began = Instant::now();
    // From the first line of the deletion on.
    let script = stage.script.clone();
    let fail = move || script.break_for_good("read gc/lease.json", ErrorKind::Unreachable);
    stage.script.at(BEGINS, Happening::Do(Box::new(fail)));
    let report = stage.apply().await;
    assert!(stage.is_whole(0) && report.has_failures(), "{report:#?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_journal_that_fails_for_a_moment_costs_no_run_and_one_that_fails_for_good_ends_it() {
    for (times, kept) in [(3, true), (4, false)] {
        let stage = Stage::past_grace(1).await;
        for _ in 0..times {
            stage.script.at(BEGINS, Happening::Fail(ErrorKind::Unreachable));
        }
        let report = stage.apply().await;
        assert_eq!(stage.is_gone(0), kept, "{report:#?}");
        assert_eq!(stage.is_whole(0), !kept);
        let over = report.ended_early.as_deref().unwrap_or_default();
        assert_eq!(over.contains("the journal cannot be written"), !kept, "{over}");
        assert_eq!(
            matches!(report.done[0].outcome, Outcome::NotBegun(_)),
            !kept,
            "{report:#?}"
        );
    }
    let refused = Stage::past_grace(1).await;
    refused.script.at(BEGINS, Happening::Fail(ErrorKind::Forbidden));
    let report = refused.apply().await;
    assert!(refused.is_whole(0) && report.ended_early.is_some(), "{report:#?}");
}

#[tokio::test]
async fn what_is_waited_for_is_listed_again_when_its_watch_ran_out() {
    let mut stage = Stage::past_grace(1).await;
    // It pauses before it lists again.
    stage.settings.deletion_timeout = Duration::from_secs(20);
    stage.script.at("watch", Happening::Fail(ErrorKind::Expired));
    assert_eq!(stage.apply().await.done[0].outcome, Outcome::Gone);
    let refused = Stage::past_grace(1).await;
    refused.script.at("watch", Happening::Fail(ErrorKind::Forbidden));
    assert!(matches!(refused.apply().await.done[0].outcome, Outcome::Failed(_)));
}

#[tokio::test]
async fn what_another_hand_deleted_before_the_second_look_is_not_counted() {
    let stage = Stage::past_grace(1).await;
    let cloud = stage.cloud.clone();
    let deed = move || cloud.with(|state| state.volumes.clear());
    stage.script.at("read volumes", Happening::Do(Box::new(deed)));
    let report = stage.apply().await;
    assert!(
        matches!(&report.done[0].outcome, Outcome::Kept(why) if why.contains("by another hand")),
        "{report:#?}"
    );
    assert_eq!(report.saved.count, 0);
    assert!(stage.prod.has("PersistentVolumeClaim", "data-db-0") && stage.prod.has("PersistentVolume", "pv-0"));
}

#[tokio::test]
async fn what_was_begun_in_this_run_needs_no_second_grace() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.grace.released = DAY * 10;
    stage
        .script
        .at("!delete vol-0", Happening::Fail(ErrorKind::Unreachable));
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(stage.is_gone(0));
}

#[tokio::test]
async fn a_deletion_is_tried_three_times_in_a_run() {
    let stage = Stage::past_grace(1).await;
    stage.script.break_for_good("!delete vol-0", ErrorKind::Unreachable);
    let report = stage.apply().await;
    assert!(matches!(report.done[0].outcome, Outcome::Failed(_)));
    let deeds = stage.deeds();
    let tried = deeds.iter().filter(|deed| deed.starts_with("!delete vol-0"));
    assert_eq!(tried.count(), 3, "{deeds:?}");
}

#[tokio::test]
async fn a_run_right_after_a_kill_waits_for_what_the_cluster_still_has_to_do() {
    let mut stage = Stage::past_grace(1).await;
    stage.script.at(DELETE_CLAIM, Happening::KillAfter);
    let collector = stage.collector();
    assert!(stage.script.until_killed(collector.apply()).await.is_none());
    drop(collector);
    stage.release_the_dead();
    // The claim is gone, and the cluster has not released its PersistentVolume yet.
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-0");
    let prod = stage.prod.clone();
    let phase = move |phase: &'static str| {
        prod.with(|state| {
            let pvs = state
                .objects
                .values_mut()
                .filter(|object| object.gvk().kind == "PersistentVolume");
            pvs.for_each(|pv| pv.set(&["status", "phase"], json!(phase)));
        });
    };
    phase("Bound");
    stage
        .script
        .at("watch", Happening::Do(Box::new(move || phase("Released"))));
    stage.settings.held = Duration::from_millis(200);
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert!(!report.is_incomplete(), "{report:#?}");
    assert_eq!(report.done[0].resumed.as_deref(), Some("run-2"));
}

#[tokio::test]
async fn policies_that_share_a_store_leave_each_other_s_records_alone() {
    let mut stage = Stage::past_grace(1).await;
    stage.script.at(DELETE_CLAIM, Happening::Kill);
    let collector = stage.collector();
    stage.script.until_killed(collector.apply()).await;
    drop(collector);
    stage.release_the_dead();
    let first = stage.records();
    let before = stage.store.text(&first);

    stage.subject = "aws, staging".to_owned();
    stage.policy.clusters.remove(0);
    let other = stage.apply().await;
    assert!(
        other.notices.iter().any(|notice| notice.contains("only of others")),
        "{other:#?}"
    );
    assert!(other.done.is_empty() && stage.is_whole(0), "{other:#?}");
    assert_eq!(
        stage.store.text(&first),
        before,
        "what the first began is still its own"
    );
    let again = stage.apply().await;
    assert!(!again.notices.iter().any(|notice| notice.contains("only of others")));

    let stage = Stage {
        subject: Stage::empty().subject,
        policy: Stage::empty().policy,
        ..stage
    };
    let report = stage.apply().await;
    assert_eq!(report.done[0].outcome, Outcome::Gone);
    assert_eq!(report.done[0].resumed.as_deref(), Some("run-2"));
    assert!(stage.journal().await.iter().any(|line| matches!(line, Line::End(_))));
}

/// Azure lists shares without their metadata, so that a run which sees one in use does not see the mark on it.
#[tokio::test]
async fn a_share_that_was_used_between_two_runs_begins_grace_anew() {
    let stage = Stage::left_behind(1);
    stage.cloud.with(|state| state.listed_only = true);
    stage.age().await;
    stage.prod.add(set(1));
    let used = stage.apply().await;
    assert_eq!(used.done.len(), 0, "{used:#?}");
    stage.prod.remove("StatefulSet", "web", "db");
    let again = stage.apply().await;
    assert_eq!((again.marks_written, again.done.len()), (1, 0), "{again:#?}");
    // What could not be read begins nothing anew.
    stage.cloud.passes(DAY);
    stage.script.break_for_good("list pods", ErrorKind::Forbidden);
    assert!(stage.apply().await.is_incomplete());
    stage.script.forget();
    let last = stage.apply().await;
    assert_eq!(last.done[0].outcome, Outcome::Gone, "{last:#?}");
}
