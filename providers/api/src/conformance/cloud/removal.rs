//! Deletion, and how its end is seen.

use super::{Accident, Backend, VolumeFilter, alive, create, list, small};
use crate::{ErrorKind, VolumeId, VolumeState};

pub(super) async fn what_is_absent_is_gone_already(cloud: Backend) {
    let nobody = VolumeId("vol-0123456789abcdef0".to_owned());
    cloud.volumes().delete(&nobody).await.unwrap();
    cloud.volumes().wait_gone(&nobody).await.unwrap();
}

pub(super) async fn a_deleted_volume_vanishes_or_is_shown_as_deleted(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    cloud.volumes().delete(&id).await.unwrap();
    cloud.volumes().wait_gone(&id).await.unwrap();
    let left = list(&cloud, VolumeFilter::Ids(vec![id.clone()])).await.unwrap();
    assert!(
        left.iter().all(|volume| volume.state == VolumeState::Deleted),
        "{left:?}"
    );
    assert!(alive(&cloud).await.is_empty());
    // Once more is no failure.
    cloud.volumes().delete(&id).await.unwrap();
    cloud.volumes().wait_gone(&id).await.unwrap();
}

pub(super) async fn nobody_waits_for_a_volume_that_is_gone(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    cloud.volumes().delete(&id).await.unwrap();
    cloud.volumes().wait_gone(&id).await.unwrap();
    let error = cloud.volumes().wait_usable(&id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

pub(super) async fn an_attached_volume_is_in_use(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    cloud.attach(&id).await;
    let volume = list(&cloud, VolumeFilter::Ids(vec![id.clone()]))
        .await
        .unwrap()
        .swap_remove(0);
    assert_eq!(volume.state, VolumeState::InUse);
    assert_eq!(volume.attachments.len(), 1, "{:?}", volume.attachments);
    assert!(
        volume.attachments[0].instance.starts_with("i-"),
        "{:?}",
        volume.attachments
    );
    // A volume in use can serve a claim.
    assert_eq!(cloud.volumes().wait_usable(&id).await.unwrap().id, id);
    let error = cloud.volumes().delete(&id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InUse, "{error}");
    assert_eq!(alive(&cloud).await.len(), 1);
    cloud.detach(&id).await;
    cloud.volumes().delete(&id).await.unwrap();
    cloud.volumes().wait_gone(&id).await.unwrap();
}

pub(super) async fn a_deletion_whose_answer_is_lost_is_done(cloud: Backend) {
    for accident in [
        Accident::AnswerLost,
        Accident::FailedAfterwards,
        Accident::RequestLost,
        Accident::Throttled,
    ] {
        let id = create(&cloud, &small(&cloud, &format!("{accident:?}")).await).await.id;
        cloud.strike("DeleteVolume", accident, 1);
        cloud.volumes().delete(&id).await.unwrap();
        cloud.volumes().wait_gone(&id).await.unwrap();
    }
    assert!(alive(&cloud).await.is_empty());
}
