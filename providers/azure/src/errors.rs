//! What Azure's refusals mean, and what to do about them.
//!
//! Codes are words in the answer: Azure Storage resource provider REST reference, "Error response codes", and Resource Manager
//! documentation, "Resolve errors".

use std::error::Error as StdError;
use std::time::Duration;

use azure_core::error::ErrorKind as CoreKind;
use azure_core::http::Url;
use moorline_api::words::{clean, refusal};
use moorline_api::{Error, ErrorKind};
use serde_json::Value;

use crate::arm::Answer;

/// What a call was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// `Microsoft.Storage/storageAccounts/write`.
    pub(crate) operation: &'static str,
    /// `account moorabc`; empty where there is no one subject.
    pub(crate) resource: &'a str,
}

impl Subject<'_> {
    /// Whether it is about what is inside of an account.
    fn is_inside(&self) -> bool {
        self.operation.contains("Services/")
    }

    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.resource, message)
    }
}

/// What Azure answers where an account has no file or blob service at all.
const NO_SUCH_SERVICE: &str = "FeatureNotSupportedForAccount";

/// Whether Azure said that the account has no such service: then nothing can be in it.
pub(crate) fn lacks_service(error: &Error) -> bool {
    error.kind == ErrorKind::Unsupported && error.message.contains(NO_SUCH_SERVICE)
}

/// Whether Azure said that there is no such resource group: then nothing can be in it.
pub(crate) fn lacks_group(error: &Error) -> bool {
    error.kind == ErrorKind::Invalid && error.message.contains("ResourceGroupNotFound")
}

/// The error of an answer that is none of 2xx.
pub(crate) fn from_answer(subject: Subject<'_>, answer: &Answer) -> Error {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let (code, message) = code_and_message(&body);
    let refusal = Refusal {
        code,
        message,
        status: answer.status,
        retry_after: answer.retry_after(),
    };
    refusal.into_error(subject)
}

/// The error of an operation that was accepted and failed later.
pub(crate) fn failed_operation(subject: Subject<'_>, error: Option<&Value>) -> Error {
    let (code, message) = error.map(fields).unwrap_or_default();
    let refusal = Refusal {
        code,
        message: message.or(Some("the operation failed, and Azure gives no reason")),
        status: 409,
        retry_after: None,
    };
    refusal.into_error(subject)
}

/// Nothing was sent, or no whole answer came.
pub(crate) fn from_pipeline(subject: Subject<'_>, base: &Url, error: &azure_core::Error) -> Error {
    let host = base.host_str().unwrap_or_default();
    let chain = || causes(error);
    if let Some(ours) = chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        return Error {
            operation: subject.operation.to_owned(),
            resource: subject.resource.to_owned(),
            message: ours.message.clone(),
            kind: ours.kind.clone(),
            source: None,
        };
    }
    let root = chain().last().map(root_words).unwrap_or_default();
    match error.kind() {
        CoreKind::Connection => {
            let message =
                format!("cannot connect to {host}: {root}; check the network, any proxy, and that the endpoint exists");
            subject.error(ErrorKind::Unreachable, message)
        }
        CoreKind::Io => {
            let message = format!("the connection to {host} broke: {root}; try again");
            subject.error(ErrorKind::Unreachable, message)
        }
        _ => subject.error(
            ErrorKind::Internal,
            format!("the request to {host} could not be made: {root}"),
        ),
    }
}

/// What an error at the root of others says, without the addresses of documentation that some libraries add.
pub(crate) fn root_words(error: &(dyn StdError + 'static)) -> String {
    let text = error.to_string();
    clean(text.split(": https://").next().unwrap_or_default())
}

/// No answer in time.
pub(crate) fn unanswered(subject: Subject<'_>, base: &Url) -> Error {
    let host = base.host_str().unwrap_or_default();
    subject.error(
        ErrorKind::Unreachable,
        format!("{host} did not answer in time; try again"),
    )
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

/// `{error: {code, message}}`; some providers leave the frame out, and some hide the code that says more in `details`.
fn code_and_message(body: &Value) -> (&str, Option<&str>) {
    let frame = body.get("error").or_else(|| body.get("Error")).unwrap_or(body);
    let inner = frame
        .get("details")
        .and_then(Value::as_array)
        .and_then(|details| details.first());
    let (code, message) = fields(frame);
    match inner.map(fields) {
        Some((inner, words)) if VAGUE.contains(&code) && !inner.is_empty() => (inner, words.or(message)),
        _ => (code, message),
    }
}

/// Codes that only say that another one says more.
const VAGUE: &[&str] = &[
    "",
    "Conflict",
    "BadRequest",
    "DeploymentFailed",
    "InvalidTemplateDeployment",
    "InternalServerError",
];

fn fields(frame: &Value) -> (&str, Option<&str>) {
    let text = |lower: &str, upper: &str| frame.get(lower).or_else(|| frame.get(upper)).and_then(Value::as_str);
    (text("code", "Code").unwrap_or_default(), text("message", "Message"))
}

/// Whom to ask for what, where an action is not permitted.
fn role_for(operation: &str) -> &'static str {
    if operation.starts_with("Microsoft.Storage/") {
        "ask for the role Storage Account Contributor on the resource group"
    } else if operation.starts_with("Microsoft.Resources/tags/") {
        "ask for the role Tag Contributor on the resource group"
    } else {
        "ask for this permission in the subscription"
    }
}

/// An answer that says no.
struct Refusal<'a> {
    code: &'a str,
    message: Option<&'a str>,
    status: u16,
    retry_after: Option<Duration>,
}

