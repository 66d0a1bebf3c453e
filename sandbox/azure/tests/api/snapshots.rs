//! Snapshots of disks, and disks made of them.

use moorline_sandbox_azure::AzureSettings;
use serde_json::{Value, json};

use crate::client::{COMPUTE, Client, names};

const SNAPSHOT: &str = "Microsoft.Compute/snapshots/kept";

async fn disk(client: &Client) -> String {
    let body = json!({
        "location": "eastus", "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8},
    });
    let made = client.call("PUT", "Microsoft.Compute/disks/pvc-1", Some(body)).await;
    made.body.unwrap()["id"].as_str().unwrap().to_owned()
}

fn copy_of(id: &str) -> Value {
    json!({
        "location": "eastus", "tags": {"expires": "soon"},
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": id}, "incremental": true},
    })
}

#[tokio::test]
async fn a_snapshot_outlives_its_disk_and_becomes_another() {
    let client = Client::instant().await;
    let source = disk(&client).await;
    let taken = client.call("PUT", SNAPSHOT, Some(copy_of(&source))).await.ok();
    assert_eq!(taken["properties"]["diskSizeGB"], 8);
    assert_eq!(taken["properties"]["completionPercent"], 100.0);
    client.call("DELETE", "Microsoft.Compute/disks/pvc-1", None).await;
    let all = format!("/providers/Microsoft.Compute/snapshots?api-version={COMPUTE}");
    assert_eq!(names(&client.at("GET", &all, None).await.ok()), ["kept"]);
    assert_eq!(
        names(&client.call("GET", "Microsoft.Compute/snapshots", None).await.ok()),
        ["kept"]
    );

    let id = taken["id"].as_str().unwrap();
    let made = |gib: u64| {
        json!({
            "location": "eastus",
            "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": id}, "diskSizeGB": gib},
        })
    };
    let path = "Microsoft.Compute/disks/back";
    assert_eq!(
        client.call("PUT", path, Some(made(4))).await.refusal(),
        (400, "InvalidParameter")
    );
    let back = client.call("PUT", path, Some(made(8))).await.ok();
    assert_eq!(back["properties"]["creationData"]["sourceResourceId"], id);

    assert_eq!(client.call("DELETE", SNAPSHOT, None).await.status, 200);
    assert_eq!(client.call("DELETE", SNAPSHOT, None).await.status, 204);
    let lost = client.call("PUT", "Microsoft.Compute/disks/late", Some(made(8))).await;
    assert_eq!(lost.refusal(), (404, "NotFound"));
    assert_eq!(
        client.call("GET", SNAPSHOT, None).await.refusal(),
        (404, "ResourceNotFound")
    );
}

#[tokio::test]
async fn a_snapshot_takes_its_time_and_is_of_one_disk() {
    let client = Client::new(AzureSettings {
        deletion_millis: 60_000,
        visibility_lag_millis: 0,
        throttle: false,
        ..AzureSettings::default()
    })
    .await;
    let source = disk(&client).await;
    client.pass(61);
    let begun = client.call("PUT", SNAPSHOT, Some(copy_of(&source))).await;
    assert_eq!(begun.status, 202);
    let status = begun.header("azure-asyncoperation").to_owned();
    assert_eq!(
        client.send("GET", &status, None, &[]).await.ok()["status"],
        "InProgress"
    );
    let made = json!({
        "location": "eastus",
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": client.call("GET", SNAPSHOT, None).await.ok()["id"]}},
    });
    let early = client.call("PUT", "Microsoft.Compute/disks/back", Some(made)).await;
    assert_eq!(early.refusal(), (404, "NotFound"));
    client.pass(61);
    assert_eq!(client.send("GET", &status, None, &[]).await.ok()["status"], "Succeeded");
    let read = client.call("GET", SNAPSHOT, None).await.ok();
    assert_eq!(
        (&read["properties"]["provisioningState"], &read["tags"]),
        (&json!("Succeeded"), &json!({"expires": "soon"}))
    );
    let other = copy_of(&source.replace("pvc-1", "pvc-2"));
    let refused = client.call("PUT", SNAPSHOT, Some(other)).await;
    assert_eq!(refused.refusal(), (409, "PropertyChangeNotAllowed"));
}

#[tokio::test]
async fn a_disk_that_somebody_reads_stays() {
    let client = Client::instant().await;
    disk(&client).await;
    client
        .cloud
        .set_disk_state("moorline", "pvc-1", Some("ActiveSAS"))
        .unwrap();
    let path = "Microsoft.Compute/disks/pvc-1";
    assert_eq!(
        client.call("GET", path, None).await.ok()["properties"]["diskState"],
        "ActiveSAS"
    );
    assert_eq!(
        client.call("DELETE", path, None).await.refusal(),
        (409, "OperationNotAllowed")
    );
    client.cloud.set_disk_state("moorline", "pvc-1", None).unwrap();
    assert_eq!(client.call("DELETE", path, None).await.status, 200);
}
