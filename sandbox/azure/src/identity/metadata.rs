//! Tokens for the identity of a virtual machine.

use jiff::Timestamp;
use serde_json::json;

use super::token::Claims;
use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Incoming;

/// The machine's own identity.
const SYSTEM_ASSIGNED: &str = "33333333-cccc-4000-8000-000000000001";

pub(super) fn token(cloud: &AzureCloud, incoming: &Incoming) -> Result<Answer, AzureError> {
    let bad = |message: &str| AzureError::new(400, "invalid_request", message);
    if incoming.method != "GET" || incoming.segments != ["metadata", "identity", "oauth2", "token"] {
        return Err(AzureError::new(
            404,
            "not_found",
            "The requested resource was not found",
        ));
    }
    if !incoming
        .header("metadata")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(bad("Required metadata header not specified"));
    }
    if incoming.header("x-forwarded-for").is_some() {
        return Err(bad("Request contains x-forwarded-for header"));
    }
    match incoming.query("api-version") {
        Some("2018-02-01" | "2019-08-01" | "2020-06-01" | "2021-02-01") => {}
        Some(_) => return Err(bad("Invalid api-version")),
        None => return Err(bad("Required query variable 'api-version' is missing")),
    }
    let resource = incoming
        .query("resource")
        .ok_or_else(|| bad("Required audience parameter not specified"))?;
    let settings = cloud.settings_now();
    let client = match incoming.query("client_id").or_else(|| incoming.query("object_id")) {
        Some(asked) if settings.clients.is_empty() || settings.clients.iter().any(|known| known == asked) => asked,
        Some(_) => return Err(bad("Identity not found")),
        None => SYSTEM_ASSIGNED,
    };
    let seconds = settings.token_seconds;
    let claims = Claims::new((&settings.tenant, client), resource, seconds);
    let now = Timestamp::now().as_second();
    // The metadata service writes its numbers as text.
    Ok(Answer::ok(&json!({
        "access_token": claims.seal(&cloud.seed()),
        "client_id": client,
        "expires_in": seconds.to_string(),
        "expires_on": claims.exp.to_string(),
        "ext_expires_in": seconds.to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    })))
}
