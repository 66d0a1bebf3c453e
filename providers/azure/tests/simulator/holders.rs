//! Accounts that moorline or a driver made: what is in them, and that only empty ones go.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use moorline_api::{Content, ErrorKind, Holder, HolderMaker, Holders as _, Volumes as _, tags};
use moorline_azure::AzureProvider;
use moorline_sandbox_azure::AzureSettings as SandboxSettings;
use moorline_sandbox_core::{Effect, Fault, Moment};

use super::inventory::stock;
use super::{Azure, new_volume};

async fn holders(provider: &AzureProvider) -> BTreeMap<String, Holder> {
    let all: Vec<Holder> = provider.holders().try_concat().await.unwrap();
    all.into_iter().map(|holder| (holder.name.clone(), holder)).collect()
}

fn something(holder: &Holder) -> &str {
    match &holder.content {
        Content::Something(what) => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn accounts_say_who_made_them_and_what_they_hold() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 3);
    azure
        .cloud
        .ensure_account("moorline", "somebodys", "Standard_LRS")
        .unwrap();
    let provider = azure.provider(&[]);
    let own = provider.create(&new_volume("file.csi.azure.com", 1)).await.unwrap();
    azure
        .cloud
        .delete_share("f0a1b2c3d4e5", "pvc-0b8bd6a5-2b8e-4a5e-9d2c-000000000002")
        .unwrap();
    let found = holders(&provider).await;
    assert_eq!(found.len(), 3);
    let driver = &found["f0a1b2c3d4e5"];
    assert_eq!(driver.maker, HolderMaker::Driver("file.csi.azure.com".to_owned()));
    assert_eq!(something(driver), "2 shares, 1 deleted share");
    assert!(driver.created.is_some());
    assert_eq!(something(&found["fuse0a1b2c3d"]), "1 container");
    let ours = found
        .values()
        .find(|holder| own.id.0.starts_with(&holder.name))
        .unwrap();
    let cluster = own.tags[tags::CLUSTER_UID].clone();
    assert_eq!(
        ours.maker,
        HolderMaker::Moorline {
            cluster: cluster.clone()
        }
    );
    assert_eq!(ours.tags[tags::CLUSTER_UID], cluster);
    assert_eq!(something(ours), "1 share");
}

#[tokio::test]
async fn only_an_account_that_holds_nothing_at_all_goes() {
    let azure = Azure::start(SandboxSettings {
        name_release_millis: 0,
        ..SandboxSettings::instant()
    })
    .await;
    stock(&azure, 1);
    let provider = azure.provider(&[]);
    let id = holders(&provider).await["f0a1b2c3d4e5"].id.clone();
    let refuses = async |words: &str| {
        let error = provider.delete_holder(&id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InUse, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(provider.holder(&id).await.unwrap().is_some());
    };
    refuses("1 share").await;
    azure
        .cloud
        .delete_share("f0a1b2c3d4e5", "pvc-0b8bd6a5-2b8e-4a5e-9d2c-000000000000")
        .unwrap();
    refuses("1 deleted share").await;
    // Azure keeps it for seven days.
    azure.world.clock.advance(8 * 86_400, &azure.world.journal).unwrap();
    let provider = azure.provider(&[]);
    let refuses = async |words: &str| {
        let error = provider.delete_holder(&id).await.unwrap_err();
        assert!(error.message.contains(words), "{error}");
    };
    azure
        .put(&format!("{id}/queueServices/default/queues/runs"), "2026-09-01")
        .await;
    refuses("1 queue").await;
    azure
        .delete(&format!("{id}/queueServices/default/queues/runs"), "2026-09-01")
        .await;
    azure
        .put(&format!("{id}/tableServices/default/tables/runs"), "2026-09-01")
        .await;
    refuses("1 table").await;
    azure
        .delete(&format!("{id}/tableServices/default/tables/runs"), "2026-09-01")
        .await;
    // What cannot be found out is no proof.
    azure.world.faults.add(Fault {
        service: "arm".to_owned(),
        operation: "Table_List".to_owned(),
        moment: Moment::Before,
        skip: 0,
        times: None,
        effect: Effect::Error {
            status: 403,
            code: "AuthorizationFailed".to_owned(),
            message: "so it is".to_owned(),
            retry_after: None,
        },
    });
    assert!(matches!(
        provider.holder(&id).await.unwrap().unwrap().content,
        Content::Unread(_)
    ));
    refuses("could not be found out").await;
    azure.world.faults.clear();
    azure.cloud.lock(&format!("{id}/fileServices/default"), "keep").unwrap();
    refuses("resource lock keep").await;
    azure
        .delete(
            &format!("{id}/fileServices/default/providers/Microsoft.Authorization/locks/keep"),
            "2020-05-01",
        )
        .await;
    assert_eq!(provider.holder(&id).await.unwrap().unwrap().content, Content::Nothing);
    provider.delete_holder(&id).await.unwrap();
    assert_eq!(provider.holder(&id).await.unwrap(), None);
    provider.delete_holder(&id).await.unwrap();
    assert!(!holders(&provider).await.contains_key("f0a1b2c3d4e5"));
}

#[tokio::test]
async fn an_account_of_nobody_known_is_never_deleted() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    azure
        .cloud
        .ensure_account("moorline", "somebodys", "Standard_LRS")
        .unwrap();
    let provider = azure.provider(&[]);
    let subscription = &azure.settings.subscriptions[0];
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/moorline/providers/Microsoft.Storage/storageAccounts/somebodys"
    );
    let error = provider.delete_holder(&id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert_eq!(provider.holder(&id).await.unwrap().unwrap().content, Content::Nothing);
    let elsewhere = id.replace(subscription.as_str(), "99999999-bbbb-4000-8000-000000000009");
    assert_eq!(
        provider.delete_holder(&elsewhere).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
}
