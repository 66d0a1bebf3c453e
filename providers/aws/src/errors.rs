//! What AWS's refusals mean, and what to do about them.
//!
//! EC2 models no errors: its codes are words in the answer (EC2 API reference, "Error codes").

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use moorline_api::{Error, ErrorKind};

use crate::words::{clean, refusal};

/// Who asks for more of a wait is not believed: no clock could count it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What a call was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// `ec2:CreateVolume`.
    pub(crate) operation: &'static str,
    /// `vol-0abc`; empty where there is no one subject.
    pub(crate) resource: &'a str,
    /// Where the call went, for people: `region us-east-1`, or an address.
    pub(crate) place: &'a str,
}

impl Subject<'_> {
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.resource, message)
    }
}

/// The error of a call, in our terms. The SDK's own error is not kept: its text is neither cleaned nor short.
pub(crate) fn from_sdk<E>(subject: &Subject<'_>, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let refusal = Refusal {
                code: context.err().code().unwrap_or_default(),
                message: context.err().message().unwrap_or_default(),
                status: context.raw().status().as_u16(),
                retry_after: retry_after(context.raw()),
            };
            refusal.into_error(subject)
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            let message = format!(
                "{} gave an answer (HTTP {status}) that is not AWS's; check the endpoint and any proxy",
                subject.place
            );
            subject.error(ErrorKind::Internal, message)
        }
        SdkError::TimeoutError(_) => subject.error(
            ErrorKind::Unreachable,
            format!("{} did not answer in time; try again", subject.place),
        ),
        other => not_sent(subject, other),
    }
}

/// Nothing was sent, or no connection was made.
fn not_sent(subject: &Subject<'_>, error: &(dyn StdError + 'static)) -> Error {
    let chain = || causes(error);
    let root = clean(&chain().last().map_or_else(String::new, ToString::to_string));
    match chain().find_map(<dyn StdError>::downcast_ref::<CredentialsError>) {
        // Instance metadata is the last of the chain: that it refuses, on a machine that is no instance, says only that
        // nothing before it had any.
        Some(error) if matches!(error, CredentialsError::CredentialsNotLoaded(_)) || root.contains("IMDS") => subject.error(
            ErrorKind::Unauthenticated,
            "no AWS credentials found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`",
        ),
        Some(CredentialsError::ProviderTimedOut(_)) => subject.error(
            ErrorKind::Unauthenticated,
            "no AWS credentials in time: the credential_process, SSO or role of the profile does not answer; `aws sts get-caller-identity` shows whether it hangs",
        ),
        Some(_) => subject.error(
            ErrorKind::Unauthenticated,
            format!("the AWS credentials cannot be had: {root}; sign in again (`aws sso login`), or check the profile"),
        ),
        None => subject.error(
            ErrorKind::Unreachable,
            format!(
                "cannot connect to {}: {root}; check the network, any proxy, and that the region or endpoint exists",
                subject.place
            ),
        ),
    }
}

/// An error and what caused it, down to the root.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}

/// `Retry-After` in seconds; dates are not read.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response
        .headers()
        .get("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// What an answer means that AWS does not give.
const BOGUS: (ErrorKind, &str) = (
    ErrorKind::Internal,
    "this is no answer of AWS: check the endpoint and any proxy",
);

/// An answer that says no.
struct Refusal<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
    retry_after: Option<Duration>,
}

