//! Everything that a subscription holds, whoever made it, and what keeps a listing from being whole.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use moorline_api::{
    Detail, ErrorKind, Inventoried, Inventory as _, Resource, TagChange, Tagging as _, Volume, VolumeFilter, VolumeId,
    VolumeState, Volumes as _, tags,
};
use moorline_azure::{AzureProvider, AzureSettings};
use moorline_sandbox_azure::{AzureSettings as SandboxSettings, NewDisk, NewShare};
use moorline_sandbox_core::{Effect, Fault, Moment};

use super::{Azure, new_volume};

pub(super) const CLAIM: &str = "0b8bd6a5-2b8e-4a5e-9d2c-000000000001";

/// What drivers left behind: an account of the file driver's with shares, one of the blob driver's, and disks.
pub(super) fn stock(azure: &Azure, shares: usize) {
    let cloud = &azure.cloud;
    for account in ["f0a1b2c3d4e5", "fuse0a1b2c3d"] {
        cloud.ensure_account("moorline", account, "Standard_LRS").unwrap();
        let created = BTreeMap::from([("k8s-azure-created-by".to_owned(), "azure".to_owned())]);
        cloud.set_account_tags(account, created).unwrap();
    }
    let share = |number: usize| NewShare {
        account: "f0a1b2c3d4e5".to_owned(),
        name: format!("pvc-0b8bd6a5-2b8e-4a5e-9d2c-{number:012}"),
        quota_gib: 5,
        nfs: false,
        metadata: BTreeMap::from([("createdBy".to_owned(), "file.csi.azure.com".to_owned())]),
    };
    cloud.stock_shares(&(0..shares).map(share).collect::<Vec<_>>()).unwrap();
    cloud
        .create_container("fuse0a1b2c3d", &format!("pvc-fuse-{CLAIM}"))
        .unwrap();
    let disk = |name: &str| NewDisk {
        resource_group: "moorline".to_owned(),
        name: name.to_owned(),
        sku: "StandardSSD_LRS".to_owned(),
        size_gib: 8,
        zone: Some("1".to_owned()),
        tags: BTreeMap::from([("kubernetes.io-created-for-pvc-name".to_owned(), "data-0".to_owned())]),
    };
    cloud
        .stock_disks(&[disk(&format!("pvc-{CLAIM}")), disk("Other-Disk")])
        .unwrap();
}

pub(super) fn disk_id(azure: &Azure, name: &str) -> VolumeId {
    let subscription = &azure.settings.subscriptions[0];
    VolumeId(format!(
        "/subscriptions/{subscription}/resourceGroups/moorline/providers/Microsoft.Compute/disks/{name}"
    ))
}

async fn inventory(provider: &AzureProvider) -> moorline_api::Result<Vec<(Volume, Detail)>> {
    let pages: Vec<Inventoried> = provider.inventory().try_collect().await?;
    let each = |page: Inventoried| page.volumes.into_iter().map(move |volume| (volume, page.detail));
    Ok(pages.into_iter().flat_map(each).collect())
}

async fn refusal(provider: &AzureProvider) -> moorline_api::Error {
    let mut pages = provider.inventory();
    loop {
        match pages.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the listing ended as if it were whole"),
            Err(error) => {
                assert!(
                    pages.try_next().await.unwrap().is_none(),
                    "something came after the error"
                );
                return error;
            }
        }
    }
}

fn settings() -> SandboxSettings {
    SandboxSettings {
        page_size_cap: 3,
        ..SandboxSettings::instant()
    }
}

async fn read(provider: &AzureProvider, ids: Vec<VolumeId>) -> moorline_api::Result<Vec<Volume>> {
    provider.read(ids).try_concat().await
}

