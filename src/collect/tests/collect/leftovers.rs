//! What is no volume: marked, looked at again, deleted, and written down.

mod earlier;

use moorline_api::{
    Content, ErrorKind, Holder, HolderMaker, LoadBalancer, LoadBalancerKind, Resource, Snapshot, Tags, TargetGroup,
    VolumeId, tags,
};
use moorline_collect::{Event, Leftover, LeftoverAction, Line, Report};
use moorline_gc::leftovers::Grace;
use moorline_gc::{Caps, Verdict};
use serde_json::{Value, json};

use crate::fakes::Happening;
use crate::stage::{DAY, PROD, Stage, volume};

fn tagged(tags: &[(&str, &str)]) -> Tags {
    let pairs = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pairs.collect()
}

pub(crate) fn balancer() -> LoadBalancer {
    LoadBalancer {
        id: "elb".to_owned(),
        name: "elb".to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: "elb.example.com".to_owned(),
        scheme: "internet-facing".to_owned(),
        state: String::new(),
        created: None,
        tags: tagged(&[("kubernetes.io/service-name", "web/nginx"), ("KubernetesCluster", PROD)]),
    }
}

fn account() -> Holder {
    Holder {
        id: "account".to_owned(),
        name: "fabc".to_owned(),
        maker: HolderMaker::Driver("file.csi.azure.com".to_owned()),
        content: Content::Nothing,
        tags: Tags::new(),
        created: None,
    }
}

/// Expires a day and an hour after the stage's first run.
fn snapshot() -> Snapshot {
    Snapshot {
        id: "snap".to_owned(),
        volume: VolumeId("vol-9".to_owned()),
        completed: true,
        tags: tagged(&[
            (tags::EXPIRES, "2026-11-22T11:00:00Z"),
            (tags::SNAPSHOT_OF, "vol-9"),
            (tags::CLUSTER_UID, PROD),
        ]),
    }
}

fn service(name: &str, hostname: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "web", "name": name, "uid": "99999999-9999-4999-8999-999999999999"},
        "status": {"loadBalancer": {"ingress": [{"hostname": hostname}]}},
    })
}

/// A load balancer, a storage account and a snapshot, of which nothing is wanted any more.
fn one_of_each() -> Stage {
    let mut stage = Stage::empty();
    stage.settings.leftovers = Grace::all(DAY);
    stage.cloud.with(|state| {
        state.balancers.push(balancer());
        state.holders.push(account());
        state.snapshots.push(snapshot());
    });
    stage
}

/// The same, marked by a run, and past their grace.
pub(crate) async fn past_grace() -> Stage {
    let stage = one_of_each();
    stage.age().await;
    stage
}

fn action<'a>(report: &'a Report, id: &str) -> &'a LeftoverAction {
    &leftover(report, id).action
}

fn leftover<'a>(report: &'a Report, id: &str) -> &'a Leftover {
    let found = report.leftovers.iter().find(|leftover| leftover.resource.id() == id);
    found.unwrap_or_else(|| unreachable!("{id} is not in {report:#?}"))
}

/// How many balancers, accounts and snapshots there are.
fn left(stage: &Stage) -> [usize; 3] {
    stage
        .cloud
        .with(|state| [state.balancers.len(), state.holders.len(), state.snapshots.len()])
}

#[tokio::test]
async fn the_first_run_marks_and_the_one_after_grace_deletes() {
    let stage = one_of_each();
    let dry = stage.dry_run().await;
    assert_eq!(action(&dry, "elb"), &LeftoverAction::Mark);
    assert_eq!(stage.deeds(), [""; 0]);
    let first = stage.apply().await;
    assert_eq!(
        [action(&first, "elb"), action(&first, "account")],
        [&LeftoverAction::Mark; 2]
    );
    // The snapshot is kept until a time of its own, and is only counted.
    assert_eq!(first.leftovers.len(), 2);
    assert!(
        stage
            .cloud
            .with(|state| state.balancers[0].tags[tags::UNUSED].starts_with("v1 orphan "))
    );
    stage.deeds();
    let waiting = stage.apply().await;
    assert!(matches!(action(&waiting, "account"), LeftoverAction::Wait(_)));
    assert_eq!(stage.deeds(), [""; 0]);
    stage.cloud.passes(DAY);
    let last = stage.apply().await;
    for id in ["elb", "account", "snap"] {
        assert_eq!(action(&last, id), &LeftoverAction::Gone, "{id}");
    }
    assert_eq!((last.saved.count, last.saved.gib), (3, 10));
    assert_eq!(left(&stage), [0; 3]);
    assert!(!last.is_incomplete() && !last.has_failures() && !last.has_findings());
    let again = stage.apply().await;
    assert!(again.leftovers.is_empty());
}

