//! Requests.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::error::AzureError;
use crate::operation::Part;
use crate::session::Place;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    /// As it was sent, with the leading slash.
    pub(crate) path: String,
    /// The path's segments, decoded.
    pub(crate) segments: Vec<String>,
    pub(crate) raw_query: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    pub(crate) body: Bytes,
    host: Option<String>,
}

impl Incoming {
    pub(crate) fn read(method: &Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Result<Self, AzureError> {
        let path = uri.path().to_owned();
        let bad = || AzureError::new(400, "BadRequest", "The request URI is not valid.");
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned()))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(bad)?;
        let raw_query = uri.query().unwrap_or_default().to_owned();
        let query = form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect();
        let named = headers
            .get("host")
            .and_then(|host| host.to_str().ok())
            .map(str::to_owned);
        Ok(Self {
            method: method.as_str().to_owned(),
            host: uri.authority().map(ToString::to_string).or(named),
            path,
            segments,
            raw_query,
            query,
            headers,
            body,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A query parameter; letter case of its name does not matter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.queries()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Scheme and host under which the caller found the service.
    pub(crate) fn base(&self) -> String {
        format!("https://{}", self.host.as_deref().unwrap_or("management.azure.com"))
    }
}

/// A request for an operation of Resource Manager.
pub(crate) struct Request<'a> {
    incoming: &'a Incoming,
    parts: &'a [Part],
    pub(crate) path: &'a str,
    pub(crate) raw_query: &'a str,
}

impl<'a> Request<'a> {
    pub(crate) fn new(incoming: &'a Incoming, parts: &'a [Part]) -> Self {
        Self {
            incoming,
            parts,
            path: &incoming.path,
            raw_query: &incoming.raw_query,
        }
    }

    /// A part of the path that the operation names; empty if it names no such part.
    pub(crate) fn part(&self, name: &str) -> &'a str {
        let part = self.parts.iter().find(|(known, _)| *known == name);
        part.map_or("", |(_, value)| value.as_str())
    }

    /// The account that the path leads to.
    pub(crate) fn place(&self) -> Place<'a> {
        Place {
            subscription: self.part("subscription"),
            group: self.part("group"),
            account: self.part("account"),
        }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.incoming.query(name)
    }

    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.incoming.queries()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.incoming.header(name)
    }

    /// Refuses the call where it was to be done on another state of the thing than this one.
    pub(crate) fn check_condition(&self, etag: &str) -> Result<(), AzureError> {
        let met = self
            .header("if-match")
            .is_none_or(|wanted| wanted == "*" || wanted.split(',').any(|one| one.trim() == etag));
        if met {
            return Ok(());
        }
        let message = "The condition specified using HTTP conditional header(s) is not met.";
        Err(AzureError::of_service(412, "ConditionNotMet", message))
    }

    pub(crate) fn api_version(&self) -> &str {
        self.query("api-version").unwrap_or_default()
    }

    /// The body, which must be JSON of this shape and no other.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, AzureError> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            let message =
                format!("The content media type '{kind}' is not supported. Only 'application/json' is supported.");
            return Err(AzureError::new(415, "UnsupportedMediaType", message));
        }
        serde_json::from_slice(&self.incoming.body).map_err(AzureError::content)
    }
}
