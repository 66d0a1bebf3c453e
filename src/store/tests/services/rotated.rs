//! Credentials that are rotated while a store is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use axum::extract::Request;
use axum::response::Response;
use futures::TryStreamExt as _;
use http::{StatusCode, header};
use moorline_api::{ErrorKind, RunStore, StoreKey};

use crate::fake::{Fake, refusal};
use crate::refusals::page;

/// The key of the first credentials; those after a refusal have others.
const OLD: &str = "AKIAOLD0";

/// Gives the same credentials until it is told that they were refused.
#[derive(Debug)]
struct Rotating(Arc<AtomicUsize>);

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        let key = match self.0.load(Ordering::Relaxed) {
            0 => OLD.to_owned(),
            refusals => format!("AKIANEW{refusals}"),
        };
        Provided::ready(Ok(Credentials::new(key, "not-a-secret", None, None, "test")))
    }
}

/// Lists one object.
fn refuses_the_old(request: &Request) -> Option<Response> {
    let signature = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let expired = || refusal(StatusCode::BAD_REQUEST, "ExpiredToken", "the token has expired");
    let lists = || request.uri().query().is_some_and(|query| query.contains("list-type"));
    let list = || lists().then(|| page(&["runs/a"], None));
    signature.contains(OLD).then(expired).or_else(list)
}

/// A store whose credentials are old, and how often they were refused.
fn store(fake: &Fake) -> (Arc<dyn RunStore>, Arc<AtomicUsize>) {
    let refusals = Arc::new(AtomicUsize::new(0));
    let credentials = SharedCredentialsProvider::new(Rotating(Arc::clone(&refusals)));
    let counted = Arc::clone(&refusals);
    let refused = Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (fake.store_that_tells(credentials, refused), refusals)
}

#[tokio::test]
async fn refused_credentials_are_read_again_for_every_call() {
    let fake = Fake::that_answers(refuses_the_old).await;
    let key = StoreKey::new("runs/a").unwrap();
    let (created, refusals) = store(&fake);
    let version = created.create(&key, b"1").await.unwrap();
    assert_eq!(refusals.load(Ordering::Relaxed), 1);

    let (replaced, refusals) = store(&fake);
    let version = replaced.replace(&key, b"2", &version).await.unwrap();
    assert_eq!(refusals.load(Ordering::Relaxed), 1);

    let (read, refusals) = store(&fake);
    assert_eq!(read.read(&key).await.unwrap().unwrap().value, b"2");
    assert_eq!(refusals.load(Ordering::Relaxed), 1);

    let (listed, refusals) = store(&fake);
    let keys: Vec<StoreKey> = listed.list(None).try_collect().await.unwrap();
    assert_eq!((keys, refusals.load(Ordering::Relaxed)), (vec![key.clone()], 1));

    let (deleted, refusals) = store(&fake);
    deleted.delete(&key, &version).await.unwrap();
    assert_eq!(refusals.load(Ordering::Relaxed), 1);
    assert!(!fake.names().iter().any(|name| name.ends_with("runs/a")));
}

/// What is refused with fresh credentials, too, is refused.
#[tokio::test]
async fn they_are_read_again_once_a_call() {
    let expired = |_: &Request| {
        Some(refusal(
            StatusCode::BAD_REQUEST,
            "ExpiredToken",
            "the token has expired",
        ))
    };
    let fake = Fake::that_answers(expired).await;
    let (store, refusals) = store(&fake);
    let refused = store.read(&StoreKey::new("runs/a").unwrap()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unauthenticated);
    assert_eq!(refusals.load(Ordering::Relaxed), 1);
}
