//! Answers: what the client accepts, and how objects are rendered to it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object;
use crate::registry::Kind;
use crate::store::Entry;
use crate::tables::{self, IncludeObject};

/// How a client wants objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Table,
    Partial,
    Discovery,
}

/// What the `Accept` header comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accept {
    pub(super) form: Form,
    yaml: bool,
}

impl Accept {
    /// The first type that is served here; 406 when there is none.
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, ApiError> {
        let given = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("*/*");
        for item in given.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let parameters: Vec<&str> = parts.collect();
            let parameter = |key: &str| parameters.iter().find_map(|p| p.strip_prefix(key)?.strip_prefix('='));
            let yaml = media == "application/yaml";
            if !yaml
                && !matches!(
                    media,
                    "" | "*/*" | "application/*" | "application/json" | "text/plain" | "text/*"
                )
            {
                continue;
            }
            let form = match parameter("as") {
                None => Form::Whole,
                Some("Table") if parameter("v") == Some("v1") => Form::Table,
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Form::Partial,
                Some("APIGroupDiscoveryList") if parameter("v") == Some("v2") => Form::Discovery,
                Some(_) => continue,
            };
            return Ok(Self { form, yaml });
        }
        let message = "only the following media types are accepted: application/json, application/yaml";
        Err(ApiError::new(406, "NotAcceptable", message))
    }
}

/// A successful answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    pub(super) content_type: &'static str,
    pub(super) warnings: Vec<String>,
    /// Something was written.
    pub(super) changed: bool,
    /// An `ETag`, for documents that clients cache.
    pub(super) etag: Option<String>,
}

impl Answer {
    pub(super) fn json(value: &Value) -> Self {
        Self::bytes(serde_json::to_vec(value).unwrap_or_default().into())
    }

    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self::body(Body::from(bytes))
    }

    pub(super) fn body(body: Body) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            content_type: "application/json",
            warnings: Vec::new(),
            changed: false,
            etag: None,
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        for warning in self.warnings {
            let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(header::WARNING, value);
            }
        }
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// An error as its `Status` body.
pub(super) fn error(error: &ApiError) -> Response {
    let mut answer = Answer::json(&error.to_status());
    answer.warnings.clone_from(&error.warnings);
    answer.status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer.into_response();
    if let Some(seconds) = error.details.retry_after_seconds {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.status == 401 {
        let challenge = (
            HeaderName::from_static("www-authenticate"),
            HeaderValue::from_static("Bearer realm=\"moorline-sandbox\""),
        );
        response.headers_mut().insert(challenge.0, challenge.1);
    }
    response
}

/// How one call's objects are rendered.
pub(super) struct Renderer<'a> {
    pub(super) kind: &'a Kind,
    pub(super) accept: Accept,
    pub(super) include: IncludeObject,
    pub(super) now: jiff::Timestamp,
}

impl Renderer<'_> {
    fn finish(&self, bytes: Bytes) -> Answer {
        let content_type = if self.accept.yaml {
            "application/yaml"
        } else {
            "application/json"
        };
        Answer {
            content_type,
            ..Answer::bytes(bytes)
        }
    }

    /// One object as JSON.
    pub(super) fn object_json(&self, object: &Value) -> Bytes {
        let rendered = match self.accept.form {
            Form::Whole | Form::Discovery => return serde_json::to_vec(object).unwrap_or_default().into(),
            Form::Table => tables::table(self.kind, &[object], self.include, self.now),
            Form::Partial => partial(object),
        };
        serde_json::to_vec(&rendered).unwrap_or_default().into()
    }

    /// One stored object as JSON; whole ones are serialised once for all readers.
    pub(super) fn entry_json(&self, entry: &Entry) -> Bytes {
        if self.accept.form == Form::Whole {
            entry.json()
        } else {
            self.object_json(&entry.value())
        }
    }

    pub(super) fn entry(&self, entry: &Entry) -> Answer {
        self.finish(self.entry_json(entry))
    }

    pub(super) fn object(&self, object: &Value) -> Answer {
        self.finish(self.object_json(object))
    }

    /// A list with its metadata.
    pub(super) fn list(&self, entries: &[Arc<Entry>], metadata: &Value) -> Answer {
        let (kind, api_version) = match self.accept.form {
            Form::Partial => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
            _ => (self.kind.list_kind().into_owned(), self.kind.api_version().into_owned()),
        };
        if self.accept.form == Form::Table {
            let values: Vec<Arc<Value>> = entries.iter().map(|entry| entry.value()).collect();
            let objects: Vec<&Value> = values.iter().map(|value| &**value).collect();
            let mut table = tables::table(self.kind, &objects, self.include, self.now);
            table["metadata"] = metadata.clone();
            return self.finish(serde_json::to_vec(&table).unwrap_or_default().into());
        }
        let head = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}).to_string();
        let mut bytes = head.into_bytes();
        bytes.pop();
        if self.accept.form == Form::Whole {
            // One copy of each object, and none of the page.
            bytes.reserve(entries.iter().map(|entry| entry.json().len() + 1).sum::<usize>() + 16);
        }
        bytes.extend_from_slice(b",\"items\":[");
        // Only custom resources say in each item what it is.
        let typed = match self.accept.form {
            Form::Whole if self.kind.custom().is_none() => {
                format!(
                    "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",",
                    self.kind.kind,
                    self.kind.api_version()
                )
            }
            _ => String::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            let json = self.entry_json(entry);
            match json.strip_prefix(typed.as_bytes()) {
                Some(rest) if !typed.is_empty() => {
                    bytes.push(b'{');
                    bytes.extend_from_slice(rest);
                }
                _ => bytes.extend_from_slice(&json),
            }
        }
        bytes.extend_from_slice(b"]}");
        self.finish(bytes.into())
    }
}

/// Only the metadata.
pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// `Status` of a success.
pub(super) fn success(kind: &Kind, object: &Value) -> Value {
    let mut details = json!({"name": object::name(object), "kind": kind.plural, "uid": object::uid(object)});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
