//! The wire between a store and a service: lets accidents happen to what is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use moorline_api::conformance::cloud::Accident;
use moorline_sandbox_core::{cut_connection, serve};
use tokio::net::TcpListener;

/// A proxy in front of one service, for as long as its runtime lives.
#[derive(Clone)]
pub(crate) struct Wire {
    /// Where the store is to call.
    pub(crate) address: String,
    service: String,
    client: Client<HttpConnector, Body>,
    accidents: Arc<Mutex<BTreeMap<&'static str, (Accident, usize)>>>,
    /// Held while a write is with the service, where the service needs that.
    writing: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Wire {
    /// Begins to pass on what is sent to `address` to `service`.
    pub(crate) async fn to(service: &str) -> Self {
        Self::with(service, None).await
    }

    /// The same for a service whose conditional writes are two steps, between which others get in: it is handed one write at a
    /// time. S3 promises one step; moto looks at the tag of the value first, and writes then.
    pub(crate) async fn one_write_at_a_time(service: &str) -> Self {
        Self::with(service, Some(Arc::default())).await
    }

    async fn with(service: &str, writing: Option<Arc<tokio::sync::Mutex<()>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            service: service.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            accidents: Arc::default(),
            writing,
        };
        let router = Router::new().fallback(pass).with_state(wire.clone());
        tokio::spawn(serve(listener, router, std::future::pending()));
        wire
    }

    /// The next `times` requests of a method meet with an accident.
    pub(crate) fn strike(&self, method: &'static str, accident: Accident, times: usize) {
        let mut accidents = self.accidents.lock().unwrap_or_else(PoisonError::into_inner);
        accidents.insert(method, (accident, times));
    }

    fn struck(&self, method: &str) -> Option<Accident> {
        let mut accidents = self.accidents.lock().unwrap_or_else(PoisonError::into_inner);
        let (accident, left) = accidents.get_mut(method)?;
        *left = left.checked_sub(1)?;
        Some(*accident)
    }

    async fn forward(&self, parts: &http::request::Parts, body: Bytes) -> Response {
        let _turn = match &self.writing {
            Some(writing) if !parts.method.is_safe() => Some(writing.lock().await),
            _ => None,
        };
        let path = parts.uri.path_and_query().unwrap();
        let uri: Uri = format!("{}{path}", self.service).parse().unwrap();
        let mut request = http::Request::builder().method(&parts.method).uri(uri);
        for (name, value) in parts.headers.iter().filter(|(name, _)| **name != header::HOST) {
            request = request.header(name, value);
        }
        match self.client.request(request.body(Body::from(body)).unwrap()).await {
            Ok(response) => response.map(Body::new),
            // What the service does, the store sees.
            Err(_) => cut_connection(),
        }
    }
}

async fn pass(State(wire): State<Wire>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return cut_connection();
    };
    let Some(accident) = wire.struck(parts.method.as_str()) else {
        return wire.forward(&parts, body).await;
    };
    if matches!(accident, Accident::FailedAfterwards | Accident::AnswerLost) {
        wire.forward(&parts, body).await;
    }
    match accident {
        Accident::Throttled => refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Accident::Failed | Accident::FailedAfterwards => refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Accident::RequestLost | Accident::AnswerLost => cut_connection(),
        Accident::Lacking => refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

/// A refusal in the words of S3, and near enough to Azure's.
fn refusal(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>an accident</Message></Error>");
    (status, [("content-type", "application/xml")], body).into_response()
}
