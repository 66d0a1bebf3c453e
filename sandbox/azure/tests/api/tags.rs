//! The tags of any resource, at its scope.

use serde_json::{Value, json};

use crate::client::{Client, RESOURCES};

/// Calls the tags of something in the group.
async fn tags(client: &Client, method: &str, resource: &str, body: Option<Value>) -> crate::client::Answer {
    let path = format!(
        "/resourceGroups/moorline{resource}/providers/Microsoft.Resources/tags/default?api-version={RESOURCES}"
    );
    client.at(method, &path, body).await
}

#[tokio::test]
async fn tags_are_merged_replaced_and_taken_off_one_by_one() {
    let client = Client::instant().await;
    client.account("tagged", "Standard_LRS").await;
    let account = "/providers/Microsoft.Storage/storageAccounts/tagged";
    let patch = async |operation: &str, given: Value| {
        let body = json!({"operation": operation, "properties": {"tags": given}});
        let answer = tags(&client, "PATCH", account, Some(body)).await.ok();
        let read = tags(&client, "GET", account, None).await.ok();
        assert_eq!(answer["properties"], read["properties"]);
        read["properties"]["tags"].clone()
    };
    assert_eq!(
        patch("Replace", json!({"a": "1", "b": "2"})).await,
        json!({"a": "1", "b": "2"})
    );
    assert_eq!(
        patch("Merge", json!({"B": "3", "c": "4"})).await,
        json!({"a": "1", "B": "3", "c": "4"})
    );
    // Another value is another tag, and no value is any.
    assert_eq!(
        patch("Delete", json!({"a": "2"})).await,
        json!({"a": "1", "B": "3", "c": "4"})
    );
    assert_eq!(patch("Delete", json!({"A": "1", "c": ""})).await, json!({"B": "3"}));
    let read = client
        .call("GET", "Microsoft.Storage/storageAccounts/tagged", None)
        .await
        .ok();
    assert_eq!(read["tags"], json!({"B": "3"}));
    assert_eq!(tags(&client, "DELETE", account, None).await.status, 200);
    let read = client
        .call("GET", "Microsoft.Storage/storageAccounts/tagged", None)
        .await
        .ok();
    assert_eq!(read["tags"], json!({}));
}

#[tokio::test]
async fn groups_have_tags_too_and_what_is_absent_has_none() {
    let client = Client::instant().await;
    let body = json!({"properties": {"tags": {"owner": "web"}}});
    tags(&client, "PUT", "", Some(body.clone())).await.ok();
    assert_eq!(
        tags(&client, "GET", "", None).await.ok()["properties"]["tags"]["owner"],
        "web"
    );
    for absent in [
        "/providers/Microsoft.Storage/storageAccounts/nobody",
        "/providers/Microsoft.Compute/disks/nothing",
        "/providers/Microsoft.Compute/snapshots/nothing",
    ] {
        let refused = tags(&client, "PUT", absent, Some(body.clone())).await;
        assert_eq!(refused.refusal(), (404, "ResourceNotFound"), "{absent}");
    }
    let slash = json!({"operation": "Merge", "properties": {"tags": {"a/b": "c"}}});
    let refused = tags(&client, "PATCH", "", Some(slash)).await;
    assert_eq!(refused.refusal(), (400, "InvalidTagNameCharacters"));
}
