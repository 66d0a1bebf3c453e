//! File shares.

use moorline_sandbox_azure::AzureSettings;
use serde_json::{Value, json};

use crate::client::{Client, names};

fn quota(gib: u64) -> Value {
    json!({"properties": {"shareQuota": gib}})
}

#[tokio::test]
async fn a_share_is_made_read_changed_and_deleted() {
    let client = Client::instant().await;
    let shares = client.shares("account1", "Standard_LRS").await;
    let path = format!("{shares}/pvc-1");
    let asked = json!({"properties": {"shareQuota": 1, "metadata": {"createdBy": "me"}}});
    let made = client.call("PUT", &path, Some(asked.clone())).await;
    assert_eq!(made.status, 201);
    let etag = made.header("etag").to_owned();
    let made = made.ok();
    // What was asked for is sent back, and nothing else.
    assert_eq!(made["properties"], asked["properties"]);
    assert_eq!(made["type"], "Microsoft.Storage/storageAccounts/fileServices/shares");
    assert!(
        made["id"]
            .as_str()
            .unwrap()
            .ends_with("/storageAccounts/account1/fileServices/default/shares/pvc-1")
    );

    let again = client.call("PUT", &path, Some(quota(50))).await;
    assert_eq!(again.status, 200);
    let read = client.call("GET", &path, None).await.ok();
    assert_eq!(read["etag"].as_str(), Some(etag.as_str()));
    let properties = &read["properties"];
    assert_eq!(
        (&properties["shareQuota"], &properties["metadata"]),
        (&json!(1), &json!({"createdBy": "me"}))
    );
    assert_eq!(
        (&properties["accessTier"], &properties["enabledProtocols"]),
        (&json!("TransactionOptimized"), &json!("SMB"))
    );
    assert_eq!(properties["shareUsageBytes"], Value::Null);

    client.cloud.set_share_usage("account1", "pvc-1", 4096).unwrap();
    let stats = client.call("GET", &format!("{path}?$expand=stats"), None).await.ok();
    assert_eq!(stats["properties"]["shareUsageBytes"], 4096);

    let patched = client.call("PATCH", &path, Some(quota(7))).await.ok();
    assert_eq!(patched["properties"], json!({"shareQuota": 7}));
    let read = client.call("GET", &path, None).await.ok();
    assert_eq!(
        (
            &read["properties"]["shareQuota"],
            &read["properties"]["metadata"]["createdBy"]
        ),
        (&json!(7), &json!("me"))
    );
    assert_ne!(read["etag"].as_str(), Some(etag.as_str()));

    assert_eq!(client.call("DELETE", &path, None).await.status, 200);
    assert_eq!(client.call("GET", &path, None).await.refusal(), (404, "ShareNotFound"));
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
}

#[tokio::test]
async fn a_list_tells_no_metadata() {
    let client = Client::instant().await;
    let shares = client.shares("account1", "Standard_LRS").await;
    let asked = json!({"properties": {"metadata": {"a": "b"}}});
    client.call("PUT", &format!("{shares}/pvc-1"), Some(asked)).await.ok();
    let list = client.call("GET", &shares, None).await.ok();
    assert_eq!(names(&list), ["pvc-1"]);
    assert_eq!(list["value"][0]["properties"]["metadata"], Value::Null);
    assert_eq!(list["value"][0]["properties"]["shareQuota"], 5120);
}

