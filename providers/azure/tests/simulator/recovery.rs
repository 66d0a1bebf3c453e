//! Volumes come back: disks of snapshots, and deleted shares.

use futures::TryStreamExt as _;
use moorline_api::{
    AzureDisk, ClientToken, ErrorKind, Inventory as _, NewVolume, Origin, Recoverable, Recovery as _, Resource,
    TagChange, Tagging as _, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, Volumes as _, tags,
};
use moorline_azure::AzureProvider;
use moorline_sandbox_azure::AzureSettings as SandboxSettings;
use moorline_sandbox_core::{Effect, Fault, Moment};

use super::inventory::{CLAIM, disk_id, stock};
use super::{Azure, new_volume};

async fn recoverable(provider: &AzureProvider, tags: Tags) -> Vec<Recoverable> {
    provider.recoverable(tags).try_concat().await.unwrap()
}

fn tag(key: &str, value: &str) -> Tags {
    Tags::from([(key.to_owned(), value.to_owned())])
}

/// The same volume with these tags.
fn again(volume: &Volume, uid: &str) -> NewVolume {
    NewVolume {
        spec: volume.spec.clone(),
        token: ClientToken {
            claim_uid: uid.to_owned(),
            generation: 1,
        },
        tags: tag(tags::CLAIM_UID, uid),
    }
}

#[tokio::test]
async fn a_disk_comes_back_from_its_snapshot_as_it_was() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 0);
    let provider = azure.provider(&[]);
    let id = disk_id(&azure, &format!("pvc-{CLAIM}"));
    let before = provider.read(vec![id.clone()]).try_concat().await.unwrap().remove(0);
    let mut kept = before.tags.clone();
    kept.insert(tags::EXPIRES.to_owned(), "2026-12-21T00:00:00Z".to_owned());
    let taken = provider.snapshot(&id, "moorline/shop/data-0", &kept).await.unwrap();
    assert!(taken.completed && taken.tags[tags::EXPIRES] == "2026-12-21T00:00:00Z");
    // A repeat takes no second one, and nobody else's is taken for it.
    assert_eq!(
        provider.snapshot(&id, "moorline/shop/data-0", &kept).await.unwrap().id,
        taken.id
    );
    let other = disk_id(&azure, "other-disk");
    let refused = provider
        .snapshot(&other, "moorline/shop/data-0", &kept)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
    provider.delete(&id).await.unwrap();

    assert_eq!(recoverable(&provider, tag("owner", "nobody")).await, []);
    let found = recoverable(&provider, tag(tags::EXPIRES, "2026-12-21T00:00:00Z")).await;
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&found.volume, found.ready, found.size_gib), (&id, true, 8));
    let spec = found.spec.clone().unwrap();
    assert_eq!(spec, before.spec);
    let wanted = NewVolume {
        spec,
        token: ClientToken {
            claim_uid: "0b8bd6a5-2b8e-4a5e-9d2c-999999999999".to_owned(),
            generation: 1,
        },
        tags: tag(tags::CLAIM_UID, "0b8bd6a5-2b8e-4a5e-9d2c-999999999999"),
    };
    let back = provider.recover(&found.origin, &wanted).await.unwrap();
    assert_eq!(
        (&back.spec, back.id.name()),
        (&before.spec, "pvc-0b8bd6a5-2b8e-4a5e-9d2c-999999999999")
    );
    assert_eq!(back.tags[tags::CLAIM_UID], wanted.token.claim_uid);
    assert_eq!(provider.recover(&found.origin, &wanted).await.unwrap(), back);
    assert_eq!(azure.cloud.disks().len(), 2);
    // The same claim with another size burns the token; another claim's disk is not ours.
    let larger = NewVolume {
        spec: VolumeSpec {
            size_gib: 16,
            ..wanted.spec.clone()
        },
        ..wanted.clone()
    };
    assert_eq!(
        provider.recover(&found.origin, &larger).await.unwrap_err().kind,
        ErrorKind::TokenBurnt
    );
    let stranger = NewVolume {
        tags: tag(tags::CLAIM_UID, "someone"),
        ..wanted
    };
    assert_eq!(
        provider.recover(&found.origin, &stranger).await.unwrap_err().kind,
        ErrorKind::AlreadyExists
    );

    provider.delete_snapshot(&taken.id).await.unwrap();
    provider.delete_snapshot(&taken.id).await.unwrap();
    assert_eq!(recoverable(&provider, Tags::new()).await, []);
    assert_eq!(
        provider.recover(&found.origin, &larger).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_snapshot_is_waited_for_though_azure_takes_its_time() {
    let azure = Azure::start(SandboxSettings {
        deletion_millis: 1500,
        ..SandboxSettings::instant()
    })
    .await;
    stock(&azure, 0);
    let provider = azure.provider(&[]);
    let id = disk_id(&azure, "other-disk");
    // The answer that tells where to ask is lost once.
    azure.world.faults.add(Fault {
        service: "arm".to_owned(),
        operation: "Snapshots_CreateOrUpdate".to_owned(),
        moment: Moment::After,
        skip: 0,
        times: Some(1),
        effect: Effect::Reset,
    });
    let taken = provider.snapshot(&id, "kept", &Tags::new()).await.unwrap();
    assert!(taken.completed);
    let found = recoverable(&provider, Tags::new()).await;
    assert!(found[0].ready && found[0].origin.id() == taken.id, "{found:?}");
    assert_eq!(
        provider
            .delete_snapshot("/subscriptions/x/resourceGroups/g/providers/Microsoft.Compute/snapshots/s")
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Invalid
    );
    let bare = NewVolume {
        spec: VolumeSpec {
            size_gib: 8,
            zone: None,
            config: VolumeConfig::AzureDisk(AzureDisk::default()),
        },
        ..new_volume("file.csi.azure.com", 77)
    };
    let back = provider.recover(&found[0].origin, &bare).await.unwrap();
    assert_eq!(back.spec.size_gib, 8);
}

#[tokio::test]
async fn a_deleted_share_comes_back_with_its_metadata_and_without_its_mark() {
    let azure = Azure::start(SandboxSettings {
        name_release_millis: 3000,
        visibility_lag_millis: 300,
        ..SandboxSettings::instant()
    })
    .await;
    let provider = azure.provider(&[]);
    let own = provider.create(&new_volume("file.csi.azure.com", 5)).await.unwrap();
    let mark = TagChange {
        key: tags::UNUSED.to_owned(),
        value: Some("v1 orphan 2026-11-21T15:00:00Z run-7".to_owned()),
    };
    let told: Vec<_> = futures::StreamExt::collect(provider.tag(vec![Resource::Volume(own.id.clone())], mark)).await;
    assert!(told[0].outcome.is_ok());
    provider.delete(&own.id).await.unwrap();
    azure.world.clock.advance(1, &azure.world.journal).unwrap();
    let found = recoverable(&provider, tag(tags::CLAIM_UID, "whoever")).await;
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&found.volume, found.size_gib), (&own.id, own.spec.size_gib));
    assert_eq!(found.tags[tags::CLUSTER_UID], own.tags[tags::CLUSTER_UID]);
    let kept = found.removed.unwrap().duration_since(found.taken.unwrap()).as_hours();
    assert_eq!(kept, 7 * 24);
    // Its name is held for a while yet, which is waited for.
    let back = provider.recover(&found.origin, &again(&own, "new-uid")).await.unwrap();
    assert_eq!(back.id, own.id);
    assert_eq!(back.tags[tags::CLAIM_UID], "new-uid");
    assert_eq!(back.tags[tags::FORMER_CLAIM_UID], own.tags[tags::CLAIM_UID]);
    assert_eq!(back.tags[tags::CLAIM], own.tags[tags::CLAIM]);
    assert_eq!(back.tags.get(tags::UNUSED), None);
    // Once more, after an answer was lost; and as whoever only writes other tags asks it.
    assert_eq!(
        provider.recover(&found.origin, &again(&own, "new-uid")).await.unwrap(),
        back
    );
    let unnamed = Origin::Deleted {
        volume: own.id.clone(),
        version: String::new(),
    };
    let retagged = provider.recover(&unnamed, &again(&own, "newer-uid")).await.unwrap();
    assert_eq!(retagged.tags[tags::CLAIM_UID], "newer-uid");
}

