//! A list is complete, or an error.

use futures::{StreamExt, TryStreamExt, stream};

use super::{Backend, key, listed, refused};
use crate::ErrorKind;

pub(super) async fn is_empty_at_first(backend: Backend) {
    let store = backend.open();
    assert!(listed(&*store, None).await.is_empty());
    assert!(listed(&*store, Some("runs")).await.is_empty());
    store.create(&key("runs-old/a"), b"1").await.unwrap();
    assert!(listed(&*store, Some("runs")).await.is_empty());
}

pub(super) async fn is_in_order_and_complete(backend: Backend) {
    let store = backend.open();
    let mut names: Vec<_> = (0..60)
        .map(|n| format!("runs/2026-11/{:02}t00.{n}", n * 37 % 60))
        .collect();
    names.extend(["leases/gc", "runs/2026-1", "runs/2026-12/a", "z", "0"].map(str::to_owned));
    for name in &names {
        store.create(&key(name), b"1").await.unwrap();
    }
    names.sort();
    assert_eq!(listed(&*backend.open(), None).await, names);
}

pub(super) async fn is_of_a_folder(backend: Backend) {
    let store = backend.open();
    for name in ["a/1", "a/2/3", "ab/1", "a-1", "b/a/1"] {
        store.create(&key(name), b"1").await.unwrap();
    }
    assert_eq!(listed(&*store, Some("a")).await, ["a/1", "a/2/3"]);
    assert_eq!(listed(&*store, Some("a/2")).await, ["a/2/3"]);
    assert_eq!(listed(&*store, Some("b")).await, ["b/a/1"]);
    let one = store.read(&key("a/1")).await.unwrap().unwrap();
    store.delete(&key("a/1"), &one.version).await.unwrap();
    assert_eq!(listed(&*store, Some("a")).await, ["a/2/3"]);
}

pub(super) async fn leaves_out_what_is_no_key(backend: Backend) {
    let store = backend.open();
    store.create(&key("runs/a"), b"1").await.unwrap();
    for name in ["README", "runs/.hidden", "runs/B", "runs/a b", "runs/a~"] {
        backend.put_foreign(name, b"somebody else's").await;
    }
    backend.put_foreign("runs/c", b"with a name of ours").await;
    assert_eq!(listed(&*store, None).await, ["runs/a", "runs/c"]);
}

pub(super) async fn pages_are_followed(backend: Backend) {
    // More than a page of S3's, which has 1000.
    const MANY: usize = 1_050;
    let store = backend.open();
    let names: Vec<_> = (0..MANY).map(|n| format!("runs/{n:05}")).collect();
    let written = stream::iter(&names).map(|name| {
        let store = store.clone();
        async move { store.create(&key(name), b"1").await }
    });
    written.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    assert!(
        listed(&*store, Some("runs")).await == names,
        "not all {MANY} keys are listed in order"
    );
    // Who only wants the first ones reads no further.
    let first: Vec<_> = store.list(None).take(3).try_collect().await.unwrap();
    assert_eq!(first, ["runs/00000", "runs/00001", "runs/00002"].map(key));
    assert_eq!(
        refused(store.create(&key("runs/00000"), b"2").await),
        ErrorKind::AlreadyExists
    );
}
