//! One error type for every provider: what was tried, on what, and whether trying again can help.

use std::fmt;
use std::time::Duration;

/// The result of every provider call.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it was; decides retries, exit codes and hints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing is not there. Soon after a create this proves nothing: reads lag.
    NotFound,
    /// Something of that name exists and is not what was asked for.
    AlreadyExists,
    /// The object changed since it was read, or a precondition (UID, version) does not hold.
    Stale,
    /// Fields that other managers own (server-side apply).
    FieldConflicts(Vec<FieldConflict>),
    /// The request is wrong and will stay wrong; immutable fields are among these.
    Invalid,
    /// The same client token was used with other parameters, or for a volume since deleted.
    TokenBurnt,
    /// No credentials, or expired ones.
    Unauthenticated,
    /// The credentials may not do this.
    Forbidden,
    /// Refused for its rate; the provider's own pacing and retries are already spent.
    Throttled {
        /// How long the service asked to wait, where it said.
        retry_after: Option<Duration>,
    },
    /// A quota or limit of the account.
    LimitExceeded,
    /// In use: an attached volume, for instance.
    InUse,
    /// No connection, or no answer in time.
    Unreachable,
    /// A list token or watch version is too old: list again.
    Expired,
    /// This backend does not have the operation (an emulator without an ELB API, for instance).
    Unsupported,
    /// The service failed inside.
    Internal,
}

/// One field of a server-side apply that someone else owns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldConflict {
    /// Who owns it, as the API server words it: `"kubectl" with subresource "scale" using apps/v1`.
    pub owner: String,
    /// Just the manager's name: `kubectl`.
    pub manager: String,
    /// The field: `.spec.replicas`.
    pub field: String,
}

/// A failed call. `Display` names operation, resource and cause in one line and leaves `source` to the caller's chain.
#[derive(Debug)]
pub struct Error {
    /// The operation as the service calls it: `ec2:CreateVolume`, `patch statefulsets`.
    pub operation: String,
    /// What it was about: `vol-0abc`, `statefulsets default/home-deployment`; empty where the call has no one subject.
    pub resource: String,
    /// The service's own words, with secrets and control characters removed.
    pub message: String,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The underlying error.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without an underlying one.
    pub fn new(
        kind: ErrorKind,
        operation: impl Into<String>,
        resource: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            operation: operation.into(),
            resource: resource.into(),
            message: message.into(),
            kind,
            source: None,
        }
    }

    /// The same error with its cause attached.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Throttled { .. }
                | ErrorKind::Unreachable
                | ErrorKind::Internal
                | ErrorKind::Expired
                | ErrorKind::Stale
        )
    }

    /// Whether the thing was reported absent.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.resource.is_empty() {
            write!(f, " {}", self.resource)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
