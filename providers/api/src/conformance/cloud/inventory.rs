//! What garbage collection reads: everything, and some of it again.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::sleep;

use super::{Accident, Backend, create, ids, settled, small, tags};
use crate::{Detail, Volume, VolumeId};

/// What it may take from an answer's `Date`, in whole seconds, to the look at the machine's clock.
const SKEW: Duration = Duration::from_mins(1);

async fn read(cloud: &Backend, ids: &[VolumeId]) -> Vec<Volume> {
    cloud.inventory().read(ids.to_vec()).try_concat().await.unwrap()
}

pub(super) async fn everything_is_in_it_with_all_of_its_tags(cloud: Backend) {
    let mut new = small(&cloud, "one").await;
    let one = create(&cloud, &new).await.id;
    new.token.claim_uid += "-other";
    new.tags = tags(&cloud, "other");
    let other = create(&cloud, &new).await.id;
    settled(&cloud, vec![one.clone(), other.clone()]).await;
    let pages: Vec<_> = cloud.inventory().inventory().try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.detail == Detail::Full));
    let all: Vec<_> = pages.into_iter().flat_map(|page| page.volumes).collect();
    for (id, name) in [(one, "one"), (other, "other")] {
        let found: Vec<_> = all.iter().filter(|volume| volume.id == id).collect();
        assert!(
            matches!(&found[..], [volume] if volume.tags == tags(&cloud, name)),
            "{found:?}"
        );
        assert!(found[0].created.is_some());
    }
}

pub(super) async fn a_page_that_fails_for_good_ends_it_with_an_error(cloud: Backend) {
    cloud.strike("DescribeVolumes", Accident::Failed, usize::MAX);
    let pages: Vec<_> = cloud.inventory().inventory().collect().await;
    assert!(matches!(&pages[..], [Err(_)]), "{pages:?}");
    let nobody = VolumeId("vol-0123456789abcdef0".to_owned());
    let pages: Vec<_> = cloud.inventory().read(vec![nobody]).collect().await;
    assert!(matches!(&pages[..], [Err(_)]), "{pages:?}");
}

pub(super) async fn what_is_read_again_is_whole_and_costs_few_calls(cloud: Backend) {
    let known = create(&cloud, &small(&cloud, "v").await).await.id;
    settled(&cloud, vec![known.clone()]).await;
    let absent = (0..250).map(|number| VolumeId(format!("vol-0{number:016x}")));
    let elsewhere = VolumeId("account.file/share".to_owned());
    let asked: Vec<_> = absent.chain([known.clone(), elsewhere]).collect();
    let before = cloud.sent("DescribeVolumes");
    let found = read(&cloud, &asked).await;
    assert_eq!(ids(&found), [known]);
    assert_eq!(found[0].tags, tags(&cloud, "v"));
    let calls = cloud.sent("DescribeVolumes") - before;
    assert!(calls <= 2, "{calls} calls for {} ids", asked.len());
    assert_eq!(read(&cloud, &[]).await, []);
    assert_eq!(cloud.sent("DescribeVolumes"), before + calls, "no ids need no call");
}

pub(super) async fn the_clock_is_that_of_its_answers_and_goes_on(cloud: Backend) {
    assert_eq!(cloud.inventory().clock(), None, "nobody has answered yet");
    cloud.accounts().account().await.unwrap();
    let told = cloud.inventory().clock().unwrap();
    let skew = told.duration_since(Timestamp::now()).unsigned_abs();
    assert!(skew < SKEW, "{told} is {skew:?} off");
    sleep(Duration::from_millis(20)).await;
    assert!(cloud.inventory().clock().unwrap() > told);
}
