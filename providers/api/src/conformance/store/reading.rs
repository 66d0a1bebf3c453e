//! What was written is read, whole and at once.

use futures::TryStreamExt;

use super::{Backend, key, refused, value};
use crate::ErrorKind;
use crate::store::MAX_VALUE;

pub(super) async fn what_is_not_there_is_none(backend: Backend) {
    let store = backend.open();
    assert_eq!(value(&*store, "a").await, None);
    assert_eq!(value(&*store, "a/b/c").await, None);
    store.create(&key("a/b/c"), b"1").await.unwrap();
    assert_eq!(value(&*store, "a/b/d").await, None);
    assert_eq!(value(&*store, "a/x/d").await, None);
}

pub(super) async fn bytes_come_back_as_they_were(backend: Backend) {
    let store = backend.open();
    let all: Vec<u8> = (0..=255).collect();
    for (name, bytes) in [
        ("none", Vec::new()),
        ("one", vec![0]),
        ("all", all.clone()),
        ("many", all.iter().copied().cycle().take(MAX_VALUE).collect()),
    ] {
        let written = store.create(&key(name), &bytes).await.unwrap();
        let found = store.read(&key(name)).await.unwrap().unwrap();
        assert!(found.value == bytes, "{name}: {} bytes came back", found.value.len());
        assert_eq!(found.version, written, "{name}");
    }
}

pub(super) async fn what_was_answered_is_seen_by_all(backend: Backend) {
    let (one, other) = (backend.open(), backend.open());
    let mut version = one.create(&key("leases/gc.json"), b"0").await.unwrap();
    for round in 1..20_u8 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        version = writer
            .replace(&key("leases/gc.json"), &[round], &version)
            .await
            .unwrap();
        let seen = reader.read(&key("leases/gc.json")).await.unwrap().unwrap();
        assert_eq!((seen.value, &seen.version), (vec![round], &version));
    }
}

pub(super) async fn a_missing_place_is_never_an_empty_one(backend: Backend) {
    let store = backend.missing();
    let read = store.read(&key("a")).await.unwrap_err();
    assert_eq!(read.kind, ErrorKind::NotFound);
    assert!(
        read.message.contains("make it with"),
        "it does not say what to do: {read}"
    );
    assert_eq!(refused(store.create(&key("a"), b"1").await), ErrorKind::NotFound);
    let listed: Result<Vec<_>, _> = store.list(None).try_collect().await;
    assert_eq!(refused(listed), ErrorKind::NotFound);
}