#[tokio::test]
async fn one_line_stands_before_and_one_after_each_deletion() {
    let stage = past_grace().await;
    stage.apply().await;
    let lines = stage.journal().await;
    for id in ["elb", "account", "snap"] {
        let is = |leftover: &Leftover| leftover.resource.id() == id;
        let begun = lines
            .iter()
            .position(|line| matches!(line, Line::BeginLeftover(leftover) if is(leftover)));
        let gone = lines.iter().position(
            |line| matches!(line, Line::EndLeftover(leftover) if is(leftover) && leftover.action == LeftoverAction::Gone),
        );
        assert!(begun.is_some() && begun < gone, "{id}: {lines:?}");
    }
}

#[tokio::test]
async fn what_is_wanted_again_loses_its_mark() {
    let stage = past_grace().await;
    stage.staging.add(service("other", "ELB.example.com"));
    stage.prod.add(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "files"},
        "parameters": {"storageAccount": "fabc"},
    }));
    let report = stage.apply().await;
    assert_eq!(
        [action(&report, "elb"), action(&report, "account")],
        [&LeftoverAction::Unmark; 2]
    );
    assert!(
        stage
            .cloud
            .with(|state| !state.balancers[0].tags.contains_key(tags::UNUSED))
    );
    assert_eq!(left(&stage), [1, 1, 0]);
}

#[tokio::test]
async fn what_comes_back_between_the_two_looks_stays() {
    let stage = past_grace().await;
    let (prod, cloud) = (stage.prod.clone(), stage.cloud.clone());
    // The first line of the journal stands between the survey and the second look.
    stage.script.at(
        "!create gc/runs",
        Happening::Do(Box::new(move || {
            prod.add(service("nginx", "new.example.com"));
            cloud.with(|state| state.holders[0].content = Content::Something("a share".to_owned()));
        })),
    );
    let report = stage.apply().await;
    for id in ["elb", "account"] {
        let stays = leftover(&report, id);
        assert_eq!(stays.action, LeftoverAction::Keep, "{stays:?}");
        assert!(stays.why.contains("looked at again"), "{stays:?}");
    }
    assert_eq!(left(&stage), [1, 1, 0]);
}

#[tokio::test]
async fn a_share_made_between_the_second_look_and_the_call_saves_its_account() {
    let stage = past_grace().await;
    let cloud = stage.cloud.clone();
    let fill = move || cloud.with(|state| state.holders[0].content = Content::Something("a share".to_owned()));
    stage.script.at("!delete holder account", Happening::Do(Box::new(fill)));
    let report = stage.apply().await;
    assert_eq!(action(&report, "account"), &LeftoverAction::Keep);
    assert!(leftover(&report, "account").why.contains("it holds a share"));
    assert!(!report.has_failures());
    assert_eq!(left(&stage), [0, 1, 0]);
}