#[tokio::test]
async fn shares_containers_and_disks_of_any_maker_are_found() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 7);
    let provider = azure.provider(&[]);
    assert_eq!(provider.clock(), None);
    let own = provider.create(&new_volume("file.csi.azure.com", 42)).await.unwrap();
    let all = inventory(&provider).await.unwrap();
    assert_eq!(all.len(), 7 + 1 + 1 + 2);
    let one = |id: &VolumeId| all.iter().find(|(volume, _)| volume.id == *id).unwrap();
    // Lists leave metadata out; what the account proves is known.
    let (share, detail) = one(&own.id);
    assert_eq!(*detail, Detail::Listed);
    assert_eq!(share.tags[tags::CLUSTER_UID], own.tags[tags::CLUSTER_UID]);
    assert_eq!(share.tags.get(tags::CLAIM), None);
    let (disk, detail) = one(&disk_id(&azure, &format!("pvc-{CLAIM}")));
    assert_eq!((*detail, disk.state), (Detail::Full, VolumeState::Available));
    assert_eq!(disk.spec.zone.as_deref(), Some("eastus-1"));
    assert_eq!(disk.tags["kubernetes.io-created-for-pvc-name"], "data-0");
    assert!(disk.created.is_some());
    one(&disk_id(&azure, "other-disk"));
    one(&VolumeId(format!("fuse0a1b2c3d.blob/pvc-fuse-{CLAIM}")));
    // Read by themselves, all tell everything; what is another cloud's or scope's is left out.
    let mut ids: Vec<_> = all.iter().map(|(volume, _)| volume.id.clone()).collect();
    ids.extend(
        [
            "vol-0a1b2c3d",
            "elsewhere.file/pvc-1",
            "/subscriptions/x/resourceGroups/g/providers/Microsoft.Compute/disks/d",
        ]
        .map(|id| VolumeId(id.to_owned())),
    );
    ids.push(disk_id(&azure, "gone"));
    let found = read(&provider, ids).await.unwrap();
    assert_eq!(found.len(), all.len());
    let whole = found.iter().find(|volume| volume.id == own.id).unwrap();
    assert_eq!(whole.tags, own.tags);
    let theirs = found.iter().find(|volume| volume.id.0.starts_with("f0a1")).unwrap();
    assert_eq!(theirs.tags["createdBy"], "file.csi.azure.com");
}

