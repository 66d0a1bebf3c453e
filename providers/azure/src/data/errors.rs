//! What blob storage's refusals mean.
//!
//! Azure Storage REST documentation, "Common REST API error codes" and "Blob Storage error codes".

use azure_core::error::ErrorKind as CoreKind;
use azure_core::http::headers::RETRY_AFTER;
use azure_storage_blob::StorageError;
use moorline_api::words::{clean, refusal};
use moorline_api::{Error, ErrorKind, Result};

use super::BlobAccount;

/// What a call was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// As the REST documentation calls it: `blob:CreateContainer`.
    pub(super) operation: &'static str,
    /// The container; the account where there is no one container.
    pub(super) resource: &'a str,
}

impl BlobAccount {
    /// The call's outcome in moorline's terms.
    pub(super) fn told<T>(&self, subject: Subject<'_>, outcome: azure_core::Result<T>) -> Result<T> {
        outcome.map_err(|error| self.error(subject, error))
    }

    fn error(&self, subject: Subject<'_>, error: azure_core::Error) -> Error {
        let host = self.host();
        let (kind, message) = match error.kind() {
            CoreKind::HttpResponse {
                status, raw_response, ..
            } => {
                let status = u16::from(*status);
                let pause = raw_response.as_ref().and_then(|answer| {
                    let seconds = answer.headers().get_optional_str(&RETRY_AFTER)?;
                    Some(std::time::Duration::from_secs(seconds.trim().parse().ok()?))
                });
                return self.refused(subject, status, pause, error);
            }
            CoreKind::Connection => (
                ErrorKind::Unreachable,
                format!(
                    "cannot connect to {host}: {}; check BlobEndpoint and the network",
                    root(&error)
                ),
            ),
            CoreKind::Io => (
                ErrorKind::Unreachable,
                format!("the connection to {host} broke: {}; try again", root(&error)),
            ),
            CoreKind::DataConversion => (
                ErrorKind::Internal,
                format!("the answer of {host} is not what blob storage sends; check BlobEndpoint and any proxy"),
            ),
            _ => (
                ErrorKind::Internal,
                format!("the request to {host} could not be made: {}", root(&error)),
            ),
        };
        Error::new(kind, subject.operation, subject.resource, self.redacted(&message))
    }

    fn refused(
        &self,
        subject: Subject<'_>,
        status: u16,
        retry_after: Option<std::time::Duration>,
        error: azure_core::Error,
    ) -> Error {
        let code = match error.kind() {
            CoreKind::HttpResponse {
                error_code: Some(code), ..
            } => code.clone(),
            _ => String::new(),
        };
        let said = StorageError::try_from(error).ok();
        let mut code = said
            .as_ref()
            .and_then(|said| said.error_code.as_ref())
            .map_or(code, ToString::to_string);
        // What the SDK says where the answer says nothing.
        if code == status.to_string() {
            code.clear();
        }
        let (kind, cure) = meaning(status, &code, retry_after);
        let said = said.and_then(|said| said.message).unwrap_or_default();
        let first_line = said.lines().next().unwrap_or_default();
        let message = refusal((&code, first_line), status, cure);
        Error::new(kind, subject.operation, subject.resource, self.redacted(&message))
    }
}

fn root(error: &azure_core::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    clean(&cause.to_string())
}

/// By code, and where that says nothing, by status.
fn meaning(status: u16, code: &str, retry_after: Option<std::time::Duration>) -> (ErrorKind, &'static str) {
    match code {
        "ContainerBeingDeleted" => (ErrorKind::TokenBurnt, "the name is free again in some minutes"),
        "ContainerAlreadyExists" => (ErrorKind::AlreadyExists, ""),
        "LeaseIdMissing" | "LeaseIdMismatchWithContainerOperation" | "LeaseAlreadyPresent" => (
            ErrorKind::InUse,
            "somebody holds a lease on it, and only they may delete it",
        ),
        "AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation" => (
            ErrorKind::Unauthenticated,
            "check the key or signature in AZURE_STORAGE_CONNECTION_STRING, and this machine's clock",
        ),
        "KeyBasedAuthenticationNotPermitted" => (
            ErrorKind::Forbidden,
            "the account takes no keys; unset AZURE_STORAGE_CONNECTION_STRING and use Resource Manager",
        ),
        "AccountIsDisabled" => (ErrorKind::Forbidden, "the account is disabled"),
        "OutOfRangeInput" | "InvalidResourceName" => (ErrorKind::Invalid, ""),
        "ServerBusy" => (ErrorKind::Throttled { retry_after }, ""),
        _ => match status {
            401 => (ErrorKind::Unauthenticated, ""),
            403 => (
                ErrorKind::Forbidden,
                "check what the key or signature in AZURE_STORAGE_CONNECTION_STRING allows",
            ),
            429 | 503 => (ErrorKind::Throttled { retry_after }, ""),
            408 | 500..600 => (ErrorKind::Internal, "try again"),
            // Blob storage always says why: that something is not there is not believed of a proxy's page.
            _ if code.is_empty() => (
                ErrorKind::Internal,
                "this is no answer of blob storage: check BlobEndpoint and any proxy, and run again",
            ),
            404 => (ErrorKind::NotFound, ""),
            409 => (ErrorKind::AlreadyExists, ""),
            412 => (ErrorKind::Stale, ""),
            _ => (ErrorKind::Invalid, ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (status, code, kind) in [
            (404, "ContainerNotFound", ErrorKind::NotFound),
            (409, "ContainerBeingDeleted", ErrorKind::TokenBurnt),
            (409, "ContainerAlreadyExists", ErrorKind::AlreadyExists),
            (412, "LeaseIdMissing", ErrorKind::InUse),
            (412, "ConditionNotMet", ErrorKind::Stale),
            (403, "AuthenticationFailed", ErrorKind::Unauthenticated),
            (403, "AuthorizationPermissionMismatch", ErrorKind::Forbidden),
            (503, "ServerBusy", ErrorKind::Throttled { retry_after: None }),
            (500, "InternalError", ErrorKind::Internal),
            (400, "InvalidHeaderValue", ErrorKind::Invalid),
            (200, "", ErrorKind::Internal),
            (404, "", ErrorKind::Internal),
            (409, "", ErrorKind::Internal),
        ] {
            assert_eq!(meaning(status, code, None).0, kind, "{status} {code}");
        }
    }
}
