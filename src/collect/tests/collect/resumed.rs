//! What becomes of a deletion that an earlier run began and did not end, when the world has changed since.

use moorline_api::ErrorKind;
use moorline_collect::{Done, Outcome, Report};
use moorline_gc::names;
use serde_json::json;

use crate::fakes::Happening;
use crate::stage::{Stage, pv, volume};

/// The claim is gone, and the volume could not be deleted.
async fn begun() -> Stage {
    let stage = Stage::past_grace(1).await;
    stage.script.break_for_good("!delete vol-0", ErrorKind::Internal);
    let report = stage.apply().await;
    assert!(matches!(report.done[0].outcome, Outcome::Failed(_)), "{report:?}");
    assert!(!stage.prod.has("PersistentVolumeClaim", "data-db-0"));
    stage.script.forget();
    stage
}

fn of_it(report: &Report) -> Option<&Done> {
    report.done.iter().find(|done| done.volume.0 == "vol-0")
}

/// Carries on once all is as it was: what was open still is, and needs no second grace.
async fn finishes(stage: &Stage) {
    stage.script.forget();
    let report = stage.apply().await;
    let done = of_it(&report).unwrap();
    assert!(done.outcome == Outcome::Gone && done.resumed.is_some(), "{done:?}");
    assert!(stage.is_gone(0));
}

#[tokio::test]
async fn a_volume_that_a_broken_listing_does_not_show_is_not_taken_for_gone() {
    let stage = begun().await;
    stage.cloud.with(|state| state.pages = Some(0));
    let report = stage.apply().await;
    assert_eq!(of_it(&report), None);
    assert_eq!(stage.deeds(), [""; 0], "its PersistentVolume is what points to it");
    stage.cloud.with(|state| state.pages = None);
    finishes(&stage).await;
}

#[tokio::test]
async fn what_cannot_be_told_stays_begun() {
    let stage = begun().await;
    stage
        .script
        .break_for_good("list persistentvolumeclaims", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert_eq!(of_it(&report), None);
    finishes(&stage).await;
}

#[tokio::test]
async fn a_second_look_that_fails_is_a_failure_of_what_was_begun_only() {
    let stage = begun().await;
    stage.script.break_for_good("read volumes", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert!(
        matches!(of_it(&report).unwrap().outcome, Outcome::Failed(_)),
        "{report:?}"
    );
    finishes(&stage).await;
    let fresh = Stage::past_grace(1).await;
    fresh.script.break_for_good("read volumes", ErrorKind::Forbidden);
    let report = fresh.apply().await;
    assert!(
        matches!(of_it(&report).unwrap().outcome, Outcome::NotBegun(_)),
        "{report:?}"
    );
    assert!(fresh.is_whole(0));
}

#[tokio::test]
async fn what_is_used_or_protected_again_is_closed_with_the_reason() {
    let used = begun().await;
    used.cloud.with(|state| {
        let volume = state.volumes.get_mut(&volume(0).id).unwrap();
        volume.state = moorline_api::VolumeState::InUse;
    });
    let protected = begun().await;
    protected.cloud.with(|state| {
        let volume = state.volumes.get_mut(&volume(0).id).unwrap();
        volume.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    });
    for (stage, reason) in [(used, "used again"), (protected, names::PROTECT)] {
        let report = stage.apply().await;
        let done = of_it(&report).unwrap();
        assert!(
            matches!(&done.outcome, Outcome::Kept(why) if why.contains(reason)),
            "{done:?}"
        );
        assert_eq!(of_it(&stage.apply().await), None, "it is said once");
    }
}

#[tokio::test]
async fn a_persistent_volume_that_was_made_anew_is_not_this_ones_to_delete() {
    let stage = Stage::past_grace(1).await;
    stage
        .script
        .break_for_good("!delete persistentvolumes", ErrorKind::Internal);
    stage.apply().await;
    assert!(!stage.cloud.has("vol-0") && stage.prod.has("PersistentVolume", "pv-0"));
    stage.script.forget();
    let mut anew = pv(0);
    anew["metadata"]["uid"] = json!("another");
    stage.prod.add(anew);
    let report = stage.apply().await;
    assert_eq!(of_it(&report).unwrap().outcome, Outcome::Gone);
    assert!(stage.prod.has("PersistentVolume", "pv-0"));
}

#[tokio::test]
async fn a_persistent_volume_that_still_cannot_be_deleted_stays_open() {
    let stage = Stage::past_grace(1).await;
    stage
        .script
        .break_for_good("!delete persistentvolumes", ErrorKind::Internal);
    stage.apply().await;
    let report = stage.apply().await;
    assert!(
        matches!(of_it(&report).unwrap().outcome, Outcome::Failed(_)),
        "{report:?}"
    );
    finishes(&stage).await;
}

#[tokio::test]
async fn a_claim_that_outlives_its_volume_keeps_its_persistent_volume() {
    let stage = Stage::past_grace(1).await;
    stage.script.at("!delete persistentvolumeclaims", Happening::Kill);
    let collector = stage.collector();
    assert!(stage.script.until_killed(collector.apply()).await.is_none());
    drop(collector);
    stage.release_the_dead();
    stage.cloud.with(|state| state.volumes.clear());
    let report = stage.apply().await;
    assert!(
        matches!(&of_it(&report).unwrap().outcome, Outcome::Failed(why) if why.contains("claim web/data-db-0 is still there")),
        "{report:?}"
    );
    assert!(stage.prod.has("PersistentVolume", "pv-0") && stage.prod.has("PersistentVolumeClaim", "data-db-0"));
}

#[tokio::test]
async fn what_is_under_way_when_the_time_to_end_is_over_is_left_begun() {
    let mut stage = Stage::past_grace(1).await;
    let stop = stage.stop.clone();
    let told = move || stop.cancel();
    stage
        .script
        .at("!delete persistentvolumeclaims", Happening::Do(Box::new(told)));
    stage
        .script
        .at("!delete vol-0", Happening::Slow(std::time::Duration::from_hours(1)));
    let report = stage.apply().await;
    assert!(
        matches!(&of_it(&report).unwrap().outcome, Outcome::Failed(why) if why.ends_with("while it was under way")),
        "{report:?}"
    );
    stage.stop = tokio_util::sync::CancellationToken::new();
    finishes(&stage).await;
}
