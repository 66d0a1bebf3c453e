//! Errors as Azure answers them: a code that programs test, a message for people, an HTTP status.

use moorline_sandbox_core::JournalError;

/// An error of the simulated cloud.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AzureError {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The error code, `ResourceGroupNotFound`.
    pub code: String,
    /// The message, worded as Azure words it.
    pub message: String,
    /// What the error is about, where the answer names it.
    pub target: Option<String>,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u32>,
    /// Whether the message ends with request id and time: errors of the file and blob services do.
    pub(crate) stamped: bool,
}

impl AzureError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            target: None,
            retry_after: None,
            stamped: false,
        }
    }

    /// An error of the file or blob service, which Resource Manager passes on.
    pub(crate) fn of_service(status: u16, code: &str, message: &str) -> Self {
        Self {
            stamped: true,
            ..Self::new(status, code, message)
        }
    }

    pub(crate) fn about(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The content of a request that cannot be understood.
    pub(crate) fn content(why: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        )
    }

    /// A value that the storage provider does not take.
    pub(crate) fn values(names: &str) -> Self {
        let message = format!("Values for request parameters are invalid: {names}.");
        Self::new(400, "InvalidValuesForRequestParameters", message).about(names)
    }

    /// What the file service says of any setting out of its range: quotas, tiers, protocols.
    pub(crate) fn header() -> Self {
        let message = "The value for one of the HTTP headers is not in the correct format.";
        Self::of_service(400, "InvalidHeaderValue", message)
    }

    pub(crate) fn query(name: &str, value: &str) -> Self {
        let message = format!("The value '{value}' of the query parameter '{name}' is invalid.");
        Self::new(400, "InvalidQueryParameterValue", message).about(name)
    }

    pub(crate) fn resource_not_found(kind: &str, name: &str, group: &str) -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    pub(crate) fn group_not_found(group: &str) -> Self {
        let message = format!("Resource group '{group}' could not be found.");
        Self::new(404, "ResourceGroupNotFound", message)
    }
}

impl From<JournalError> for AzureError {
    fn from(error: JournalError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the sandbox's Azure state could not be kept"
        );
        Self::new(500, "InternalServerError", "Encountered internal server error.")
    }
}
