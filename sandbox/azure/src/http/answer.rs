//! Answers.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::AzureError;
use crate::times::{compact, stamp};

/// How errors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{"error": {"code": …, "message": …}}`
    ResourceManager,
    /// `{"error": code, "error_description": …}`
    Entra,
}

/// What is sent back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
    stamped: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: Some(body.clone()),
            headers: Vec::new(),
            stamped: false,
        }
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            headers: Vec::new(),
            stamped: false,
        }
    }

    pub(crate) fn failure(error: AzureError, shape: Shape) -> Self {
        let body = match shape {
            Shape::ResourceManager => {
                let mut inner = json!({"code": error.code, "message": error.message});
                if let Some(target) = error.target {
                    inner["target"] = target.into();
                }
                json!({ "error": inner })
            }
            Shape::Entra => json!({"error": error.code, "error_description": error.message}),
        };
        let mut answer = Self::new(error.status, &body);
        answer.stamped = error.stamped;
        match error.retry_after {
            Some(seconds) => answer.retry_after(seconds),
            None => answer,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        self.with("retry-after", seconds.to_string())
    }

    /// The HTTP answer, with the headers that all have.
    pub(crate) fn respond(mut self, now: Timestamp) -> Response {
        let id = uuid::Uuid::new_v4().to_string();
        if self.stamped {
            stamp_message(&mut self.body, &id, now);
        }
        let routing = format!("SANDBOX:{}:{id}", compact(now));
        let mut response = match &self.body {
            Some(body) => Response::new(Body::from(body.to_string())),
            None => Response::new(Body::empty()),
        };
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
        }
        let always = [
            ("cache-control", "no-cache".to_owned()),
            ("pragma", "no-cache".to_owned()),
            ("expires", "-1".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-ms-request-id", id.clone()),
            ("x-ms-correlation-request-id", id),
            ("x-ms-routing-request-id", routing),
        ];
        for (name, value) in always.into_iter().chain(self.headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// Ends an error's message as the file and blob services do.
fn stamp_message(body: &mut Option<Value>, id: &str, now: Timestamp) {
    let message = body.as_mut().and_then(|body| body.pointer_mut("/error/message"));
    if let Some(Value::String(text)) = message {
        *text = format!("{text}\nRequestId:{id}\nTime:{}", stamp(now));
    }
}
