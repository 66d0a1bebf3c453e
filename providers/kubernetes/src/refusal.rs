//! The server's `Status` answers as errors of the contract.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use moorline_api::{Error, ErrorKind, FieldConflict};
use serde::Deserialize;

use crate::call::{Call, Subject};
use crate::forbidden;
use crate::pace::Setback;
use crate::text::printable;

/// Who asks for more of a wait is not believed: no clock could count it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// `metav1.Status`, as far as it is used. Every field may be missing or null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Status {
    kind: Option<String>,
    #[serde(rename = "status")]
    outcome: Option<String>,
    message: Option<String>,
    reason: Option<String>,
    details: Option<Details>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    name: Option<String>,
    kind: Option<String>,
    causes: Option<Vec<Cause>>,
    retry_after_seconds: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Cause {
    reason: Option<String>,
    message: Option<String>,
    field: Option<String>,
}

impl Status {
    /// Whether this says that the call was done.
    pub(crate) fn is_success(&self) -> bool {
        self.kind.as_deref() == Some("Status") && self.outcome.as_deref() == Some("Success")
    }

    fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    fn causes(&self) -> &[Cause] {
        self.details
            .as_ref()
            .and_then(|details| details.causes.as_deref())
            .unwrap_or_default()
    }
}

/// An answer that is not success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: StatusCode,
    status: Status,
    /// Whether the body was a `Status`, and so came from an API server and not from something on the way.
    genuine: bool,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an HTTP answer.
    pub(crate) fn from_answer(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let status = serde_json::from_slice::<Status>(body)
            .ok()
            .filter(|status| status.kind.as_deref() == Some("Status"));
        let genuine = status.is_some();
        let status = status.unwrap_or_default();
        let message = match status.message.as_deref() {
            Some(message) if !message.trim().is_empty() => printable(message),
            _ if !genuine && !body.is_empty() => excerpt(body),
            _ => code.to_string(),
        };
        let asked = headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let asked = asked.or_else(|| {
            status
                .details
                .as_ref()?
                .retry_after_seconds
                .filter(|seconds| *seconds > 0)
        });
        Self {
            code,
            status,
            genuine,
            message,
            retry_after: asked.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
        }
    }

    /// Reads the object of a watch's `ERROR` event.
    pub(crate) fn from_event(object: &serde_json::Value) -> Self {
        let body = object.to_string();
        let code = object
            .get("code")
            .and_then(serde_json::Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        let code = code
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::from_answer(code, &HeaderMap::new(), body.as_bytes())
    }

    /// Whether trying again can help.
    pub(crate) fn setback(&self) -> Setback {
        match self.code {
            StatusCode::TOO_MANY_REQUESTS => Setback::Throttled(self.retry_after),
            _ if self.is_schema_violation() => Setback::Final,
            code if code.is_server_error() && code != StatusCode::NOT_IMPLEMENTED => Setback::Unclear(self.retry_after),
            _ if self.is_hearsay() => Setback::Unclear(None),
            _ => Setback::Final,
        }
    }

    /// Whether something on the way made it up, or broke it. About access others may speak, too; and of a path that it does not
    /// know, an API server itself speaks in plain text.
    fn is_hearsay(&self) -> bool {
        let of_access = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        ];
        let is_unknown_path = self.code == StatusCode::NOT_FOUND && self.message == "404 page not found";
        !self.genuine && self.code.is_client_error() && !of_access.contains(&self.code) && !is_unknown_path
    }

    /// An apply with fields that the kind does not have is answered with 500, as if the server were at fault (kubernetes#122480).
    fn is_schema_violation(&self) -> bool {
        self.code == StatusCode::INTERNAL_SERVER_ERROR
            && self.message.starts_with("failed to create typed patch object")
    }

    /// Whether what failed is the way from the API server to its store, whose errors it passes on as its own.
    fn is_etcd_lost(&self) -> bool {
        self.message.contains("rpc error: code = Unavailable") || self.message.starts_with("etcdserver: ")
    }

    /// Whether the credentials were not accepted.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.code == StatusCode::UNAUTHORIZED
    }

    /// Whether the server does not take this media type.
    pub(crate) fn is_not_acceptable(&self) -> bool {
        self.code == StatusCode::NOT_ACCEPTABLE
    }

    /// Whether the path itself is unknown to the server, or it did not come from an API server at all.
    pub(crate) fn is_unknown_path(&self) -> bool {
        self.code == StatusCode::NOT_FOUND && self.missing_name().is_none()
    }

    /// Whether exactly this object is absent: not its kind, not its namespace, and not something a proxy made up.
    pub(crate) fn is_absence_of(&self, subject: &Subject) -> bool {
        let kind = self.status.details.as_ref().and_then(|details| details.kind.as_deref());
        self.code == StatusCode::NOT_FOUND
            && self.missing_name().is_some()
            && self.missing_name() == subject.name.as_deref()
            && kind.is_none_or(|kind| kind != "namespaces" || subject.plural == "namespaces")
    }

    fn missing_name(&self) -> Option<&str> {
        let details = self
            .status
            .details
            .as_ref()
            .filter(|_| self.status.reason() == "NotFound")?;
        details.name.as_deref().filter(|name| !name.is_empty())
    }

    /// This refusal of a call by the server at `server`.
    pub(crate) fn into_error(self, call: &Call, server: &str) -> Error {
        let (kind, message) = self.meaning(call, server);
        let message = if self.genuine {
            message
        } else {
            format!("{message} (the answer is not an API server's; is {server} one?)")
        };
        call.error(kind, message)
    }

    /// This refusal of a call that the server at `server` was to hand on to a kubelet: what is no `Status` is the kubelet's own.
    pub(crate) fn into_error_of_kubelet(self, call: &Call, server: &str) -> Error {
        let text = &self.message;
        match (self.genuine, self.code.as_u16()) {
            (false, 401 | 403) => call.error(
                ErrorKind::Forbidden,
                format!("the kubelet does not let the API server ask ({text})"),
            ),
            (false, 500..) => call.error(ErrorKind::Internal, format!("the kubelet failed ({text})")),
            (false, code) => call.error(
                ErrorKind::Unsupported,
                format!("the kubelet keeps no statistics (it answers {code}: {text})"),
            ),
            (true, 500..) if !self.is_etcd_lost() => call.error(
                ErrorKind::Unreachable,
                format!("the API server cannot reach the kubelet ({text})"),
            ),
            (true, _) => self.into_error(call, server),
        }
    }

    fn meaning(&self, call: &Call, server: &str) -> (ErrorKind, String) {
        let text = self.message.clone();
        match self.code.as_u16() {
            400 | 413 => (ErrorKind::Invalid, text),
            500 if self.is_schema_violation() => (ErrorKind::Invalid, text),
            500 if self.is_etcd_lost() => (
                ErrorKind::Unreachable,
                format!("the API server {server} has lost its etcd ({text}); run again in a while"),
            ),
            401 => (
                ErrorKind::Unauthenticated,
                format!("{server} does not accept these credentials ({text})"),
            ),
            403 => self.forbidden(call),
            404 if self.is_unknown_path() => (
                ErrorKind::Unsupported,
                format!("the server has no {} in this version ({text})", call.subject.resource),
            ),
            404 => (ErrorKind::NotFound, text),
            405 | 406 | 415 | 501 => (ErrorKind::Unsupported, text),
            409 => self.conflict(),
            410 => (ErrorKind::Expired, text),
            422 if self.is_another_life() => (
                ErrorKind::Stale,
                format!("it was deleted and made again since it was read ({text})"),
            ),
            422 => (ErrorKind::Invalid, self.with_causes()),
            429 => {
                let message = format!("the server is too busy to answer now ({text}); run again in a while");
                (
                    ErrorKind::Throttled {
                        retry_after: self.retry_after,
                    },
                    message,
                )
            }
            502..=504 => (
                ErrorKind::Unreachable,
                format!("the API server {server} cannot answer now ({text}); run again in a while"),
            ),
            300..400 => (
                ErrorKind::Invalid,
                format!("{server} sends us elsewhere ({text}); correct `server` in the kubeconfig"),
            ),
            _ => (ErrorKind::Internal, format!("the server failed ({text})")),
        }
    }

    /// A patch that names another UID than the object's is refused as an attempt to change it.
    fn is_another_life(&self) -> bool {
        let mut fields = self.status.causes().iter().map(|cause| cause.field.as_deref());
        fields.len() > 0 && fields.all(|field| field == Some("metadata.uid"))
    }

    fn forbidden(&self, call: &Call) -> (ErrorKind, String) {
        if self
            .status
            .causes()
            .iter()
            .any(|cause| cause.reason.as_deref() == Some("NamespaceTerminating"))
        {
            return (
                ErrorKind::Stale,
                format!("{}; run again when the namespace is gone", self.message),
            );
        }
        if self.message.contains("exceeded quota") {
            return (ErrorKind::LimitExceeded, self.message.clone());
        }
        (ErrorKind::Forbidden, forbidden::message(&self.message, call))
    }

    fn conflict(&self) -> (ErrorKind, String) {
        let conflicts: Vec<_> = self.status.causes().iter().filter_map(field_conflict).collect();
        if conflicts.is_empty() {
            let taken = self.status.reason() == "AlreadyExists";
            return (
                if taken {
                    ErrorKind::AlreadyExists
                } else {
                    ErrorKind::Stale
                },
                self.message.clone(),
            );
        }
        let fields: Vec<_> = conflicts
            .iter()
            .map(|c| format!("{} is owned by {}", c.field, c.owner))
            .collect();
        (ErrorKind::FieldConflicts(conflicts), fields.join("; "))
    }

    /// The server's message names the causes in one long sentence; this names each with its field.
    fn with_causes(&self) -> String {
        let causes: Vec<_> = self.status.causes().iter().filter_map(cause_text).collect();
        if causes.is_empty() {
            self.message.clone()
        } else {
            causes.join("; ")
        }
    }
}

