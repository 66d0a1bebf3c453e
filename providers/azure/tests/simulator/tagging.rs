//! Marks on everything that can bear one, while others write too.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use moorline_api::{
    ErrorKind, Holders as _, Inventory as _, Resource, Result, TagChange, Tagging as _, VolumeId, Volumes as _, tags,
};
use moorline_azure::AzureProvider;
use moorline_sandbox_azure::AzureSettings as SandboxSettings;
use moorline_sandbox_core::{Effect, Fault, Moment};

use super::inventory::{CLAIM, disk_id, stock};
use super::{Azure, new_volume};

const MARK: &str = "v1 orphan 2026-11-21T15:00:00Z run-7";

fn set(value: Option<&str>) -> TagChange {
    TagChange {
        key: tags::UNUSED.to_owned(),
        value: value.map(str::to_owned),
    }
}

/// What became of each thing; none is told twice.
async fn tag(provider: &AzureProvider, things: &[Resource], change: TagChange) -> BTreeMap<Resource, Result<()>> {
    let told: Vec<_> = provider.tag(things.to_vec(), change).collect().await;
    let count: usize = told.iter().map(|told| told.things.len()).sum();
    let mut all = BTreeMap::new();
    for mut one in told {
        assert_eq!(one.things.len(), 1);
        all.insert(one.things.remove(0), one.outcome);
    }
    assert_eq!(all.len(), count);
    all
}

async fn mark_of(provider: &AzureProvider, id: &VolumeId) -> Option<String> {
    let found = provider.read(vec![id.clone()]).try_concat().await.unwrap();
    found[0].tags.get(tags::UNUSED).cloned()
}

fn fault(operation: &str, moment: Moment, times: u64, effect: Effect) -> Fault {
    Fault {
        service: "arm".to_owned(),
        operation: operation.to_owned(),
        moment,
        skip: 0,
        times: Some(times),
        effect,
    }
}

fn stale() -> Effect {
    Effect::Error {
        status: 412,
        code: "ConditionNotMet".to_owned(),
        message: "The condition specified using HTTP conditional header(s) is not met.".to_owned(),
        retry_after: None,
    }
}

#[tokio::test]
async fn marks_come_and_go_on_volumes_of_every_sort_and_leave_the_rest_alone() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 3);
    let provider = azure.provider(&[]);
    let own = provider.create(&new_volume("blob.csi.azure.com", 7)).await.unwrap();
    let ids = [
        VolumeId(format!("f0a1b2c3d4e5.file/pvc-{CLAIM}")),
        VolumeId(format!("fuse0a1b2c3d.blob/pvc-fuse-{CLAIM}")),
        disk_id(&azure, &format!("pvc-{CLAIM}")),
        own.id.clone(),
    ];
    let mut things: Vec<_> = ids.iter().cloned().map(Resource::Volume).collect();
    things.push(Resource::Volume(VolumeId("f0a1b2c3d4e5.file/absent".to_owned())));
    things.push(Resource::Volume(disk_id(&azure, "absent")));
    things.push(things[0].clone());
    let before = provider.read(ids.to_vec()).try_concat().await.unwrap();
    for _ in 0..2 {
        let told = tag(&provider, &things, set(Some(MARK))).await;
        assert_eq!(told.len(), 6);
        for outcome in told.into_values() {
            outcome.unwrap();
        }
    }
    for id in &ids {
        assert_eq!(mark_of(&provider, id).await.as_deref(), Some(MARK), "{id}");
    }
    // What is so already costs no write.
    assert_eq!(
        (azure.calls("FileShares_Update"), azure.calls("Tags_UpdateAtScope")),
        (1, 1)
    );
    assert_eq!(azure.calls("BlobContainers_Update"), 2);
    tag(&provider, &things, set(None))
        .await
        .into_values()
        .for_each(|outcome| outcome.unwrap());
    let mut after = provider.read(ids.to_vec()).try_concat().await.unwrap();
    for volume in &before {
        let now = after.iter_mut().find(|now| now.id == volume.id).unwrap();
        assert_eq!(now.tags, volume.tags);
        assert_eq!(now.spec, volume.spec, "the size of a container is in its metadata too");
    }
}

