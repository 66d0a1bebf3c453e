//! A service on loopback that speaks as much of S3 as the store needs, and answers otherwise where it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use moorline_api::RunStore;
use moorline_sandbox_core::serve;
use moorline_store::{Access, S3Access, open};
use tokio::net::TcpListener;

/// Values and their versions by name.
type Objects = BTreeMap<String, (Vec<u8>, String)>;

/// What a service does instead of what it should.
pub(crate) type Instead = fn(&Request) -> Option<Response>;

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: String,
    instead: Instead,
    /// Headers of conditions that it does not know.
    ignored: &'static [(&'static str, header::HeaderName)],
    objects: Arc<Mutex<Objects>>,
}

impl Fake {
    /// One that behaves.
    pub(crate) async fn start() -> Self {
        Self::with(|_| None, &[]).await
    }

    /// Nobody listens at its address any more.
    pub(crate) async fn that_left() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            instead: |_| None,
            ignored: &[],
            objects: Arc::default(),
        }
    }

    pub(crate) async fn that_answers(instead: Instead) -> Self {
        Self::with(instead, &[]).await
    }

    /// One that ignores these headers in requests of these methods.
    pub(crate) async fn that_ignores(ignored: &'static [(&'static str, header::HeaderName)]) -> Self {
        Self::with(|_| None, ignored).await
    }

    async fn with(instead: Instead, ignored: &'static [(&'static str, header::HeaderName)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            instead,
            ignored,
            objects: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(serve(listener, router, std::future::pending()));
        fake
    }

    /// The store `s3://runs` there.
    pub(crate) fn store(&self) -> Arc<dyn RunStore> {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "not-a-secret", None, None, "test");
        self.store_with(SharedCredentialsProvider::new(credentials))
    }

    pub(crate) fn store_with(&self, credentials: SharedCredentialsProvider) -> Arc<dyn RunStore> {
        self.store_that_tells(credentials, Arc::new(|| {}))
    }

    /// One that tells where credentials were refused.
    pub(crate) fn store_that_tells(
        &self,
        credentials: SharedCredentialsProvider,
        refused: Arc<dyn Fn() + Send + Sync>,
    ) -> Arc<dyn RunStore> {
        let mut access = Access {
            s3: Some(S3Access {
                credentials,
                refused,
                region: None,
                endpoint: Some(self.address.clone()),
            }),
            ..Access::default()
        };
        access.network.machine_roots = false;
        open(&"s3://runs".parse().unwrap(), &access).unwrap()
    }

    /// The names of what is there.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition<'headers>(
        &self,
        method: &Method,
        headers: &'headers HeaderMap,
        name: &header::HeaderName,
    ) -> Option<&'headers str> {
        let ignored = self
            .ignored
            .iter()
            .any(|(of, ignored)| *of == method.as_str() && ignored == name);
        headers.get(name).filter(|_| !ignored)?.to_str().ok()
    }

    fn holds(&self, method: &Method, headers: &HeaderMap, there: Option<&str>) -> bool {
        let absent = self.condition(method, headers, &header::IF_NONE_MATCH).is_none() || there.is_none();
        let same = self.condition(method, headers, &header::IF_MATCH);
        absent && same.is_none_or(|same| there == Some(same))
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    if let Some(instead) = (fake.instead)(&request) {
        return instead;
    }
    let (parts, body) = request.into_parts();
    let value = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let name = parts.uri.path().to_owned();
    let mut objects = fake.objects();
    let there = objects.get(&name).map(|(_, etag)| etag.clone());
    if matches!(parts.method, Method::PUT | Method::DELETE)
        && !fake.holds(&parts.method, &parts.headers, there.as_deref())
    {
        return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", "");
    }
    match parts.method {
        Method::PUT => {
            let etag = format!("\"{:032x}\"", fastrand::u128(..));
            objects.insert(name, (value, etag.clone()));
            [(header::ETAG, etag)].into_response()
        }
        Method::DELETE => {
            objects.remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => match objects.get(&name) {
            Some((value, etag)) => {
                let modified = "Sat, 21 Nov 2026 16:00:00 GMT".to_owned();
                (
                    [(header::ETAG, etag.clone()), (header::LAST_MODIFIED, modified)],
                    value.clone(),
                )
                    .into_response()
            }
            None => refusal(StatusCode::NOT_FOUND, "NoSuchKey", ""),
        },
    }
}

pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
