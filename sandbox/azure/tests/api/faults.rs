//! Faults before and after the effect.

use moorline_sandbox_core::{Effect, Fault, Moment};
use serde_json::json;

use crate::client::Client;

fn fault(service: &str, operation: &str, moment: Moment, effect: Effect) -> Fault {
    Fault {
        service: service.to_owned(),
        operation: operation.to_owned(),
        moment,
        skip: 0,
        times: Some(1),
        effect,
    }
}

fn error() -> Effect {
    Effect::Error {
        status: 503,
        code: "ServerBusy".to_owned(),
        message: "The server is busy.".to_owned(),
        retry_after: Some(3),
    }
}

#[tokio::test]
async fn a_fault_before_the_effect_leaves_nothing_and_one_after_it_hides_what_was_made() {
    let client = Client::instant().await;
    let path = format!("{}/pvc-1", client.shares("account1", "Standard_LRS").await);
    client
        .world
        .faults
        .add(fault("arm", "FileShares_Create", Moment::Before, error()));
    let refused = client.call("PUT", &path, Some(json!({}))).await;
    assert_eq!(
        (refused.refusal(), refused.header("retry-after")),
        ((503, "ServerBusy"), "3")
    );
    assert_eq!(client.cloud.shares("account1"), []);

    client
        .world
        .faults
        .add(fault("arm", "FileShares_Create", Moment::After, error()));
    assert_eq!(client.call("PUT", &path, Some(json!({}))).await.status, 503);
    assert_eq!(client.cloud.shares("account1").len(), 1);
    assert_eq!(client.call("PUT", &path, Some(json!({}))).await.status, 200);
    let row = client.audit("FileShares_Create");
    assert_eq!((row.calls, row.changed, row.failed), (3, 1, 1));
}

#[tokio::test]
async fn a_cut_connection_has_no_answer() {
    let client = Client::instant().await;
    client.world.faults.add(fault("*", "*", Moment::After, Effect::Reset));
    let path = "Microsoft.Storage/storageAccounts/account1";
    let body = json!({"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "eastus"});
    assert!(client.call("PUT", path, Some(body)).await.broken);
    assert_eq!(client.cloud.accounts().len(), 1);
}

#[tokio::test]
async fn the_token_endpoint_has_its_own_errors() {
    let client = Client::instant().await;
    let tenant = client.cloud.settings().tenant;
    client
        .world
        .faults
        .add(fault("entra", "GetToken", Moment::Before, error()));
    let refused = client.sign_in(&tenant, "secret").await;
    assert_eq!(refused.refusal(), (503, "ServerBusy"));
    assert_eq!(refused.body.unwrap()["error_description"], "The server is busy.");
    client.sign_in(&tenant, "secret").await.ok();
}

#[tokio::test]
async fn a_call_that_is_given_up_is_counted() {
    let client = Client::instant().await;
    client
        .world
        .faults
        .add(fault("arm", "Subscriptions_List", Moment::Before, Effect::Hang));
    let call = client.send("GET", "/subscriptions?api-version=2022-12-01", None, &[]);
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), call).await;
    assert!(given_up.is_err());
    assert_eq!(client.audit("Subscriptions_List").failed, 1);
}