#[tokio::test]
async fn a_subscription_is_enough_to_look_into_it() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 1);
    let provider = AzureProvider::connect(AzureSettings {
        resource_group: None,
        location: None,
        ..azure.settings(&[])
    })
    .unwrap();
    assert_eq!(
        provider.subscription().await.unwrap().0,
        azure.settings.subscriptions[0]
    );
    assert_eq!(inventory(&provider).await.unwrap().len(), 4);
    let elsewhere = AzureProvider::connect(AzureSettings {
        tenant: Some("11111111-aaaa-4000-8000-000000000009".to_owned()),
        ..azure.settings(&[])
    })
    .unwrap();
    assert_eq!(refusal(&elsewhere).await.kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn many_accounts_are_listed_at_the_published_rates() {
    let azure = Azure::start(SandboxSettings {
        account_millis: 0,
        latency_millis: 20,
        ..SandboxSettings::default()
    })
    .await;
    for number in 0..40 {
        azure
            .cloud
            .ensure_account("moorline", &format!("f{number:010}"), "Standard_LRS")
            .unwrap();
    }
    let shares: Vec<_> = (0..2000)
        .map(|number| NewShare {
            account: format!("f{:010}", number % 40),
            name: format!("pvc-0b8bd6a5-2b8e-4a5e-9d2c-{number:012}"),
            quota_gib: 1,
            nfs: false,
            metadata: BTreeMap::new(),
        })
        .collect();
    azure.cloud.stock_shares(&shares).unwrap();
    // What was just made is not listed yet.
    azure.world.clock.advance(1, &azure.world.journal).unwrap();
    assert_eq!(inventory(&azure.provider(&[])).await.unwrap().len(), 2000);
    assert_eq!(azure.throttled(), 0);
    assert_eq!(
        (azure.calls("FileShares_List"), azure.calls("BlobContainers_List")),
        (40, 40)
    );
}

#[tokio::test]
async fn the_clock_is_the_clouds() {
    let azure = Azure::start(settings()).await;
    let provider = azure.provider(&[]);
    inventory(&provider).await.unwrap();
    let before = provider.clock().unwrap();
    assert!(azure.world.clock.now().duration_since(before).as_secs().abs() <= 2);
    azure.world.clock.advance(3 * 86_400, &azure.world.journal).unwrap();
    inventory(&provider).await.unwrap();
    let moved = provider.clock().unwrap().duration_since(before).as_secs();
    assert!((3 * 86_400 - 2..3 * 86_400 + 60).contains(&moved), "{moved}");
}

#[tokio::test]
async fn only_the_resource_groups_that_are_meant_are_looked_into() {
    let azure = Azure::start(SandboxSettings {
        resource_groups: vec!["moorline".to_owned(), "other".to_owned()],
        ..settings()
    })
    .await;
    stock(&azure, 2);
    azure.cloud.ensure_account("other", "f9999", "Standard_LRS").unwrap();
    azure.cloud.create_share("f9999", "data", 1, BTreeMap::new()).unwrap();
    let within = |groups: &[&str]| {
        let settings = AzureSettings {
            resource_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..azure.settings(&[])
        };
        AzureProvider::connect(settings).unwrap()
    };
    assert_eq!(inventory(&within(&[])).await.unwrap().len(), 6);
    assert_eq!(inventory(&within(&["OTHER"])).await.unwrap().len(), 1);
    assert_eq!(inventory(&within(&["moorline"])).await.unwrap().len(), 5);
    assert_eq!(inventory(&within(&["moorline", "other"])).await.unwrap().len(), 6);
    let disk = disk_id(&azure, "other-disk");
    assert_eq!(read(&within(&["other"]), vec![disk]).await.unwrap(), []);
    let missing = refusal(&within(&["moorline", "nowhere"])).await;
    assert!(missing.message.contains("ResourceGroupNotFound"), "{missing}");
}

#[tokio::test]
async fn an_account_that_may_not_be_read_ends_the_listing() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 4);
    let provider = azure.provider(&[]);
    let subscription = &azure.settings.subscriptions[0];
    let account = format!(
        "/subscriptions/{subscription}/resourceGroups/moorline/providers/Microsoft.Storage/storageAccounts/f0a1b2c3d4e5"
    );
    let deny = |scope: String| {
        let settings = azure.cloud.settings();
        azure
            .cloud
            .set_settings(SandboxSettings {
                denied_scopes: vec![scope],
                ..settings
            })
            .unwrap();
    };
    deny(account);
    let error = refusal(&provider).await;
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.contains("Storage Account Contributor"), "{error}");
    let id = VolumeId(format!("f0a1b2c3d4e5.file/pvc-{CLAIM}"));
    assert_eq!(read(&provider, vec![id]).await.unwrap_err().kind, ErrorKind::Forbidden);
    deny(format!("/subscriptions/{subscription}/providers/Microsoft.Compute"));
    assert_eq!(refusal(&provider).await.kind, ErrorKind::Forbidden);
    deny("/nothing".to_owned());
    inventory(&provider).await.unwrap();
}

