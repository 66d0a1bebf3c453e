//! Every documented operation that moorline has a use for is made at least once, in the documented way.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use moorline_api::{Accounts as _, MountSecrets as _, Tags, Upkeep as _, Usage as _, VolumeFilter, Volumes as _};
use moorline_azure::{AzureProvider, AzureSettings};
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::table::OPERATIONS;

#[tokio::test]
async fn all_of_the_table_is_made_use_of() {
    let server = Server::start().await;
    {
        let mut world = server.world();
        world.account_polls = 1;
        world.add_account("mine", "Standard_LRS", &json!({"owner": "somebody"}));
        world.groups.remove("data");
        world
            .disks
            .insert("disk-1".to_owned(), json!({"id": "i", "name": "disk-1"}));
    }
    let settings = AzureSettings {
        create_resource_group: true,
        location: Some("eastus".to_owned()),
        keep_deleted_shares_days: Some(7),
        ..server.settings()
    };
    let provider = AzureProvider::connect(settings).unwrap();
    provider.account().await.unwrap();
    let share = provider
        .create(&new_volume(&class("file.csi.azure.com", &[]), &uid(1)))
        .await
        .unwrap();
    let named = class("file.csi.azure.com", &[("storageAccount", "mine")]);
    provider.create(&new_volume(&named, &uid(3))).await.unwrap();
    let container = provider
        .create(&new_volume(&class("blob.csi.azure.com", &[]), &uid(2)))
        .await
        .unwrap();
    provider.mount_secret(&share.id).await.unwrap();
    provider.used_bytes(&share.id).await.unwrap();
    provider.snapshot(&share.id, "name", &Tags::new()).await.unwrap();
    provider.snapshot_share(&share.id, &Tags::new()).await.unwrap();
    provider.resize_share(&share.id, 2).await.unwrap();
    let _: Vec<_> = provider.list(VolumeFilter::All).try_concat().await.unwrap();
    let _: Vec<_> = moorline_api::LoadBalancers::list(&provider).try_concat().await.unwrap();
    provider.managed_disks().await.unwrap();
    provider.managed_disk("data", "disk-1").await.unwrap();
    provider.delete_managed_disk("data", "disk-1").await.unwrap();
    provider.delete(&share.id).await.unwrap();
    let account = share.id.0.split('.').next().unwrap();
    let deleted = provider.deleted_shares(account).await.unwrap();
    provider.restore_share(&deleted[0]).await.unwrap();
    server.provider().wait_usable(&container.id).await.unwrap();
    provider.delete(&container.id).await.unwrap();
    provider.wait_gone(&container.id).await.unwrap();
    provider.sweep("cluster-1", "web").await.unwrap();
    // Asked where an account is unknown to the subscription.
    provider
        .delete(&moorline_api::VolumeId("nowhereatall.file/x-1".to_owned()))
        .await
        .unwrap();
    let made: BTreeSet<_> = server.calls().iter().map(|call| call.operation).collect();
    let unused: Vec<_> = OPERATIONS
        .iter()
        .map(|operation| operation.name)
        .filter(|name| !made.contains(name))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}
