//! Volumes come back from snapshots.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::{Accident, Backend, LABEL, PATIENCE, alive, create, small, tags};
use crate::conformance::eventually;
use crate::{ErrorKind, NewVolume, Origin, Recoverable, Tags, VolumeConfig, VolumeId};

fn labelled(cloud: &Backend) -> Tags {
    Tags::from([(LABEL.to_owned(), cloud.label().to_owned())])
}

async fn recoverable(cloud: &Backend, tags: &Tags) -> Vec<Recoverable> {
    cloud.recovery().recoverable(tags.clone()).try_concat().await.unwrap()
}

/// The snapshot, once it is listed.
async fn listed(cloud: &Backend, origin: &Origin) -> Recoverable {
    eventually("the snapshot", PATIENCE, async || {
        let found = recoverable(cloud, &labelled(cloud)).await;
        found
            .into_iter()
            .find(|one| one.origin == *origin)
            .ok_or("it is not listed")
    })
    .await
}

/// Takes a snapshot of a volume, and what it can be found by.
async fn take(cloud: &Backend, id: &VolumeId) -> Origin {
    let own = labelled(cloud);
    let taken = cloud.volumes().snapshot(id, cloud.label(), &own).await.unwrap();
    Origin::Snapshot(taken.id)
}

/// A volume like another, under a token of its own.
fn again(new: &NewVolume, token: &str) -> NewVolume {
    let mut new = new.clone();
    new.token.claim_uid += token;
    new.tags.insert("life".to_owned(), token.to_owned());
    new
}

pub(super) async fn a_snapshot_says_what_its_volume_was_like(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    new.spec.size_gib = 20;
    new.spec.config = performing();
    new.tags.insert("moorline.dev/unused".to_owned(), "a mark".to_owned());
    let volume = create(&cloud, &new).await;
    let origin = take(&cloud, &volume.id).await;
    let found = listed(&cloud, &origin).await;
    assert_eq!((&found.volume, found.size_gib, found.ready), (&volume.id, 20, true));
    assert_eq!((found.removed, found.taken.is_some()), (None, true));
    assert_eq!(found.spec.as_ref(), Some(&volume.spec));
    let mut own = tags(&cloud, "v");
    own.retain(|key, value| found.tags.get(key) != Some(value));
    assert_eq!(own, Tags::new(), "tags of the volume that its snapshot has lost");
    assert!(
        !found.tags.contains_key("moorline.dev/unused"),
        "a mark is of the volume alone"
    );
}

pub(super) async fn a_volume_comes_back_as_it_was(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    new.spec.config = performing();
    new.spec.size_gib = 8;
    let first = create(&cloud, &new).await;
    let origin = take(&cloud, &first.id).await;
    cloud.volumes().delete(&first.id).await.unwrap();
    cloud.volumes().wait_gone(&first.id).await.unwrap();
    let spec = listed(&cloud, &origin).await.spec.unwrap();
    let new = NewVolume {
        spec,
        ..again(&new, "second")
    };
    let second = cloud.recovery().recover(&origin, &new).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!((&second.spec, &second.tags), (&first.spec, &new.tags));
    assert_eq!(alive(&cloud).await.len(), 1);
}

/// gp3 with more than it has by default; not encrypted unless the account says so.
fn performing() -> VolumeConfig {
    VolumeConfig::Ebs {
        volume_type: "gp3".to_owned(),
        iops: Some(3500),
        throughput: Some(150),
        encrypted: None,
        kms_key_id: None,
    }
}

/// EC2 API reference, `CreateVolume`, `ClientToken`.
pub(super) async fn the_same_token_brings_one_volume_back(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let origin = take(&cloud, &create(&cloud, &new).await.id).await;
    let new = again(&new, "second");
    let first = cloud.recovery().recover(&origin, &new).await.unwrap();
    let second = cloud.recovery().recover(&origin, &new).await.unwrap();
    assert_eq!(first.id, second.id, "the same token made a second volume");
}

