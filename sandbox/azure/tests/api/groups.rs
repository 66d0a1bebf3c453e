//! Subscriptions, resource groups and locks.

use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::{Client, LOCKS, RESOURCES, STORAGE, names};

#[tokio::test]
async fn subscriptions_and_their_locations_are_found() {
    let client = Client::instant().await;
    let version = "api-version=2022-12-01";
    let all = client
        .send("GET", &format!("/subscriptions?{version}"), None, &[])
        .await
        .ok();
    assert_eq!(all["value"][0]["subscriptionId"], client.subscription);
    assert_eq!(all["value"][0]["state"], "Enabled");
    let one = client.at("GET", &format!("?{version}"), None).await.ok();
    assert_eq!(one["tenantId"], client.cloud.settings().tenant);
    let locations = client.at("GET", &format!("/locations?{version}"), None).await.ok();
    assert!(names(&locations).contains(&"westeurope"));
    let unknown = client
        .send(
            "GET",
            &format!("/subscriptions/99999999-bbbb-4000-8000-000000000001?{version}"),
            None,
            &[],
        )
        .await;
    assert_eq!(unknown.refusal(), (404, "SubscriptionNotFound"));
    let malformed = client
        .send("GET", &format!("/subscriptions/mine?{version}"), None, &[])
        .await;
    assert_eq!(malformed.refusal(), (400, "InvalidSubscriptionId"));
}

#[tokio::test]
async fn a_group_is_made_and_goes_with_all_that_is_in_it() {
    let client = Client::new(AzureSettings {
        deletion_millis: 5000,
        ..AzureSettings::instant()
    })
    .await;
    let group = format!("/resourceGroups/Web?api-version={RESOURCES}");
    assert_eq!(client.at("HEAD", &group, None).await.status, 404);
    assert_eq!(
        client.at("GET", &group, None).await.refusal(),
        (404, "ResourceGroupNotFound")
    );
    assert_eq!(
        client.at("PUT", &group, Some(json!({}))).await.refusal(),
        (400, "LocationRequired")
    );
    assert_eq!(
        client
            .at("PUT", &group, Some(json!({"location": "eastus"})))
            .await
            .status,
        201
    );
    assert_eq!(
        client
            .at("PUT", &group, Some(json!({"location": "eastus", "tags": {"a": "b"}})))
            .await
            .status,
        200
    );
    let elsewhere = client.at("PUT", &group, Some(json!({"location": "westus"}))).await;
    assert_eq!(elsewhere.refusal(), (409, "InvalidResourceGroupLocation"));
    let lower = format!("/resourcegroups/WEB?api-version={RESOURCES}");
    let read = client.at("GET", &lower, None).await.ok();
    assert_eq!((&read["name"], &read["tags"]["a"]), (&json!("Web"), &json!("b")));
    let list = format!("/resourceGroups?api-version={RESOURCES}");
    assert_eq!(names(&client.at("GET", &list, None).await.ok()), ["moorline", "Web"]);

    let account =
        format!("/resourceGroups/web/providers/Microsoft.Storage/storageAccounts/inside1?api-version={STORAGE}");
    let body = json!({"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "eastus"});
    client.at("PUT", &account, Some(body.clone())).await.ok();
    let begun = client.at("DELETE", &group, None).await;
    assert_eq!(begun.status, 202);
    let link = begun.header("location").to_owned();
    assert_eq!(client.send("GET", &link, None, &[]).await.status, 202);
    assert_eq!(
        client.at("GET", &group, None).await.ok()["properties"]["provisioningState"],
        "Deleting"
    );
    client.pass(5);
    assert_eq!(client.send("GET", &link, None, &[]).await.status, 200);
    assert_eq!(
        client.at("GET", &account, None).await.refusal(),
        (404, "ResourceGroupNotFound")
    );
    assert_eq!(
        client.at("PUT", &account, Some(body)).await.refusal(),
        (404, "ResourceGroupNotFound")
    );
    assert_eq!(client.cloud.accounts(), []);
}

#[tokio::test]
async fn a_lock_keeps_what_is_under_it() {
    let client = Client::instant().await;
    let account = client.account("locked1", "Standard_LRS").await;
    let share = format!("{account}/fileServices/default/shares/pvc-1");
    client.call("PUT", &share, Some(json!({}))).await.ok();
    let lock = format!("/resourceGroups/moorline/providers/Microsoft.Authorization/locks/keep?api-version={LOCKS}");
    let level = |level: &str| Some(json!({"properties": {"level": level, "notes": "mine"}}));
    assert_eq!(
        client.at("PUT", &lock, level("Sometimes")).await.refusal(),
        (400, "InvalidRequestContent")
    );
    assert_eq!(client.at("PUT", &lock, level("CanNotDelete")).await.status, 201);
    assert_eq!(
        client.call("DELETE", &share, None).await.refusal(),
        (409, "ScopeLocked")
    );
    let refused = client.call("DELETE", &account, None).await;
    let message = refused.body.unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("cannot perform delete operation because following scope(s) are locked"),
        "{message}"
    );
    client.call("PATCH", &share, Some(json!({}))).await.ok();
    let by_driver = client.cloud.delete_share("locked1", "pvc-1").unwrap_err();
    assert!(by_driver.to_string().contains("locked"), "{by_driver}");
    assert_eq!(client.cloud.shares("locked1").len(), 1);

    assert_eq!(client.at("PUT", &lock, level("ReadOnly")).await.status, 200);
    assert!(client.cloud.create_container("locked1", "data").is_err());
    assert_eq!(
        client.call("PATCH", &share, Some(json!({}))).await.refusal(),
        (409, "ScopeLocked")
    );
    assert_eq!(
        client
            .call("POST", &format!("{account}/listKeys"), None)
            .await
            .refusal(),
        (409, "ScopeLocked")
    );
    client.call("GET", &share, None).await.ok();
    let list = format!("/resourceGroups/moorline/providers/Microsoft.Authorization/locks?api-version={LOCKS}");
    assert_eq!(names(&client.at("GET", &list, None).await.ok()), ["keep"]);
    assert_eq!(client.at("DELETE", &lock, None).await.status, 200);
    assert_eq!(client.at("DELETE", &lock, None).await.status, 204);
    client.call("DELETE", &share, None).await.ok();
}

#[tokio::test]
async fn a_lock_inside_keeps_its_group() {
    let client = Client::instant().await;
    client.account("locked1", "Standard_LRS").await;
    let inside = "Microsoft.Storage/storageAccounts/locked1/providers/Microsoft.Authorization/locks/keep";
    let lock = format!("/resourceGroups/moorline/providers/{inside}?api-version={LOCKS}");
    client
        .at("PUT", &lock, Some(json!({"properties": {"level": "CanNotDelete"}})))
        .await
        .ok();
    let group = format!("/resourceGroups/moorline?api-version={RESOURCES}");
    assert_eq!(client.at("DELETE", &group, None).await.refusal(), (409, "ScopeLocked"));
    client.account("free1", "Standard_LRS").await;
    assert_eq!(
        client
            .call("DELETE", "Microsoft.Storage/storageAccounts/free1", None)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn answers_bear_the_clock_of_the_cloud() {
    let client = Client::instant().await;
    client.pass(4 * 366 * 24 * 3600);
    let year = client.world.clock.now().strftime(" %Y ").to_string();
    let path = format!("/resourceGroups?api-version={RESOURCES}");
    let answer = client.at("GET", &path, None).await;
    assert!(answer.header("date").contains(&year), "{answer:?}");
}
