//! What an earlier run began to delete, and did not end.

use moorline_api::{ErrorKind, Resource};
use moorline_collect::{Leftover, LeftoverAction, Line};

use super::{action, left, past_grace, service, with_groups};
use crate::fakes::Happening;

#[tokio::test]
async fn a_deletion_that_fails_is_reported_and_taken_up_by_the_next_run() {
    let stage = past_grace().await;
    stage
        .script
        .at("!delete balancer", Happening::Fail(ErrorKind::Internal));
    let report = stage.apply().await;
    assert!(matches!(action(&report, "elb"), LeftoverAction::Failed(_)));
    assert!(report.has_failures());
    assert_eq!((report.saved.count, left(&stage)), (2, [1, 0, 0]));
    let next = stage.apply().await;
    assert_eq!(action(&next, "elb"), &LeftoverAction::Gone);
    assert_eq!((next.saved.count, left(&stage)), (1, [0; 3]));
}

#[tokio::test]
async fn what_is_used_again_after_a_deletion_had_failed_is_not_called_gone() {
    let stage = past_grace().await;
    stage.script.break_for_good("!delete balancer", ErrorKind::Internal);
    stage.apply().await;
    stage.script.forget();
    stage.prod.add(service("nginx", "elb.example.com"));
    let next = stage.apply().await;
    assert_eq!((next.saved.count, left(&stage)), (0, [1, 0, 0]), "{next:?}");
    let gone = |leftover: &Leftover| leftover.action == LeftoverAction::Gone;
    assert!(!next.leftovers.iter().any(gone), "{next:?}");
}

#[tokio::test]
async fn what_cannot_be_listed_after_a_deletion_had_failed_is_not_called_gone() {
    let stage = past_grace().await;
    stage.script.break_for_good("!delete balancer", ErrorKind::Internal);
    stage.apply().await;
    stage.script.forget();
    stage.script.break_for_good("balancers", ErrorKind::Internal);
    let next = stage.apply().await;
    assert!(next.leftovers.is_empty() && next.saved.count == 0, "{next:?}");
    stage.script.forget();
    let after = stage.apply().await;
    assert_eq!((action(&after, "elb"), after.saved.count), (&LeftoverAction::Gone, 1));
}

#[tokio::test]
async fn what_somebody_else_deleted_after_a_run_had_failed_is_said_to_be_gone_once() {
    let stage = past_grace().await;
    stage.script.break_for_good("!delete balancer", ErrorKind::Internal);
    stage.apply().await;
    stage.script.forget();
    stage.cloud.with(|state| state.balancers.clear());
    let next = stage.apply().await;
    assert_eq!((action(&next, "elb"), next.saved.count), (&LeftoverAction::Gone, 1));
    let ends = stage.journal().await.into_iter().filter_map(|line| match line {
        Line::EndLeftover(leftover) if leftover.action == LeftoverAction::Gone => Some(leftover.resource),
        _ => None,
    });
    let elb = Resource::LoadBalancer("elb".to_owned());
    assert_eq!(
        ends.filter(|gone| *gone == elb).count(),
        1,
        "its line is in the journal"
    );
    let after = stage.apply().await;
    assert!(after.leftovers.is_empty(), "{after:?}");
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_of_its_calls_is_finished_by_the_next_and_counts_each_thing_once() {
    for call in ["!delete balancer", "!delete holder", "!delete snapshot"] {
        for happening in [Happening::Kill, Happening::KillAfter] {
            let case = format!(
                "{} {call}",
                if matches!(happening, Happening::Kill) {
                    "before"
                } else {
                    "after"
                }
            );
            let stage = past_grace().await;
            stage.script.at(call, happening);
            let collector = stage.collector();
            assert!(stage.script.until_killed(collector.apply()).await.is_none(), "{case}");
            drop(collector);
            stage.release_the_dead();
            stage.apply().await;
            assert_eq!(left(&stage), [0; 3], "{case}");
            let runs = stage.collector().history(100).await.unwrap();
            let saved: u64 = runs.iter().map(|run| run.saved.count).sum();
            assert_eq!(saved, 3, "{case}: {runs:?}");
            assert!(runs[0].open_leftovers.is_empty(), "{case}: {runs:?}");
        }
    }
}

#[tokio::test]
async fn a_run_that_is_killed_between_load_balancer_and_target_groups_is_finished_by_the_next() {
    for (call, happening) in [
        ("!delete balancer", Happening::KillAfter),
        ("!delete target group http", Happening::Kill),
        ("!delete target group http", Happening::KillAfter),
    ] {
        let stage = with_groups().await;
        stage.script.at(call, happening);
        let collector = stage.collector();
        assert!(stage.script.until_killed(collector.apply()).await.is_none(), "{call}");
        drop(collector);
        let killed = stage.collector().history(1).await.unwrap().remove(0);
        let begun = killed.open_leftovers.iter().any(|open| call.ends_with(open.id()));
        assert!(begun || call.ends_with("balancer"), "{call}: {killed:?}");
        assert!(!killed.open_leftovers.is_empty(), "{call}");
        stage.release_the_dead();
        stage.apply().await;
        let left = stage.cloud.with(|state| (state.balancers.len(), state.groups.len()));
        assert_eq!(left, (0, 0), "{call}");
        let runs = stage.collector().history(100).await.unwrap();
        let saved: u64 = runs.iter().map(|run| run.saved.count).sum();
        assert_eq!(saved, 3, "{call}: each is counted once: {runs:?}");
    }
}
