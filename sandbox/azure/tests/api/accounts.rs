//! Storage accounts.

use moorline_sandbox_azure::AzureSettings;
use serde_json::{Value, json};

use crate::client::{Client, STORAGE, names};

const SUFFIX: &str = "Microsoft.Storage/storageAccounts";

fn body() -> Value {
    json!({"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "East US", "tags": {"owner": "web"}})
}

#[tokio::test]
async fn an_account_is_made_in_the_background_and_polled_to_its_end() {
    let client = Client::new(AzureSettings::default()).await;
    let path = format!("{SUFFIX}/account1");
    let begun = client.call("PUT", &path, Some(body())).await;
    assert_eq!((begun.status, &begun.body), (202, &None));
    assert_eq!(begun.header("retry-after"), "2");
    let link = begun.header("location").to_owned();
    assert!(
        link.contains("/providers/Microsoft.Storage/locations/eastus/asyncoperations/"),
        "{link}"
    );

    let waiting = client.send("GET", &link, None, &[]).await;
    assert_eq!((waiting.status, waiting.header("location")), (202, link.as_str()));
    let seen = client.call("GET", &path, None).await.ok();
    assert_eq!(seen["properties"]["provisioningState"], "Creating");
    assert_eq!(seen["properties"]["primaryEndpoints"], Value::Null);
    let again = client.call("PUT", &path, Some(body())).await;
    assert_eq!(again.refusal(), (409, "StorageAccountOperationInProgress"));
    let early = client
        .call(
            "PUT",
            &format!("{path}/fileServices/default/shares/early"),
            Some(json!({})),
        )
        .await;
    assert_eq!(early.refusal(), (409, "StorageAccountIsNotProvisioned"));
    let keys = client.call("POST", &format!("{path}/listKeys"), None).await;
    assert_eq!(keys.refusal(), (409, "StorageAccountIsNotProvisioned"));

    client.pass(2);
    let made = client.send("GET", &link, None, &[]).await.ok();
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        (made["location"].as_str(), made["tags"]["owner"].as_str()),
        (Some("eastus"), Some("web"))
    );
    assert_eq!(made["sku"], json!({"name": "Standard_LRS", "tier": "Standard"}));
    assert_eq!(
        made["properties"]["primaryEndpoints"]["file"],
        "https://account1.file.core.windows.net/"
    );
    assert_eq!(client.audit("StorageAccounts_Create").changed, 1);
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_shape_does() {
    let client = Client::instant().await;
    let path = format!("{SUFFIX}/account1");
    client.call("PUT", &path, Some(body())).await.ok();
    client.call("PUT", &path, Some(body())).await.ok();
    assert_eq!(client.audit("StorageAccounts_Create").changed, 1);

    let mut moved = body();
    moved["location"] = "westus".into();
    assert_eq!(
        client.call("PUT", &path, Some(moved)).await.refusal(),
        (409, "InvalidResourceLocation")
    );
    let mut zonal = body();
    zonal["sku"]["name"] = "Standard_ZRS".into();
    assert_eq!(
        client.call("PUT", &path, Some(zonal)).await.refusal(),
        (409, "AccountPropertyCannotBeUpdated")
    );

    let asked =
        json!({"tags": {"a": "b"}, "sku": {"name": "Standard_GRS"}, "properties": {"largeFileSharesState": "Enabled"}});
    let patched = client.call("PATCH", &path, Some(asked)).await.ok();
    assert_eq!(
        (&patched["tags"], &patched["sku"]["name"]),
        (&json!({"a": "b"}), &json!("Standard_GRS"))
    );
    assert_eq!(patched["properties"]["largeFileSharesState"], "Enabled");
    assert_eq!(patched["properties"]["secondaryLocation"], "westus");
    let off = json!({"properties": {"largeFileSharesState": "Disabled"}});
    assert_eq!(client.call("PATCH", &path, Some(off)).await.status, 400);
}

#[tokio::test]
async fn names_are_unique_in_all_the_world() {
    let settings = AzureSettings {
        subscriptions: [
            "22222222-bbbb-4000-8000-000000000001",
            "22222222-bbbb-4000-8000-000000000002",
        ]
        .map(str::to_owned)
        .to_vec(),
        resource_groups: vec!["moorline".to_owned(), "other".to_owned()],
        taken_names: vec!["takenelsewhere".to_owned()],
        ..AzureSettings::instant()
    };
    let mut client = Client::new(settings).await;
    let check = async |client: &Client, name: &str| {
        let asked = json!({"name": name, "type": SUFFIX});
        let path = format!("/providers/Microsoft.Storage/checkNameAvailability?api-version={STORAGE}");
        client.at("POST", &path, Some(asked)).await.ok()
    };
    assert_eq!(check(&client, "mine").await, json!({"nameAvailable": true}));
    let taken = check(&client, "takenelsewhere").await;
    assert_eq!(taken["reason"], "AlreadyExists");
    assert_eq!(
        taken["message"],
        "The storage account named takenelsewhere is already taken."
    );
    assert_eq!(check(&client, "Not-A-Name").await["reason"], "AccountNameInvalid");
    let foreign = client
        .call("PUT", &format!("{SUFFIX}/takenelsewhere"), Some(body()))
        .await;
    assert_eq!(foreign.refusal(), (409, "StorageAccountAlreadyTaken"));

    client.call("PUT", &format!("{SUFFIX}/mine"), Some(body())).await.ok();
    assert_eq!(check(&client, "mine").await["nameAvailable"], false);
    let beside = format!("/resourceGroups/other/providers/{SUFFIX}/mine?api-version={STORAGE}");
    assert_eq!(
        client.at("PUT", &beside, Some(body())).await.refusal(),
        (409, "StorageAccountInAnotherResourceGroup")
    );
    assert_eq!(
        client.at("GET", &beside, None).await.refusal(),
        (404, "ResourceNotFound")
    );

    client.subscription = "22222222-bbbb-4000-8000-000000000002".to_owned();
    client
        .at(
            "PUT",
            "/resourceGroups/moorline?api-version=2025-04-01",
            Some(json!({"location": "eastus"})),
        )
        .await
        .ok();
    let across = client.call("PUT", &format!("{SUFFIX}/mine"), Some(body())).await;
    assert_eq!(across.refusal(), (409, "StorageAccountAlreadyTaken"));
}

#[tokio::test]
async fn bad_accounts_are_refused_by_name() {
    let client = Client::instant().await;
    let put = async |name: &str, change: &dyn Fn(&mut Value)| {
        let mut body = body();
        change(&mut body);
        client.call("PUT", &format!("{SUFFIX}/{name}"), Some(body)).await
    };
    assert_eq!(put("Upper", &|_| ()).await.refusal(), (400, "AccountNameInvalid"));
    let sku = put("abc", &|body| body["sku"]["name"] = "Gold_LRS".into()).await;
    assert_eq!(sku.refusal(), (400, "InvalidValuesForRequestParameters"));
    assert_eq!(sku.body.unwrap()["error"]["target"], "sku");
    let kind = put("abc", &|body| body["sku"]["name"] = "Premium_ZRS".into()).await;
    assert_eq!(kind.refusal(), (400, "InvalidValuesForRequestParameters"));
    let place = put("abc", &|body| body["location"] = "mars".into()).await;
    assert_eq!(place.refusal(), (400, "LocationNotAvailableForResourceType"));
    let nowhere = put("abc", &|body| drop(body.as_object_mut().unwrap().remove("location"))).await;
    assert_eq!(nowhere.refusal(), (400, "LocationRequired"));
    let unknown = put("abc", &|body| body["properties"] = json!({"colour": "red"})).await;
    assert_eq!(unknown.refusal(), (400, "InvalidRequestContent"));
    let tag = put("abc", &|body| body["tags"] = json!({"moorline.dev/owner": "x"})).await;
    assert_eq!(tag.refusal(), (400, "InvalidTagNameCharacters"));
    let many: Value = (0..51)
        .map(|n| (n.to_string(), "x".into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(
        put("abc", &|body| body["tags"] = many.clone()).await.refusal(),
        (400, "TooManyTags")
    );
    assert_eq!(client.cloud.accounts(), []);
}

#[tokio::test]
async fn a_region_holds_only_so_many() {
    let client = Client::new(AzureSettings {
        account_limit: 2,
        ..AzureSettings::instant()
    })
    .await;
    client.account("one", "Standard_LRS").await;
    client.account("two", "Standard_LRS").await;
    let third = client.call("PUT", &format!("{SUFFIX}/three"), Some(body())).await;
    assert_eq!(third.refusal(), (409, "MaxStorageAccountsCountPerSubscriptionExceeded"));
    let mut west = body();
    west["location"] = "westus".into();
    client.call("PUT", &format!("{SUFFIX}/three"), Some(west)).await.ok();
    let usages = format!("/providers/Microsoft.Storage/locations/eastus/usages?api-version={STORAGE}");
    let usages = client.at("GET", &usages, None).await.ok();
    assert_eq!(
        (&usages["value"][0]["currentValue"], &usages["value"][0]["limit"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn keys_are_stable_until_they_are_made_anew() {
    let client = Client::instant().await;
    let path = client.account("keys1", "Standard_LRS").await;
    let keys = async || {
        client
            .call("POST", &format!("{path}/listKeys?$expand=kerb"), None)
            .await
            .ok()["keys"]
            .clone()
    };
    let first = keys().await;
    assert_eq!(first[0]["keyName"], "key1");
    assert_eq!(first[0]["value"].as_str().unwrap().len(), 88);
    assert_ne!(first[0]["value"], first[1]["value"]);
    assert_eq!(client.cloud.account_key("keys1").as_deref(), first[0]["value"].as_str());
    assert_eq!(keys().await, first);
    client
        .call(
            "POST",
            &format!("{path}/regenerateKey"),
            Some(json!({"keyName": "key2"})),
        )
        .await
        .ok();
    let second = keys().await;
    assert_eq!(second[0]["value"], first[0]["value"]);
    assert_ne!(second[1]["value"], first[1]["value"]);
    let wrong = client
        .call(
            "POST",
            &format!("{path}/regenerateKey"),
            Some(json!({"keyName": "key3"})),
        )
        .await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_deleted_account_takes_its_shares_along() {
    let client = Client::instant().await;
    let path = client.account("gone1", "Standard_LRS").await;
    let share = format!("{path}/fileServices/default/shares/data");
    client.call("PUT", &share, Some(json!({}))).await.ok();
    assert_eq!(client.call("DELETE", &path, None).await.status, 200);
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(
        client.call("GET", &path, None).await.refusal(),
        (404, "ResourceNotFound")
    );
    assert_eq!(
        client.call("GET", &share, None).await.refusal(),
        (404, "ParentResourceNotFound")
    );
    client.account("gone1", "Standard_LRS").await;
    let list = client
        .call(
            "GET",
            &format!("{path}/fileServices/default/shares?$expand=deleted"),
            None,
        )
        .await
        .ok();
    assert_eq!(names(&list), Vec::<&str>::new());
}
