//! A server that answers as scripted and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use moorline_api::Object;
use moorline_kubernetes::{KubeCluster, KubeSettings};
use serde_json::{Value, json};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and URI: `GET /version`.
    pub(crate) line: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A running server; it stops with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts one. `script` gets the number of the request, from 0, and the request.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answer = move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let request = Seen {
                line: format!("{} {}", head.method, head.uri),
                headers: head.headers,
                body,
            };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(request.clone());
                log.len() - 1
            };
            script(number, &request)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        Self { address, seen }
    }

    /// One that always gives the same answer.
    pub(crate) async fn saying(code: u16, body: Value) -> Self {
        Self::start(move |_, _| answer(code, &body)).await
    }

    pub(crate) fn cluster(&self) -> KubeCluster {
        let settings = KubeSettings {
            call_timeout: Duration::from_secs(5),
            ..KubeSettings::default()
        };
        KubeCluster::at(&self.address, "test", &settings).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

pub(crate) fn answer(code: u16, body: &Value) -> Response {
    raw(code, "application/json", body.to_string())
}

pub(crate) fn raw(code: u16, content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(code)
        .header("Content-Type", content_type)
        .body(body.into())
        .unwrap()
}

/// A failure as API servers word it.
pub(crate) fn failure(code: u16, reason: &str, message: &str, details: Value) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
           "details": details, "code": code})
}

pub(crate) fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

pub(crate) fn claim() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "demo", "uid": "u-1"}})
}