#[tokio::test]
async fn an_account_bears_a_mark_beside_its_own_tags() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 1);
    let provider = azure.provider(&[]);
    let holders = provider.holders().try_concat().await.unwrap();
    let holder = &holders[0];
    let thing = [Resource::Holder(holder.id.clone())];
    tag(&provider, &thing, set(Some(MARK)))
        .await
        .remove(&thing[0])
        .unwrap()
        .unwrap();
    let marked = provider.holder(&holder.id).await.unwrap().unwrap();
    assert_eq!(marked.tags[tags::UNUSED], MARK);
    assert_eq!(marked.tags["k8s-azure-created-by"], "azure");
    tag(&provider, &thing, set(None))
        .await
        .remove(&thing[0])
        .unwrap()
        .unwrap();
    assert_eq!(provider.holder(&holder.id).await.unwrap().unwrap().tags, holder.tags);
}

#[tokio::test]
async fn what_others_wrote_meanwhile_is_read_again_before_anything_is_written() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 2);
    let provider = azure.provider(&[]);
    let id = VolumeId(format!("f0a1b2c3d4e5.file/pvc-{CLAIM}"));
    let thing = [Resource::Volume(id.clone())];
    azure
        .world
        .faults
        .add(fault("FileShares_Update", Moment::Before, 2, stale()));
    tag(&provider, &thing, set(Some(MARK)))
        .await
        .remove(&thing[0])
        .unwrap()
        .unwrap();
    assert_eq!(azure.calls("FileShares_Get"), 3);
    assert_eq!(mark_of(&provider, &id).await.as_deref(), Some(MARK));
    // Where it never stops, that is said.
    azure
        .world
        .faults
        .add(fault("FileShares_Update", Moment::Before, 100, stale()));
    let outcome = tag(&provider, &thing, set(None)).await.remove(&thing[0]).unwrap();
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Stale);
    azure.world.faults.clear();
    assert_eq!(mark_of(&provider, &id).await.as_deref(), Some(MARK));
}

#[tokio::test]
async fn a_lost_answer_and_a_refusal_of_one_keep_nobody_else_from_theirs() {
    let azure = Azure::start(SandboxSettings::instant()).await;
    stock(&azure, 4);
    let provider = azure.provider(&[]);
    azure
        .world
        .faults
        .add(fault("FileShares_Update", Moment::After, 1, Effect::Reset));
    azure
        .world
        .faults
        .add(fault("Tags_UpdateAtScope", Moment::After, 1, Effect::Reset));
    let things: Vec<_> = (0..4)
        .map(|number| VolumeId(format!("f0a1b2c3d4e5.file/pvc-0b8bd6a5-2b8e-4a5e-9d2c-{number:012}")))
        .chain([disk_id(&azure, "other-disk")])
        .map(Resource::Volume)
        .collect();
    for outcome in tag(&provider, &things, set(Some(MARK))).await.into_values() {
        outcome.unwrap();
    }
    for thing in &things {
        assert_eq!(
            mark_of(&provider, &VolumeId(thing.id().to_owned())).await.as_deref(),
            Some(MARK)
        );
    }
    let denied = Effect::Error {
        status: 403,
        code: "AuthorizationFailed".to_owned(),
        message: "so it is".to_owned(),
        retry_after: None,
    };
    azure
        .world
        .faults
        .add(fault("Tags_UpdateAtScope", Moment::Before, 100, denied));
    let mut told = tag(&provider, &things, set(None)).await;
    let refused = told.remove(&things[4]).unwrap().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert!(refused.message.contains("Tag Contributor"), "{refused}");
    for outcome in told.into_values() {
        outcome.unwrap();
    }
    let snapshot = [Resource::Snapshot("web@deleted".to_owned())];
    let outcome = tag(&provider, &snapshot, set(None)).await.remove(&snapshot[0]).unwrap();
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unsupported);
}