impl Refusal<'_> {
    fn into_error(self, subject: Subject<'_>) -> Error {
        let (kind, cure) = match self.meaning(subject.operation) {
            // What is in an account that is not where it was may be well: only what Azure names itself is gone.
            (ErrorKind::NotFound, _) if subject.is_inside() && !self.names_the_absent() => (
                ErrorKind::Stale,
                "the account around it is not where it was a moment ago; run again",
            ),
            other => other,
        };
        let first_line = self.message.unwrap_or_default().lines().next().unwrap_or_default();
        let message = refusal((self.code, first_line), self.status, cure);
        subject.error(kind, message)
    }

    fn names_the_absent(&self) -> bool {
        ["ShareNotFound", "ContainerNotFound", "ShareSnapshotNotFound"].contains(&self.code)
    }

    fn meaning(&self, operation: &str) -> (ErrorKind, &'static str) {
        self.of_names_and_places()
            .or_else(|| self.of_permissions(operation))
            .or_else(|| self.of_state())
            .unwrap_or_else(|| self.meaning_of_status())
    }

    fn of_names_and_places(&self) -> Option<(ErrorKind, &'static str)> {
        let said = match self.code {
            "StorageAccountAlreadyTaken" => (
                ErrorKind::AlreadyExists,
                "account names are unique in all of Azure, and someone else has this one",
            ),
            "StorageAccountInAnotherResourceGroup" => (
                ErrorKind::AlreadyExists,
                "use that resource group (resourceGroup in the class, or AZURE_RESOURCE_GROUP), or another account",
            ),
            "InvalidResourceLocation" | "AccountPropertyCannotBeUpdated" => (
                ErrorKind::AlreadyExists,
                "what exists under that name is something else; use another name, or ask for what is there",
            ),
            "AccountNameInvalid" | "StorageAccountNameNotValid" => (
                ErrorKind::Invalid,
                "an account's name has 3 to 24 lower-case letters and digits",
            ),
            "LocationNotValid" | "LocationNotAvailableForResourceType" | "InvalidLocation" | "LocationRequired" => (
                ErrorKind::Invalid,
                "use one of: az account list-locations (location in the class, or AZURE_LOCATION)",
            ),
            "SkuNotAvailable" | "InvalidSku" | "SkuNotAvailableForSubscription" | "AccountSkuNotSupported" => (
                ErrorKind::Invalid,
                "this region does not have the SKU; use another skuName, or another location",
            ),
            "ResourceGroupNotFound" => (
                ErrorKind::Invalid,
                "create it with: az group create, or name another one (resourceGroup in the class, or AZURE_RESOURCE_GROUP)",
            ),
            "SubscriptionNotFound" | "InvalidSubscriptionId" => (
                ErrorKind::Invalid,
                "check AZURE_SUBSCRIPTION_ID against: az account list, and that the tenant is the subscription's",
            ),
            "MissingSubscriptionRegistration" => (
                ErrorKind::Invalid,
                "register it once with: az provider register --namespace Microsoft.Storage",
            ),
            "ResourceNotFound" | "ShareNotFound" | "ContainerNotFound" | "NotFound" | "ShareSnapshotNotFound" => {
                (ErrorKind::NotFound, "")
            }
            _ => return None,
        };
        Some(said)
    }

    fn of_permissions(&self, operation: &str) -> Option<(ErrorKind, &'static str)> {
        let said = match self.code {
            "InvalidAuthenticationTokenTenant" => (
                ErrorKind::Unauthenticated,
                "sign in to the subscription's own tenant: az login --tenant, or another AZURE_TENANT_ID",
            ),
            "InvalidAuthenticationToken"
            | "ExpiredAuthenticationToken"
            | "AuthenticationFailed"
            | "AuthenticationFailedMissingToken"
            | "InvalidAuthenticationTokenAudience" => (
                ErrorKind::Unauthenticated,
                "sign in again (az login), or check the AZURE_* variables and this machine's clock",
            ),
            "AuthorizationFailed" | "LinkedAuthorizationFailed" | "AuthorizationPermissionMismatch" => {
                (ErrorKind::Forbidden, role_for(operation))
            }
            "ScopeLocked" => (
                ErrorKind::Forbidden,
                "a resource lock forbids it: see az lock list; remove the lock if it is not meant for this",
            ),
            "RequestDisallowedByPolicy" => (
                ErrorKind::Forbidden,
                "a policy of the subscription forbids it: ask its owner",
            ),
            "ReadOnlyDisabledSubscription" => (ErrorKind::Forbidden, "the subscription is disabled: ask its owner"),
            _ => return None,
        };
        Some(said)
    }

    fn of_state(&self) -> Option<(ErrorKind, &'static str)> {
        // On its way through Resource Manager the code may be lost, and the words not.
        let says = |words: &str| self.message.is_some_and(|message| message.contains(words));
        let being_deleted = ["share is being deleted", "container is being deleted"]
            .iter()
            .any(|words| says(words));
        let said = match self.code {
            "ShareBeingDeleted" | "ContainerBeingDeleted" => {
                (ErrorKind::TokenBurnt, "the name is free again in some minutes")
            }
            _ if being_deleted => (ErrorKind::TokenBurnt, "the name is free again in some minutes"),
            "DeleteShareWhenSnapshotLeased"
            | "LeaseIdMissing"
            | "LeaseAlreadyPresent"
            | "ShareHasLease"
            | "ShareLeased"
            | "ContainerHasLease"
            | "ContainerLeased" => (ErrorKind::InUse, "end the lease first, or break it"),
            _ if says("is attached to VM") => (ErrorKind::InUse, "detach it first"),
            _ if says("shared access signature outstanding") => {
                (ErrorKind::InUse, "end the access first: az disk revoke-access")
            }
            "StorageAccountOperationInProgress" | "StorageAccountIsNotProvisioned" | "AnotherOperationInProgress" => {
                (ErrorKind::Stale, "")
            }
            "MaxStorageAccountsCountPerSubscriptionExceeded" => (
                ErrorKind::LimitExceeded,
                "delete accounts that are empty, or ask Azure to raise the limit of the region",
            ),
            "TotalSharesProvisionedCapacityExceedsAccountLimit"
            | "TotalSharesCountExceedsAccountLimit"
            | "AccountLimitExceeded" => (
                ErrorKind::LimitExceeded,
                "deleted shares count until their retention is over: purge some, or allow fewer shares an account",
            ),
            "InvalidHeaderValue" | "OutOfRangeInput" => (
                ErrorKind::Invalid,
                "check the quota against the SKU's range, and names and metadata",
            ),
            "ShareAlreadyExists" | "ContainerAlreadyExists" => (
                ErrorKind::AlreadyExists,
                "one of that name is there: rename or delete it first",
            ),
            "TooManyRequests" | "SubscriptionRequestsThrottled" | "OperationNotAllowedThrottled" | "ServerBusy" => (
                ErrorKind::Throttled {
                    retry_after: self.retry_after,
                },
                "",
            ),
            NO_SUCH_SERVICE => (ErrorKind::Unsupported, ""),
            "InvalidApiVersionParameter"
            | "NoRegisteredProviderFound"
            | "InvalidResourceType"
            | "InvalidResourceNamespace"
            | "UnsupportedResourceOperation" => (ErrorKind::Unsupported, "check the endpoint"),
            _ => return None,
        };
        Some(said)
    }

    fn meaning_of_status(&self) -> (ErrorKind, &'static str) {
        match self.status {
            401 => (ErrorKind::Unauthenticated, "sign in again (az login)"),
            403 => (ErrorKind::Forbidden, "ask for this permission in the subscription"),
            404 if self.code == "ParentResourceNotFound" => (ErrorKind::NotFound, ""),
            404 if self.code.is_empty() => (ErrorKind::Unsupported, "check the endpoint"),
            404 => (ErrorKind::NotFound, ""),
            429 => (
                ErrorKind::Throttled {
                    retry_after: self.retry_after,
                },
                "",
            ),
            501 => (ErrorKind::Unsupported, ""),
            ..=399 => (
                ErrorKind::Internal,
                "this is no answer of Resource Manager: check the endpoint and any proxy",
            ),
            500.. => (ErrorKind::Internal, ""),
            408 => (ErrorKind::Unreachable, ""),
            409 | 412 => (ErrorKind::Stale, ""),
            _ => (ErrorKind::Invalid, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::Headers;

    use super::*;

    const SUBJECT: Subject<'_> = Subject {
        operation: "Microsoft.Storage/storageAccounts/write",
        resource: "account moorabc",
    };

    fn refused(status: u16, body: &str) -> Error {
        let answer = Answer {
            status,
            headers: Headers::new(),
            body: body.to_owned().into(),
        };
        from_answer(SUBJECT, &answer)
    }

    #[test]
    fn knows_the_codes() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        for (status, code, kind) in [
            (409, "StorageAccountAlreadyTaken", ErrorKind::AlreadyExists),
            (400, "AccountNameInvalid", ErrorKind::Invalid),
            (404, "ResourceGroupNotFound", ErrorKind::Invalid),
            (404, "SubscriptionNotFound", ErrorKind::Invalid),
            (404, "ResourceNotFound", ErrorKind::NotFound),
            (404, "ParentResourceNotFound", ErrorKind::NotFound),
            (401, "InvalidAuthenticationTokenTenant", ErrorKind::Unauthenticated),
            (403, "AuthorizationFailed", ErrorKind::Forbidden),
            (409, "ScopeLocked", ErrorKind::Forbidden),
            (409, "ShareBeingDeleted", ErrorKind::TokenBurnt),
            (409, "StorageAccountOperationInProgress", ErrorKind::Stale),
            (
                400,
                "TotalSharesProvisionedCapacityExceedsAccountLimit",
                ErrorKind::LimitExceeded,
            ),
            (429, "TooManyRequests", throttled.clone()),
            (429, "", throttled),
            (400, "SkuNotAvailable", ErrorKind::Invalid),
            (500, "InternalServerError", ErrorKind::Internal),
            (400, "Whatever", ErrorKind::Invalid),
            (409, "Whatever", ErrorKind::Stale),
        ] {
            let body = format!(r#"{{"error": {{"code": "{code}", "message": "so it is"}}}}"#);
            assert_eq!(refused(status, &body).kind, kind, "{status} {code}");
        }
    }

    #[test]
    fn what_is_inside_of_an_account_is_gone_only_where_azure_names_it() {
        let inside = Subject {
            operation: "Microsoft.Storage/storageAccounts/fileServices/shares/read",
            resource: "pvc-1",
        };
        for (code, kind) in [
            ("ShareNotFound", ErrorKind::NotFound),
            ("ContainerNotFound", ErrorKind::NotFound),
            ("ParentResourceNotFound", ErrorKind::Stale),
            ("ResourceNotFound", ErrorKind::Stale),
            ("ResourceGroupNotFound", ErrorKind::Invalid),
            ("PageNotFound", ErrorKind::Stale),
            ("", ErrorKind::Unsupported),
        ] {
            let answer = Answer {
                status: 404,
                headers: Headers::new(),
                body: format!(r#"{{"error": {{"code": "{code}", "message": "so it is"}}}}"#).into(),
            };
            assert_eq!(from_answer(inside, &answer).kind, kind, "{code}");
        }
    }

    #[test]
    fn one_clear_sentence() {
        for (status, body, expected) in [
            (
                409,
                r#"{"error": {"code": "ScopeLocked", "message": "The scope is locked.\u001b[2J\nRequestId:1\nTime:2"}}"#,
                "The scope is locked (ScopeLocked); a resource lock forbids it: see az lock list; remove the lock if it is not meant for this",
            ),
            (502, "<html>", "HTTP 502 without an explanation"),
            (404, "", "HTTP 404 without an explanation; check the endpoint"),
            (
                409,
                r#"{"error": {"code": "Conflict", "details": [{"code": "ShareBeingDeleted", "message": "x"}]}}"#,
                "x (ShareBeingDeleted); the name is free again in some minutes",
            ),
            (
                409,
                r#"{"code": "Conflict", "message": "The specified share is being deleted. Try later."}"#,
                "The specified share is being deleted. Try later (Conflict); the name is free again in some minutes",
            ),
        ] {
            assert_eq!(refused(status, body).message, expected);
        }
    }
}
