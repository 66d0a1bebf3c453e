//! How full the containers are of accounts that Resource Manager has: by their keys.

use axum::body::Body;
use axum::response::Response;
use moorline_api::{Sensitive, Usage as _, VolumeId};
use moorline_azure::{AzureProvider, AzureSettings, Budgets};
use serde_json::json;

use crate::desk::{Desk, KEY, refusal, xml};

const BLOBS: &str = "<?xml version=\"1.0\"?><EnumerationResults><Blobs>\
    <Blob><Name>a</Name><Properties><Content-Length>1000</Content-Length></Properties></Blob>\
    <Blob><Name>b</Name><Properties><Content-Length>234</Content-Length></Properties></Blob>\
    </Blobs><NextMarker/></EnumerationResults>";

fn json(value: &serde_json::Value) -> Response {
    Response::new(Body::from(value.to_string()))
}

fn accounts(endpoint: &str) -> Response {
    json(&json!({"value": [{
        "id": "/subscriptions/s/resourceGroups/data/providers/Microsoft.Storage/storageAccounts/data1",
        "name": "data1", "kind": "StorageV2", "location": "eastus", "sku": {"name": "Standard_LRS"},
        "properties": {"provisioningState": "Succeeded", "primaryEndpoints": {"blob": endpoint}},
    }]}))
}

/// Bytes used, where Resource Manager and blobs give these answers.
async fn used(manager: Vec<Response>, subscription: &str) -> Option<u64> {
    let manager = Desk::with(manager.into_iter().map(Some)).await;
    let settings = AzureSettings {
        budgets: Budgets::unlimited(),
        ..AzureSettings::local(&manager.address, subscription, Sensitive::new("token"))
    };
    let provider = AzureProvider::connect(settings).unwrap();
    let id = VolumeId("data1.blob/box".to_owned());
    provider.used_bytes(&id).await.unwrap()
}

#[tokio::test]
async fn the_blobs_are_added_up() {
    let blobs = Desk::with([Some(xml(BLOBS))]).await;
    let key = json(&json!({"keys": [{"keyName": "key1", "value": KEY, "permissions": "FULL"}]}));
    let endpoint = format!("{}/data1/", blobs.address);
    assert_eq!(used(vec![accounts(&endpoint), key], "s").await, Some(1234));
    let asked = blobs.asked();
    assert_eq!(asked[0].line, "GET /data1/box");
    assert!(
        asked[0]
            .authorization
            .as_deref()
            .unwrap()
            .starts_with("SharedKey data1:")
    );
}

#[tokio::test]
async fn without_the_key_nobody_knows() {
    let blobs = Desk::with([]).await;
    let forbidden = Response::builder().status(403).body(Body::from(
        json!({"error": {"code": "AuthorizationFailed", "message": "no"}}).to_string(),
    ));
    let manager = vec![accounts(&format!("{}/data1/", blobs.address)), forbidden.unwrap()];
    assert_eq!(used(manager, "s").await, None);
    assert!(blobs.asked().is_empty());
}

#[tokio::test]
async fn an_account_that_only_plays_to_be_azures_is_not_asked_for_at_azure() {
    // No second answer: whoever asked for the key would be refused.
    let manager = vec![
        accounts("https://data1.blob.core.windows.net/"),
        refusal(500, "Unexpected", "the key was asked for"),
    ];
    assert_eq!(used(manager, "s").await, None);
    assert_eq!(used(vec![accounts("http://blobs.example/data1")], "s").await, None);
}
