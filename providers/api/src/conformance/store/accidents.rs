//! What breaks on the way makes no difference, or an error; never two winners, and none that does not know it.

use futures::TryStreamExt;

use super::{Accident, Backend, key, refused, value};
use crate::ErrorKind;

/// More often than anything is tried again.
const ALWAYS: usize = 1_000;

pub(super) async fn a_lost_answer_makes_no_stranger_of_a_creation(backend: Backend) {
    let (store, other) = (backend.open(), backend.open());
    store.create(&key("first"), b"1").await.unwrap();
    backend.strike("PUT", Accident::AnswerLost, 1);
    let version = store.create(&key("a"), b"1").await.unwrap();
    assert_eq!(other.read(&key("a")).await.unwrap().unwrap().version, version);
    assert_eq!(refused(other.create(&key("a"), b"1").await), ErrorKind::AlreadyExists);
    // And where it was made by another one before, it stays a stranger's.
    backend.strike("PUT", Accident::AnswerLost, 1);
    assert_eq!(refused(store.create(&key("a"), b"1").await), ErrorKind::AlreadyExists);
}

pub(super) async fn a_lost_answer_makes_no_stranger_of_a_replacement(backend: Backend) {
    let store = backend.open();
    let first = store.create(&key("a"), b"1").await.unwrap();
    backend.strike("PUT", Accident::AnswerLost, 2);
    let second = store.replace(&key("a"), b"2", &first).await.unwrap();
    assert_eq!(store.read(&key("a")).await.unwrap().unwrap().version, second);
    backend.strike("PUT", Accident::AnswerLost, 1);
    assert_eq!(refused(store.replace(&key("a"), b"3", &first).await), ErrorKind::Stale);
    assert_eq!(value(&*store, "a").await.unwrap(), b"2");
}

pub(super) async fn a_lost_answer_makes_no_failure_of_a_deletion(backend: Backend) {
    let store = backend.open();
    let other = store.create(&key("other"), b"1").await.unwrap();
    store.delete(&key("other"), &other).await.unwrap();
    let first = store.create(&key("a"), b"1").await.unwrap();
    backend.strike("DELETE", Accident::AnswerLost, 1);
    store.delete(&key("a"), &first).await.unwrap();
    assert_eq!(value(&*store, "a").await, None);
}

pub(super) async fn a_failure_after_the_effect_is_found_out(backend: Backend) {
    let store = backend.open();
    let other = store.create(&key("other"), b"1").await.unwrap();
    store.delete(&key("other"), &other).await.unwrap();
    backend.strike("PUT", Accident::FailedAfterwards, 2);
    let first = store.create(&key("a"), b"1").await.unwrap();
    backend.strike("PUT", Accident::FailedAfterwards, 1);
    let second = store.replace(&key("a"), b"2", &first).await.unwrap();
    backend.strike("DELETE", Accident::FailedAfterwards, 1);
    store.delete(&key("a"), &second).await.unwrap();
    assert_eq!(value(&*store, "a").await, None);
}

pub(super) async fn a_lost_request_is_sent_again(backend: Backend) {
    let store = backend.open();
    backend.strike("PUT", Accident::RequestLost, 1);
    store.create(&key("first"), b"1").await.unwrap();
    backend.strike("PUT", Accident::RequestLost, 2);
    let first = store.create(&key("a"), b"1").await.unwrap();
    backend.strike("GET", Accident::RequestLost, 2);
    assert_eq!(value(&*store, "a").await.unwrap(), b"1");
    backend.strike("DELETE", Accident::RequestLost, 1);
    store.delete(&key("a"), &first).await.unwrap();
    assert_eq!(value(&*store, "a").await, None);
}

pub(super) async fn throttling_is_waited_out(backend: Backend) {
    let store = backend.open();
    backend.strike("PUT", Accident::Throttled, 2);
    store.create(&key("a"), b"1").await.unwrap();
    backend.strike("GET", Accident::Throttled, 2);
    assert_eq!(value(&*store, "a").await.unwrap(), b"1");
}

pub(super) async fn what_stays_away_is_an_error(backend: Backend) {
    let store = backend.open();
    let first = store.create(&key("a"), b"1").await.unwrap();
    backend.strike("GET", Accident::RequestLost, ALWAYS);
    assert_eq!(refused(store.read(&key("a")).await), ErrorKind::Unreachable);
    backend.strike("PUT", Accident::RequestLost, ALWAYS);
    assert_eq!(
        refused(store.replace(&key("a"), b"2", &first).await),
        ErrorKind::Unreachable
    );
    assert_eq!(refused(store.create(&key("b"), b"2").await), ErrorKind::Unreachable);
}

pub(super) async fn a_list_that_breaks_off_is_an_error(backend: Backend) {
    let store = backend.open();
    store.create(&key("a"), b"1").await.unwrap();
    backend.strike("GET", Accident::RequestLost, ALWAYS);
    let listed: Result<Vec<_>, _> = store.list(None).try_collect().await;
    assert_eq!(refused(listed), ErrorKind::Unreachable);
}
