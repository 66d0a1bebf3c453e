//! Tags of many things change in few calls, and what fails for one fails for that one.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::{Accident, Backend, PATIENCE, create, small, tags};
use crate::conformance::eventually;
use crate::{ErrorKind, LoadBalancerKind, NewVolume, Resource, TagChange, Tagged, Tags, VolumeFilter, VolumeId};

const KEY: &str = "moorline.dev/unused";

fn to(value: Option<&str>) -> TagChange {
    TagChange {
        key: KEY.to_owned(),
        value: value.map(str::to_owned),
    }
}

/// Makes a change, and sees that each thing is told once.
async fn change(
    cloud: &Backend,
    things: &[Resource],
    change: TagChange,
) -> Vec<(Resource, std::result::Result<(), ErrorKind>)> {
    let told: Vec<Tagged> = cloud.tagging().tag(things.to_vec(), change).collect().await;
    let outcome = |tagged: &Tagged| match &tagged.outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(error.kind.clone()),
    };
    let each: Vec<_> = told
        .iter()
        .flat_map(|tagged| tagged.things.iter().map(move |thing| (thing.clone(), outcome(tagged))))
        .collect();
    let named: BTreeSet<_> = each.iter().map(|(thing, _)| thing).collect();
    assert_eq!((named.len(), each.len()), (things.len(), things.len()), "{told:?}");
    assert_eq!(named, things.iter().collect());
    each
}

async fn succeeds(cloud: &Backend, things: &[Resource], wanted: TagChange) {
    let told = change(cloud, things, wanted).await;
    assert!(told.iter().all(|(_, outcome)| outcome.is_ok()), "{told:?}");
}

async fn volumes(cloud: &Backend, names: &[&str]) -> Vec<VolumeId> {
    let mut made = Vec::new();
    for name in names {
        made.push(create(cloud, &small(cloud, name).await).await.id);
    }
    made
}