#[tokio::test]
async fn a_page_that_fails_ends_the_listing_and_one_that_stumbles_does_not() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 10);
    let fault = |operation: &str, skip, times, effect| Fault {
        service: "arm".to_owned(),
        operation: operation.to_owned(),
        moment: Moment::Before,
        skip,
        times,
        effect,
    };
    let says = |status, code: &str, retry_after| Effect::Error {
        status,
        code: code.to_owned(),
        message: "so it is".to_owned(),
        retry_after,
    };
    let provider = AzureProvider::connect(AzureSettings {
        patience: std::time::Duration::from_secs(5),
        ..azure.settings(&[])
    })
    .unwrap();
    let faults = &azure.world.faults;
    faults.add(fault("FileShares_List", 2, Some(1), Effect::Reset));
    faults.add(fault("Disks_List", 0, Some(1), says(429, "TooManyRequests", Some(1))));
    faults.add(fault("BlobContainers_List", 0, Some(1), says(503, "ServerBusy", None)));
    assert_eq!(inventory(&provider).await.unwrap().len(), 13);
    for (operation, effect) in [
        ("FileShares_List", says(403, "AuthorizationFailed", None)),
        ("Disks_List", says(500, "InternalServerError", None)),
        ("StorageAccounts_List", says(400, "InvalidSkipToken", None)),
    ] {
        faults.clear();
        faults.add(fault(operation, 0, None, effect));
        refusal(&provider).await;
    }
    // The last page only.
    faults.clear();
    faults.add(fault(
        "FileShares_List",
        3,
        None,
        says(403, "AuthorizationFailed", None),
    ));
    assert_eq!(refusal(&provider).await.kind, ErrorKind::Forbidden);
    faults.clear();
    // Locks that may not be read take nothing away.
    faults.add(fault(
        "ManagementLocks_ListByScope",
        0,
        None,
        says(403, "AuthorizationFailed", None),
    ));
    assert_eq!(inventory(&provider).await.unwrap().len(), 13);
}

