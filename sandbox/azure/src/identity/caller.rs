//! Who calls Resource Manager.

use jiff::Timestamp;

use super::token::{Claims, issuer};
use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::http::request::Incoming;
use crate::times::stamp;

const AUDIENCES: [&str; 4] = [
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
];

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) client: String,
    pub(crate) object: String,
}

/// Knows the caller by its token, or refuses it as Resource Manager does.
pub(crate) fn identify(cloud: &AzureCloud, incoming: &Incoming) -> Result<Caller, AzureError> {
    let refuse = |code, message: String| Err(AzureError::new(401, code, message));
    let Some(header) = incoming.header("authorization") else {
        return refuse(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.".to_owned(),
        );
    };
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let claims = token.and_then(|(_, token)| Claims::open(token.trim(), &cloud.seed()));
    let Some(claims) = claims else {
        return refuse("InvalidAuthenticationToken", "The access token is invalid.".to_owned());
    };
    let now = Timestamp::now();
    if claims.exp <= now.as_second() {
        let expiry = Timestamp::from_second(claims.exp).unwrap_or(now);
        return refuse(
            "ExpiredAuthenticationToken",
            format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                stamp(expiry),
                stamp(now)
            ),
        );
    }
    let here = incoming.base();
    let local = claims.aud.trim_end_matches('/') == here;
    if !local && !AUDIENCES.contains(&claims.aud.as_str()) {
        return refuse(
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences '{}'.",
                claims.aud,
                AUDIENCES.join("','")
            ),
        );
    }
    let tenant = &cloud.settings_now().tenant;
    if claims.tid != *tenant {
        return refuse(
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer '{}'. It must match the tenant '{}' associated with this subscription. Please use the authority (URL) '{here}/{tenant}' to get the token.",
                claims.iss,
                issuer(tenant)
            ),
        );
    }
    Ok(Caller {
        client: claims.appid,
        object: claims.oid,
    })
}
