//! What outlives the process, and what is never kept.

use moorline_sandbox_azure::AzureSettings;
use moorline_sandbox_core::Journal;
use serde_json::json;

use crate::client::{Client, names};

#[tokio::test]
async fn the_cloud_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let settings = AzureSettings {
        account_millis: 60_000,
        ..AzureSettings::instant()
    };
    let open = async || Client::over(Journal::open(folder.path()).unwrap(), settings.clone()).await;
    let client = open().await;
    let body = json!({"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "eastus"});
    let begun = client
        .call("PUT", "Microsoft.Storage/storageAccounts/slow1", Some(body))
        .await;
    let link = begun.header("location").to_owned();
    let shares = client.shares("account1", "Standard_LRS").await;
    client
        .call("PUT", &format!("{shares}/pvc-1"), Some(json!({})))
        .await
        .ok();
    client.call("DELETE", &format!("{shares}/pvc-1"), None).await.ok();
    let (key, token) = (client.cloud.account_key("account1"), client.token.clone());
    drop(client);

    let mut client = open().await;
    client.token = token;
    assert_eq!(client.cloud.account_key("account1"), key);
    client.send("GET", &link, None, &[]).await.ok();
    let all = client
        .call("GET", &format!("{shares}?$expand=deleted"), None)
        .await
        .ok();
    assert_eq!(names(&all), ["pvc-1"]);
    client.cloud.clear().unwrap();
    drop(client);
    let client = open().await;
    assert_eq!(client.cloud.accounts(), []);
    assert_eq!(
        client.call("GET", &shares, None).await.refusal(),
        (404, "ParentResourceNotFound")
    );
}

#[tokio::test]
async fn no_secret_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::over(Journal::open(folder.path()).unwrap(), AzureSettings::instant()).await;
    let secret = "known-client-secret-4711";
    let token = client.sign_in(&client.cloud.settings().tenant, secret).await.ok();
    let path = client.account("account1", "Standard_LRS").await;
    let keys = client.call("POST", &format!("{path}/listKeys"), None).await.ok();
    let secrets = [
        secret,
        token["access_token"].as_str().unwrap(),
        keys["keys"][0]["value"].as_str().unwrap(),
    ];
    let debugged = format!("{:?}", client.cloud);
    drop(client);
    let mut files = vec![folder.path().to_owned()];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        read += bytes.len();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} keeps a secret", path.display());
        }
    }
    assert!(read > 0);
    for secret in secrets {
        assert!(!debugged.contains(secret));
    }
}
