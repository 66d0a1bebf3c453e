//! Services that do not keep to conditions are not written to.

use http::header;
use moorline_api::{ErrorKind, StoreKey};

use crate::fake::Fake;

fn key(text: &str) -> StoreKey {
    StoreKey::new(text).unwrap()
}

/// The object that conditions are tried on.
const PROOF: &str = "/runs/.moorline-store";

#[tokio::test]
async fn one_that_keeps_to_them_is_asked_once_and_for_all() {
    let fake = Fake::start().await;
    let store = fake.store();
    let first = store.create(&key("a"), b"1").await.unwrap();
    store.delete(&key("a"), &first).await.unwrap();
    store.create(&key("b"), b"1").await.unwrap();
    assert_eq!(fake.names(), [PROOF, "/runs/b"]);
    let other = fake.store();
    assert_eq!(
        other.create(&key("b"), b"1").await.unwrap_err().kind,
        ErrorKind::AlreadyExists
    );
}

#[tokio::test]
async fn one_that_makes_what_is_there_is_refused() {
    let fake = Fake::that_ignores(&[("PUT", header::IF_NONE_MATCH)]).await;
    let refused = fake.store().create(&key("a"), b"1").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unsupported);
    assert!(refused.message.contains("If-None-Match"), "{refused}");
    assert_eq!(fake.names(), [PROOF]);
}

#[tokio::test]
async fn one_that_replaces_what_changed_is_refused() {
    let fake = Fake::that_ignores(&[("PUT", header::IF_MATCH)]).await;
    for _ in 0..2 {
        let refused = fake.store().create(&key("a"), b"1").await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        assert!(refused.message.contains("If-Match"), "{refused}");
    }
    assert_eq!(fake.names(), [PROOF]);
}

#[tokio::test]
async fn one_that_deletes_what_changed_is_not_asked_to_delete() {
    let fake = Fake::that_ignores(&[("DELETE", header::IF_MATCH)]).await;
    let store = fake.store();
    let first = store.create(&key("a"), b"1").await.unwrap();
    let second = store.replace(&key("a"), b"2", &first).await.unwrap();
    for version in [&first, &second] {
        let refused = store.delete(&key("a"), version).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported, "{refused}");
    }
    assert_eq!(store.read(&key("a")).await.unwrap().unwrap().value, b"2");
}
