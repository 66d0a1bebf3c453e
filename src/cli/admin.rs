//! The sandbox's own HTTP interface: settings, clock, faults, audit, state.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::exit::Exit;
use super::failure::Failure;

/// More than any answer of the sandbox about itself.
const ANSWER_BYTES: usize = 64 << 20;

/// Asks a sandbox about itself, or tells it something. An empty answer is `Value::Null`.
pub(crate) async fn call(
    endpoint: &str,
    method: http::Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let failed = |what: String| Failure::new(Exit::Failed, format!("sandbox at {endpoint}: {what}"));
    let sent = body.map(Value::to_string).unwrap_or_default();
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{endpoint}{path}"))
        .header("content-type", "application/json");
    let request = request
        .body(Full::from(sent))
        .map_err(|error| failed(error.to_string()))?;
    let client: Client<HttpConnector, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client
        .request(request)
        .await
        .map_err(|error| failed(format!("no answer ({error})")))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| failed(error.to_string()))?
        .to_bytes();
    if !status.is_success() {
        return Err(failed(format!("{status}: {}", String::from_utf8_lossy(&body))));
    }
    if body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))
    }
}
