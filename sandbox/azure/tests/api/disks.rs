//! Managed disks.

use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::{COMPUTE, Client, names};

const DISK: &str = "Microsoft.Compute/disks/pvc-1";

fn body(gib: u64) -> serde_json::Value {
    json!({
        "location": "eastus",
        "sku": {"name": "Premium_LRS"},
        "tags": {"kubernetes.io-created-for-pvc-name": "data-web-0"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": gib},
    })
}

#[tokio::test]
async fn a_disk_is_made_and_deleted_in_the_background() {
    let client = Client::new(AzureSettings {
        visibility_lag_millis: 0,
        ..AzureSettings::default()
    })
    .await;
    let begun = client.call("PUT", DISK, Some(body(10))).await;
    assert_eq!(begun.status, 202);
    let (status, result) = (
        begun.header("azure-asyncoperation").to_owned(),
        begun.header("location").to_owned(),
    );
    assert_eq!(
        client.send("GET", &status, None, &[]).await.ok()["status"],
        "InProgress"
    );
    client.pass(2);
    assert_eq!(client.send("GET", &status, None, &[]).await.ok()["status"], "Succeeded");
    assert_eq!(
        client.send("GET", &result, None, &[]).await.ok()["properties"]["diskSizeGB"],
        10
    );
    let read = client.call("GET", DISK, None).await.ok();
    assert_eq!(
        (
            &read["properties"]["diskState"],
            &read["properties"]["provisioningState"]
        ),
        (&json!("Unattached"), &json!("Succeeded"))
    );
    assert_eq!(read["tags"]["kubernetes.io-created-for-pvc-name"], "data-web-0");

    let begun = client.call("DELETE", DISK, None).await;
    assert_eq!(begun.status, 202);
    let (status, result) = (
        begun.header("azure-asyncoperation").to_owned(),
        begun.header("location").to_owned(),
    );
    assert_eq!(client.send("GET", &result, None, &[]).await.status, 202);
    assert_eq!(
        client.call("GET", DISK, None).await.ok()["properties"]["provisioningState"],
        "Deleting"
    );
    client.pass(2);
    assert_eq!(client.send("GET", &status, None, &[]).await.ok()["status"], "Succeeded");
    assert_eq!(client.send("GET", &result, None, &[]).await.status, 200);
    assert_eq!(
        client.call("GET", DISK, None).await.refusal(),
        (404, "ResourceNotFound")
    );
    assert_eq!(client.call("DELETE", DISK, None).await.status, 204);
}

#[tokio::test]
async fn a_disk_in_use_stays() {
    let client = Client::instant().await;
    client.call("PUT", DISK, Some(body(10))).await.ok();
    let machine = "/subscriptions/s/resourceGroups/nodes/providers/Microsoft.Compute/virtualMachines/node-1";
    client.cloud.hold_disk("moorline", "pvc-1", &[machine]).unwrap();
    let read = client.call("GET", DISK, None).await.ok();
    assert_eq!(
        (&read["managedBy"], &read["properties"]["diskState"]),
        (&json!(machine), &json!("Attached"))
    );
    assert!(read["properties"]["LastOwnershipUpdateTime"].is_string());
    assert_eq!(
        client.call("DELETE", DISK, None).await.refusal(),
        (409, "OperationNotAllowed")
    );
    client.cloud.hold_disk("moorline", "pvc-1", &[]).unwrap();
    assert_eq!(client.call("DELETE", DISK, None).await.status, 200);
    assert_eq!(client.cloud.disks(), []);
}

#[tokio::test]
async fn disks_are_listed_grown_and_tagged() {
    let client = Client::instant().await;
    client.call("PUT", DISK, Some(body(10))).await.ok();
    client
        .call("PUT", "Microsoft.Compute/disks/Another", Some(body(4)))
        .await
        .ok();
    let all = format!("/providers/Microsoft.Compute/disks?api-version={COMPUTE}");
    assert_eq!(names(&client.at("GET", &all, None).await.ok()), ["Another", "pvc-1"]);
    assert_eq!(
        names(&client.call("GET", "Microsoft.Compute/disks", None).await.ok()),
        ["Another", "pvc-1"]
    );
    let grown = client
        .call(
            "PATCH",
            DISK,
            Some(json!({"properties": {"diskSizeGB": 20}, "tags": {"a": "b"}})),
        )
        .await
        .ok();
    assert_eq!(
        (&grown["properties"]["diskSizeGB"], &grown["tags"]),
        (&json!(20), &json!({"a": "b"}))
    );
    let shrunk = client
        .call("PATCH", DISK, Some(json!({"properties": {"diskSizeGB": 10}})))
        .await;
    assert_eq!(shrunk.refusal(), (409, "OperationNotAllowed"));
    assert_eq!(
        client
            .call("PUT", "Microsoft.Compute/disks/none", Some(body(0)))
            .await
            .refusal(),
        (400, "InvalidParameter")
    );
}
