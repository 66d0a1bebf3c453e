//! From a claim to a share and back.

use futures::TryStreamExt as _;
use moorline_api::{
    Accounts as _, MountSecrets as _, Tags, Upkeep as _, Usage as _, VolumeConfig, VolumeFilter, VolumeId, VolumeState,
    Volumes as _, tags,
};
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::world::{KEY, SUBSCRIPTION};

const FILE: &str = "kubernetes.io/azure-file";

fn tagged() -> VolumeFilter {
    let tags = [(tags::CLUSTER_UID, "cluster-1"), (tags::PROFILE, "web")];
    VolumeFilter::Tagged(
        tags.into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    )
}

#[tokio::test]
async fn a_claim_gets_a_share_in_an_account_of_its_own_profile() {
    let server = Server::start().await;
    server.world().account_polls = 2;
    let provider = server.provider();
    let new = new_volume(&class(FILE, &[("skuName", "Standard_LRS")]), &uid(1));
    let volume = provider.create(&new).await.unwrap();
    assert_eq!(
        (volume.spec.size_gib, volume.state, &volume.tags),
        (1, VolumeState::Available, &new.tags)
    );
    let VolumeConfig::AzureFile(share) = &volume.spec.config else {
        panic!("no share")
    };
    let account = share.account.name.clone().unwrap();
    assert!(account.starts_with("moor") && account.len() == 24, "{account}");
    assert_eq!(volume.id.0, format!("{account}.file/pvc-{}", uid(1)));
    assert_eq!(share.account.resource_group.as_deref(), Some("data"));
    {
        let world = server.world();
        let body = &world.accounts[&account].body;
        assert_eq!(
            (&body["sku"]["name"], &body["kind"], &body["location"]),
            (&json!("Standard_LRS"), &json!("StorageV2"), &json!("eastus"))
        );
        assert_eq!(body["tags"]["moorline-cluster-uid"], "cluster-1");
        assert_eq!(body["tags"]["moorline-profile"], "web");
        let share = &world.accounts[&account].shares[&format!("pvc-{}", uid(1))];
        assert_eq!(
            (&share["shareQuota"], &share["enabledProtocols"]),
            (&json!(1), &json!("SMB"))
        );
        assert_eq!(share["metadata"]["moorline_claim_uid"], uid(1));
        assert_eq!(share["metadata"]["moorline_owner"], "team gr%C3%BCn");
    }
    // What was just made can be used without asking again.
    let before = server.calls().len();
    assert_eq!(provider.wait_usable(&volume.id).await.unwrap(), volume);
    assert_eq!(server.calls().len(), before);
    assert_eq!(provider.wait_usable(&volume.id).await.unwrap().tags, new.tags);

    assert_eq!(provider.used_bytes(&volume.id).await.unwrap(), Some(4096));
    let secret = provider.mount_secret(&volume.id).await.unwrap();
    assert_eq!(secret["azurestorageaccountname"].expose(), account);
    assert_eq!(secret["azurestorageaccountkey"].expose(), KEY);
    provider.mount_secret(&volume.id).await.unwrap();
    assert_eq!(server.count("keys"), 1);

    assert!(!provider.sweep("cluster-1", "web").await.unwrap()[0].gone);
    provider.delete(&volume.id).await.unwrap();
    provider.wait_gone(&volume.id).await.unwrap();
    provider.delete(&volume.id).await.unwrap();
    let swept = provider.sweep("cluster-1", "web").await.unwrap();
    assert!(swept[0].gone, "{swept:?}");
    assert!(server.world().accounts.is_empty());
    // Nothing of that name is left in all of Azure: gone is gone.
    provider.wait_gone(&volume.id).await.unwrap();
}

#[tokio::test]
async fn lists_find_volumes_by_tags_although_azure_lists_no_metadata() {
    let server = Server::start().await;
    let provider = server.provider();
    let class = class(FILE, &[]);
    for number in 0..7 {
        provider.create(&new_volume(&class, &uid(number))).await.unwrap();
    }
    server.world().add_account(
        "somebodyelses",
        "Standard_LRS",
        &json!({"k8s-azure-created-by": "azure"}),
    );
    let other = server.provider();
    let reads = server.count("share");
    let found: Vec<_> = other.list(tagged()).try_concat().await.unwrap();
    assert_eq!(found.len(), 7);
    assert_eq!(server.count("share"), reads, "names and accounts prove enough");
    let mut uids: Vec<_> = found
        .iter()
        .map(|volume| volume.tags[tags::CLAIM_UID].clone())
        .collect();
    uids.sort();
    assert_eq!(uids, (0..7).map(uid).collect::<Vec<_>>());

    let of_claim = |number| {
        Tags::from([
            (tags::CLAIM_UID.to_owned(), uid(number)),
            (tags::CLAIM.to_owned(), "data-0".to_owned()),
        ])
    };
    let one: Vec<_> = other
        .list(VolumeFilter::Tagged(of_claim(3)))
        .try_concat()
        .await
        .unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].tags[tags::NAMESPACE], "default");
    assert_eq!(server.count("share"), reads + 1);

    let another = Tags::from([(tags::CLUSTER_UID.to_owned(), "cluster-2".to_owned())]);
    assert!(
        other
            .list(VolumeFilter::Tagged(another))
            .try_concat()
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(other.list(VolumeFilter::All).try_concat().await.unwrap().len(), 7);

    let mut ids: Vec<VolumeId> = found.into_iter().map(|volume| volume.id).collect();
    ids.push(VolumeId("somebodyelses.file/missing".to_owned()));
    ids.push(VolumeId("nowhereatall.file/missing".to_owned()));
    let by_id: Vec<_> = other.list(VolumeFilter::Ids(ids)).try_concat().await.unwrap();
    assert_eq!(by_id.len(), 7);
    assert!(by_id.iter().all(|volume| volume.tags[tags::CLAIM] == "data-0"));
}

