//! The token endpoint: client credentials with a secret, or with an assertion (a certificate's, or a federated one).

use jiff::Timestamp;
use serde_json::json;

use super::token::{self, Claims};
use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Incoming;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) fn token(cloud: &AzureCloud, incoming: &Incoming) -> Result<Answer, AzureError> {
    let settings = cloud.settings_now();
    let tenant = known_tenant(cloud, incoming)?;
    let form: Vec<(String, String)> = form_urlencoded::parse(&incoming.body).into_owned().collect();
    let field = |name: &str| {
        let found = form.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let required = |name: &str| {
        let message = format!("AADSTS900144: The request body must contain the following parameter: '{name}'.");
        field(name).ok_or_else(|| AzureError::new(400, "invalid_request", message))
    };
    let grant = required("grant_type")?;
    if grant != "client_credentials" {
        let message = format!("AADSTS70003: The app requested an unsupported grant type '{grant}'.");
        return Err(AzureError::new(400, "unsupported_grant_type", message));
    }
    let client = required("client_id")?;
    let exists = settings.clients.is_empty() || settings.clients.iter().any(|known| known.eq_ignore_ascii_case(client));
    if uuid::Uuid::parse_str(client).is_err() || !exists {
        let message = format!(
            "AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
        );
        return Err(AzureError::new(400, "unauthorized_client", message));
    }
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) => check_secret(secret, client)?,
        (None, Some(assertion)) => {
            if field("client_assertion_type") != Some(JWT_BEARER) {
                let message =
                    "AADSTS900144: The request body must contain the following parameter: 'client_assertion_type'.";
                return Err(AzureError::new(400, "invalid_request", message));
            }
            check_assertion(assertion)?;
        }
        (None, None) => {
            let message = "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(AzureError::new(401, "invalid_client", message));
        }
    }
    let scope = required("scope")?;
    let Some(audience) = scope.strip_suffix("/.default") else {
        let message = format!(
            "AADSTS1002012: The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
        );
        return Err(AzureError::new(400, "invalid_scope", message));
    };
    let seconds = settings.token_seconds;
    let claims = Claims::new((&tenant, client), audience, seconds);
    Ok(Answer::ok(&json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": claims.seal(&cloud.seed()),
    })))
}

/// The tenant that the path names, if it exists.
pub(super) fn known_tenant(cloud: &AzureCloud, incoming: &Incoming) -> Result<String, AzureError> {
    let settings = cloud.settings_now();
    let named = incoming.segments.first().map_or("", String::as_str);
    let mut tenants = std::iter::once(&settings.tenant).chain(&settings.other_tenants);
    let known = tenants.find(|tenant| tenant.eq_ignore_ascii_case(named));
    known.cloned().ok_or_else(|| {
        let message = format!(
            "AADSTS90002: Tenant '{named}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
        );
        AzureError::new(400, "invalid_tenant", message)
    })
}

/// Any secret will do, but for those that say what is wrong with them.
fn check_secret(secret: &str, client: &str) -> Result<(), AzureError> {
    let message = if secret.starts_with("INVALID") {
        format!(
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
        )
    } else if secret.starts_with("EXPIRED") {
        format!("AADSTS7000222: The provided client secret keys for app '{client}' are expired.")
    } else {
        return Ok(());
    };
    Err(AzureError::new(401, "invalid_client", message))
}

/// The assertion must be a token that has not expired; who signed it is not asked.
fn check_assertion(assertion: &str) -> Result<(), AzureError> {
    let refuse = |message: &str| Err(AzureError::new(401, "invalid_client", message));
    let Some(payload) = token::payload(assertion) else {
        return refuse("AADSTS50027: JWT token is invalid or malformed.");
    };
    let expiry = payload.get("exp").and_then(serde_json::Value::as_i64);
    match expiry {
        Some(expiry) if expiry > Timestamp::now().as_second() => Ok(()),
        _ => refuse("AADSTS700024: Client assertion is not within its valid time range."),
    }
}
