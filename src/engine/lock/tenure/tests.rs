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
    let time = || {
        let lease = stage.cluster.find("Lease", "moorline-web").unwrap();
        lease.str_at(&["spec", "renewTime"]).unwrap().to_owned()
    };
    let before = time();
    let renewed = tenure.hold.try_renew().await;
    assert!(matches!(renewed, Ok(true)), "{renewed:?}");
    assert!(time() > before, "others see by it that somebody is there");
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

const MERGE: &str = "!merge leases.coordination.k8s.io";
const GET: &str = "get leases.coordination.k8s.io";

/// As it is held, but for the time until which it is.
fn until(tenure: &Tenure, until: Until) {
    let State::Held { version, uid, .. } = tenure.hold.state.borrow().clone() else {
        panic!("it is not held");
    };
    tenure.hold.state.send_replace(State::Held { version, uid, until });
}

#[tokio::test]
async fn no_failed_sign_of_life_proves_anything_and_the_next_good_one_does() {
    let kinds = [
        ErrorKind::Unreachable,
        ErrorKind::Internal,
        ErrorKind::Forbidden,
        ErrorKind::Unauthenticated,
        ErrorKind::Stale,
        ErrorKind::Throttled { retry_after: None },
    ];
    for kind in kinds {
        for is_readable in [true, false] {
            let stage = Stage::new();
            let tenure = tenure(&stage);
            tenure.during(async { Ok(()) }).await.unwrap();
            until(&tenure, over());
            stage.script.fail(MERGE, kind.clone());
            if !is_readable {
                stage.script.fail(GET, kind.clone());
            }
            let renewed = tenure.hold.try_renew().await;
            assert!(matches!(renewed, Ok(false)), "{kind:?}: {renewed:?}");
            assert!(!tenure.hold.is_ours(), "{kind:?}");
            assert!(!tenure.stop().is_cancelled(), "{kind:?}: it is not lost either");
            assert!(matches!(tenure.hold.try_renew().await, Ok(true)), "{kind:?}");
            assert!(tenure.hold.is_ours(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_sign_of_life_whose_answer_was_lost_is_no_proof_and_no_loss() {
    let stage = Stage::new();
    let tenure = tenure(&stage);
    tenure.during(async { Ok(()) }).await.unwrap();
    let cluster = stage.cluster.clone();
    for _ in 0..3 {
        until(&tenure, over());
        // The request before had its effect, which makes this one refused: its version is older.
        let cluster = cluster.clone();
        stage.script.before(MERGE, move || {
            let mut lease = cluster.find("Lease", "moorline-web").unwrap();
            lease.set(&["spec", "renewTime"], serde_json::json!("2026-11-22T00:00:00.000000Z"));
            cluster.add(lease.into_value());
        });
        assert!(matches!(tenure.hold.try_renew().await, Ok(false)));
        assert!(!tenure.hold.is_ours(), "when it was renewed nobody knows");
        assert!(matches!(tenure.hold.try_renew().await, Ok(true)));
        assert!(tenure.hold.is_ours());
    }
}

#[tokio::test]
async fn whichever_way_the_clock_jumps_calls_wait_for_a_sign_of_life() {
    let (steady, wall) = (Instant::now() + SECOND, SystemTime::now());
    for wall in [wall - 1000 * SECOND, wall + 1000 * SECOND] {
        let tenure = tenure(&Stage::new());
        tenure.during(async { Ok(()) }).await.unwrap();
        until(&tenure, Until { steady, wall });
        let begun = AtomicBool::new(false);
        let call = async {
            begun.store(true, Ordering::Relaxed);
            Ok(())
        };
        let renewal = async {
            a_while().await;
            assert!(!begun.load(Ordering::Relaxed));
            assert!(matches!(tenure.hold.try_renew().await, Ok(true)));
        };
        let (done, ()) = tokio::join!(tenure.during(call), renewal);
        done.unwrap();
        assert!(begun.load(Ordering::Relaxed));
    }
}

#[tokio::test]
async fn a_lease_that_cannot_be_proved_ends_the_run_before_its_next_change() {
    let stage = Stage::new();
    let mut tenure = tenure(&stage);
    Arc::get_mut(&mut tenure.hold).unwrap().give_up = Duration::ZERO;
    tenure.during(async { Ok(()) }).await.unwrap();
    stage.script.refuse(MERGE, ErrorKind::Unreachable);
    until(&tenure, over());
    assert!(matches!(tenure.hold.try_renew().await, Ok(false)));
    let refused: Called<()> = tenure.during(async { panic!("it was begun") }).await;
    assert_eq!(refused.unwrap_err().operation, "hold");
    assert!(tenure.stop().is_cancelled());
    // What the API server says later does not bring it back.
    tenure.hold.fail(tenure.hold.overtaken());
    let ended = tenure.end(&stage.context(), Afterwards::Free).await;
    let why = ended.unwrap_err();
    assert!(
        matches!(why, LockError::Unconfirmed { .. }),
        "the first reason counts: {why}"
    );
    assert!(why.to_string().contains("as the test wants it"), "{why}");
}

#[test]
fn the_fence_begins_with_the_seconds_of_the_clock_and_fits_its_field() {
    let at = |second| first_transition(Timestamp::from_second(second).unwrap());
    assert_eq!((at(-5), at(5), at(LAST + 1)), (0, 5, LAST));
}