fn cause_text(cause: &Cause) -> Option<String> {
    let message = printable(cause.message.as_deref()?);
    match cause.field.as_deref() {
        Some(field) if !field.is_empty() => Some(format!("{}: {message}", printable(field))),
        _ => Some(message),
    }
}

fn field_conflict(cause: &Cause) -> Option<FieldConflict> {
    if cause.reason.as_deref() != Some("FieldManagerConflict") {
        return None;
    }
    let message = printable(cause.message.as_deref().unwrap_or_default());
    let owner = message.strip_prefix("conflict with ").unwrap_or(&message).to_owned();
    let manager = manager_name(&owner);
    Some(FieldConflict {
        manager,
        owner,
        field: printable(cause.field.as_deref().unwrap_or_default()),
    })
}

/// The manager's name of `"kubectl" with subresource "scale" using apps/v1`; the server quotes it as Go does.
fn manager_name(owner: &str) -> String {
    let mut names = serde_json::Deserializer::from_str(owner).into_iter::<String>();
    match names.next() {
        Some(Ok(name)) => printable(&name),
        _ => owner.trim_matches('"').to_owned(),
    }
}

/// The beginning of a body that is no `Status`: enough to recognise a proxy's page by.
fn excerpt(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(800)]);
    printable(&start).chars().take(200).collect()
}