#[tokio::test]
async fn deleted_shares_are_kept_and_brought_back() {
    let client = Client::instant().await;
    let shares = client.shares("account1", "Standard_LRS").await;
    let path = format!("{shares}/pvc-1");
    let asked = json!({"properties": {"shareQuota": 3, "metadata": {"life": "first"}}});
    client.call("PUT", &path, Some(asked)).await.ok();
    client.call("DELETE", &path, None).await.ok();
    client.pass(1);
    // The name may live again beside the deleted share.
    client.call("PUT", &path, Some(quota(5))).await.ok();

    assert_eq!(names(&client.call("GET", &shares, None).await.ok()), ["pvc-1"]);
    let all = client
        .call("GET", &format!("{shares}?$expand=deleted"), None)
        .await
        .ok();
    assert_eq!(names(&all), ["pvc-1", "pvc-1"]);
    let gone = &all["value"][0];
    assert_eq!(
        (
            &gone["properties"]["deleted"],
            &gone["properties"]["remainingRetentionDays"]
        ),
        (&json!(true), &json!(7))
    );
    let version = gone["properties"]["version"].as_str().unwrap();
    assert!(
        gone["id"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/shares/pvc-1_{version}"))
    );

    let restore = json!({"deletedShareName": "pvc-1", "deletedShareVersion": version});
    let taken = client
        .call("POST", &format!("{path}/restore"), Some(restore.clone()))
        .await;
    assert_eq!(taken.refusal(), (409, "ShareAlreadyExists"));
    client.call("DELETE", &path, None).await.ok();
    client
        .call("POST", &format!("{path}/restore"), Some(restore.clone()))
        .await
        .ok();
    let back = client.call("GET", &path, None).await.ok();
    assert_eq!(
        (
            &back["properties"]["shareQuota"],
            &back["properties"]["metadata"]["life"]
        ),
        (&json!(3), &json!("first"))
    );
    let wrong = json!({"deletedShareName": "pvc-1", "deletedShareVersion": "01D000"});
    client.call("DELETE", &path, None).await.ok();
    assert_eq!(
        client
            .call("POST", &format!("{path}/restore"), Some(wrong))
            .await
            .refusal(),
        (404, "ShareNotFound")
    );

    client.pass(6 * 86_400);
    let all = client
        .call("GET", &format!("{shares}?$expand=deleted"), None)
        .await
        .ok();
    assert_eq!(all["value"][0]["properties"]["remainingRetentionDays"], 1);
    client.pass(86_400);
    assert_eq!(
        names(
            &client
                .call("GET", &format!("{shares}?$expand=deleted"), None)
                .await
                .ok()
        ),
        Vec::<&str>::new()
    );
    assert_eq!(
        client
            .call("POST", &format!("{path}/restore"), Some(restore))
            .await
            .refusal(),
        (404, "ShareNotFound")
    );
}

#[tokio::test]
async fn without_retention_a_share_is_gone_but_its_name_is_held_for_a_while() {
    let client = Client::new(AzureSettings {
        name_release_millis: 30_000,
        ..AzureSettings::instant()
    })
    .await;
    let account = client.account("account1", "Standard_LRS").await;
    let service = format!("{account}/fileServices/default");
    let off = json!({"properties": {"shareDeleteRetentionPolicy": {"enabled": false}}});
    let set = client.call("PUT", &service, Some(off)).await.ok();
    assert_eq!(
        set["properties"]["shareDeleteRetentionPolicy"],
        json!({"enabled": false, "days": 0})
    );
    let path = format!("{service}/shares/pvc-1");
    client.call("PUT", &path, Some(quota(1))).await.ok();
    client.call("DELETE", &path, None).await.ok();
    let early = client.call("PUT", &path, Some(quota(1))).await;
    assert_eq!(early.refusal(), (409, "ShareBeingDeleted"));
    let message = early.body.unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("The specified share is being deleted. Try operation later.\nRequestId:"),
        "{message}"
    );
    assert_eq!(
        client.call("DELETE", &path, None).await.refusal(),
        (409, "ShareBeingDeleted")
    );
    assert_eq!(client.call("GET", &path, None).await.refusal(), (404, "ShareNotFound"));
    let list = client
        .call("GET", &format!("{service}/shares?$expand=deleted"), None)
        .await
        .ok();
    assert_eq!(names(&list), Vec::<&str>::new());
    client.pass(30);
    assert_eq!(client.call("PUT", &path, Some(quota(1))).await.status, 201);
}