#[tokio::test]
async fn a_container_is_a_volume_too() {
    let server = Server::start().await;
    let provider = server.provider();
    let class = class(
        "blob.csi.azure.com",
        &[("protocol", "fuse2"), ("containerNamePrefix", "web")],
    );
    let volume = provider.create(&new_volume(&class, &uid(1))).await.unwrap();
    assert!(
        volume.id.0.ends_with(&format!(".blob/web-pvc-{}", uid(1))),
        "{}",
        volume.id
    );
    let other = server.provider();
    let found: Vec<_> = other.list(tagged()).try_concat().await.unwrap();
    assert_eq!((found.len(), found[0].spec.size_gib), (1, 1));
    assert_eq!(other.wait_usable(&volume.id).await.unwrap().tags, volume.tags);
    assert_eq!(other.used_bytes(&volume.id).await.unwrap(), None);
    assert_eq!(other.create(&new_volume(&class, &uid(1))).await.unwrap().id, volume.id);
    assert_eq!(
        server.count("list shares"),
        0,
        "an account of ours for containers has no shares"
    );
    provider.delete(&volume.id).await.unwrap();
    provider.wait_gone(&volume.id).await.unwrap();
    assert!(provider.sweep("cluster-1", "web").await.unwrap()[0].gone);
}

#[tokio::test]
async fn a_deleted_share_comes_back() {
    let server = Server::start().await;
    let provider = server.provider();
    let volume = provider.create(&new_volume(&class(FILE, &[]), &uid(1))).await.unwrap();
    let kept = provider
        .snapshot(&volume.id, "moorline-down", &Tags::new())
        .await
        .unwrap();
    assert!(kept.completed && kept.id.contains("7 days"), "{kept:?}");
    provider.delete(&volume.id).await.unwrap();
    let account = volume.id.0.split('.').next().unwrap();
    let deleted = provider.deleted_shares(account).await.unwrap();
    assert_eq!(
        (deleted.len(), &deleted[0].id, deleted[0].remaining_days),
        (1, &volume.id, 6)
    );
    assert!(
        !provider.sweep("cluster-1", "web").await.unwrap()[0].gone,
        "it can still be restored"
    );
    provider.restore_share(&deleted[0]).await.unwrap();
    assert!(provider.deleted_shares(account).await.unwrap().is_empty());
    provider.resize_share(&volume.id, 5).await.unwrap();
    assert_eq!(
        server.world().share(&format!("pvc-{}", uid(1))).unwrap().1["shareQuota"],
        5
    );
    let snapshot = provider.snapshot_share(&volume.id, &Tags::new()).await.unwrap();
    assert_eq!(provider.share_snapshots(&volume.id).await.unwrap(), [snapshot]);
}

#[tokio::test]
async fn who_and_where() {
    let server = Server::start().await;
    let account = server.provider().account().await.unwrap();
    assert_eq!(
        (account.id.0.as_str(), account.region.as_str()),
        (SUBSCRIPTION, "eastus")
    );
    assert_eq!((account.caller.as_str(), account.zones.len()), ("unknown", 0));
}

#[tokio::test]
async fn disks_and_addresses_are_listed() {
    let server = Server::start().await;
    let provider = server.provider();
    {
        let mut world = server.world();
        for number in 0..5 {
            let name = format!("disk-{number}");
            let disk = json!({
                "id": format!("/subscriptions/s/resourceGroups/data/providers/Microsoft.Compute/disks/{name}"),
                "name": name, "location": "eastus",
                "properties": {"diskState": "Unattached", "LastOwnershipUpdateTime": "2026-01-01T00:00:00Z"},
            });
            world.disks.insert(name, disk);
        }
        world.addresses = vec![
            json!({"id": "a", "name": "a", "tags": {"k8s-azure-service": "default/web"}, "properties": {"ipAddress": "20.1.2.3"}}),
            json!({"id": "b", "name": "b", "tags": {}, "properties": {"ipAddress": "20.1.2.4"}}),
        ];
    }
    let disks = provider.managed_disks().await.unwrap();
    assert_eq!(disks.len(), 5);
    assert_eq!(
        disks[0].properties.last_ownership_update_time.as_deref(),
        Some("2026-01-01T00:00:00Z")
    );
    provider.delete_managed_disk("data", "disk-1").await.unwrap();
    provider.delete_managed_disk("data", "disk-1").await.unwrap();
    assert!(provider.managed_disk("data", "disk-1").await.unwrap().is_none());
    assert!(provider.managed_disk("data", "disk-2").await.unwrap().is_some());
    let balancers: Vec<_> = LoadBalancersOf(&provider).all().await;
    assert_eq!(balancers.len(), 1);
    assert_eq!(
        (balancers[0].hostname.as_str(), balancers[0].service()),
        ("20.1.2.3", Some(("default", "web")))
    );
}

/// `list` is a method of volumes too.
struct LoadBalancersOf<'a>(&'a moorline_azure::AzureProvider);

impl LoadBalancersOf<'_> {
    async fn all(&self) -> Vec<moorline_api::LoadBalancer> {
        moorline_api::LoadBalancers::list(self.0).try_concat().await.unwrap()
    }
}