impl Refusal<'_> {
    fn into_error(self, subject: &Subject<'_>) -> Error {
        let (kind, cure) = self.meaning();
        let message = refusal((self.code, self.message), self.status, cure);
        subject.error(kind, message)
    }

    fn meaning(&self) -> (ErrorKind, &'static str) {
        let about_time = ["expired", "not yet current"]
            .iter()
            .any(|words| self.message.contains(words));
        match self.code {
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "EC2ThrottledException"
            | "SnapshotCreationPerVolumeRateExceeded"
            | "BandwidthLimitExceeded" => (
                ErrorKind::Throttled {
                    retry_after: self.retry_after,
                },
                "",
            ),
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => (
                ErrorKind::Unauthenticated,
                "the session has expired: sign in again (`aws sso login`), or get new keys",
            ),
            // EC2 says this of old session tokens too.
            "RequestExpired" => (
                ErrorKind::Unauthenticated,
                "check this machine's clock, or sign in again (`aws sso login`)",
            ),
            "RequestTimeTooSkewed" | "RequestInTheFuture" => (ErrorKind::Unauthenticated, "check this machine's clock"),
            "SignatureDoesNotMatch" | "InvalidSignatureException" if about_time => {
                (ErrorKind::Unauthenticated, "check this machine's clock")
            }
            "SignatureDoesNotMatch" | "InvalidSignatureException" if self.message.contains("valid region") => (
                ErrorKind::Unauthenticated,
                "there is no such region here: check --region, AWS_REGION and the profile's region",
            ),
            "AuthFailure" | "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => (
                ErrorKind::Unauthenticated,
                "check that the keys are current, that this machine's clock is right, and that the account may use this region",
            ),
            "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "MissingAuthenticationToken"
            | "IncompleteSignature" => (ErrorKind::Unauthenticated, "check the access key and its secret"),
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "OptInRequired" | "Blocked" => {
                (ErrorKind::Forbidden, "ask for this permission in the account")
            }
            "IdempotentParameterMismatch" => (ErrorKind::TokenBurnt, ""),
            "VolumeInUse" | "InvalidSnapshot.InUse" | "ResourceInUse" => (ErrorKind::InUse, ""),
            "OperationNotPermitted" => (ErrorKind::InUse, "switch its protection off first, if it may go"),
            "IncorrectState" | "IncorrectStateException" => (ErrorKind::Stale, ""),
            "InsufficientVolumeCapacity" => (ErrorKind::LimitExceeded, "try another zone or volume type"),
            "InvalidAction" | "UnknownAction" | "UnsupportedOperation" | "NotImplemented" => {
                (ErrorKind::Unsupported, "")
            }
            "InternalFailure" if self.says_it_is_lacking() => (ErrorKind::Unsupported, ""),
            "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable" => (ErrorKind::Internal, ""),
            "InvalidVolume.NotFound"
            | "InvalidSnapshot.NotFound"
            | "LoadBalancerNotFound"
            | "AccessPointNotFound"
            | "TargetGroupNotFound" => (ErrorKind::NotFound, ""),
            "InvalidNextToken" | "InvalidMarker" => (ErrorKind::Expired, ""),
            code if code.ends_with("LimitExceeded") => {
                (ErrorKind::LimitExceeded, "ask AWS to raise the quota, or free some")
            }
            _ if self
                .message
                .contains("associated with a resource that is already deleted") =>
            {
                (ErrorKind::TokenBurnt, "")
            }
            _ => self.meaning_of_status(),
        }
    }

    fn meaning_of_status(&self) -> (ErrorKind, &'static str) {
        match self.status {
            401 | 403 => (ErrorKind::Forbidden, "ask for this permission in the account"),
            429 => (
                ErrorKind::Throttled {
                    retry_after: self.retry_after,
                },
                "",
            ),
            408 => (ErrorKind::Unreachable, ""),
            409 => (ErrorKind::Stale, ""),
            501 => (ErrorKind::Unsupported, ""),
            404 if self.code.is_empty() => (ErrorKind::Unsupported, "check the endpoint"),
            ..=399 => BOGUS,
            500.. => (ErrorKind::Internal, ""),
            // AWS always says why.
            _ if self.code.is_empty() => BOGUS,
            _ => (ErrorKind::Invalid, ""),
        }
    }

    /// LocalStack's words for an API that its free edition lacks.
    fn says_it_is_lacking(&self) -> bool {
        self.status == 501
            || ["not included in your", "not yet implemented", "not implemented"]
                .iter()
                .any(|words| self.message.contains(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject {
        operation: "ec2:CreateVolume",
        resource: "",
        place: "region us-east-1",
    };

    fn refused(status: u16, code: &str, message: &str) -> Error {
        let refusal = Refusal {
            code,
            message,
            status,
            retry_after: None,
        };
        refusal.into_error(&SUBJECT)
    }

    #[test]
    fn knows_the_codes() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        for (code, status, message, kind) in [
            (
                "RequestLimitExceeded",
                503,
                "Request limit exceeded.",
                throttled.clone(),
            ),
            ("SnapshotCreationPerVolumeRateExceeded", 400, "", throttled),
            ("VolumeLimitExceeded", 400, "", ErrorKind::LimitExceeded),
            ("IdempotentParameterMismatch", 400, "", ErrorKind::TokenBurnt),
            (
                "InvalidParameterValue",
                400,
                "… associated with a resource that is already deleted",
                ErrorKind::TokenBurnt,
            ),
            ("InvalidVolume.NotFound", 400, "", ErrorKind::NotFound),
            ("InvalidVolume.ZoneMismatch", 400, "", ErrorKind::Invalid),
            ("InvalidVolumeID.Malformed", 400, "", ErrorKind::Invalid),
            ("InvalidSnapshot.InUse", 400, "", ErrorKind::InUse),
            ("OperationNotPermitted", 400, "", ErrorKind::InUse),
            ("InvalidZone.NotFound", 400, "", ErrorKind::Invalid),
            ("VolumeInUse", 400, "", ErrorKind::InUse),
            ("AuthFailure", 401, "", ErrorKind::Unauthenticated),
            ("ExpiredToken", 403, "", ErrorKind::Unauthenticated),
            ("UnauthorizedOperation", 403, "", ErrorKind::Forbidden),
            (
                "InternalFailure",
                501,
                "the API for service elb is not included in your current license plan",
                ErrorKind::Unsupported,
            ),
            ("InternalFailure", 500, "oops", ErrorKind::Internal),
            ("", 502, "", ErrorKind::Internal),
            ("", 408, "", ErrorKind::Unreachable),
            ("", 400, "", ErrorKind::Internal),
            ("OperationInProgress", 409, "", ErrorKind::Stale),
            ("Whatever", 400, "", ErrorKind::Invalid),
        ] {
            let error = refused(status, code, message);
            assert_eq!(error.kind, kind, "{code} {status}: {error}");
        }
    }

    #[test]
    fn one_clear_sentence() {
        let refusal = |code, message| refused(400, code, message).to_string();
        assert_eq!(
            refusal("RequestExpired", "Request has expired.\u{1b}[2J"),
            "ec2:CreateVolume: Request has expired (RequestExpired); check this machine's clock, or sign in again (`aws sso login`)"
        );
        assert_eq!(
            refusal("", ""),
            "ec2:CreateVolume: HTTP 400 without an explanation; this is no answer of AWS: check the endpoint and any proxy"
        );
    }
}