#[tokio::test]
async fn retention_is_between_a_day_and_a_year() {
    let client = Client::instant().await;
    let service = format!(
        "{}/fileServices/default",
        client.account("account1", "Standard_LRS").await
    );
    let put = async |policy: Value| {
        client
            .call(
                "PUT",
                &service,
                Some(json!({"properties": {"shareDeleteRetentionPolicy": policy}})),
            )
            .await
    };
    assert_eq!(put(json!({"enabled": true, "days": 30})).await.status, 200);
    let read = client.call("GET", &service, None).await.ok();
    assert_eq!(
        read["properties"]["shareDeleteRetentionPolicy"],
        json!({"enabled": true, "days": 30})
    );
    for policy in [
        json!({"enabled": true}),
        json!({"enabled": true, "days": 0}),
        json!({"enabled": true, "days": 366}),
    ] {
        assert_eq!(put(policy.clone()).await.status, 400, "{policy}");
    }
}

#[tokio::test]
async fn snapshots_are_made_listed_read_and_deleted() {
    let client = Client::instant().await;
    let shares = client.shares("account1", "Standard_LRS").await;
    let path = format!("{shares}/pvc-1");
    let missing = client
        .call("PUT", &format!("{path}?$expand=snapshots"), Some(json!({})))
        .await;
    assert_eq!(missing.refusal(), (404, "ShareNotFound"));
    client
        .call(
            "PUT",
            &path,
            Some(json!({"properties": {"shareQuota": 2, "metadata": {"a": "1"}}})),
        )
        .await
        .ok();
    let snapshot = async || {
        let made = client
            .call("PUT", &format!("{path}?$expand=snapshots"), Some(json!({})))
            .await;
        assert_eq!(made.status, 201);
        made.ok()["properties"]["snapshotTime"].as_str().unwrap().to_owned()
    };
    let (first, second) = (snapshot().await, snapshot().await);
    assert!(first < second && first.ends_with(".0000000Z"), "{first} {second}");
    client.call("PATCH", &path, Some(quota(9))).await.ok();

    let list = client
        .call("GET", &format!("{shares}?$expand=snapshots"), None)
        .await
        .ok();
    let times: Vec<_> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["properties"]["snapshotTime"].as_str())
        .collect();
    assert_eq!(times, [Some(first.as_str()), Some(second.as_str()), None]);
    let url = format!(
        "/subscriptions/{}/resourceGroups/moorline/providers/{path}?api-version=2026-09-01",
        client.subscription
    );
    let named = [("x-ms-snapshot", first.as_str())];
    let read = client.send("GET", &url, None, &named).await.ok();
    assert_eq!(
        (&read["properties"]["shareQuota"], &read["properties"]["metadata"]["a"]),
        (&json!(2), &json!("1"))
    );

    let kept = client.call("DELETE", &format!("{path}?$include=none"), None).await;
    assert_eq!(kept.refusal(), (409, "ShareHasSnapshots"));
    client.send("DELETE", &url, None, &named).await.ok();
    assert_eq!(
        client.send("GET", &url, None, &named).await.refusal(),
        (404, "ShareSnapshotNotFound")
    );
    client.call("DELETE", &path, None).await.ok();
    assert_eq!(client.call("GET", &path, None).await.refusal(), (404, "ShareNotFound"));
}

#[tokio::test]
async fn quotas_follow_the_sku() {
    let client = Client::instant().await;
    let standard = client.shares("standard1", "Standard_LRS").await;
    let premium = client.shares("premium1", "Premium_ZRS").await;
    let second = client.shares("second1", "StandardV2_LRS").await;
    for (shares, gib, good) in [
        (&standard, 0, false),
        (&standard, 1, true),
        (&standard, 5121, false),
        (&premium, 99, false),
        (&premium, 100, true),
        (&premium, 102_401, false),
        (&second, 31, false),
        (&second, 32, true),
    ] {
        let made = client
            .call("PUT", &format!("{shares}/pvc-{gib}"), Some(quota(gib)))
            .await;
        if good {
            assert_eq!(made.status, 201, "{shares} {gib}");
        } else {
            assert_eq!(made.refusal(), (400, "InvalidHeaderValue"), "{shares} {gib}");
        }
    }
    let nfs = json!({"properties": {"enabledProtocols": "NFS", "shareQuota": 100}});
    assert_eq!(
        client
            .call("PUT", &format!("{premium}/nfs"), Some(nfs.clone()))
            .await
            .status,
        201
    );
    assert_eq!(
        client.call("PUT", &format!("{standard}/nfs"), Some(nfs)).await.status,
        400
    );
    let hot = json!({"properties": {"accessTier": "Hot"}});
    assert_eq!(
        client
            .call("PATCH", &format!("{standard}/pvc-1"), Some(hot.clone()))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .call("PATCH", &format!("{premium}/pvc-100"), Some(hot))
            .await
            .status,
        400
    );
    let tls = client
        .call(
            "PATCH",
            &format!("{premium}/nfs"),
            Some(json!({"properties": {"enabledProtocols": "SMB"}})),
        )
        .await;
    assert_eq!(tls.status, 400);
}