#[tokio::test]
async fn a_kind_that_may_not_be_listed_makes_what_depends_on_it_unknown() {
    let stage = past_grace().await;
    stage
        .script
        .break_for_good("list services of staging", ErrorKind::Forbidden);
    let report = stage.apply().await;
    assert_eq!(leftover(&report, "elb").verdict, Verdict::Unknown);
    assert!(report.is_incomplete());
    assert_eq!(left(&stage), [1, 0, 0], "the rest is done");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_keeps_everything() {
    let mut stage = past_grace().await;
    stage.unreachable = true;
    let report = stage.apply().await;
    assert!(report.is_incomplete());
    assert_eq!(left(&stage), [1, 1, 1]);
}

#[tokio::test]
async fn a_listing_of_the_cloud_that_fails_is_a_gap_and_keeps_nobody_from_the_rest() {
    let stage = past_grace().await;
    stage.script.break_for_good("balancers", ErrorKind::Internal);
    let report = stage.apply().await;
    assert!(
        report.plan.gaps.iter().any(|gap| gap.what == "load balancers"),
        "{report:?}"
    );
    assert!(report.is_incomplete());
    assert_eq!(left(&stage), [1, 0, 0]);
}

#[tokio::test]
async fn another_cluster_behind_the_name_proves_nothing_about_an_account() {
    let mut stage = past_grace().await;
    stage.policy.clusters[0].uid = Some("another".to_owned());
    let report = stage.apply().await;
    assert_eq!(leftover(&report, "account").verdict, Verdict::Unknown);
    assert_eq!(left(&stage)[1], 1);
}

#[tokio::test]
async fn a_cloud_without_load_balancers_is_no_gap() {
    let stage = Stage::empty();
    stage.script.break_for_good("balancers", ErrorKind::Unsupported);
    let report = stage.apply().await;
    assert!(report.plan.gaps.is_empty() && !report.is_incomplete(), "{report:?}");
}

#[tokio::test]
async fn a_mark_that_cannot_be_written_is_a_failure_of_its_thing_alone() {
    let stage = one_of_each();
    stage.script.at("!tag", Happening::Fail(ErrorKind::Forbidden));
    let report = stage.apply().await;
    let failed = |leftover: &&Leftover| matches!(leftover.action, LeftoverAction::Failed(_));
    assert_eq!(
        report.leftovers.iter().filter(failed).count(),
        2,
        "both were tagged by one call: {report:?}"
    );
    assert!(report.has_failures());
    let mut more = balancer();
    more.id = "second".to_owned();
    let stage = past_grace().await;
    stage.cloud.with(|state| state.balancers.push(more));
    stage.script.at("!tag", Happening::Fail(ErrorKind::Forbidden));
    let report = stage.apply().await;
    assert!(matches!(action(&report, "second"), LeftoverAction::Failed(_)));
    assert_eq!(action(&report, "elb"), &LeftoverAction::Gone);
}

#[tokio::test]
async fn a_listing_whose_version_ran_out_is_begun_anew_a_few_times() {
    for (times, outcome) in [(2, LeftoverAction::Gone), (3, LeftoverAction::Keep)] {
        let stage = past_grace().await;
        for _ in 0..times {
            stage
                .script
                .at("list services of prod", Happening::Fail(ErrorKind::Expired));
        }
        let report = stage.apply().await;
        assert_eq!(action(&report, "elb"), &outcome, "{times}");
    }
}

#[tokio::test]
async fn what_nobody_can_delete_is_kept_and_is_no_failure() {
    let stage = past_grace().await;
    stage.script.break_for_good("!delete balancer", ErrorKind::Unsupported);
    let report = stage.apply().await;
    assert_eq!(action(&report, "elb"), &LeftoverAction::Keep);
    assert!(!report.has_failures());
    let ends = stage.journal().await.into_iter().filter_map(|line| match line {
        Line::EndLeftover(end) if end.action == LeftoverAction::Keep => Some(end.why),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [leftover(&report, "elb").why.clone()]);
    assert!(leftover(&report, "elb").why.contains("as the test wants it"));
}

#[tokio::test]
async fn a_cap_holds_for_volumes_and_leftovers_together() {
    let mut stage = past_grace().await;
    stage.policy.caps = Caps {
        count: Some(2),
        ..Caps::default()
    };
    let report = stage.apply().await;
    assert_eq!(left(&stage), [1; 3]);
    assert!(!report.plan.exceeded.is_empty());
    for id in ["elb", "account", "snap"] {
        assert_eq!(action(&report, id), &LeftoverAction::Keep);
    }
}

#[tokio::test]
async fn a_snapshot_that_a_run_took_goes_when_it_expires() {
    let mut stage = Stage::past_grace(1).await;
    stage
        .policy
        .snapshot_first
        .insert(moorline_api::VolumeSort::Disk, DAY * 30);
    stage.apply().await;
    assert_eq!(left(&stage), [0, 0, 1]);
    stage.cloud.passes(DAY * 30 - DAY / 24);
    stage.apply().await;
    assert_eq!(left(&stage), [0, 0, 1], "an hour too early");
    stage.cloud.passes(DAY / 24);
    let report = stage.apply().await;
    assert_eq!(left(&stage), [0; 3]);
    assert_eq!(report.leftovers.len(), 1);
    assert!(matches!(&report.leftovers[0].resource, Resource::Snapshot(_)));
}

#[tokio::test]
async fn a_snapshot_of_a_drivers_volume_goes_too() {
    let mut stage = Stage::left_behind(1);
    let mut by_driver = volume(0);
    by_driver.tags = tagged(&[("CSIVolumeName", &format!("pvc-{}", crate::stage::claim_uid(0)))]);
    stage.cloud.add(by_driver);
    stage.age().await;
    stage.policy.snapshot_first.insert(moorline_api::VolumeSort::Disk, DAY);
    stage.apply().await;
    assert_eq!(left(&stage), [0, 0, 1]);
    stage.cloud.passes(DAY);
    stage.apply().await;
    assert_eq!(left(&stage), [0; 3]);
}

#[tokio::test]
async fn an_account_without_leftovers_asks_nothing_more_of_the_clusters() {
    let stage = Stage::left_behind(1);
    stage.dry_run().await;
    let calls = stage.script.take();
    let services = calls.iter().filter(|call| call.contains("services")).count();
    assert_eq!(services, 0, "{calls:?}");
}

/// A load balancer and its two target groups, marked by a run, and past their grace.
async fn with_groups() -> Stage {
    let mut stage = Stage::empty();
    stage.settings.leftovers = Grace::all(DAY);
    stage.cloud.with(|state| {
        state.balancers.push(balancer());
        for id in ["http", "https"] {
            state.groups.push(TargetGroup {
                id: id.to_owned(),
                name: id.to_owned(),
                balancers: vec!["elb".to_owned()],
                tags: balancer().tags,
            });
        }
    });
    stage.age().await;
    stage
}

#[tokio::test]
async fn target_groups_go_after_the_load_balancer_that_they_were_made_for() {
    let stage = with_groups().await;
    let dry = stage.dry_run().await;
    for id in ["elb", "http", "https"] {
        assert_eq!(action(&dry, id), &LeftoverAction::Delete);
    }
    let report = stage.apply().await;
    let deeds = stage.deeds();
    let deletions: Vec<_> = deeds.iter().filter(|deed| deed.contains("delete")).collect();
    assert!(deletions[0].contains("balancer elb"), "{deeds:?}");
    assert_eq!(deletions.len(), 3, "{deeds:?}");
    for id in ["elb", "http", "https"] {
        assert_eq!(action(&report, id), &LeftoverAction::Gone);
    }
    assert_eq!(stage.cloud.with(|state| state.groups.len()), 0);
}

#[tokio::test]
async fn target_groups_stay_with_a_load_balancer_that_cannot_be_deleted_and_the_report_says_so() {
    let stage = with_groups().await;
    stage.script.break_for_good("!delete balancer", ErrorKind::Forbidden);
    let report = stage.apply().await;
    for id in ["http", "https"] {
        assert_eq!(action(&report, id), &LeftoverAction::Keep);
        let why = &leftover(&report, id).why;
        assert!(why.contains("load balancer elb is still there"), "{why}");
    }
    assert_eq!(stage.cloud.with(|state| state.groups.len()), 2);
}

#[tokio::test]
async fn a_report_with_a_leftover_of_which_nothing_is_known_is_incomplete() {
    let mut report = one_of_each().dry_run().await;
    assert!(!report.is_incomplete(), "{report:?}");
    report.leftovers[0].verdict = Verdict::Unknown;
    assert!(report.is_incomplete());
}

#[tokio::test]
async fn each_listing_and_each_mark_is_told() {
    let stage = one_of_each();
    stage.apply().await;
    let marks = stage.journal().await.into_iter().filter_map(|line| match line {
        Line::EndLeftover(end) if end.action == LeftoverAction::Mark => Some(end.resource.id().to_owned()),
        _ => None,
    });
    assert_eq!(marks.collect::<Vec<_>>(), ["elb", "account"]);
    let events = stage.events.lock().unwrap();
    let counted = |sort: &str| {
        let mut read = events.iter().filter_map(|event| match event {
            Event::Read { what, count, .. } if what == sort => Some(*count),
            _ => None,
        });
        read.next()
    };
    let sorts = ["load balancers", "target groups", "storage accounts", "snapshots"];
    assert_eq!(sorts.map(counted), [Some(1), Some(0), Some(1), Some(1)]);
    let total = events.iter().find_map(|event| match event {
        Event::Stage {
            stage: moorline_collect::Stage::Leftovers,
            total,
        } => Some(*total),
        _ => None,
    });
    assert_eq!(total, Some(sorts.len()));
}
