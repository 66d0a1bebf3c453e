//! The published rates over the API.

use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::Client;

fn throttled() -> AzureSettings {
    AzureSettings {
        throttle: true,
        ..AzureSettings::instant()
    }
}

#[tokio::test]
async fn lists_are_dear() {
    let client = Client::new(throttled()).await;
    let shares = client.shares("account1", "Standard_LRS").await;
    for _ in 0..100 {
        client.call("GET", &shares, None).await.ok();
    }
    let refused = client.call("GET", &shares, None).await;
    assert_eq!(refused.refusal(), (429, "TooManyRequests"));
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((280..=300).contains(&wait), "{wait}");
    let message = refused.body.unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("operation type - List_ObservationWindow_00:05:00"),
        "{message}"
    );
    client
        .call("PUT", &format!("{shares}/pvc-1"), Some(json!({})))
        .await
        .ok();
    client.pass(wait);
    client.call("GET", &shares, None).await.ok();
    assert_eq!(client.audit("FileShares_List").throttled, 1);
}

#[tokio::test]
async fn ten_writes_a_second_and_no_more() {
    let client = Client::new(throttled()).await;
    let shares = client.shares("account1", "Standard_LRS").await;
    client.pass(1);
    let mut refused = 0;
    for n in 0..30 {
        let answer = client.call("PUT", &format!("{shares}/pvc-{n}"), Some(json!({}))).await;
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
    }
    // Unless the machine is so slow that a second passes meanwhile.
    assert!((10..=20).contains(&refused), "{refused}");
}

#[tokio::test]
async fn resource_manager_counts_down_and_refuses_by_caller() {
    let mut client = Client::new(throttled()).await;
    let url = format!("/subscriptions/{}?api-version=2022-12-01", client.subscription);
    let first = client.send("GET", &url, None, &[]).await;
    assert_eq!(first.header("x-ms-ratelimit-remaining-subscription-reads"), "249");
    let mut served = 1;
    let refused = loop {
        let answer = client.send("GET", &url, None, &[]).await;
        if answer.status == 429 {
            break answer;
        }
        served += 1;
    };
    assert!(served >= 250, "{served}");
    assert_eq!(refused.refusal().1, "SubscriptionRequestsThrottled");
    assert_eq!(refused.header("retry-after"), "1");
    let form = "grant_type=client_credentials&client_id=44444444-dddd-4000-8000-000000000002&client_secret=x&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
    let tenant = client.cloud.settings().tenant;
    let other = client.post_form(&tenant, form.to_owned()).await.ok();
    other["access_token"].as_str().unwrap().clone_into(&mut client.token);
    client.send("GET", &url, None, &[]).await.ok();
}

#[tokio::test]
async fn the_switch_works() {
    let client = Client::new(AzureSettings::instant()).await;
    let shares = client.shares("account1", "Standard_LRS").await;
    for _ in 0..110 {
        client.call("GET", &shares, None).await.ok();
    }
    let answer = client.call("GET", &shares, None).await;
    assert!(
        !answer
            .headers
            .contains_key("x-ms-ratelimit-remaining-subscription-reads")
    );
}
