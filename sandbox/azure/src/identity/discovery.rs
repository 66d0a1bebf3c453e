//! Documents by which clients find endpoints.

use serde_json::json;

use super::entra::known_tenant;
use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Incoming;

pub(super) fn configuration(cloud: &AzureCloud, incoming: &Incoming) -> Result<Answer, AzureError> {
    let tenant = known_tenant(cloud, incoming)?;
    let root = format!("{}/{tenant}", incoming.base());
    Ok(Answer::ok(&json!({
        "token_endpoint": format!("{root}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{root}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{root}/v2.0"),
        "authorization_endpoint": format!("{root}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{root}/oauth2/v2.0/devicecode"),
        "tenant_region_scope": null,
    })))
}

/// Tokens are sealed with a key that nobody else has, so there is none to publish.
pub(super) fn keys(cloud: &AzureCloud, incoming: &Incoming) -> Result<Answer, AzureError> {
    known_tenant(cloud, incoming)?;
    Ok(Answer::ok(&json!({"keys": []})))
}

pub(super) fn instance(cloud: &AzureCloud, incoming: &Incoming) -> Result<Answer, AzureError> {
    let host = incoming.base();
    let host = host.trim_start_matches("https://");
    let asked = incoming
        .query("authorization_endpoint")
        .and_then(|url| url.strip_prefix("https://"));
    let (asked, path) = asked.and_then(|rest| rest.split_once('/')).unwrap_or_default();
    // A client may leave the port out of the name of the host.
    if asked != host && asked != host.split(':').next().unwrap_or_default() {
        let message = "AADSTS50049: Unknown or invalid instance.";
        return Err(AzureError::new(400, "invalid_instance", message));
    }
    let named = path.split('/').next().filter(|tenant| !tenant.is_empty());
    let tenant = named.map_or_else(|| cloud.settings_now().tenant.clone(), str::to_owned);
    Ok(Answer::ok(&json!({
        "tenant_discovery_endpoint": format!("https://{host}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    })))
}

/// What `az cloud register` asks.
pub(super) fn endpoints(cloud: &AzureCloud, incoming: &Incoming) -> Answer {
    let base = incoming.base();
    Answer::ok(&json!([{
        "name": "moorline-sandbox",
        "resourceManager": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": cloud.settings_now().tenant,
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": "core.windows.net"},
    }]))
}