#[tokio::test]
async fn an_account_takes_only_so_much() {
    let client = Client::instant().await;
    let premium = client.shares("premium1", "Premium_LRS").await;
    client
        .call("PUT", &format!("{premium}/large"), Some(quota(102_300)))
        .await
        .ok();
    client
        .call("PUT", &format!("{premium}/last"), Some(quota(100)))
        .await
        .ok();
    let full = client.call("PUT", &format!("{premium}/more"), Some(quota(100))).await;
    assert_eq!(
        full.refusal(),
        (409, "TotalSharesProvisionedCapacityExceedsAccountLimit")
    );
    let grown = client.call("PATCH", &format!("{premium}/last"), Some(quota(101))).await;
    assert_eq!(
        grown.refusal(),
        (409, "TotalSharesProvisionedCapacityExceedsAccountLimit")
    );
    // What is deleted still counts while it is kept.
    client.call("DELETE", &format!("{premium}/large"), None).await.ok();
    assert_eq!(
        client
            .call("PUT", &format!("{premium}/more"), Some(quota(100)))
            .await
            .status,
        409
    );
    client.pass(7 * 86_400);
    assert_eq!(
        client
            .call("PUT", &format!("{premium}/more"), Some(quota(100)))
            .await
            .status,
        201
    );

    let second = client.shares("second1", "PremiumV2_LRS").await;
    for n in 0..50 {
        client
            .call("PUT", &format!("{second}/pvc-{n}"), Some(quota(32)))
            .await
            .ok();
    }
    assert_eq!(
        client
            .call("PUT", &format!("{second}/pvc-50"), Some(quota(32)))
            .await
            .refusal(),
        (409, "TotalSharesCountExceedsAccountLimit")
    );
}

#[tokio::test]
async fn the_in_process_interface_sees_and_makes_the_same_shares() {
    let client = Client::instant().await;
    let account = client
        .cloud
        .ensure_account("moorline", "inprocess1", "Standard_LRS")
        .unwrap();
    assert_eq!(
        client
            .cloud
            .ensure_account("moorline", "inprocess1", "Standard_LRS")
            .unwrap(),
        account
    );
    let metadata = std::collections::BTreeMap::from([("createdBy".to_owned(), "file.csi.azure.com".to_owned())]);
    let share = client.cloud.create_share("inprocess1", "pvc-1", 1, metadata).unwrap();
    assert_eq!(client.cloud.shares("inprocess1"), [share]);
    let path = "Microsoft.Storage/storageAccounts/inprocess1/fileServices/default/shares/pvc-1";
    let read = client.call("GET", path, None).await.ok();
    assert_eq!(read["properties"]["metadata"]["createdBy"], "file.csi.azure.com");
    client.cloud.delete_share("inprocess1", "pvc-1").unwrap();
    assert_eq!(client.call("GET", path, None).await.refusal(), (404, "ShareNotFound"));
    assert_eq!(client.audit("FileShares_Create").calls, 0);
    assert_eq!(
        client
            .cloud
            .ensure_account("nowhere", "inprocess2", "Standard_LRS")
            .unwrap_err()
            .code,
        "ResourceGroupNotFound"
    );
}
