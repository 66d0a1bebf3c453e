//! Of two writers one wins.

use futures::future::join_all;

use super::{Backend, key, value};
use crate::{ErrorKind, RunStore};

const WRITERS: usize = 8;

pub(super) async fn one_of_many_makes_a_key(backend: Backend) {
    let stores: Vec<_> = (0..WRITERS).map(|_| backend.open()).collect();
    for round in 0..10 {
        let name = key(&format!("leases/{round}"));
        let attempts = stores.iter().enumerate().map(|(writer, store)| {
            let name = name.clone();
            async move { (writer, store.create(&name, writer.to_string().as_bytes()).await) }
        });
        let mut winners = Vec::new();
        for (writer, outcome) in join_all(attempts).await {
            match outcome {
                Ok(_) => winners.push(writer),
                Err(error) => assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}"),
            }
        }
        let [winner] = winners[..] else {
            panic!("{winners:?} all made {name}")
        };
        let there = value(&*stores[0], name.as_str()).await.unwrap();
        assert_eq!(there, winner.to_string().as_bytes());
    }
}

pub(super) async fn no_increment_is_lost(backend: Backend) {
    const EACH: usize = 10;
    let counter = key("counter");
    backend.open().create(&counter, b"0").await.unwrap();
    let writers = (0..WRITERS).map(|_| {
        let (store, counter) = (backend.open(), counter.clone());
        async move {
            for _ in 0..EACH {
                while !increment(&*store, &counter).await {}
            }
        }
    });
    join_all(writers).await;
    let total = value(&*backend.open(), "counter").await.unwrap();
    assert_eq!(total, (WRITERS * EACH).to_string().as_bytes());
}

/// Whether it was this one whose increment counts.
async fn increment(store: &dyn RunStore, counter: &crate::StoreKey) -> bool {
    let seen = store.read(counter).await.unwrap().unwrap();
    let count: usize = String::from_utf8(seen.value).unwrap().parse().unwrap();
    let next = (count + 1).to_string();
    match store.replace(counter, next.as_bytes(), &seen.version).await {
        Ok(_) => true,
        Err(error) if error.kind == ErrorKind::Stale => false,
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn a_value_is_replaced_or_deleted_and_not_both(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    for round in 0..10 {
        let name = key(&format!("races/{round}"));
        let first = one.create(&name, b"first").await.unwrap();
        let (replaced, deleted) = futures::join!(one.replace(&name, b"second", &first), other.delete(&name, &first));
        assert_ne!(replaced.is_ok(), deleted.is_ok(), "{replaced:?} {deleted:?}");
        for error in [replaced.as_ref().err(), deleted.as_ref().err()].into_iter().flatten() {
            assert_eq!(error.kind, ErrorKind::Stale, "{error}");
        }
        assert_eq!(value(&*one, name.as_str()).await.is_some(), replaced.is_ok());
    }
}
