//! Request bodies: JSON, YAML, and Kubernetes' protobuf.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde_json::Value;

use crate::error::ApiError;
use crate::protobuf;

const LIMIT: usize = 3 * 1024 * 1024;

/// Reads a body of at most 3 MiB.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    let too_large = |_| {
        ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {LIMIT}"),
        )
    };
    axum::body::to_bytes(body, LIMIT).await.map_err(too_large)
}

/// The media type of the body without its parameters, or `""`.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim()
}

pub(super) fn unsupported(accepted: &str) -> ApiError {
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    ApiError::new(415, "UnsupportedMediaType", message)
}

/// An object.
pub(super) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    match media_type(headers) {
        "" | "application/json" => json(body),
        "application/yaml" | "text/yaml" | "application/x-yaml" => yaml(body),
        "application/vnd.kubernetes.protobuf" => protobuf::decode(body).ok_or_else(|| {
            unsupported("application/json, application/yaml, application/vnd.kubernetes.protobuf of built-in kinds")
        }),
        _ => Err(unsupported(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// JSON, and nothing after it.
pub(super) fn json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let what = if body.is_empty() {
            "unexpected end of JSON input".to_owned()
        } else {
            error.to_string()
        };
        ApiError::bad_request(format!("couldn't get version/kind; json parse error: {what}"))
    })
}

/// YAML, of which JSON is a part. Anchors that would blow up are refused by the parser's budget.
pub(super) fn yaml(body: &[u8]) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let bad = |why: String| ApiError::bad_request(format!("error decoding YAML: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| bad(error.to_string()))
}
