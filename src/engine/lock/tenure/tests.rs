//! When a Lease is surely ours, and what a call does while it is not.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::fakes::Stage;
use crate::lock::{Fate, Holder, Patience};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_lease_is_surely_ours_while_both_clocks_say_so() {
    let (steady, wall) = (Instant::now(), SystemTime::now());
    let holds = |steady, wall| Until { steady, wall }.holds();
    assert!(Until::from_now().holds());
    assert!(holds(steady + SECOND, wall + SECOND));
    assert!(!holds(steady, wall + SECOND), "its time is over");
    assert!(!holds(steady + SECOND, wall - SECOND), "the machine slept");
    assert!(
        !holds(steady + SECOND, wall + SPAN + SECOND),
        "the time of day was put back"
    );
    assert!(holds(steady + SECOND, wall + SPAN));
}

fn tenure(stage: &Stage) -> Tenure {
    let terms = Terms {
        what: "profile web".to_owned(),
        namespace: "default".to_owned(),
        name: "moorline-web".to_owned(),
        holder: Holder {
            identity: "me".to_owned(),
            command: String::new(),
            process: String::new(),
            fate: |_| Fate::Unknown,
        },
        patience: Patience::UntilAlive,
    };
    Tenure::new(&stage.context(), &terms, Seen::Absent)
}

fn holding(until: Until) -> State {
    State::Held {
        version: "1".to_owned(),
        uid: "u".to_owned(),
        until,
    }
}

fn over() -> Until {
    Until {
        steady: Instant::now(),
        wall: SystemTime::now(),
    }
}

/// Lets whatever else can go on do so.
async fn a_while() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_waits_while_the_lease_is_not_surely_ours() {
    let tenure = tenure(&Stage::new());
    tenure.during(async { Ok(()) }).await.unwrap();
    tenure.hold.state.send_replace(holding(over()));
    let begun = AtomicBool::new(false);
    let call = async {
        begun.store(true, Ordering::Relaxed);
        Ok(())
    };
    let renewal = async {
        a_while().await;
        assert!(!begun.load(Ordering::Relaxed));
        tenure.hold.state.send_replace(holding(Until::from_now()));
    };
    let (done, ()) = tokio::join!(tenure.during(call), renewal);
    done.unwrap();
    assert!(begun.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_call_that_was_begun_does_not_go_on_without_the_lease() {
    let tenure = tenure(&Stage::new());
    let (turn, waits) = tokio::sync::oneshot::channel::<()>();
    let sent = AtomicBool::new(false);
    let call = async {
        // Its turn in the cloud's budget.
        waits.await.unwrap();
        sent.store(true, Ordering::Relaxed);
        Ok(())
    };
    let stopped = async {
        a_while().await;
        tenure.hold.state.send_replace(holding(over()));
        turn.send(()).unwrap();
        a_while().await;
        assert!(!sent.load(Ordering::Relaxed));
        let lost = LockError::Lost {
            what: "profile web".to_owned(),
            place: "there".to_owned(),
            taker: "was deleted".to_owned(),
        };
        drop(tenure.hold.fail(lost));
    };
    let (done, ()) = tokio::join!(tenure.during(call), stopped);
    assert!(done.is_err() && !sent.load(Ordering::Relaxed));
    assert!(tenure.stop().is_cancelled());
}

#[tokio::test]
async fn only_the_version_that_is_ours_is_renewed() {
    let stage = Stage::new();
    let tenure = tenure(&stage);
    tenure.during(async { Ok(()) }).await.unwrap();
    let renewed = tenure.hold.try_renew().await;
    assert!(matches!(renewed, Ok(true)), "{renewed:?}");
    // Labelled by somebody: it is ours still, in another version, and this was no sign of life.
    let mut labelled = stage.cluster.find("Lease", "moorline-web").unwrap();
    labelled.set(&["metadata", "labels"], serde_json::json!({"a": "b"}));
    stage.cluster.add(labelled.clone().into_value());
    tenure.hold.state.send_replace(holding(over()));
    assert!(matches!(tenure.hold.try_renew().await, Ok(false)));
    assert!(!tenure.hold.is_ours());
    assert!(matches!(tenure.hold.try_renew().await, Ok(true)));
    assert!(tenure.hold.is_ours());
    for (holder, taker) in [("you", "is now held by you"), ("", "was set free")] {
        labelled.set(&["spec", "holderIdentity"], serde_json::json!(holder));
        stage.cluster.add(labelled.clone().into_value());
        let lost = tenure.hold.try_renew().await.unwrap_err().to_string();
        assert!(lost.contains(taker), "{lost}");
    }
    stage.cluster.remove("Lease", "moorline-web");
    let lost = tenure.hold.try_renew().await.unwrap_err().to_string();
    assert!(lost.contains("was deleted"), "{lost}");
}

#[test]
fn the_fence_begins_with_the_seconds_of_the_clock_and_fits_its_field() {
    let at = |second| first_transition(Timestamp::from_second(second).unwrap());
    assert_eq!((at(-5), at(5), at(LAST + 1)), (0, 5, LAST));
}
