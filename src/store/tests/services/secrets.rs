//! What a service repeats of a request, what is logged and what is shown for debugging: no secret is in any of it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::extract::Request;
use axum::response::Response;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use futures::TryStreamExt as _;
use futures::future::join_all;
use http::StatusCode;
use moorline_api::{RunStore, Sensitive, StoreKey, StoreVersion};
use moorline_store::{Access, AzureAccess, AzureIdentity, S3Access, open};

use crate::fake::{Fake, refusal};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzSeededSec";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEBYaDKq3x9T2bV7cR1fWnSLLAa8pQ4sE6uH0jM5kG3lZyX1vC9wB7nO2iD4eU6rT8y";
const ACCOUNT_KEY: &str = "c2VlZGVkQWNjb3VudEtleVRoYXRJc0xvbmdFbm91Z2gxMjM0NTY3ODkwYWJjZGVm";
const SIGNATURE: &str = "q7Hd%2BZx2Lm%2F8Vt0Wc3Rk%2FyB5Ns1Pj9Gf4Ua6Ee%3D";
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsIng1dCI6Ik1uQ19WWmNBVGZNNXBP";

/// Parts of the secrets as they might be shown: whole, decoded, or cut.
const SECRETS: [&str; 9] = [
    SECRET_KEY,
    SESSION_TOKEN,
    ACCOUNT_KEY,
    "seededAccountKey",
    SIGNATURE,
    "q7Hd+Zx2Lm/8Vt0Wc3Rk/yB5Ns1Pj9Gf4Ua6Ee=",
    "8Vt0Wc3Rk",
    TOKEN,
    "SeededSec",
];

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "it is there to be shown by Debug, if anyone did")]
struct Fixed(&'static str);

#[async_trait]
impl TokenCredential for Fixed {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let expires_on = OffsetDateTime::now_utc() + Duration::from_hours(1);
        Ok(AccessToken {
            token: TOKEN.into(),
            expires_on,
        })
    }
}

/// Repeats the request in its refusal, in all ways that are known of services.
fn parrot(request: &Request) -> Option<Response> {
    let headers = format!("{:?} {}", request.headers(), request.uri());
    let (status, code) = match request.method().as_str() {
        "GET" => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        "PUT" => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        _ => (StatusCode::BAD_REQUEST, "InvalidArgument"),
    };
    let mut answer = refusal(status, code, &headers);
    let uri = request.uri().to_string();
    answer.headers_mut().insert("x-ms-error-code", uri.parse().ok()?);
    Some(answer)
}

fn accesses(fake: &Fake) -> Vec<(&'static str, Access)> {
    let endpoint = Some(fake.address.clone());
    let credentials = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        SECRET_KEY,
        Some(SESSION_TOKEN.to_owned()),
        None,
        "test",
    );
    let s3 = S3Access {
        credentials: SharedCredentialsProvider::new(credentials),
        refused: Arc::new(|| {}),
        region: None,
        endpoint: endpoint.clone(),
    };
    let identities = [
        AzureIdentity::Key(Sensitive::new(ACCOUNT_KEY)),
        AzureIdentity::SharedAccess(Sensitive::new(format!("?sv=2026&sp=rwdl&sig={SIGNATURE}"))),
        AzureIdentity::Token(Arc::new(Fixed(TOKEN))),
    ];
    let s3 = Access {
        s3: Some(s3),
        ..Access::default()
    };
    let azure = identities.map(|identity| Access {
        azure: Some(AzureAccess {
            identity,
            account: None,
            endpoint: endpoint.clone(),
        }),
        ..Access::default()
    });
    let mut all = vec![("s3://runs", s3)];
    all.extend(azure.map(|access| ("azblob://acct1/runs", access)));
    for (_, access) in &mut all {
        access.network.machine_roots = false;
        access.network.proxy = Some("http://me:proxySeededSec@127.0.0.1:1".to_owned());
    }
    all
}

/// Everything that a user can see of a store's life.
async fn shown(store: &dyn RunStore) -> String {
    let key = StoreKey::new("a").unwrap();
    let version = StoreVersion::new("\"1\"");
    let listed: Result<Vec<_>, _> = store.list(None).try_collect().await;
    let errors = [
        store.read(&key).await.map(drop).unwrap_err(),
        store.create(&key, b"1").await.map(drop).unwrap_err(),
        store.replace(&key, b"1", &version).await.map(drop).unwrap_err(),
        store.delete(&key, &version).await.unwrap_err(),
        listed.unwrap_err(),
    ];
    let mut lines = vec![format!("{store:?} {}", store.place())];
    for error in &errors {
        lines.push(format!("{error} {error:?}"));
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            lines.push(format!("{cause} {cause:?}"));
            source = cause.source();
        }
    }
    lines.join("\n")
}

#[tokio::test]
async fn no_secret_is_shown_or_logged() {
    let log = Log::default();
    let kept = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || kept.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let broken = Fake::that_answers(parrot).await;
    let absent = Fake::that_left().await;
    let all = [&broken, &absent].map(accesses).into_iter().flatten();
    let seen = join_all(all.map(|(place, access)| async move {
        let store = open(&place.parse().unwrap(), &access).unwrap();
        format!("{access:?}\n{}", shown(&*store).await)
    }));
    let seen = seen.await.join("\n");
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("object_store"),
        "nothing of the requests was logged: {logged}"
    );
    assert!(
        seen.contains("SignatureDoesNotMatch"),
        "what the service says was not shown"
    );
    for secret in SECRETS {
        for (what, text) in [("shown", &seen), ("logged", &logged)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is {what}");
        }
    }
}
