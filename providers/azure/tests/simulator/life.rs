//! Shares at the published rates.

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::try_join_all;
use moorline_api::{MountSecrets as _, Tags, Upkeep as _, Usage as _, VolumeFilter, Volumes as _, tags};
use moorline_sandbox_azure::AzureSettings as SandboxSettings;

use crate::{Azure, new_volume};

const FILE: &str = "kubernetes.io/azure-file";
const CLUSTER: &str = "3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f";

fn tagged() -> VolumeFilter {
    VolumeFilter::Tagged(Tags::from([
        (tags::CLUSTER_UID.to_owned(), CLUSTER.to_owned()),
        (tags::PROFILE.to_owned(), "azure-counter".to_owned()),
    ]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_shares_at_the_published_rates() {
    let azure = Azure::start(SandboxSettings::default()).await;
    let provider = azure.provider(&[]);
    let volumes: Vec<_> = (0..100).map(|number| new_volume(FILE, number)).collect();
    let made = try_join_all(volumes.iter().map(|new| provider.create(new)))
        .await
        .unwrap();
    try_join_all(made.iter().map(|volume| provider.wait_usable(&volume.id)))
        .await
        .unwrap();
    // How long that takes is reckoned in the governor's own tests: here the machine may be busy.
    assert_eq!(azure.throttled(), 0);
    let mut accounts: Vec<_> = made
        .iter()
        .map(|volume| volume.id.0.split('.').next().unwrap())
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    assert_eq!(accounts.len(), 2);

    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = azure.provider(&[]);
    let found: Vec<_> = again.list(tagged()).try_concat().await.unwrap();
    assert_eq!(found.len(), 100);
    assert_eq!(again.create(&volumes[60]).await.unwrap().id, made[60].id);
    assert_eq!(azure.throttled(), 0);

    // As `down` goes: each is looked at, deleted and waited for; then what is around them is cleared away.
    let before = azure.calls("FileShares_Get");
    let gone = made.iter().map(|volume| async {
        let seen: Vec<_> = again
            .list(VolumeFilter::Ids(vec![volume.id.clone()]))
            .try_concat()
            .await?;
        assert_eq!(seen.len(), 1);
        again.delete(&volume.id).await?;
        again.wait_gone(&volume.id).await
    });
    try_join_all(gone).await.unwrap();
    let swept = again.sweep(CLUSTER, "azure-counter").await.unwrap();
    assert!(
        swept.iter().all(|swept| swept.why.contains("50 deleted volumes")),
        "{swept:?}"
    );
    let reads = azure.calls("FileShares_Get") - before;
    assert!(reads <= 105, "{reads} reads");
    assert!(
        azure.calls("FileShares_List") <= 20,
        "{}",
        azure.calls("FileShares_List")
    );
    assert_eq!(azure.throttled(), 0);
}

#[tokio::test]
async fn a_share_and_a_container_from_beginning_to_end() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let provider = azure.provider(&[]);
    let share = provider.create(&new_volume(FILE, 1)).await.unwrap();
    let container = provider.create(&new_volume("blob.csi.azure.com", 2)).await.unwrap();
    assert_eq!((share.spec.size_gib, container.spec.size_gib), (1, 1));
    let again = azure.provider(&[]);
    for (number, provisioner, made) in [(1, FILE, &share), (2, "blob.csi.azure.com", &container)] {
        let found = again.wait_usable(&made.id).await.unwrap();
        assert_eq!((found.spec.size_gib, &found.tags), (1, &made.tags));
        assert_eq!(
            again.create(&new_volume(provisioner, number)).await.unwrap().id,
            made.id
        );
        let secret = again.mount_secret(&made.id).await.unwrap();
        assert!(!secret["azurestorageaccountkey"].expose().is_empty());
    }
    assert_eq!(again.list(tagged()).try_concat().await.unwrap().len(), 2);
    assert!(again.used_bytes(&share.id).await.unwrap().is_some());
    again.resize_share(&share.id, 7).await.unwrap();
    assert_eq!(again.wait_usable(&share.id).await.unwrap().spec.size_gib, 7);
    let snapshot = again.snapshot_share(&share.id, &Tags::new()).await.unwrap();
    assert_eq!(again.share_snapshots(&share.id).await.unwrap(), [snapshot]);

    again.snapshot(&share.id, "moorline-down", &Tags::new()).await.unwrap();
    for volume in [&share, &container] {
        again.delete(&volume.id).await.unwrap();
        again.wait_gone(&volume.id).await.unwrap();
        again.delete(&volume.id).await.unwrap();
    }
    let account = share.id.0.split('.').next().unwrap();
    let deleted = again.deleted_shares(account).await.unwrap();
    assert_eq!((deleted.len(), &deleted[0].id), (1, &share.id));
    let swept = again.sweep(CLUSTER, "azure-counter").await.unwrap();
    let gone: Vec<_> = swept.iter().map(|swept| swept.gone).collect();
    assert_eq!(gone.iter().filter(|gone| **gone).count(), 1, "{swept:?}");
    again.restore_share(&deleted[0]).await.unwrap();
    assert_eq!(again.wait_usable(&share.id).await.unwrap().tags, share.tags);
    assert!(again.managed_disks().await.unwrap().is_empty());
    assert_eq!(azure.throttled(), 0);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_followed_by_the_next() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let first = azure.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap();
    let taken = first.id.0.split('.').next().unwrap().to_owned();
    let settings = SandboxSettings {
        taken_names: vec![taken.clone()],
        ..SandboxSettings::instant()
    };
    let azure = Azure::start(settings).await;
    let second = azure.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap();
    assert!(!second.id.0.starts_with(&taken), "{}", second.id);
    assert_eq!(
        azure.provider(&[]).create(&new_volume(FILE, 1)).await.unwrap().id,
        second.id
    );
}
