//! What services refuse is told in a kind, and with what to do.

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use http::{StatusCode, header};
use moorline_api::{ErrorKind, StoreKey};

use crate::fake::{Fake, Instead, refusal};

fn key() -> StoreKey {
    StoreKey::new("a").unwrap()
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_says_what_to_do() {
    let cases: [(Instead, ErrorKind, &str); 9] = [
        (
            |_| Some(refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied")),
            ErrorKind::Forbidden,
            "AccessDenied: Access Denied; it takes s3:ListBucket",
        ),
        (
            |_| Some(refusal(StatusCode::FORBIDDEN, "InvalidAccessKeyId", "no such key")),
            ErrorKind::Unauthenticated,
            "InvalidAccessKeyId",
        ),
        (
            |_| {
                Some(refusal(
                    StatusCode::BAD_REQUEST,
                    "ExpiredToken",
                    "the token has expired",
                ))
            },
            ErrorKind::Unauthenticated,
            "ExpiredToken",
        ),
        (
            |_| Some(refusal(StatusCode::NOT_FOUND, "NoSuchBucket", "")),
            ErrorKind::NotFound,
            "aws s3api create-bucket --bucket runs",
        ),
        // Some other server: this is not the absence of a key.
        (
            |_| Some((StatusCode::NOT_FOUND, "<html>nothing here").into_response()),
            ErrorKind::NotFound,
            "the right service",
        ),
        (
            |_| {
                let mut answer = refusal(StatusCode::MOVED_PERMANENTLY, "PermanentRedirect", "");
                answer
                    .headers_mut()
                    .insert("x-amz-bucket-region", "eu-west-1".parse().unwrap());
                Some(answer)
            },
            ErrorKind::Invalid,
            "eu-west-1",
        ),
        (
            |_| {
                Some(
                    (
                        StatusCode::TEMPORARY_REDIRECT,
                        [(header::LOCATION, "http://127.0.0.1:1/")],
                    )
                        .into_response(),
                )
            },
            ErrorKind::Invalid,
            "another region",
        ),
        (
            |_| Some(vec![b'x'; 10 << 20].into_response()),
            ErrorKind::Invalid,
            "nothing of ours has",
        ),
        (
            |_| Some("a value without a version".into_response()),
            ErrorKind::Unsupported,
            "no ETag",
        ),
    ];
    for (instead, kind, words) in cases {
        let fake = Fake::that_answers(instead).await;
        let refused = fake.store().read(&key()).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.message.contains(words), "{refused}");
        assert_eq!(
            (refused.operation.as_str(), refused.resource.as_str()),
            ("s3:GetObject", "s3://runs/a")
        );
    }
}

#[tokio::test]
async fn throttling_that_does_not_end_is_told_as_such() {
    let fake = Fake::that_answers(|_| {
        let mut answer = refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "");
        answer.headers_mut().insert(header::RETRY_AFTER, "1".parse().unwrap());
        Some(answer)
    })
    .await;
    let refused = fake.store().read(&key()).await.unwrap_err();
    let retry_after = Some(std::time::Duration::from_secs(1));
    assert_eq!(refused.kind, ErrorKind::Throttled { retry_after });
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    let fake = Fake::that_left().await;
    let refused = fake.store().read(&key()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable);
    assert!(refused.message.contains("no connection"), "{refused}");
}

#[derive(Debug)]
struct Nobody(fn() -> CredentialsError);

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn lacking_credentials_are_told_as_such_and_nothing_is_sent() {
    let fake = Fake::that_answers(|_| panic!("something was sent")).await;
    for (error, words) in [
        (CredentialsError::not_loaded_no_source as fn() -> _, "AWS_PROFILE"),
        (
            || CredentialsError::provider_error("the SSO session has expired"),
            "SSO session has expired",
        ),
    ] {
        let store = fake.store_with(SharedCredentialsProvider::new(Nobody(error)));
        let refused = store.read(&key()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unauthenticated);
        assert!(refused.message.contains(words), "{refused}");
        let listed: Result<Vec<_>, _> = store.list(None).try_collect().await;
        assert_eq!(listed.unwrap_err().kind, ErrorKind::Unauthenticated);
    }
}

/// A page of a list.
pub(crate) fn page(names: &[&str], next: Option<&str>) -> Response {
    let content = |name: &&str| {
        format!(
            "<Contents><Key>{name}</Key><LastModified>2026-11-21T16:00:00.000Z</LastModified><ETag>\"1\"</ETag>\
             <Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    let contents = names.iter().map(content).collect::<Vec<_>>().concat();
    let next = next.map_or_else(String::new, |token| {
        format!("<NextContinuationToken>{token}</NextContinuationToken>")
    });
    let body = format!(
        "<ListBucketResult><Name>runs</Name><IsTruncated>{}</IsTruncated>{contents}{next}</ListBucketResult>",
        !next.is_empty()
    );
    ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn asks_for(request: &Request, token: &str) -> bool {
    request
        .uri()
        .query()
        .unwrap_or_default()
        .contains(&format!("continuation-token={token}"))
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_an_error() {
    let cases: [(Instead, &str); 3] = [
        (|_| Some(page(&["b", "a"], None)), "not in the order"),
        (
            |request| {
                Some(if asks_for(request, "2") {
                    page(&["a"], None)
                } else {
                    page(&["b"], Some("2"))
                })
            },
            "not in the order",
        ),
        (|_| Some(page(&[], Some("2"))), "followed by itself"),
    ];
    for (instead, words) in cases {
        let fake = Fake::that_answers(instead).await;
        let listed: Result<Vec<_>, _> = fake.store().list(None).try_collect().await;
        let refused = listed.unwrap_err();
        assert!(refused.message.contains(words), "{refused}");
    }
    let fake = Fake::that_answers(|request| {
        let last = asks_for(request, "2");
        Some(if last {
            refusal(StatusCode::FORBIDDEN, "AccessDenied", "")
        } else {
            page(&["a"], Some("2"))
        })
    })
    .await;
    let listed: Result<Vec<_>, _> = fake.store().list(None).try_collect().await;
    assert_eq!(listed.unwrap_err().kind, ErrorKind::Forbidden);
}
