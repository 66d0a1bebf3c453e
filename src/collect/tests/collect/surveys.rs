//! What cannot be read: the rest goes on, what depends on it is unknown, and the run says that it is incomplete.

use jiff::SignedDuration;
use moorline_api::ErrorKind;
use moorline_collect::{Event, Outcome};
use moorline_gc::plan::Kept;
use moorline_gc::{Verdict, names};
use serde_json::json;

use crate::fakes::cluster::resource;
use crate::fakes::{FakeCloud, Happening};
use crate::stage::{DAY, Stage, volume};

#[tokio::test]
async fn a_list_that_ends_early_leaves_its_scope_alone_and_the_others_go_on() {
    let mut stage = Stage::left_behind(1);
    let now = stage.cloud.with(|state| state.now);
    let other = FakeCloud::new("aws 2", &stage.script, now);
    let mut orphan = volume(50);
    orphan.tags.remove(moorline_api::tags::CLAIM_UID);
    other.add(orphan);
    stage.more.push(other.clone());
    stage.age().await;
    for number in 1..9 {
        stage.cloud.add(volume(number));
    }
    stage.cloud.with(|state| state.pages = Some(1));
    let report = stage.apply().await;
    assert!(report.is_incomplete());
    assert_eq!(report.plan.gaps.len(), 1, "{:?}", report.plan.gaps);
    assert!(!other.has("vol-50"), "{report:#?}");
}

#[tokio::test]
async fn a_region_that_is_throttled_for_good_keeps_nothing_else_from_being_done() {
    let mut stage = Stage::left_behind(1);
    let now = stage.cloud.with(|state| state.now);
    let other = FakeCloud::new("slow", &stage.script, now);
    stage.more.push(other);
    stage.age().await;
    let throttled = ErrorKind::Throttled { retry_after: None };
    stage.script.break_for_good("inventory of slow", throttled);
    let report = stage.apply().await;
    assert!(report.is_incomplete() && stage.is_gone(0));
    assert!(report.plan.gaps[0].place.contains("more 0"), "{:?}", report.plan.gaps);
}

#[tokio::test]
async fn one_kind_that_is_forbidden_makes_claims_unknown_and_orphans_go_all_the_same() {
    for kind in ["jobs", "pods", "statefulsets", "replicationcontrollers"] {
        let stage = Stage::left_behind(2);
        stage.prod.remove("PersistentVolumeClaim", "web", "data-db-1");
        stage.prod.remove("PersistentVolume", "", "pv-1");
        stage.age().await;
        stage
            .script
            .break_for_good(&format!("list {kind} "), ErrorKind::Forbidden);
        stage
            .script
            .break_for_good(&format!("list {kind} in"), ErrorKind::Forbidden);
        let report = stage.apply().await;
        assert!(report.is_incomplete(), "{kind}");
        assert_eq!(report.plan.totals[&Verdict::Unknown].count, 1, "{kind}");
        assert!(stage.is_whole(0) && stage.is_gone(1), "{kind}");
        assert!(
            stage.cloud.tag_of("vol-0", names::UNUSED).is_some(),
            "grace does not begin anew"
        );
    }
}

#[tokio::test]
async fn one_cluster_that_is_down_makes_everything_unknown_that_it_may_use() {
    for call in [
        "identity of staging",
        "kinds of staging",
        "list persistentvolumes of staging",
    ] {
        let stage = Stage::past_grace(2).await;
        stage.script.break_for_good(call, ErrorKind::Unreachable);
        let report = stage.apply().await;
        assert!(report.is_incomplete() && report.done.is_empty(), "{call}");
        assert_eq!(report.plan.totals[&Verdict::Unknown].count, 2, "{call}");
        assert!(stage.is_whole(0) && stage.is_whole(1));
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_even_be_tried_is_a_gap_and_no_error() {
    let mut stage = Stage::past_grace(1).await;
    stage.unreachable = true;
    let report = stage.apply().await;
    assert!(report.is_incomplete() && stage.is_whole(0));
    let said = report
        .plan
        .gaps
        .iter()
        .any(|gap| gap.why.contains("there is no context staging"));
    assert!(said, "{:?}", report.plan.gaps);
}

#[tokio::test]
async fn a_cluster_that_goes_down_before_the_second_look_keeps_everything() {
    let stage = Stage::past_grace(2).await;
    let script = stage.script.clone();
    let down = move || script.break_for_good("list persistentvolumes of staging", ErrorKind::Unreachable);
    stage.script.at("read volumes", Happening::Do(Box::new(down)));
    let report = stage.apply().await;
    assert!(report.is_incomplete() && stage.is_whole(0) && stage.is_whole(1));
    assert!(
        report
            .done
            .iter()
            .all(|done| matches!(&done.outcome, Outcome::NotBegun(why) if why.contains("staging")))
    );
}

#[tokio::test]
async fn another_cluster_behind_the_name_proves_nothing() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.clusters[1].uid = Some("99999999-0000-4000-8000-000000000009".to_owned());
    let report = stage.apply().await;
    assert!(report.is_incomplete() && stage.is_whole(0));
}

#[tokio::test]
async fn one_cluster_under_two_names_is_said() {
    let mut stage = Stage::past_grace(1).await;
    stage.policy.clusters[0].uid = None;
    stage.policy.clusters[1].uid = None;
    stage.staging = stage.prod.clone();
    let report = stage.dry_run().await;
    assert!(
        report.notices.iter().any(|notice| notice.contains("are one cluster")),
        "{:?}",
        report.notices
    );
    assert!(report.plan.deletions.is_empty());
}

#[tokio::test]
async fn volumes_whose_lists_leave_their_tags_out_are_read_before_they_are_judged() {
    let stage = Stage::left_behind(3);
    let mut protected = volume(2);
    protected.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    stage.cloud.add(protected);
    stage.cloud.with(|state| {
        state.listed_only = true;
        state.ghosts.push(volume(8));
    });
    stage.prod.add(crate::stage::pv(8));
    stage.prod.add(crate::stage::claim(8));
    let first = stage.apply().await;
    assert_eq!(first.plan.marks.len(), 2, "{:?}", first.plan);
    assert!(!first.is_incomplete());
    stage.cloud.passes(DAY);
    let second = stage.apply().await;
    assert_eq!(second.saved.count, 2);
    assert!(stage.is_gone(0) && stage.is_gone(1) && stage.is_whole(2));
}

#[tokio::test]
async fn a_group_whose_server_does_not_answer_may_hold_claims_unless_it_only_measures() {
    let stage = Stage::past_grace(1).await;
    stage
        .prod
        .with(|state| state.unanswered.push("databases.example.com/v1".to_owned()));
    let report = stage.apply().await;
    assert!(report.is_incomplete() && stage.is_whole(0));
    stage
        .prod
        .with(|state| state.unanswered = vec!["metrics.k8s.io/v1beta1".to_owned()]);
    let report = stage.apply().await;
    assert!(!report.is_incomplete() && stage.is_gone(0));
}

#[tokio::test]
async fn only_custom_kinds_whose_schema_leaves_room_for_claims_are_read() {
    let stage = Stage::past_grace(1).await;
    for (plural, kind, spec) in [
        (
            "certificates",
            "Certificate",
            json!({"properties": {"secretName": {"type": "string"}}}),
        ),
        (
            "caches",
            "Cache",
            json!({"properties": {"existingClaim": {"type": "string"}}}),
        ),
    ] {
        stage
            .prod
            .with(|state| state.custom.push(resource("example.com", kind, plural, true)));
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
        stage.prod.add(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com"), "uid": plural},
            "spec": {"versions": [{"name": "v1", "schema": schema}]},
        }));
    }
    stage.script.break_for_good("list certificates", ErrorKind::Forbidden);
    let fine = stage.apply().await;
    assert!(!fine.is_incomplete() && stage.is_gone(0));
    assert!(stage.script.take().iter().any(|call| call.starts_with("list caches")));
    stage.script.break_for_good("list caches", ErrorKind::Forbidden);
    assert!(stage.dry_run().await.is_incomplete());
}