#[tokio::test]
async fn accounts_that_go_or_lack_a_service_hold_nothing() {
    let azure = Azure::start(settings()).await;
    azure
        .cloud
        .ensure_account("moorline", "premiumfiles", "Premium_LRS")
        .unwrap();
    azure
        .cloud
        .ensure_account("moorline", "fgoing", "Standard_LRS")
        .unwrap();
    azure.cloud.create_share("fgoing", "data", 1, BTreeMap::new()).unwrap();
    let provider = azure.provider(&[]);
    let ids = vec![VolumeId("fgoing.file/data".to_owned())];
    assert_eq!(inventory(&provider).await.unwrap().len(), 1);
    assert_eq!(read(&provider, ids.clone()).await.unwrap().len(), 1);
    let says = |operation: &str, status, code: &str| Fault {
        service: "arm".to_owned(),
        operation: operation.to_owned(),
        moment: Moment::Before,
        skip: 0,
        times: None,
        effect: Effect::Error {
            status,
            code: code.to_owned(),
            message: "so it is".to_owned(),
            retry_after: None,
        },
    };
    // Accounts of page blobs have no other service.
    azure
        .world
        .faults
        .add(says("BlobContainers_List", 400, "FeatureNotSupportedForAccount"));
    assert_eq!(inventory(&provider).await.unwrap().len(), 1);
    // What Azure says of a parent alone is no proof: the account is there.
    azure
        .world
        .faults
        .add(says("FileShares_List", 404, "ParentResourceNotFound"));
    assert_eq!(refusal(&provider).await.kind, ErrorKind::Stale);
    // Where a list still has an account that is gone, nothing is in it.
    azure
        .world
        .faults
        .add(says("StorageAccounts_GetProperties", 404, "ResourceNotFound"));
    assert_eq!(inventory(&provider).await.unwrap(), []);
    azure.world.faults.clear();
    // A name that is somebody else's now may only be hidden from us: what was seen is not said to be gone.
    azure.cloud.delete_account("fgoing").unwrap();
    assert_eq!(read(&provider, ids.clone()).await.unwrap(), []);
    let settings = azure.cloud.settings();
    azure
        .cloud
        .set_settings(SandboxSettings {
            taken_names: vec!["fgoing".to_owned()],
            ..settings
        })
        .unwrap();
    inventory(&provider).await.unwrap();
    assert_eq!(read(&provider, ids.clone()).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(read(&azure.provider(&[]), ids).await.unwrap(), []);
}

#[tokio::test]
async fn who_uses_a_volume_is_seen_as_far_as_azure_tells() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 2);
    let provider = azure.provider(&[]);
    let share = format!("pvc-{CLAIM}");
    let container = format!("pvc-fuse-{CLAIM}");
    let machine = "/subscriptions/s/resourceGroups/n/providers/Microsoft.Compute/virtualMachines/node-1";
    azure.cloud.lease_share("f0a1b2c3d4e5", &share, true).unwrap();
    azure.cloud.lease_container("fuse0a1b2c3d", &container, true).unwrap();
    azure.cloud.hold_disk("moorline", &share, &[machine]).unwrap();
    azure
        .cloud
        .set_disk_state("moorline", "Other-Disk", Some("ActiveSAS"))
        .unwrap();
    let used = [
        VolumeId(format!("f0a1b2c3d4e5.file/{share}")),
        VolumeId(format!("fuse0a1b2c3d.blob/{container}")),
        disk_id(&azure, &share),
        disk_id(&azure, "other-disk"),
    ];
    for (volume, _) in inventory(&provider).await.unwrap() {
        let expected = if used.contains(&volume.id) {
            VolumeState::InUse
        } else {
            VolumeState::Available
        };
        assert_eq!(volume.state, expected, "{}", volume.id);
    }
    for id in &used {
        assert_eq!(provider.delete(id).await.unwrap_err().kind, ErrorKind::InUse, "{id}");
    }
    let disk = &read(&provider, vec![used[2].clone()]).await.unwrap()[0];
    assert_eq!(disk.attachments[0].instance, "node-1");
    azure.cloud.hold_disk("moorline", &share, &[]).unwrap();
    azure
        .cloud
        .set_disk_state("moorline", "Other-Disk", Some("Quarantined"))
        .unwrap();
    assert_eq!(
        read(&provider, vec![used[3].clone()]).await.unwrap()[0].state,
        VolumeState::Unknown
    );
    provider.delete(&used[2]).await.unwrap();
    provider.wait_gone(&used[2]).await.unwrap();
    let listed: Vec<Volume> = provider
        .list(VolumeFilter::Ids(used[2..].to_vec()))
        .try_concat()
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn what_a_lock_keeps_is_protected() {
    let azure = Azure::start(settings()).await;
    stock(&azure, 2);
    let provider = azure.provider(&[]);
    let subscription = &azure.settings.subscriptions[0];
    let account = format!(
        "/subscriptions/{subscription}/resourceGroups/Moorline/providers/Microsoft.Storage/storageAccounts/f0a1b2c3d4e5"
    );
    azure.cloud.lock(&account, "keep").unwrap();
    for (volume, _) in inventory(&provider).await.unwrap() {
        let kept = volume.id.0.starts_with("f0a1");
        assert_eq!(volume.tags.contains_key(tags::PROTECT), kept, "{}", volume.id);
    }
    let id = VolumeId(format!("f0a1b2c3d4e5.file/pvc-{CLAIM}"));
    assert_eq!(
        read(&provider, vec![id.clone()]).await.unwrap()[0].tags[tags::PROTECT],
        "resource lock keep"
    );
    let refused = provider.delete(&id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    // The tag is only told, and never written.
    let change = TagChange {
        key: "owner".to_owned(),
        value: Some("web".to_owned()),
    };
    let told: Vec<_> = futures::StreamExt::collect(provider.tag(vec![Resource::Volume(id)], change)).await;
    for one in told {
        one.outcome.unwrap();
    }
    let metadata = azure
        .cloud
        .share("f0a1b2c3d4e5", &format!("pvc-{CLAIM}"))
        .unwrap()
        .metadata;
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["createdBy", "tag_6f776e6572"]);
}

#[tokio::test]
async fn a_subscription_without_public_addresses_has_no_load_balancers() {
    let azure = Azure::start(settings()).await;
    let provider = azure.provider(&[]);
    let found = moorline_api::LoadBalancers::list(&provider).try_concat().await.unwrap();
    assert_eq!(found, []);
    assert_eq!(azure.calls("Unknown"), 0);
}
