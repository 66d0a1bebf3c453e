//! Tokens, and who may do what with them.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::{Answer, CLIENT, Client, send};

const LIST: &str = "/subscriptions?api-version=2022-12-01";

#[tokio::test]
async fn secrets_that_say_so_are_refused() {
    let client = Client::instant().await;
    let tenant = client.cloud.settings().tenant;
    let refused = client.sign_in(&tenant, "INVALID-secret").await;
    assert_eq!(refused.refusal(), (401, "invalid_client"));
    let description = refused.body.unwrap()["error_description"].to_string();
    assert!(
        description.contains("AADSTS7000215") && !description.contains("INVALID-secret"),
        "{description}"
    );
    let expired = client.sign_in(&tenant, "EXPIRED-secret").await;
    assert!(
        expired.body.unwrap()["error_description"]
            .to_string()
            .contains("AADSTS7000222")
    );
    let nowhere = client.sign_in("11111111-aaaa-4000-8000-00000000000f", "secret").await;
    assert!(
        nowhere.body.unwrap()["error_description"]
            .to_string()
            .contains("AADSTS90002")
    );
}

#[tokio::test]
async fn incomplete_requests_for_tokens_are_refused() {
    let client = Client::instant().await;
    let tenant = client.cloud.settings().tenant;
    let scope = "scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
    for (form, error) in [
        (format!("client_id={CLIENT}&client_secret=x&{scope}"), "invalid_request"),
        (
            format!("grant_type=password&client_id={CLIENT}&client_secret=x&{scope}"),
            "unsupported_grant_type",
        ),
        (
            format!("grant_type=client_credentials&client_secret=x&{scope}"),
            "invalid_request",
        ),
        (
            format!("grant_type=client_credentials&client_id=me&client_secret=x&{scope}"),
            "unauthorized_client",
        ),
        (
            format!("grant_type=client_credentials&client_id={CLIENT}&{scope}"),
            "invalid_client",
        ),
        (
            format!("grant_type=client_credentials&client_id={CLIENT}&client_secret=x"),
            "invalid_request",
        ),
        (
            format!("grant_type=client_credentials&client_id={CLIENT}&client_secret=x&scope=openid"),
            "invalid_scope",
        ),
    ] {
        assert_eq!(
            client.post_form(&tenant, form.clone()).await.refusal().1,
            error,
            "{form}"
        );
    }
}

#[tokio::test]
async fn assertions_are_taken_while_they_last() {
    let client = Client::instant().await;
    let tenant = client.cloud.settings().tenant;
    let ask = async |expiry: i64| {
        let payload = URL_SAFE_NO_PAD.encode(json!({"exp": expiry, "sub": CLIENT}).to_string());
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_assertion=e30.{payload}.c2ln&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        );
        client.post_form(&tenant, form).await
    };
    let now = jiff::Timestamp::now().as_second();
    assert_eq!(ask(now + 600).await.ok()["token_type"], "Bearer");
    assert_eq!(ask(now - 600).await.refusal(), (401, "invalid_client"));
}

#[tokio::test]
async fn documents_lead_to_the_token_endpoint() {
    let client = Client::instant().await;
    let tenant = client.cloud.settings().tenant;
    let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let document = client.send("GET", &path, None, &[]).await.ok();
    assert_eq!(
        document["token_endpoint"],
        format!("https://sandbox.test/{tenant}/oauth2/v2.0/token")
    );
    let asked = format!("https%3A%2F%2Fsandbox.test%2F{tenant}%2Foauth2%2Fv2.0%2Fauthorize");
    let instance = format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={asked}");
    let found = client.send("GET", &instance, None, &[]).await.ok();
    assert_eq!(
        found["tenant_discovery_endpoint"],
        format!("https://sandbox.test{path}")
    );
    let other = "/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Fevil.test%2Fx";
    assert_eq!(
        client.send("GET", other, None, &[]).await.refusal(),
        (400, "invalid_instance")
    );
    let endpoints = client
        .send("GET", "/metadata/endpoints?api-version=2022-09-01", None, &[])
        .await
        .ok();
    assert_eq!(endpoints[0]["resourceManager"], "https://sandbox.test");
}

async fn metadata(client: &Client, query: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(format!("/metadata/identity/oauth2/token?{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(client.cloud.metadata_router(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_machine_has_an_identity() {
    let mut client = Client::instant().await;
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    assert_eq!(metadata(&client, query, &[]).await.refusal(), (400, "invalid_request"));
    let flag = [("Metadata", "true")];
    assert_eq!(metadata(&client, "api-version=2018-02-01", &flag).await.status, 400);
    let token = metadata(&client, query, &flag).await.ok();
    assert_eq!(
        (token["expires_in"].as_str(), token["token_type"].as_str()),
        (Some("3600"), Some("Bearer"))
    );
    token["access_token"].as_str().unwrap().clone_into(&mut client.token);
    client.send("GET", LIST, None, &[]).await.ok();
    let settings = AzureSettings {
        clients: vec![CLIENT.to_owned()],
        ..AzureSettings::instant()
    };
    client.cloud.set_settings(settings).unwrap();
    assert_eq!(
        metadata(&client, &format!("{query}&client_id=nobody"), &flag)
            .await
            .status,
        400
    );
    assert_eq!(
        metadata(&client, &format!("{query}&client_id={CLIENT}"), &flag)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn calls_without_a_good_token_are_refused() {
    let mut client = Client::instant().await;
    let url = Request::get(LIST)
        .header("host", "sandbox.test")
        .body(Body::empty())
        .unwrap();
    let bare = send(client.cloud.router(), url).await;
    assert_eq!(bare.refusal(), (401, "AuthenticationFailed"));
    let tenant = client.cloud.settings().tenant;
    assert!(
        bare.header("www-authenticate")
            .contains(&format!("authorization_uri=\"https://sandbox.test/{tenant}\""))
    );

    let genuine = client.token.clone();
    client.token = format!("{genuine}x");
    assert_eq!(
        client.send("GET", LIST, None, &[]).await.refusal(),
        (401, "InvalidAuthenticationToken")
    );
    let other = client.cloud.settings().other_tenants[0].clone();
    client.token = client.sign_in(&other, "secret").await.ok()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        client.send("GET", LIST, None, &[]).await.refusal(),
        (401, "InvalidAuthenticationTokenTenant")
    );
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret=x&scope=https%3A%2F%2Fvault.azure.net%2F.default"
    );
    client.token = client.post_form(&tenant, form).await.ok()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        client.send("GET", LIST, None, &[]).await.refusal(),
        (401, "InvalidAuthenticationTokenAudience")
    );
    client
        .cloud
        .set_settings(AzureSettings {
            token_seconds: 0,
            ..AzureSettings::instant()
        })
        .unwrap();
    client.token = client.sign_in(&tenant, "secret").await.ok()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        client.send("GET", LIST, None, &[]).await.refusal(),
        (401, "ExpiredAuthenticationToken")
    );
}

#[tokio::test]
async fn what_is_denied_is_denied() {
    let denied = vec!["Microsoft.Storage/storageAccounts/listKeys/action".to_owned()];
    let client = Client::new(AzureSettings {
        denied_actions: denied,
        ..AzureSettings::instant()
    })
    .await;
    let path = client.account("account1", "Standard_LRS").await;
    let refused = client.call("POST", &format!("{path}/listKeys"), None).await;
    assert_eq!(refused.refusal(), (403, "AuthorizationFailed"));
    client.call("GET", &path, None).await.ok();
}