#[tokio::test]
async fn a_clock_put_back_marks_and_deletes_nothing_and_writes_nothing_down() {
    let stage = Stage::past_grace(1).await;
    stage.cloud.passes(-DAY * 30);
    let before = stage.store.text(&stage.records());
    let report = stage.apply().await;
    assert!(report.plan.clock.is_some() && report.is_incomplete());
    assert_eq!(stage.deeds(), [""; 0]);
    assert_eq!(stage.store.text(&stage.records()), before);
}

/// The headers that it is read from have whole seconds, and servers differ.
#[tokio::test]
async fn a_clock_that_is_a_moment_behind_the_last_run_is_not_one_put_back() {
    for (behind, trusted) in [(2, true), (10, true), (11, false)] {
        let stage = Stage::left_behind(1);
        stage.apply().await;
        stage.cloud.passes(SignedDuration::from_secs(-behind));
        for report in [stage.dry_run().await, stage.apply().await] {
            assert_eq!(
                report.plan.clock.is_none(),
                trusted,
                "{behind} s: {:?}",
                report.plan.clock
            );
            assert_eq!(
                matches!(report.plan.kept[0].kept, Kept::Waiting(_)),
                trusted,
                "{report:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_listing_whose_version_ran_out_is_begun_anew_a_few_times() {
    for (times, complete) in [(2, true), (3, false)] {
        let stage = Stage::past_grace(1).await;
        for _ in 0..times {
            let expired = Happening::Fail(ErrorKind::Expired);
            stage.script.at("list persistentvolumeclaims of prod", expired);
        }
        let report = stage.dry_run().await;
        assert_eq!(!report.is_incomplete(), complete, "{times}: {:?}", report.plan.gaps);
        assert_eq!(report.plan.deletions.len(), usize::from(complete));
    }
}

#[tokio::test]
async fn where_no_cloud_answers_nothing_is_done_or_written_down() {
    let stage = Stage::past_grace(1).await;
    let stage = Stage {
        cloud: FakeCloud::new("aws", &stage.script, "2026-11-29T12:00:00Z".parse().unwrap()),
        ..stage
    };
    stage.cloud.with(|state| state.silent = true);
    let before = stage.store.text(&stage.records());
    let report = stage.apply().await;
    assert!(report.is_incomplete() && report.done.is_empty());
    assert_eq!(stage.store.text(&stage.records()), before);
}

#[tokio::test]
async fn records_that_cannot_be_read_stop_an_apply_and_not_a_dry_run() {
    let stage = Stage::past_grace(1).await;
    stage.store.put(&stage.records(), "{ not ours");
    let error = stage.try_apply().await.unwrap_err();
    assert!(error.to_string().contains("/records.json"), "{error}");
    let report = stage.dry_run().await;
    assert!(
        report.notices[0].contains("what earlier runs saw is not known"),
        "{:?}",
        report.notices
    );
    assert!(stage.is_whole(0));
}

/// aws-nuke was silent for hours while it listed.
#[tokio::test]
async fn no_listing_is_silent_each_page_of_it_is_told() {
    let stage = Stage::left_behind(5);
    stage.dry_run().await;
    let events = stage.events.lock().unwrap();
    let told = events.iter().filter_map(|event| match event {
        Event::Read {
            what, count, complete, ..
        } if what == "volumes" => Some((*count, *complete)),
        _ => None,
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(2, false), (4, false), (5, false), (5, true)]
    );
}
