//! Leases, conditions, and what else keeps something from being deleted or written over.

use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::{Client, names};

#[tokio::test]
async fn what_is_leased_is_shown_so_and_not_deleted() {
    let client = Client::instant().await;
    let account = client.account("leased", "Standard_LRS").await;
    for (path, leased, free) in [
        (
            format!("{account}/fileServices/default/shares/data"),
            "leased",
            "available",
        ),
        (
            format!("{account}/blobServices/default/containers/data"),
            "Leased",
            "Available",
        ),
    ] {
        client.call("PUT", &path, Some(json!({}))).await.ok();
        let state = async || client.call("GET", &path, None).await.ok()["properties"]["leaseState"].clone();
        let lease = format!("{path}/lease");
        assert_eq!(state().await, free);
        let taken = client
            .call("POST", &lease, Some(json!({"action": "Acquire", "leaseDuration": -1})))
            .await
            .ok();
        assert_eq!(state().await, leased);
        let again = client
            .call("POST", &lease, Some(json!({"action": "Acquire", "leaseDuration": 15})))
            .await;
        assert_eq!(again.refusal(), (409, "LeaseAlreadyPresent"));
        assert_eq!(
            client.call("DELETE", &path, None).await.refusal(),
            (412, "LeaseIdMissing")
        );
        let wrong = json!({"action": "Release", "leaseId": "somebody-elses"});
        let refused = client.call("POST", &lease, Some(wrong)).await;
        assert_eq!(refused.refusal(), (409, "LeaseIdMismatchWithLeaseOperation"));
        let release = json!({"action": "Release", "leaseId": taken["leaseId"]});
        client.call("POST", &lease, Some(release)).await.ok();
        assert_eq!(state().await, free);
        assert_eq!(client.call("DELETE", &path, None).await.status, 200);
    }
}

#[tokio::test]
async fn a_lease_ends_by_itself_or_is_broken() {
    let client = Client::instant().await;
    let share = format!(
        "{}/fileServices/default/shares/data",
        client.account("leased", "Standard_LRS").await
    );
    client.call("PUT", &share, Some(json!({}))).await.ok();
    let state = async || client.call("GET", &share, None).await.ok()["properties"]["leaseState"].clone();
    let lease = async |body| client.call("POST", &format!("{share}/lease"), Some(body)).await;
    lease(json!({"action": "Acquire", "leaseDuration": 15})).await.ok();
    client.pass(16);
    assert_eq!(state().await, "expired");
    lease(json!({"action": "Acquire", "leaseDuration": -1})).await.ok();
    lease(json!({"action": "Break", "breakPeriod": 30})).await.ok();
    assert_eq!(state().await, "breaking");
    assert_eq!(
        client.call("DELETE", &share, None).await.refusal(),
        (412, "LeaseIdMissing")
    );
    client.pass(31);
    assert_eq!(state().await, "broken");
    assert_eq!(client.call("DELETE", &share, None).await.status, 200);
}

#[tokio::test]
async fn metadata_are_written_only_on_what_was_read() {
    let client = Client::instant().await;
    let account = client.account("guarded", "Standard_LRS").await;
    for path in [
        format!("{account}/fileServices/default/shares/data"),
        format!("{account}/blobServices/default/containers/data"),
    ] {
        client.call("PUT", &path, Some(json!({}))).await.ok();
        let read = client.call("GET", &path, None).await.ok();
        let url = format!(
            "/subscriptions/{}/resourceGroups/moorline/providers/{path}?api-version={}",
            client.subscription,
            crate::client::STORAGE
        );
        let write = async |etag: &str, owner: &str| {
            let body = json!({"properties": {"metadata": {"owner": owner}}});
            client.send("PATCH", &url, Some(body), &[("if-match", etag)]).await
        };
        let first = read["etag"].as_str().unwrap();
        write(first, "web").await.ok();
        assert_eq!(write(first, "db").await.refusal(), (412, "ConditionNotMet"));
        let read = client.call("GET", &path, None).await.ok();
        assert_eq!(read["properties"]["metadata"], json!({"owner": "web"}));
        write(read["etag"].as_str().unwrap(), "db").await.ok();
        write("*", "all").await.ok();
        let bare = client
            .call("PATCH", &path, Some(json!({"properties": {"metadata": {}}})))
            .await;
        bare.ok();
        assert_eq!(
            client.call("GET", &path, None).await.ok()["properties"].get("metadata"),
            None
        );
    }
}

#[tokio::test]
async fn queues_and_tables_are_made_listed_and_deleted_and_go_with_their_account() {
    let client = Client::instant().await;
    let account = client.account("busy", "Standard_LRS").await;
    for (folder, missing) in [
        ("queueServices/default/queues", "QueueNotFound"),
        ("tableServices/default/tables", "TableNotFound"),
    ] {
        let all = format!("{account}/{folder}");
        let one = format!("{all}/runs");
        assert_eq!(client.call("GET", &one, None).await.refusal(), (404, missing));
        client.call("PUT", &one, Some(json!({"properties": {}}))).await.ok();
        assert_eq!(client.call("GET", &one, None).await.ok()["name"], "runs");
        assert_eq!(names(&client.call("GET", &all, None).await.ok()), ["runs"]);
        assert_eq!(client.call("DELETE", &one, None).await.status, 204);
        assert_eq!(names(&client.call("GET", &all, None).await.ok()), [""; 0]);
        client.call("PUT", &one, Some(json!({"properties": {}}))).await.ok();
    }
    client.call("DELETE", &account, None).await;
    client.account("busy", "Standard_LRS").await;
    for folder in ["queueServices/default/queues", "tableServices/default/tables"] {
        let listed = client.call("GET", &format!("{account}/{folder}"), None).await.ok();
        assert_eq!(names(&listed), [""; 0]);
    }
    let files = client.account("filesonly", "Premium_LRS").await;
    let refused = client
        .call("GET", &format!("{files}/queueServices/default/queues"), None)
        .await;
    assert_eq!(refused.refusal(), (400, "FeatureNotSupportedForAccount"));
}

#[tokio::test]
async fn a_scope_can_be_denied_alone() {
    let client = Client::instant().await;
    let (open, closed) = (
        client.account("open", "Standard_LRS").await,
        client.account("closed", "Standard_LRS").await,
    );
    let scope = format!(
        "/subscriptions/{}/resourceGroups/MOORLINE/providers/{closed}",
        client.subscription
    );
    client
        .cloud
        .set_settings(AzureSettings {
            denied_scopes: vec![scope],
            ..client.cloud.settings()
        })
        .unwrap();
    assert_eq!(client.call("GET", &open, None).await.status, 200);
    let shares = format!("{closed}/fileServices/default/shares");
    for path in [&closed, &shares] {
        assert_eq!(
            client.call("GET", path, None).await.refusal(),
            (403, "AuthorizationFailed")
        );
    }
}
