//! The API server's errors and their `Status` bodies, in the words of the real one.

use serde_json::{Value, json};

/// Why [`crate::ApiServer::open`] could not restore its state.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal could not be read.
    #[error("the cluster's state could not be read back")]
    Journal(#[from] moorline_sandbox_core::JournalError),
    /// A stored object makes no sense.
    #[error("the cluster's state holds an object that cannot be served: {key}; reset the sandbox")]
    Object {
        /// Key in the journal.
        key: String,
    },
    /// The built-in objects of a fresh cluster were refused: a bug of the sandbox.
    #[error("a fresh cluster could not be made")]
    Bootstrap(#[source] ApiError),
}

/// One reason in `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable: `FieldValueRequired`, `FieldManagerConflict`, …
    pub reason: &'static str,
    /// For a person.
    pub message: String,
    /// Path of the field.
    pub field: String,
}

/// What an error is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// API group of the kind.
    pub group: String,
    /// Plural (or, for invalid objects, the kind).
    pub kind: String,
    /// UID of the object, where the server gives it.
    pub uid: String,
    /// Every cause.
    pub causes: Vec<Cause>,
    /// How long to wait before another try, in seconds.
    pub retry_after_seconds: Option<u32>,
    /// Whether they are part of the answer even where they say nothing, as in answers that are about no object.
    pub always: bool,
}

/// An answer that is not a success: HTTP status, reason, message, details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Machine-readable reason: `NotFound`, `Conflict`, `Invalid`, …
    pub reason: String,
    /// Message for a person.
    pub message: String,
    /// What it is about.
    pub details: Box<Details>,
    /// For `Warning` headers: an error does not silence them.
    pub warnings: Vec<String>,
    /// The token with which a list that expired may go on at the present; empty where there is none.
    pub resume: String,
}

/// A resource as error messages name it: plural and group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) plural: &'a str,
    pub(crate) group: &'a str,
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.plural)?;
        if self.group.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.group)
        }
    }
}

impl ApiError {
    /// An error without details.
    pub fn new(status: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
            details: Box::default(),
            warnings: Vec::new(),
            resume: String::new(),
        }
    }

    fn about(mut self, resource: Named<'_>, name: &str) -> Self {
        name.clone_into(&mut self.details.name);
        resource.group.clone_into(&mut self.details.group);
        resource.plural.clone_into(&mut self.details.kind);
        self
    }

    /// With details, be they empty.
    pub(crate) fn with_details(mut self) -> Self {
        self.details.always = true;
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(resource: Named<'_>, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, name)
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details()
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details()
    }

    pub(crate) fn already_exists(resource: Named<'_>, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists")).about(resource, name)
    }

    pub(crate) fn conflict(resource: Named<'_>, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    pub(crate) fn modified(resource: Named<'_>, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub(crate) fn forbidden(resource: Named<'_>, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} \"{name}\" is forbidden: {why}")
        };
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    pub(crate) fn expired(message: &str) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 422 with every cause; `kind` is the kind's name, not its plural.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let qualified = Named { plural: kind, group };
        let shown = if name.is_empty() { "" } else { name };
        let mut lines: Vec<String> = Vec::new();
        for cause in &causes {
            let line = if cause.field.is_empty() {
                cause.message.clone()
            } else {
                format!("{}: {}", cause.field, cause.message)
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let what = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut error =
            Self::new(422, "Invalid", format!("{qualified} \"{shown}\" is invalid: {what}")).about(qualified, name);
        error.details.causes = causes;
        error
    }

    /// The same error with a `Retry-After`.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.details.retry_after_seconds = Some(seconds);
        self
    }

    /// The `Status` object that a client receives.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.status,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.resume.is_empty() {
            status["metadata"]["continue"] = json!(self.resume);
        }
        let details = self.details.to_json();
        if self.details.always || details.as_object().is_some_and(|map| !map.is_empty()) {
            status["details"] = details;
        }
        status
    }
}

impl Details {
    fn to_json(&self) -> Value {
        let mut map = serde_json::Map::new();
        for (key, text) in [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ] {
            if !text.is_empty() {
                map.insert(key.to_owned(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter();
            let causes: Vec<Value> = causes
                .map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field}))
                .collect();
            map.insert("causes".to_owned(), Value::Array(causes));
        }
        if let Some(seconds) = self.retry_after_seconds {
            map.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        Value::Object(map)
    }
}
