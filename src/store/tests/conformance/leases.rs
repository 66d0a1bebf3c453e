//! Leases and records are as good on a service as in a folder.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::{LocalBoxFuture, join_all};
use jiff::Timestamp;
use moorline_api::StoreKey;
use moorline_api::conformance::Case;
use moorline_api::conformance::store::Backend;
use moorline_store::{Lease, LeaseError, Records, SystemClock, Terms};
use serde_json::json;

/// Every case, as those of the suite are.
pub(crate) fn cases() -> Vec<Case<Backend>> {
    fn case(name: &'static str, run: fn(Backend) -> LocalBoxFuture<'static, ()>) -> Case<Backend> {
        Case::new(name, run)
    }
    vec![
        case("leases::one_of_many_gets_it", |backend| {
            Box::pin(one_of_many_gets_it(backend))
        }),
        case("leases::it_goes_from_hand_to_hand", |backend| {
            Box::pin(it_goes_from_hand_to_hand(backend))
        }),
        case("records::are_read_back_newest_first", |backend| {
            Box::pin(are_read_back_newest_first(backend))
        }),
    ]
}

async fn acquire(backend: &Backend, terms: Terms) -> Result<Lease, LeaseError> {
    let key = StoreKey::new("leases/gc.json").unwrap();
    Lease::acquire(backend.open(), key, terms, Arc::new(SystemClock::default())).await
}

async fn one_of_many_gets_it(backend: Backend) {
    let mut highest = 0;
    for _ in 0..3 {
        let attempts = (0..6).map(|n| acquire(&backend, Terms::new(format!("writer {n}"))));
        let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts).await.into_iter().partition(Result::is_ok);
        let [Ok(lease)] = &won[..] else {
            panic!("{} hold it, and {lost:?}", won.len())
        };
        for outcome in lost {
            assert!(matches!(outcome, Err(LeaseError::Held { .. })), "{outcome:?}");
        }
        lease.confirm().await.unwrap();
        lease.renew().await.unwrap();
        assert!(lease.fence() > highest);
        highest = lease.fence();
        for lease in won {
            lease.unwrap().release().await.unwrap();
        }
    }
}

async fn it_goes_from_hand_to_hand(backend: Backend) {
    let short = |holder: &str| Terms {
        span: Duration::from_millis(700),
        margin: Duration::from_millis(100),
        ..Terms::new(holder)
    };
    let first = acquire(&backend, short("first")).await.unwrap();
    // The first one is paused, and does not renew.
    let second = loop {
        match acquire(&backend, short("second")).await {
            Ok(lease) => break lease,
            Err(LeaseError::Held { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(second.fence() > first.fence());
    assert!(
        first.check().is_err(),
        "it wakes up late, and believes that it holds it"
    );
    assert!(matches!(first.renew().await, Err(LeaseError::Lost { .. })));
    second.renew().await.unwrap();
    second.release().await.unwrap();
}

async fn are_read_back_newest_first(backend: Backend) {
    let records = |backend: &Backend| Records::new(backend.open(), StoreKey::new("runs").unwrap());
    let now: Timestamp = "2026-11-21T16:00:00Z".parse().unwrap();
    for (text, run) in [
        ("2026-08-01T00:00:00Z", "c"),
        ("2026-11-20T00:00:00Z", "a"),
        ("2026-11-21T15:00:00.5Z", "b"),
    ] {
        let mut log = records(&backend).begin(text.parse().unwrap(), run).unwrap();
        log.append(&[json!({ "run": run }), json!(1)]).await.unwrap();
        log.append(&[json!(2)]).await.unwrap();
    }
    for (most, expected) in [(1, &["b"][..]), (2, &["b", "a"]), (9, &["b", "a", "c"])] {
        let reader = records(&backend);
        let found: Vec<_> = reader.newest(most, now).await.unwrap().try_collect().await.unwrap();
        let runs: Vec<_> = found.iter().map(|record| record.run.as_str()).collect();
        assert_eq!(runs, expected);
        for record in &found {
            assert_eq!(record.lines, [json!({ "run": record.run }), json!(1), json!(2)]);
        }
    }
}