#[tokio::test]
async fn a_share_that_lives_again_or_is_kept_no_more_is_not_brought_back() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    let provider = AzureProvider::connect(moorline_azure::AzureSettings {
        visibility_grace: std::time::Duration::from_secs(1),
        ..azure.settings(&[])
    })
    .unwrap();
    let new = new_volume("file.csi.azure.com", 5);
    let own = provider.create(&new).await.unwrap();
    provider.delete(&own.id).await.unwrap();
    let origin = recoverable(&provider, Tags::new()).await.remove(0).origin;
    let another = provider.create(&new).await.unwrap();
    assert_eq!(another.id, own.id);
    let refused = provider.recover(&origin, &again(&own, "u")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
    assert!(refused.message.contains("lives now"), "{refused}");
    provider.delete(&own.id).await.unwrap();
    azure.world.clock.advance(8 * 86_400, &azure.world.journal).unwrap();
    let provider = azure.provider(&[]);
    let gone = provider.recover(&origin, &again(&own, "u")).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    let container = Origin::Deleted {
        volume: VolumeId("acct.blob/data".to_owned()),
        version: "1".to_owned(),
    };
    assert_eq!(
        provider.recover(&container, &new).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn a_share_is_kept_as_long_as_the_policy_asks_or_not_deleted() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 1);
    let provider = azure.provider(&[]);
    let own = provider.create(&new_volume("file.csi.azure.com", 5)).await.unwrap();
    let theirs = VolumeId("f0a1b2c3d4e5.file/pvc-0b8bd6a5-2b8e-4a5e-9d2c-000000000000".to_owned());
    let expires = |days: u32| {
        let time = azure.world.clock.now() + std::time::Duration::from_secs(u64::from(days) * 86_400);
        tag(tags::EXPIRES, &time.to_string())
    };
    // Azure keeps deleted shares for seven days by default.
    provider.snapshot(&theirs, "s", &expires(7)).await.unwrap();
    let refused = provider.snapshot(&theirs, "s", &expires(30)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    for words in [
        "for 7 days only",
        "--delete-retention-days 30",
        "-n f0a1b2c3d4e5 -g moorline",
    ] {
        assert!(refused.message.contains(words), "{refused}");
    }
    assert_eq!(azure.calls("FileServices_SetServiceProperties"), 0);
    // Its own account it may change.
    let kept = provider.snapshot(&own.id, "s", &expires(30)).await.unwrap();
    assert!(kept.id.contains("30 days"), "{}", kept.id);
    assert!(
        provider
            .snapshot(&own.id, "s", &expires(20))
            .await
            .unwrap()
            .id
            .contains("30 days")
    );
    let too_long = provider.snapshot(&own.id, "s", &expires(400)).await.unwrap_err();
    assert_eq!(too_long.kind, ErrorKind::Invalid);
    let container = provider.create(&new_volume("blob.csi.azure.com", 6)).await.unwrap();
    let unsupported = provider.snapshot(&container.id, "s", &expires(1)).await.unwrap_err();
    assert_eq!(unsupported.kind, ErrorKind::Unsupported);
}
