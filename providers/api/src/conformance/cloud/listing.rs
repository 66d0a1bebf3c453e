//! A listing is whole, and costs few calls.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::future::try_join_all;

use super::{Accident, Backend, LABEL, create, ids, list, settled, small, tags};
use crate::conformance::eventually;
use crate::{Tags, VolumeFilter, VolumeId};

/// More than a page of 500, and not many more: there are emulators that take a quarter of a minute to list so many.
const MANY: usize = 505;

fn labelled(cloud: &Backend) -> VolumeFilter {
    VolumeFilter::Tagged(Tags::from([(LABEL.to_owned(), cloud.label().to_owned())]))
}

pub(super) async fn only_what_has_all_of_the_tags(cloud: Backend) {
    let (one, other) = (
        create(&cloud, &small(&cloud, "one").await).await,
        create(&cloud, &small(&cloud, "other").await).await,
    );
    settled(&cloud, vec![one.id.clone(), other.id.clone()]).await;
    let by = async |tags| ids(&list(&cloud, VolumeFilter::Tagged(tags)).await.unwrap());
    assert_eq!(by(tags(&cloud, "one")).await, std::slice::from_ref(&one.id));
    assert_eq!(by(tags(&cloud, "On")).await, []);
    let mut more = tags(&cloud, "one");
    more.insert("another".to_owned(), String::new());
    assert_eq!(by(more).await, []);
}

/// EC2 user guide, "Filter your resources": `*`, `?` and `\` are patterns, and stand for themselves after a `\`.
pub(super) async fn the_value_of_a_tag_is_no_pattern(cloud: Backend) {
    let mut made = Vec::new();
    for name in ["a*c", "abc", "a?c", r"a\c"] {
        made.push(create(&cloud, &small(&cloud, name).await).await.id);
    }
    settled(&cloud, made.clone()).await;
    for (name, id) in ["a*c", "abc", "a?c", r"a\c"].iter().zip(made) {
        let found = list(&cloud, VolumeFilter::Tagged(tags(&cloud, name))).await.unwrap();
        assert_eq!(ids(&found), [id], "the volumes named {name}");
    }
}

pub(super) async fn ids_that_nobody_has_are_left_out(cloud: Backend) {
    let known = create(&cloud, &small(&cloud, "v").await).await.id;
    settled(&cloud, vec![known.clone()]).await;
    let unknown = ["vol-0123456789abcdef0", "vol-1", "nonsense", "", "vol-*"].map(|id| VolumeId(id.to_owned()));
    let found = list(
        &cloud,
        VolumeFilter::Ids([unknown.to_vec(), vec![known.clone()]].concat()),
    )
    .await
    .unwrap();
    assert_eq!(ids(&found), [known]);
    assert_eq!(list(&cloud, VolumeFilter::Ids(unknown.to_vec())).await.unwrap(), []);
    let before = cloud.sent("DescribeVolumes");
    assert_eq!(list(&cloud, VolumeFilter::Ids(Vec::new())).await.unwrap(), []);
    assert_eq!(cloud.sent("DescribeVolumes"), before, "no ids need no call");
}

pub(super) async fn everything_is_listed_whoever_made_it(cloud: Backend) {
    let mut new = small(&cloud, "v").await;
    let ours = create(&cloud, &new).await.id;
    new.token.claim_uid += "-other";
    new.tags = tags(&cloud, "another");
    let theirs = create(&cloud, &new).await.id;
    settled(&cloud, vec![ours.clone(), theirs.clone()]).await;
    let all = ids(&list(&cloud, VolumeFilter::All).await.unwrap());
    assert!(all.contains(&ours) && all.contains(&theirs));
    assert_eq!(
        all.iter().collect::<BTreeSet<_>>().len(),
        all.len(),
        "a volume was listed twice"
    );
}

/// EC2 API reference, `DescribeVolumes`, `MaxResults`: at most 500 a page.
pub(super) async fn more_than_a_page_is_listed_whole_in_few_calls(cloud: Backend) {
    let made = many(&cloud).await;
    let mut calls = 0;
    let pages: Vec<_> = eventually("all of the volumes", super::PATIENCE, async || {
        let before = cloud.sent("DescribeVolumes");
        let pages: Vec<_> = cloud.volumes().list(labelled(&cloud)).try_collect().await.unwrap();
        calls = cloud.sent("DescribeVolumes") - before;
        match pages.iter().map(Vec::len).sum() {
            MANY => Ok(pages),
            count => Err(format!("{count} of {MANY}")),
        }
    })
    .await;
    assert!(calls <= 2, "{calls} calls for {MANY} volumes by tag");
    assert_eq!(ids(&pages.concat()).into_iter().collect::<BTreeSet<_>>(), made);

    let before = cloud.sent("DescribeVolumes");
    let asked = made.iter().cloned().collect();
    let found = list(&cloud, VolumeFilter::Ids(asked)).await.unwrap();
    assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), made);
    let calls = cloud.sent("DescribeVolumes") - before;
    assert!(calls <= 3, "{calls} calls for {MANY} ids");

    // Last, because there are backends of which all else is true.
    let largest = pages.iter().map(Vec::len).max().unwrap();
    assert!(largest <= 500, "a page of {largest} volumes");
}

async fn many(cloud: &Backend) -> BTreeSet<VolumeId> {
    let pattern = small(cloud, "").await;
    let new: Vec<_> = (0..MANY)
        .map(|number| {
            let mut new = pattern.clone();
            new.token.claim_uid = format!("{}-{number}", cloud.label());
            new.tags = Tags::from([(LABEL.to_owned(), cloud.label().to_owned())]);
            new
        })
        .collect();
    let created = try_join_all(new.iter().map(|new| cloud.volumes().create(new)))
        .await
        .unwrap();
    let created: BTreeSet<_> = created.into_iter().map(|volume| volume.id).collect();
    assert_eq!(created.len(), MANY);
    created
}

pub(super) async fn a_failed_page_is_read_again(cloud: Backend) {
    let made = create(&cloud, &small(&cloud, "v").await).await.id;
    settled(&cloud, vec![made.clone()]).await;
    for accident in [
        Accident::Failed,
        Accident::Throttled,
        Accident::RequestLost,
        Accident::AnswerLost,
    ] {
        let before = cloud.sent("DescribeVolumes");
        cloud.strike("DescribeVolumes", accident, 1);
        assert_eq!(
            ids(&list(&cloud, labelled(&cloud)).await.unwrap()),
            std::slice::from_ref(&made)
        );
        assert_eq!(cloud.sent("DescribeVolumes") - before, 2, "{accident:?}");
    }
}
