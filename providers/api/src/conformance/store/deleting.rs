//! Deletions keep to their conditions.

use super::{Backend, key, refused, value};
use crate::ErrorKind;

pub(super) async fn a_value_is_deleted_by_who_has_seen_it(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    one.create(&key("a"), b"1").await.unwrap();
    let seen = other.read(&key("a")).await.unwrap().unwrap();
    other.delete(&key("a"), &seen.version).await.unwrap();
    assert_eq!(value(&*one, "a").await, None);
    one.create(&key("a"), b"2").await.unwrap();
    assert_eq!(value(&*other, "a").await.unwrap(), b"2");
}

pub(super) async fn a_value_that_changed_is_not_deleted(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    let first = one.create(&key("a"), b"1").await.unwrap();
    other.replace(&key("a"), b"2", &first).await.unwrap();
    assert_eq!(refused(one.delete(&key("a"), &first).await), ErrorKind::Stale);
    assert_eq!(value(&*one, "a").await.unwrap(), b"2");
}

pub(super) async fn what_is_gone_is_not_deleted_again(backend: Backend) {
    let store = backend.open();
    let first = store.create(&key("a"), b"1").await.unwrap();
    store.delete(&key("a"), &first).await.unwrap();
    assert_eq!(refused(store.delete(&key("a"), &first).await), ErrorKind::Stale);
    assert_eq!(refused(store.delete(&key("b/c"), &first).await), ErrorKind::Stale);
}