/// Waits until the volume has these tags.
async fn has(cloud: &Backend, id: &VolumeId, expected: &Tags) {
    eventually("the tags that are expected", PATIENCE, async || {
        let found = super::list(cloud, VolumeFilter::Ids(vec![id.clone()])).await.unwrap();
        match found.first() {
            Some(volume) if volume.tags == *expected => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

fn marked(mut tags: Tags, value: &str) -> Tags {
    tags.insert(KEY.to_owned(), value.to_owned());
    tags
}

pub(super) async fn many_things_change_in_one_call_and_keep_their_other_tags(cloud: Backend) {
    let names = ["a", "b", "c"];
    let made = volumes(&cloud, &names).await;
    let snapshot = cloud
        .volumes()
        .snapshot(&made[0], cloud.label(), &tags(&cloud, "s"))
        .await
        .unwrap();
    let mut things: Vec<_> = made.iter().cloned().map(Resource::Volume).collect();
    things.push(Resource::Snapshot(snapshot.id));
    // A repeat does no harm, and another value takes the first one's place.
    for value in ["1", "1", "2"] {
        succeeds(&cloud, &things, to(Some(value))).await;
        for (id, name) in made.iter().zip(names) {
            has(&cloud, id, &marked(tags(&cloud, name), value)).await;
        }
    }
    assert_eq!(cloud.sent("CreateTags"), 3);
    // Whatever its value is, and also where it is gone already.
    for _ in 0..2 {
        succeeds(&cloud, &things, to(None)).await;
        for (id, name) in made.iter().zip(names) {
            has(&cloud, id, &tags(&cloud, name)).await;
        }
    }
    assert_eq!(cloud.sent("DeleteTags"), 2);
    let before = (cloud.sent("CreateTags"), cloud.sent("DeleteTags"));
    succeeds(&cloud, &[], to(None)).await;
    assert_eq!((cloud.sent("CreateTags"), cloud.sent("DeleteTags")), before);
}

/// EC2 fails a whole call for one thing that is absent.
pub(super) async fn what_is_absent_counts_as_done_and_stops_nobody(cloud: Backend) {
    let made = volumes(&cloud, &["a", "b"]).await;
    let absent = [
        Resource::Volume(VolumeId("vol-0123456789abcdef0".to_owned())),
        Resource::Volume(VolumeId("vol-0123456789abcdef1".to_owned())),
        Resource::Snapshot("snap-0123456789abcdef0".to_owned()),
    ];
    let mut things: Vec<_> = made.iter().cloned().map(Resource::Volume).collect();
    things.extend(absent);
    succeeds(&cloud, &things, to(Some("1"))).await;
    for (id, name) in made.iter().zip(["a", "b"]) {
        has(&cloud, id, &marked(tags(&cloud, name), "1")).await;
    }
    succeeds(&cloud, &things, to(None)).await;
    for (id, name) in made.iter().zip(["a", "b"]) {
        has(&cloud, id, &tags(&cloud, name)).await;
    }
}

/// EC2 user guide, "Tag your Amazon EC2 resources": at most 50 tags a resource.
pub(super) async fn what_is_refused_for_one_stops_nobody_else(cloud: Backend) {
    let made = volumes(&cloud, &["a", "b"]).await;
    let mut full: NewVolume = small(&cloud, "full").await;
    full.tags
        .extend((0..48).map(|number| (format!("k{number}"), String::new())));
    let full = create(&cloud, &full).await.id;
    let things: Vec<_> = [&made[0], &full, &made[1]]
        .into_iter()
        .cloned()
        .map(Resource::Volume)
        .collect();
    let told = change(&cloud, &things, to(Some("1"))).await;
    for (thing, outcome) in told {
        let expected = if thing.id() == full.0 {
            Err(ErrorKind::LimitExceeded)
        } else {
            Ok(())
        };
        assert_eq!(outcome, expected, "{thing}");
    }
    for (id, name) in made.iter().zip(["a", "b"]) {
        has(&cloud, id, &marked(tags(&cloud, name), "1")).await;
    }
}

pub(super) async fn a_change_whose_answer_is_lost_is_made_once_more(cloud: Backend) {
    let made = volumes(&cloud, &["a"]).await.swap_remove(0);
    let thing = [Resource::Volume(made.clone())];
    for accident in [
        Accident::AnswerLost,
        Accident::FailedAfterwards,
        Accident::RequestLost,
        Accident::Throttled,
    ] {
        cloud.strike("CreateTags", accident, 1);
        succeeds(&cloud, &thing, to(Some("1"))).await;
        has(&cloud, &made, &marked(tags(&cloud, "a"), "1")).await;
        cloud.strike("DeleteTags", accident, 1);
        succeeds(&cloud, &thing, to(None)).await;
        has(&cloud, &made, &tags(&cloud, "a")).await;
    }
}

pub(super) async fn a_call_that_fails_for_good_is_told_of_each_thing(cloud: Backend) {
    let made = volumes(&cloud, &["a", "b"]).await;
    let things: Vec<_> = made.into_iter().map(Resource::Volume).collect();
    cloud.strike("CreateTags", Accident::Failed, usize::MAX);
    let told = change(&cloud, &things, to(Some("1"))).await;
    assert!(
        told.iter().all(|(_, outcome)| *outcome == Err(ErrorKind::Internal)),
        "{told:?}"
    );
}

pub(super) async fn load_balancers_of_both_generations_bear_marks(cloud: Backend) {
    for kind in [LoadBalancerKind::Classic, LoadBalancerKind::Network] {
        let name = format!("{}-{kind:?}", cloud.label()).to_lowercase();
        let own = tags(&cloud, "balancer");
        cloud.make_balancer(kind, &name, &own).await;
        let id = super::load_balancers::named(&cloud, &name).await.id;
        let absent = if kind == LoadBalancerKind::Classic {
            "nobody".to_owned()
        } else {
            format!("{id}0")
        };
        let things = [Resource::LoadBalancer(id), Resource::LoadBalancer(absent)];
        for (value, expected) in [(Some("1"), marked(own.clone(), "1")), (None, own.clone())] {
            succeeds(&cloud, &things, to(value)).await;
            eventually("the tags that are expected", PATIENCE, async || {
                let found = super::load_balancers::named(&cloud, &name).await;
                if found.tags == expected {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                }
            })
            .await;
        }
    }
}
