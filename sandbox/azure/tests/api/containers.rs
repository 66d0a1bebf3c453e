//! Blob containers.

use moorline_sandbox_azure::AzureSettings;
use serde_json::{Value, json};

use crate::client::{Client, names};

#[tokio::test]
async fn a_container_is_made_read_changed_listed_and_deleted() {
    let client = Client::instant().await;
    let containers = format!(
        "{}/blobServices/default/containers",
        client.account("account1", "Standard_LRS").await
    );
    let path = format!("{containers}/runs");
    let asked = json!({"properties": {"metadata": {"owner": "web"}, "publicAccess": "None"}});
    assert_eq!(client.call("PUT", &path, Some(asked)).await.status, 201);
    assert_eq!(client.call("PUT", &path, Some(json!({}))).await.status, 200);
    let read = client.call("GET", &path, None).await.ok();
    assert_eq!(
        (
            &read["properties"]["metadata"]["owner"],
            &read["properties"]["publicAccess"]
        ),
        (&json!("web"), &json!("None"))
    );
    client
        .call(
            "PATCH",
            &path,
            Some(json!({"properties": {"metadata": {"owner": "db"}}})),
        )
        .await
        .ok();
    assert_eq!(
        client.call("GET", &path, None).await.ok()["properties"]["metadata"],
        json!({"owner": "db"})
    );

    client
        .call("PUT", &format!("{containers}/leases"), Some(json!({})))
        .await
        .ok();
    assert_eq!(
        names(&client.call("GET", &containers, None).await.ok()),
        ["leases", "runs"]
    );
    assert_eq!(
        names(&client.call("GET", &format!("{containers}?$filter=ru"), None).await.ok()),
        ["runs"]
    );
    assert_eq!(client.call("DELETE", &path, None).await.status, 200);
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(
        client.call("GET", &path, None).await.refusal(),
        (404, "ContainerNotFound")
    );
    assert_eq!(
        names(
            &client
                .call("GET", &format!("{containers}?$include=deleted"), None)
                .await
                .ok()
        ),
        ["leases"]
    );
}

#[tokio::test]
async fn deleted_containers_are_kept_where_the_policy_says_so() {
    let client = Client::new(AzureSettings {
        name_release_millis: 30_000,
        ..AzureSettings::instant()
    })
    .await;
    let service = format!(
        "{}/blobServices/default",
        client.account("account1", "Standard_LRS").await
    );
    let policy = json!({"properties": {"containerDeleteRetentionPolicy": {"enabled": true, "days": 2}}});
    client.call("PUT", &service, Some(policy)).await.ok();
    let read = client.call("GET", &service, None).await.ok();
    assert_eq!(
        read["properties"]["containerDeleteRetentionPolicy"],
        json!({"enabled": true, "days": 2})
    );
    let path = format!("{service}/containers/runs");
    client.call("PUT", &path, Some(json!({}))).await.ok();
    client.call("DELETE", &path, None).await.ok();
    assert_eq!(
        client.call("PUT", &path, Some(json!({}))).await.refusal(),
        (409, "ContainerBeingDeleted")
    );
    let all = client
        .call("GET", &format!("{service}/containers?$include=deleted"), None)
        .await
        .ok();
    assert_eq!(all["value"][0]["properties"]["deleted"], true);
    assert_eq!(all["value"][0]["properties"]["remainingRetentionDays"], 2);
    client.pass(2 * 86_400);
    let all = client
        .call("GET", &format!("{service}/containers?$include=deleted"), None)
        .await
        .ok();
    assert_eq!(all["value"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn kinds_of_accounts_have_their_services() {
    let client = Client::instant().await;
    let files = client.account("files1", "Premium_LRS").await;
    let refused = client
        .call(
            "PUT",
            &format!("{files}/blobServices/default/containers/runs"),
            Some(json!({})),
        )
        .await;
    assert_eq!(refused.refusal(), (400, "FeatureNotSupportedForAccount"));
    let blobs = "Microsoft.Storage/storageAccounts/blobs1";
    let body = json!({"sku": {"name": "Premium_LRS"}, "kind": "BlockBlobStorage", "location": "eastus"});
    client.call("PUT", blobs, Some(body)).await.ok();
    let refused = client
        .call(
            "PUT",
            &format!("{blobs}/fileServices/default/shares/pvc-1"),
            Some(json!({})),
        )
        .await;
    assert_eq!(refused.refusal(), (400, "FeatureNotSupportedForAccount"));
}
