//! Writes keep to their conditions.

use super::{Backend, key, refused, value};
use crate::ErrorKind;
use crate::store::MAX_VALUE;

pub(super) async fn a_key_is_made_once(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    one.create(&key("a"), b"first").await.unwrap();
    for store in [&one, &other] {
        assert_eq!(
            refused(store.create(&key("a"), b"second").await),
            ErrorKind::AlreadyExists
        );
        // The same bytes make no difference: it is not this writer who made it.
        assert_eq!(
            refused(store.create(&key("a"), b"first").await),
            ErrorKind::AlreadyExists
        );
    }
    assert_eq!(value(&*one, "a").await.unwrap(), b"first");
}

pub(super) async fn a_value_is_replaced_by_who_has_seen_it(backend: Backend) {
    let store = backend.open();
    let first = store.create(&key("a"), b"first").await.unwrap();
    let second = store.replace(&key("a"), b"second", &first).await.unwrap();
    assert_ne!(first, second);
    let third = store.replace(&key("a"), b"", &second).await.unwrap();
    assert_ne!(second, third);
    assert_eq!(value(&*store, "a").await.unwrap(), b"");
}

pub(super) async fn a_value_that_changed_is_not_replaced(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    let first = one.create(&key("a"), b"first").await.unwrap();
    other.replace(&key("a"), b"second", &first).await.unwrap();
    assert_eq!(
        refused(one.replace(&key("a"), b"third", &first).await),
        ErrorKind::Stale
    );
    assert_eq!(value(&*one, "a").await.unwrap(), b"second");
}

pub(super) async fn what_is_gone_is_not_replaced(backend: Backend) {
    let store = backend.open();
    let first = store.create(&key("a/b"), b"first").await.unwrap();
    assert_eq!(
        refused(store.replace(&key("a/c"), b"1", &first).await),
        ErrorKind::Stale
    );
    assert_eq!(
        refused(store.replace(&key("b/c"), b"1", &first).await),
        ErrorKind::Stale
    );
    store.delete(&key("a/b"), &first).await.unwrap();
    assert_eq!(
        refused(store.replace(&key("a/b"), b"1", &first).await),
        ErrorKind::Stale
    );
    assert_eq!(value(&*store, "a/b").await, None);
}

pub(super) async fn what_is_too_large_is_refused(backend: Backend) {
    let store = backend.open();
    let large = vec![b'x'; MAX_VALUE + 1];
    assert_eq!(refused(store.create(&key("a"), &large).await), ErrorKind::Invalid);
    let small = store.create(&key("a"), b"small").await.unwrap();
    assert_eq!(
        refused(store.replace(&key("a"), &large, &small).await),
        ErrorKind::Invalid
    );
    assert_eq!(value(&*store, "a").await.unwrap(), b"small");
    backend.put_foreign("b", &large).await;
    assert_eq!(refused(store.read(&key("b")).await), ErrorKind::Invalid);
}

pub(super) async fn folders_need_not_be_made(backend: Backend) {
    let store = backend.open();
    store.create(&key("a/b/c/d/e"), b"deep").await.unwrap();
    store.create(&key("a/b/c/d/f"), b"beside").await.unwrap();
    assert_eq!(value(&*store, "a/b/c/d/e").await.unwrap(), b"deep");
}
