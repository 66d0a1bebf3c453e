//! A repeat is harmless: the same token, the same volume; a lost answer, no second one.

use super::{Accident, Backend, alive, create, ids, settled, small};
use crate::{ErrorKind, NewVolume, Volume};

/// Creates it while this happens to the call, waits until the volume is seen, and gives what this case has then.
///
/// What the answer names was made last: when that is seen, so is anything made before it.
async fn create_despite(cloud: &Backend, accident: Accident, times: usize) -> (Volume, Vec<Volume>) {
    let new = small(cloud, "v").await;
    cloud.strike("CreateVolume", accident, times);
    let volume = create(cloud, &new).await;
    let mut found = Vec::new();
    crate::conformance::eventually("listed", super::PATIENCE, async || {
        found = alive(cloud).await;
        if found.iter().any(|found| found.id == volume.id) {
            Ok(())
        } else {
            Err("absent")
        }
    })
    .await;
    (volume, found)
}

/// EC2 API reference, `CreateVolume`, `ClientToken`; EC2 developer guide, "Ensuring idempotency".
pub(super) async fn the_same_token_gives_the_same_volume(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let first = create(&cloud, &new).await;
    let again = cloud.volumes().create(&new).await.unwrap();
    assert_eq!(again.id, first.id, "the same token made a second volume");
    assert_eq!(
        (&again.spec.size_gib, &again.spec.zone),
        (&first.spec.size_gib, &first.spec.zone)
    );
    settled(&cloud, vec![first.id]).await;
}

pub(super) async fn a_token_with_other_parameters_is_burnt(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let first = create(&cloud, &new).await;
    let mut larger = new.clone();
    larger.spec.size_gib = 2;
    assert_burnt(&cloud, &larger, "other parameters").await;
    settled(&cloud, vec![first.id]).await;
}

/// crossplane provider-aws #1858, aws-ebs-csi-driver #1951.
pub(super) async fn the_token_of_a_deleted_volume_is_burnt(cloud: Backend) {
    let new = small(&cloud, "v").await;
    let first = create(&cloud, &new).await;
    cloud.volumes().delete(&first.id).await.unwrap();
    cloud.volumes().wait_gone(&first.id).await.unwrap();
    assert_burnt(&cloud, &new, "a deleted volume").await;
}

async fn assert_burnt(cloud: &Backend, new: &NewVolume, what: &str) {
    match cloud.volumes().create(new).await {
        Ok(volume) => panic!("the token of {what} made {}", volume.id),
        Err(error) => assert_eq!(error.kind, ErrorKind::TokenBurnt, "{error}"),
    }
}

pub(super) async fn the_next_generation_makes_a_new_volume(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    let first = create(&cloud, &new).await;
    cloud.volumes().delete(&first.id).await.unwrap();
    cloud.volumes().wait_gone(&first.id).await.unwrap();
    new.token.generation = 2;
    let second = create(&cloud, &new).await;
    assert_ne!(second.id, first.id);
    settled(&cloud, vec![second.id]).await;
}

pub(super) async fn a_lost_answer_makes_no_second_volume(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::AnswerLost, 1).await;
    assert_eq!(ids(&found), [volume.id]);
}

pub(super) async fn answers_lost_again_and_again_make_no_second_volume(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::AnswerLost, 3).await;
    assert_eq!(ids(&found), [volume.id]);
}

pub(super) async fn a_failure_after_the_effect_makes_no_second_volume(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::FailedAfterwards, 1).await;
    assert_eq!(ids(&found), [volume.id]);
}

pub(super) async fn a_lost_request_is_sent_again(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::RequestLost, 1).await;
    assert_eq!(ids(&found), [volume.id]);
    assert_eq!(cloud.sent("CreateVolume"), 2);
}

pub(super) async fn a_failure_before_the_effect_is_tried_again(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::Failed, 2).await;
    assert_eq!(ids(&found), [volume.id]);
    assert_eq!(cloud.sent("CreateVolume"), 3);
}

pub(super) async fn a_throttled_creation_waits_and_goes_on(cloud: Backend) {
    let (volume, found) = create_despite(&cloud, Accident::Throttled, 3).await;
    assert_eq!(ids(&found), [volume.id]);
    assert_eq!(cloud.sent("CreateVolume"), 4);
}
