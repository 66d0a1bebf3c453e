//! Two runs at once: one works, and the other deletes nothing.

use std::time::Duration;

use moorline_collect::{CollectError, Outcome};
use serde_json::{Value, json};

use crate::fakes::Happening;
use crate::leftovers;
use crate::stage::Stage;

const LEASE: &str = "gc/lease.json";

/// The lease as somebody else would hold it.
fn of_another() -> String {
    json!({
        "holder": "gc on build-9, process 1", "fence": 9_999_999_999_u64, "token": "another", "renewals": 0,
        "acquired": "2026-11-21T12:00:00Z", "until": "2999-01-01T00:00:00Z", "released": false,
    })
    .to_string()
}

#[tokio::test]
async fn a_lease_that_is_held_names_its_holder_and_nothing_is_read_or_done() {
    let stage = Stage::past_grace(1).await;
    stage.store.put(LEASE, &of_another());
    let error = stage.try_apply().await.unwrap_err();
    let CollectError::Held { holder, .. } = &error else {
        unreachable!("{error}")
    };
    assert_eq!(holder, "gc on build-9, process 1");
    assert_eq!(stage.deeds(), [""; 0]);
    // A dry run needs no lease.
    assert_eq!(stage.dry_run().await.plan.deletions.len(), 1);
}

#[tokio::test]
async fn two_runs_at_once_are_one_run() {
    let stage = Stage::past_grace(2).await;
    let (one, two) = (stage.collector(), stage.collector());
    let (first, second) = tokio::join!(one.apply(), two.apply());
    assert_eq!(first.unwrap().saved.count, 2);
    assert!(matches!(second, Err(CollectError::Held { .. })));
}

#[tokio::test]
async fn the_lease_is_given_back() {
    let stage = Stage::past_grace(1).await;
    stage.apply().await;
    let lease: Value = serde_json::from_str(&stage.store.text(LEASE).unwrap()).unwrap();
    assert_eq!(lease["released"], json!(true));
}

/// Somebody else has the lease from some call on: after it nothing is changed any more, whichever call it was.
#[tokio::test]
async fn a_lease_lost_in_the_middle_stops_everything_before_the_next_call() {
    let mut stopped = 0;
    for number in 0.. {
        let stage = Stage::past_grace(2).await;
        let store = stage.store.clone();
        let script = stage.script.clone();
        let lose = move || {
            store.put(LEASE, &of_another());
            script.take();
        };
        stage.script.at_mutation(number, Happening::Do(Box::new(lose)));
        let outcome = stage.try_apply().await;
        if stage.store.text(LEASE).is_none_or(|lease| !lease.contains("another")) {
            assert!(number > 8, "only {number} calls changed something");
            break;
        }
        // The call itself was on its way. After it there is none.
        let after = stage.deeds();
        assert_eq!(after, [""; 0], "after call {number}");
        stopped += 1;
        if let Ok(report) = outcome {
            let unsaid = report
                .done
                .iter()
                .filter(|done| matches!(done.outcome, Outcome::Kept(_)));
            assert_eq!(unsaid.count(), 0, "{report:#?}");
        }
    }
    assert!(stopped > 8, "{stopped}");
}

/// The same with load balancers, accounts and snapshots.
#[tokio::test]
async fn a_lease_lost_among_leftovers_stops_everything_before_the_next_call() {
    for number in 0.. {
        let stage = leftovers::past_grace().await;
        let (store, script) = (stage.store.clone(), stage.script.clone());
        let lose = move || {
            store.put(LEASE, &of_another());
            script.take();
        };
        stage.script.at_mutation(number, Happening::Do(Box::new(lose)));
        // It ends early, or with an error, whichever call it was.
        let _ = stage.try_apply().await;
        if stage.store.text(LEASE).is_none_or(|lease| !lease.contains("another")) {
            assert!(number > 8, "only {number} calls changed something");
            break;
        }
        assert_eq!(stage.deeds(), [""; 0], "after call {number}");
    }
}

#[tokio::test]
async fn a_holder_that_wakes_up_late_deletes_nothing() {
    let mut stage = Stage::past_grace(1).await;
    stage.settings.lock_span = Duration::from_millis(400);
    stage.settings.lock_margin = Duration::from_millis(100);
    // The whole process stands still, just before the first deletion and with the lease confirmed.
    let sleep = || std::thread::sleep(Duration::from_millis(600));
    stage
        .script
        .at(&format!("read {LEASE}"), Happening::Do(Box::new(|| {})));
    let script = stage.script.clone();
    let after_begin = move || script.at(&format!("read {LEASE}"), Happening::Do(Box::new(sleep)));
    stage.script.at(
        "!create gc/runs/2026-11/20261122t120000.000z-run-2/000002",
        Happening::Do(Box::new(after_begin)),
    );
    let report = stage.apply().await;
    assert!(stage.is_whole(0), "{report:#?}");
    assert!(
        matches!(&report.done[0].outcome, Outcome::Failed(why) if why.contains("lease")),
        "{report:#?}"
    );
    // It holds it again, for nobody took it meanwhile: what is left is for the next run all the same.
    assert!(report.has_failures());
}
