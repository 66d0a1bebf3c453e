//! Snapshots are found again by name.

use super::{Accident, Backend, create, small, tags};
use crate::VolumeId;

pub(super) async fn one_name_is_one_snapshot(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    let tags = tags(&cloud, "snapshot");
    let name = |number: u32| format!("{}-{number}", cloud.label());
    let first = cloud.volumes().snapshot(&id, &name(1), &tags).await.unwrap();
    assert!(first.completed && first.volume == id, "{first:?}");
    for (key, value) in &tags {
        assert_eq!(first.tags.get(key), Some(value), "{key}");
    }
    let again = cloud.volumes().snapshot(&id, &name(1), &tags).await.unwrap();
    assert_eq!(again.id, first.id, "the same name made a second snapshot");
    let other = cloud.volumes().snapshot(&id, &name(2), &tags).await.unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(cloud.sent("CreateSnapshot"), 2);
}

pub(super) async fn a_lost_answer_takes_no_second_snapshot(cloud: Backend) {
    let id = create(&cloud, &small(&cloud, "v").await).await.id;
    cloud.strike("CreateSnapshot", Accident::AnswerLost, 1);
    let taken = cloud
        .volumes()
        .snapshot(&id, cloud.label(), &tags(&cloud, "snapshot"))
        .await
        .unwrap();
    assert!(taken.completed && taken.volume == id, "{taken:?}");
    assert_eq!(cloud.sent("CreateSnapshot"), 1);
}

pub(super) async fn nothing_is_taken_of_a_volume_that_is_absent(cloud: Backend) {
    let nobody = VolumeId("vol-0123456789abcdef0".to_owned());
    let error = cloud
        .volumes()
        .snapshot(&nobody, cloud.label(), &tags(&cloud, "snapshot"))
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
}
