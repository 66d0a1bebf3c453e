//! Pages, links between them, and lists that lag behind.

use moorline_sandbox_azure::AzureSettings;
use serde_json::json;

use crate::client::{Client, STORAGE, names};

async fn filled(settings: AzureSettings) -> (Client, String) {
    let client = Client::new(settings).await;
    let shares = client.shares("account1", "Standard_LRS").await;
    for n in 0..7 {
        client
            .call("PUT", &format!("{shares}/pvc-{n}"), Some(json!({})))
            .await
            .ok();
    }
    (client, shares)
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let (client, shares) = filled(AzureSettings::instant()).await;
    let mut page = client.call("GET", &format!("{shares}?$maxpagesize=3"), None).await.ok();
    let mut all = Vec::new();
    loop {
        all.extend(names(&page).into_iter().map(str::to_owned));
        let Some(link) = page["nextLink"].as_str().map(str::to_owned) else {
            break;
        };
        assert!(
            link.starts_with("https://sandbox.test/subscriptions/") && link.contains("$maxpagesize=3"),
            "{link}"
        );
        page = client.send("GET", &link, None, &[]).await.ok();
        assert!(names(&page).len() <= 3);
    }
    assert_eq!(all, (0..7).map(|n| format!("pvc-{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_without_page_size_has_pages_too() {
    let client = Client::new(AzureSettings {
        page_size_cap: 2,
        ..AzureSettings::instant()
    })
    .await;
    for name in ["aaa", "bbb", "ccc"] {
        client.account(name, "Standard_LRS").await;
    }
    let all = format!("/providers/Microsoft.Storage/storageAccounts?api-version={STORAGE}");
    let first = client.at("GET", &all, None).await.ok();
    assert_eq!(names(&first), ["aaa", "bbb"]);
    // What comes in between is seen or not, but nothing is seen twice.
    client.account("abc", "Standard_LRS").await;
    let rest = client
        .send("GET", first["nextLink"].as_str().unwrap(), None, &[])
        .await
        .ok();
    assert_eq!(
        (names(&rest), &rest["nextLink"]),
        (vec!["ccc"], &serde_json::Value::Null)
    );
}

#[tokio::test]
async fn links_are_opaque_and_do_not_last() {
    let (client, shares) = filled(AzureSettings {
        link_seconds: 60,
        ..AzureSettings::instant()
    })
    .await;
    let page = client.call("GET", &format!("{shares}?$maxpagesize=3"), None).await.ok();
    let link = page["nextLink"].as_str().unwrap().to_owned();
    assert!(!link.contains("pvc-2"), "{link}");
    for tampered in [
        link.replace("$maxpagesize=3", "$maxpagesize=4"),
        link.replace("$skipToken=", "$skipToken=A"),
        link.replace("&api-version", "&$filter=pvc&api-version"),
    ] {
        assert_eq!(
            client.send("GET", &tampered, None, &[]).await.refusal(),
            (400, "InvalidSkipToken"),
            "{tampered}"
        );
    }
    client.send("GET", &link, None, &[]).await.ok();
    client.pass(62);
    assert_eq!(
        client.send("GET", &link, None, &[]).await.refusal(),
        (400, "InvalidSkipToken")
    );
}

#[tokio::test]
async fn a_filter_is_a_prefix_and_a_page_size_a_number() {
    let (client, shares) = filled(AzureSettings::instant()).await;
    client
        .call("PUT", &format!("{shares}/data"), Some(json!({})))
        .await
        .ok();
    assert_eq!(
        names(&client.call("GET", &format!("{shares}?$filter=da"), None).await.ok()),
        ["data"]
    );
    for bad in [
        "$maxpagesize=0",
        "$maxpagesize=many",
        "$expand=metadata",
        "$filter=a&$filter=b",
        "$orderby=name",
    ] {
        let refused = client.call("GET", &format!("{shares}?{bad}"), None).await;
        assert_eq!(refused.refusal(), (400, "InvalidQueryParameterValue"), "{bad}");
    }
}

#[tokio::test]
async fn lists_lag_behind_and_reads_do_not() {
    let client = Client::new(AzureSettings {
        visibility_lag_millis: 5000,
        ..AzureSettings::instant()
    })
    .await;
    let shares = client.shares("account1", "Standard_LRS").await;
    let path = format!("{shares}/pvc-1");
    client.call("PUT", &path, Some(json!({}))).await.ok();
    client.call("GET", &path, None).await.ok();
    let list = async || client.call("GET", &shares, None).await.ok();
    assert_eq!(names(&list().await), Vec::<&str>::new());
    client.pass(5);
    assert_eq!(names(&list().await), ["pvc-1"]);
    client.call("DELETE", &path, None).await.ok();
    assert_eq!(client.call("GET", &path, None).await.status, 404);
    assert_eq!(names(&list().await), ["pvc-1"]);
    client.pass(5);
    assert_eq!(names(&list().await), Vec::<&str>::new());
}
