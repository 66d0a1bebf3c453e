//! Requests that are not quite right.

use serde_json::json;

use crate::client::{Client, STORAGE};

#[tokio::test]
async fn versions_must_be_given_and_known() {
    let client = Client::instant().await;
    let accounts = "/providers/Microsoft.Storage/storageAccounts";
    assert_eq!(
        client.at("GET", accounts, None).await.refusal(),
        (400, "MissingApiVersionParameter")
    );
    let future = client
        .at("GET", &format!("{accounts}?api-version=2030-01-01"), None)
        .await;
    assert_eq!(future.refusal(), (400, "NoRegisteredProviderFound"));
    let message = future.body.unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("for type 'storageAccounts'") && message.contains(STORAGE),
        "{message}"
    );
    let groups = client.at("GET", "/resourceGroups?api-version=2030-01-01", None).await;
    assert_eq!(groups.refusal(), (400, "InvalidApiVersionParameter"));
    client
        .at("GET", &format!("{accounts}?api-version=2024-01-01"), None)
        .await
        .ok();
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let client = Client::instant().await;
    let path = client.account("account1", "Standard_LRS").await;
    assert_eq!(
        client.call("POST", &path, Some(json!({}))).await.refusal(),
        (405, "HttpMethodNotAllowed")
    );
    assert_eq!(
        client
            .call("GET", "Microsoft.Network/virtualNetworks", None)
            .await
            .refusal(),
        (404, "InvalidResourceType")
    );
    assert_eq!(
        client.call("GET", &format!("{path}?verbose=yes"), None).await.refusal(),
        (400, "InvalidQueryParameterValue")
    );
    assert_eq!(client.audit("Unknown").failed, 2);
}

#[tokio::test]
async fn bodies_must_fit() {
    let client = Client::instant().await;
    let path = format!("{}/pvc-1", client.shares("account1", "Standard_LRS").await);
    for body in [
        json!({"properties": {"quota": 1}}),
        json!({"properties": {"shareQuota": "1"}}),
        json!({"properties": {"shareQuota": -1}}),
        json!({"name": "pvc-1"}),
        json!({"properties": {"accessTier": "Lukewarm"}}),
        json!([]),
    ] {
        assert_eq!(
            client.call("PUT", &path, Some(body.clone())).await.refusal(),
            (400, "InvalidRequestContent"),
            "{body}"
        );
    }
    for (metadata, code) in [
        (json!({"a-b": "x"}), "InvalidMetadata"),
        (json!({"": "x"}), "EmptyMetadataKey"),
        (json!({"a": "x".repeat(9000)}), "MetadataTooLarge"),
    ] {
        let body = json!({"properties": {"metadata": metadata}});
        assert_eq!(client.call("PUT", &path, Some(body)).await.refusal(), (400, code));
    }
    assert_eq!(
        client.call("PUT", &path, None).await.refusal(),
        (415, "UnsupportedMediaType")
    );
    let shares = path.trim_end_matches("/pvc-1");
    assert_eq!(
        client
            .call("PUT", &format!("{shares}/Data"), Some(json!({})))
            .await
            .refusal(),
        (400, "InvalidResourceName")
    );
    assert_eq!(
        client
            .call("PUT", &format!("{shares}/ab"), Some(json!({})))
            .await
            .refusal(),
        (400, "OutOfRangeInput")
    );
    assert_eq!(client.cloud.shares("account1"), []);
}

#[tokio::test]
async fn answers_carry_the_ids_of_requests() {
    let client = Client::instant().await;
    let url = format!("/subscriptions/{}?api-version=2022-12-01", client.subscription);
    let answer = client
        .send("GET", &url, None, &[("x-ms-client-request-id", "mine")])
        .await;
    assert_eq!(answer.header("x-ms-client-request-id"), "mine");
    assert_eq!(
        answer.header("x-ms-request-id"),
        answer.header("x-ms-correlation-request-id")
    );
    assert!(
        answer
            .header("x-ms-routing-request-id")
            .ends_with(answer.header("x-ms-request-id"))
    );
}
