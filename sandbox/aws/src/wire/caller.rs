//! Who calls, and in which region: the credential scope of the request's signature.
//!
//! Signatures are not checked. The access key id decides: one that starts with `EXPIRED` belongs to credentials
//! that have run out, one that starts with `INVALID` to nobody, one that starts with `DENIED` to someone
//! without any permission, one that starts with `ASIA` to whoever took on a role; every other is the account's own.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::params::Params;
use crate::error::AwsError;
use crate::regions;
use crate::roles::{self, RoleSession};
use crate::wire::answer::Service;

/// Where a call goes, once the caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) region: String,
    pub(crate) access_key: String,
    /// The role that the caller took on, if any.
    pub(crate) session: Option<RoleSession>,
}

/// Reads the caller from the `Authorization` header or from the parameters of a presigned request.
pub(crate) fn identify(headers: &HeaderMap, params: &Params, service: Service) -> Result<Caller, AwsError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match (header, params.text("X-Amz-Credential")) {
        (Some(header), _) => credential_of(header).ok_or_else(|| incomplete(service))?,
        (None, Some(credential)) => credential,
        (None, None) => return Err(missing(service)),
    };
    let mut parts = credential.split('/');
    let (Some(access_key), Some(_date), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(incomplete(service));
    };
    if let Some(error) = refusal(access_key, service) {
        return Err(error);
    }
    if !regions::exists(region) {
        return Err(outside(service));
    }
    let session = if roles::is_temporary(access_key) {
        let token = headers
            .get("x-amz-security-token")
            .and_then(|value| value.to_str().ok());
        let token = token
            .or_else(|| params.text("X-Amz-Security-Token"))
            .unwrap_or_default();
        Some(RoleSession::of(access_key, token).ok_or_else(|| unknown(service))?)
    } else {
        None
    };
    Ok(Caller {
        session,
        region: region.to_owned(),
        access_key: access_key.to_owned(),
    })
}

/// `AWS4-HMAC-SHA256 Credential=<this>, SignedHeaders=…, Signature=…`
fn credential_of(header: &str) -> Option<&str> {
    let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
    fields
        .split(',')
        .find_map(|field| field.trim().strip_prefix("Credential="))
}

fn refusal(access_key: &str, service: Service) -> Option<AwsError> {
    if access_key.starts_with("EXPIRED") {
        return Some(expired(service));
    }
    access_key.starts_with("INVALID").then(|| unknown(service))
}

/// The refusal of credentials that have run out.
pub(crate) fn expired(service: Service) -> AwsError {
    match service {
        Service::Ec2 => AwsError::new("RequestExpired", "Request has expired."),
        _ => AwsError::new("ExpiredToken", "The security token included in the request is expired").with_status(403),
    }
}

/// The refusal of credentials that nobody was given.
fn unknown(service: Service) -> AwsError {
    if service == Service::Ec2 {
        return unknown_credentials();
    }
    let message = "The security token included in the request is invalid.";
    AwsError::new("InvalidClientTokenId", message).with_status(403)
}

/// The refusal of a caller without permissions; identity calls need none.
pub(crate) fn authorize(caller: &Caller, service: Service, operation: &str, account: &str) -> Result<(), AwsError> {
    if !caller.access_key.starts_with("DENIED") || service == Service::Sts {
        return Ok(());
    }
    let error = match service {
        Service::Ec2 => AwsError::new(
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ),
        _ => AwsError::new(
            "AccessDenied",
            format!(
                "User: arn:aws:iam::{account}:user/sandbox is not authorized to perform: elasticloadbalancing:{operation}"
            ),
        ),
    };
    Err(error.with_status(403))
}

fn missing(service: Service) -> AwsError {
    match service {
        Service::Ec2 => unknown_credentials(),
        _ => AwsError::new("MissingAuthenticationToken", "Request is missing Authentication Token").with_status(403),
    }
}

fn incomplete(service: Service) -> AwsError {
    match service {
        Service::Ec2 => unknown_credentials(),
        _ => AwsError::new(
            "IncompleteSignature",
            "Authorization header requires 'Credential' parameter.",
        ),
    }
}

fn outside(service: Service) -> AwsError {
    let message = "Credential should be scoped to a valid region.";
    match service {
        Service::Ec2 => AwsError::new("AuthFailure", message).with_status(401),
        _ => AwsError::new("SignatureDoesNotMatch", message).with_status(403),
    }
}

fn unknown_credentials() -> AwsError {
    AwsError::new(
        "AuthFailure",
        "AWS was not able to validate the provided access credentials",
    )
    .with_status(401)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(key: &str, region: &str, service: Service) -> Result<Caller, AwsError> {
        let mut headers = HeaderMap::new();
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261121/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"
        );
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        identify(&headers, &Params::default(), service)
    }

    #[test]
    fn the_scope_names_the_region() {
        assert_eq!(
            identified("test", "eu-west-1", Service::Ec2).unwrap().region,
            "eu-west-1"
        );
        assert_eq!(
            identified("test", "moon-1", Service::Ec2).unwrap_err().code,
            "AuthFailure"
        );
        assert_eq!(
            identified("test", "moon-1", Service::Sts).unwrap_err().code,
            "SignatureDoesNotMatch"
        );
    }

    #[test]
    fn refused_callers_get_the_code_of_the_service() {
        let code = |key, service| identified(key, "us-east-1", service).unwrap_err().code;
        assert_eq!(code("EXPIREDKEY", Service::Ec2), "RequestExpired");
        assert_eq!(code("EXPIREDKEY", Service::Elb), "ExpiredToken");
        assert_eq!(code("INVALIDKEY", Service::Ec2), "AuthFailure");
        assert_eq!(code("INVALIDKEY", Service::Sts), "InvalidClientTokenId");
    }

    #[test]
    fn a_request_without_signature_is_refused_and_a_presigned_one_is_not() {
        let none = HeaderMap::new();
        let error = identify(&none, &Params::default(), Service::Ec2).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), ("AuthFailure", 401));
        let error = identify(&none, &Params::default(), Service::Sts).unwrap_err();
        assert_eq!(error.code, "MissingAuthenticationToken");
        let query = b"X-Amz-Credential=test%2F20261121%2Fus-east-1%2Fsts%2Faws4_request".as_slice();
        let params = Params::parse([query]).unwrap();
        assert_eq!(identify(&none, &params, Service::Sts).unwrap().access_key, "test");
    }
}