pub(super) async fn a_lost_answer_brings_no_second_volume_back(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let origin = take(&cloud, &create(&cloud, &new).await.id).await;
    for accident in [Accident::AnswerLost, Accident::FailedAfterwards] {
        let new = again(&new, &format!("{accident:?}"));
        cloud.strike("CreateVolume", accident, 1);
        let made = cloud.recovery().recover(&origin, &new).await.unwrap();
        let alike = async || {
            let mut alive = alive(&cloud).await;
            alive.retain(|volume| volume.tags == new.tags);
            alive.into_iter().map(|volume| volume.id).collect::<Vec<_>>()
        };
        eventually("the volume", PATIENCE, async || match alike().await {
            found if found == [made.id.clone()] => Ok(()),
            found => Err(format!("{found:?}")),
        })
        .await;
    }
}

pub(super) async fn a_larger_volume_can_be_made(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    let origin = take(&cloud, &create(&cloud, &new).await.id).await;
    new.spec.size_gib = 5;
    let larger = cloud.recovery().recover(&origin, &again(&new, "larger")).await.unwrap();
    assert_eq!(larger.spec.size_gib, 5);
}

/// EC2 API reference, `CreateVolume`, `Size`: at least that of the snapshot.
pub(super) async fn a_smaller_volume_is_refused(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    new.spec.size_gib = 5;
    let origin = take(&cloud, &create(&cloud, &new).await.id).await;
    new.spec.size_gib = 4;
    let made = cloud.recovery().recover(&origin, &again(&new, "smaller")).await;
    match made {
        Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
        Ok(volume) => panic!("4 GiB of a snapshot of 5: made {}", volume.id),
    }
}

/// EBS user guide, "Amazon EBS encryption": a volume of an encrypted snapshot is encrypted, whatever is asked.
pub(super) async fn what_was_encrypted_stays_encrypted(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    if let VolumeConfig::Ebs { encrypted, .. } = &mut new.spec.config {
        *encrypted = Some(true);
    }
    let origin = take(&cloud, &create(&cloud, &new).await.id).await;
    for (name, asked) in [("nothing", None), ("no", Some(false)), ("yes", Some(true))] {
        if let VolumeConfig::Ebs { encrypted, .. } = &mut new.spec.config {
            *encrypted = asked;
        }
        let made = cloud.recovery().recover(&origin, &again(&new, name)).await.unwrap();
        let VolumeConfig::Ebs { encrypted, .. } = made.spec.config else {
            panic!("{made:?}")
        };
        assert_eq!(encrypted, Some(true), "{name} was asked");
    }
}

pub(super) async fn only_what_has_all_of_the_tags_is_listed(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    let mut expected = BTreeSet::new();
    for name in ["a*c", "abc"] {
        let mut own = labelled(&cloud);
        own.insert("which".to_owned(), name.to_owned());
        let name = format!("{}-{name}", cloud.label());
        let taken = cloud.volumes().snapshot(&id, &name, &own).await.unwrap();
        listed(&cloud, &Origin::Snapshot(taken.id.clone())).await;
        expected.insert(taken.id);
    }
    let found = async |which: &[(&str, &str)]| {
        let mut asked = labelled(&cloud);
        asked.extend(
            which
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let found = recoverable(&cloud, &asked).await;
        found
            .into_iter()
            .map(|one| one.origin.id().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(found(&[]).await, expected);
    assert_eq!(found(&[("which", "a*c")]).await.len(), 1);
    assert_eq!(found(&[("which", "ab")]).await.len(), 0);
    assert_eq!(found(&[("which", "abc"), ("another", "")]).await.len(), 0);
}

pub(super) async fn a_deleted_snapshot_is_gone_and_once_more_is_no_failure(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let id = create(&cloud, &new).await.id;
    for accident in [None, Some(Accident::AnswerLost), Some(Accident::Throttled)] {
        let origin = take(&cloud, &id).await;
        listed(&cloud, &origin).await;
        if let Some(accident) = accident {
            cloud.strike("DeleteSnapshot", accident, 1);
        }
        cloud.recovery().delete_snapshot(origin.id()).await.unwrap();
        cloud.recovery().delete_snapshot(origin.id()).await.unwrap();
        eventually("the snapshot's end", PATIENCE, async || {
            let found = recoverable(&cloud, &labelled(&cloud)).await;
            if found.is_empty() {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
        let error = cloud
            .recovery()
            .recover(&origin, &again(&new, "late"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}
