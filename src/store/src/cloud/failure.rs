//! What a failed request means for who asked.

use moorline_api::{Error, ErrorKind};

use super::transport::{Accident, Refusal, Witness, root_cause};
use super::{Call, CloudStore};

/// What comes of a request.
pub(super) type Outcome<T> = Result<T, Failure>;

/// How a request can fail.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such key.
    Absent,
    /// The condition does not hold.
    Condition,
    /// It may have had its effect or not.
    Unknown(Error),
    /// It had none, for the credentials were refused.
    Denied(Error),
    /// It had none.
    Other(Error),
}

impl Failure {
    /// The error where it makes no difference whether there was an effect. `condition` is said where the key is not as expected.
    pub(super) fn into_error(self, condition: impl FnOnce() -> Error) -> Error {
        match self {
            Self::Absent | Self::Condition => condition(),
            Self::Unknown(error) | Self::Denied(error) | Self::Other(error) => error,
        }
    }
}

impl CloudStore {
    /// What became of a call, by what its witness saw; `error` is what `object_store` makes of it.
    pub(super) fn judge(&self, call: Call, name: &str, witness: &Witness, error: &object_store::Error) -> Failure {
        let Some(accident) = witness.accident() else {
            return Failure::Other(self.not_sent(call, name, error));
        };
        self.judge_accident(call, name, &accident)
    }

    /// The same, by the accident itself.
    pub(super) fn judge_accident(&self, call: Call, name: &str, accident: &Accident) -> Failure {
        let error = |kind, message| self.error(kind, call, name, message);
        match accident {
            Accident::Refused(refusal) => self.judge_refusal(call, name, refusal),
            Accident::NotSent(_) => Failure::Other(error(
                ErrorKind::Unreachable,
                format!("no connection: {}", accident.words()),
            )),
            Accident::NoAnswer(_) => Failure::Unknown(error(ErrorKind::Unreachable, accident.words())),
            Accident::TooLarge => Failure::Other(error(ErrorKind::Invalid, accident.words())),
        }
    }

    fn judge_refusal(&self, call: Call, name: &str, refusal: &Refusal) -> Failure {
        let error = |kind, message| self.error(kind, call, name, message);
        let other = |kind| Failure::Other(error(kind, refusal.words()));
        match (refusal.status, refusal.code.as_str()) {
            (_, "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted") => {
                Failure::Other(error(ErrorKind::NotFound, self.dialect.missing()))
            }
            (404, "NoSuchKey" | "BlobNotFound") => Failure::Absent,
            // There is no room for a code in the answer to HEAD.
            (404, "") if call == Call::Head => Failure::Absent,
            (404, _) => {
                let why = format!("{}; is this the address of the right service?", refusal.words());
                Failure::Other(error(ErrorKind::NotFound, why))
            }
            // A blob that someone has leased by Azure's own means.
            (412, "LeaseIdMissing") => other(ErrorKind::InUse),
            (412, _) | (409, "BlobAlreadyExists" | "ConditionalRequestConflict" | "OperationAborted") => {
                Failure::Condition
            }
            (301 | 307 | 400, _) if refusal.region.is_some() || refusal.status != 400 => {
                let region = refusal.region.as_deref().unwrap_or("another region");
                let why = format!("the bucket is in {region}; name the region, {}?region=…", self.place);
                Failure::Other(error(ErrorKind::Invalid, why))
            }
            (401, _)
            | (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "RequestTimeTooSkewed"
                | "AuthenticationFailed"
                | "InvalidAuthenticationInfo",
            ) => Failure::Denied(error(ErrorKind::Unauthenticated, refusal.words())),
            (403, _) => {
                let why = format!("{}; it takes {}", refusal.words(), self.dialect.rights());
                Failure::Other(error(ErrorKind::Forbidden, why))
            }
            (429 | 503, _) => {
                let retry_after = refusal.retry_after;
                Failure::Unknown(error(ErrorKind::Throttled { retry_after }, refusal.words()))
            }
            (501, _) => other(ErrorKind::Unsupported),
            (500.., _) => Failure::Unknown(error(ErrorKind::Internal, refusal.words())),
            _ => other(ErrorKind::Invalid),
        }
    }

    /// Credentials that could not be had, or an answer that could not be understood.
    fn not_sent(&self, call: Call, name: &str, error: &object_store::Error) -> Error {
        if let object_store::Error::Generic { source, .. } = error
            && let Some(known) = source.downcast_ref::<Error>()
        {
            return self.error(known.kind.clone(), call, name, known.message.clone());
        }
        let why = moorline_api::words::clean(&root_cause(error));
        self.error(
            ErrorKind::Internal,
            call,
            name,
            format!("the answer makes no sense: {why}"),
        )
    }

    pub(super) fn error(&self, kind: ErrorKind, call: Call, name: &str, message: impl Into<String>) -> Error {
        let below = name.strip_prefix(&self.prefix).unwrap_or(name).trim_start_matches('/');
        let resource = match below {
            "" => self.place.clone(),
            key => format!("{}/{key}", self.place),
        };
        Error::new(kind, self.dialect.operation(call), resource, message)
    }
}
