//! Errors as AWS answers them: a code that programs test, a message for people, an HTTP status.

use moorline_sandbox_core::JournalError;

/// An error of the simulated account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// The error code of the API reference, `InvalidVolume.NotFound`.
    pub code: String,
    /// The message, worded as AWS words it.
    pub message: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Seconds for a `Retry-After` header, where a fault asks for one.
    pub retry_after: Option<u32>,
}

impl AwsError {
    /// An error with status 400, as most have.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: 400,
            retry_after: None,
        }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn bad_parameter(name: &str, value: &str, why: &str) -> Self {
        Self::invalid_value(format!("Value ({value}) for parameter {name} is invalid. {why}"))
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}"),
        )
    }

    pub(crate) fn volume_not_found(id: &str) -> Self {
        Self::new("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."))
    }
}

impl From<JournalError> for AwsError {
    fn from(error: JournalError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the sandbox's AWS state could not be kept"
        );
        Self::new("InternalError", "An internal error has occurred").with_status(500)
    }
}
