//! The wire between the provider and a backend: counts what is sent, and lets accidents happen to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use moorline_api::conformance::cloud::Accident;
use moorline_sandbox_core::{cut_connection, serve};
use tokio::net::TcpListener;

/// A proxy in front of one backend, for as long as its runtime lives.
#[derive(Clone)]
pub(crate) struct Wire {
    /// Where the provider is to call.
    pub(crate) address: String,
    backend: Uri,
    client: Client<HttpConnector, Body>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    sent: BTreeMap<String, usize>,
    accidents: BTreeMap<&'static str, (Accident, usize)>,
}

impl Wire {
    /// Begins to pass on what is sent to `address` to `backend`.
    pub(crate) async fn to(backend: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            backend: backend.parse().unwrap(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            log: Arc::default(),
        };
        let router = Router::new().fallback(pass).with_state(wire.clone());
        tokio::spawn(serve(listener, router, std::future::pending()));
        wire
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often an operation was sent.
    pub(crate) fn sent(&self, operation: &str) -> usize {
        self.log().sent.get(operation).copied().unwrap_or_default()
    }

    /// The next `times` calls of an operation meet with an accident.
    pub(crate) fn strike(&self, operation: &'static str, accident: Accident, times: usize) {
        self.log().accidents.insert(operation, (accident, times));
    }

    /// Counts a call, and says what happens to it.
    fn arrived(&self, operation: String) -> Option<Accident> {
        let mut log = self.log();
        let struck = log.accidents.get_mut(operation.as_str()).and_then(|(accident, left)| {
            *left = left.checked_sub(1)?;
            Some(*accident)
        });
        *log.sent.entry(operation).or_default() += 1;
        struck
    }

    async fn forward(&self, parts: &http::request::Parts, body: Bytes) -> Response {
        let mut request = http::Request::builder().method(&parts.method).uri(&self.backend);
        for (name, value) in &parts.headers {
            request = request.header(name, value);
        }
        match self.client.request(request.body(Body::from(body)).unwrap()).await {
            Ok(response) => response.map(Body::new),
            // What the backend does, the provider sees.
            Err(_) => cut_connection(),
        }
    }
}

async fn pass(State(wire): State<Wire>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return cut_connection();
    };
    let parameter = |wanted: &str| {
        let mut parameters = form_urlencoded::parse(&body);
        parameters.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
    };
    let is_ec2 = parameter("Version").is_some_and(|version| version == "2016-11-15");
    let Some(accident) = wire.arrived(parameter("Action").unwrap_or_default()) else {
        return wire.forward(&parts, body).await;
    };
    if matches!(accident, Accident::FailedAfterwards | Accident::AnswerLost) {
        wire.forward(&parts, body).await;
    }
    match accident {
        Accident::Throttled => refusal(is_ec2, 503, "RequestLimitExceeded", "Request limit exceeded."),
        Accident::Failed | Accident::FailedAfterwards => {
            refusal(is_ec2, 500, "InternalError", "An internal error has occurred")
        }
        Accident::RequestLost | Accident::AnswerLost => cut_connection(),
        Accident::Lacking => refusal(is_ec2, 501, "InternalFailure", "This API is not implemented here"),
    }
}

/// A refusal in the words of EC2, or of the other services.
fn refusal(is_ec2: bool, status: u16, code: &str, message: &str) -> Response {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = if is_ec2 {
        format!("<Response><Errors>{error}</Errors><RequestID>w</RequestID></Response>")
    } else {
        format!("<ErrorResponse>{error}<RequestId>w</RequestId></ErrorResponse>")
    };
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("content-type", "text/xml")], body).into_response()
}
