//! Tags of volumes, snapshots, load balancers and target groups, many at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_ec2::types::Tag;
use aws_sdk_elasticloadbalancing::types as classic;
use aws_sdk_elasticloadbalancingv2::types as v2;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use moorline_api::{Error, ErrorKind, Resource, Result, TagChange, Tagged, Tagging};

use crate::call::Manner;
use crate::clients::Clients;
use crate::governor::Family;
use crate::provider::AwsProvider;

/// Volumes and snapshots of one call: EC2 takes 1000, and advises fewer.
const BATCH: usize = 500;
/// Batches under way at once.
const CALLS: usize = 4;
/// Things that may be refused one by one before it is clear that more of them will be: then whole batches fail.
const MOST_REFUSALS: usize = 20;

// A tag that is set twice, or taken off twice, is as after the first time.
const EC2: Manner = Manner {
    family: Family::Tags,
    repeatable: true,
};
const ELB: Manner = Manner {
    family: Family::Writes,
    repeatable: true,
};

/// Who keeps the tags of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Ec2,
    Classic,
    V2,
    Nobody,
}

/// Things that one call can change.
struct Batch {
    keeper: Keeper,
    things: Vec<Resource>,
}

impl Tagging for AwsProvider {
    fn tag(&self, things: Vec<Resource>, change: TagChange) -> BoxStream<'_, Tagged> {
        let (change, refusals) = (Arc::new(change), Arc::new(AtomicUsize::new(0)));
        let work = move |batch| {
            let (change, refusals) = (Arc::clone(&change), Arc::clone(&refusals));
            async move { stream::iter(self.tag_batch(batch, &change, &refusals).await) }
        };
        let batches = stream::iter(batches(things)).map(work);
        batches.buffer_unordered(CALLS).flatten().boxed()
    }
}

impl AwsProvider {
    /// Changes a batch. One thing that is absent or refused fails the whole call: then what is left goes in halves.
    async fn tag_batch(&self, batch: Batch, change: &TagChange, refusals: &AtomicUsize) -> Vec<Tagged> {
        let mut told = Vec::new();
        let mut left = vec![batch.things];
        while let Some(things) = left.pop() {
            let Err(error) = self.change_tags(batch.keeper, &things, change).await else {
                told.push(Tagged {
                    things,
                    outcome: Ok(()),
                });
                continue;
            };
            let one = things.len() == 1;
            let refused = is_refusal(&error);
            if error.is_not_found() && !one {
                let (absent, rest) = things.into_iter().partition(|thing| names(&error, thing));
                told.extend(done(absent));
                left.extend(halves(&rest));
            } else if error.is_not_found() {
                told.extend(done(things));
            } else if refused && !one && refusals.load(Ordering::Relaxed) < MOST_REFUSALS {
                left.extend(halves(&things));
            } else {
                if refused {
                    refusals.fetch_add(1, Ordering::Relaxed);
                }
                told.push(Tagged {
                    things,
                    outcome: Err(error),
                });
            }
        }
        told
    }

    async fn change_tags(&self, keeper: Keeper, things: &[Resource], change: &TagChange) -> Result<()> {
        let clients = self.clients().await?;
        let ids: Vec<String> = things.iter().map(|thing| thing.id().to_owned()).collect();
        let only = if let [only] = &ids[..] { only.as_str() } else { "" };
        match (keeper, &change.value) {
            (Keeper::Ec2, Some(value)) => self.set(clients, &ids, only, (&change.key, value)).await,
            (Keeper::Ec2, None) => self.take_off(clients, &ids, only, &change.key).await,
            (Keeper::Classic, _) => self.change_classic(clients, only, change).await,
            (Keeper::V2, _) => self.change_v2(clients, only, change).await,
            (Keeper::Nobody, _) => {
                let why = "AWS has no such thing";
                Err(Error::new(ErrorKind::Unsupported, "tag", only, why))
            }
        }
    }

    async fn set(&self, clients: &Clients, ids: &[String], only: &str, (key, value): (&str, &str)) -> Result<()> {
        let request = || {
            let request = clients.ec2.create_tags().set_resources(Some(ids.to_vec()));
            request.tags(Tag::builder().key(key).value(value).build()).send()
        };
        let subject = clients.subject("ec2:CreateTags", only);
        self.caller.call(subject, EC2, request).await.map(drop)
    }

    /// Without a value the tag goes whatever its value is.
    async fn take_off(&self, clients: &Clients, ids: &[String], only: &str, key: &str) -> Result<()> {
        let request = || {
            let request = clients.ec2.delete_tags().set_resources(Some(ids.to_vec()));
            request.tags(Tag::builder().key(key).build()).send()
        };
        let subject = clients.subject("ec2:DeleteTags", only);
        self.caller.call(subject, EC2, request).await.map(drop)
    }

    async fn change_classic(&self, clients: &Clients, name: &str, change: &TagChange) -> Result<()> {
        let unfit =
            |error: aws_sdk_ec2::error::BuildError| Error::new(ErrorKind::Invalid, "tag", name, error.to_string());
        if let Some(value) = &change.value {
            let tag = classic::Tag::builder()
                .key(&change.key)
                .value(value)
                .build()
                .map_err(unfit)?;
            let request = || {
                let request = clients.elb.add_tags().load_balancer_names(name);
                request.tags(tag.clone()).send()
            };
            let subject = clients.subject("elasticloadbalancing:AddTags", name);
            return self.caller.call(subject, ELB, request).await.map(drop);
        }
        let tag = classic::TagKeyOnly::builder().key(&change.key).build();
        let request = || {
            let request = clients.elb.remove_tags().load_balancer_names(name);
            request.tags(tag.clone()).send()
        };
        let subject = clients.subject("elasticloadbalancing:RemoveTags", name);
        self.caller.call(subject, ELB, request).await.map(drop)
    }

    async fn change_v2(&self, clients: &Clients, arn: &str, change: &TagChange) -> Result<()> {
        if let Some(value) = &change.value {
            let tag = v2::Tag::builder().key(&change.key).value(value).build();
            let request = || {
                let request = clients.elbv2.add_tags().resource_arns(arn);
                request.tags(tag.clone()).send()
            };
            let subject = clients.subject("elasticloadbalancing:AddTags", arn);
            return self.caller.call(subject, ELB, request).await.map(drop);
        }
        let request = || {
            let request = clients.elbv2.remove_tags().resource_arns(arn);
            request.tag_keys(&change.key).send()
        };
        let subject = clients.subject("elasticloadbalancing:RemoveTags", arn);
        self.caller.call(subject, ELB, request).await.map(drop)
    }
}

/// What goes in one call: volumes and snapshots together; load balancers one by one, for a classic one's API takes no more.
fn batches(things: Vec<Resource>) -> Vec<Batch> {
    let things: BTreeSet<Resource> = things.into_iter().collect();
    let (ec2, others): (Vec<_>, Vec<_>) = things.into_iter().partition(|thing| keeper(thing) == Keeper::Ec2);
    let of_ec2 = ec2.chunks(BATCH).map(|things| Batch {
        keeper: Keeper::Ec2,
        things: things.to_vec(),
    });
    let of_others = others.into_iter().map(|thing| Batch {
        keeper: keeper(&thing),
        things: vec![thing],
    });
    of_ec2.chain(of_others).collect()
}

fn keeper(thing: &Resource) -> Keeper {
    match thing {
        Resource::Volume(_) | Resource::Snapshot(_) => Keeper::Ec2,
        Resource::LoadBalancer(id) if id.starts_with("arn:") => Keeper::V2,
        Resource::TargetGroup(_) => Keeper::V2,
        Resource::LoadBalancer(_) => Keeper::Classic,
        Resource::Holder(_) => Keeper::Nobody,
    }
}

/// Whether the call failed for something that may be so of one thing and not of another.
fn is_refusal(error: &Error) -> bool {
    !error.is_transient() && !error.is_not_found() && error.kind != ErrorKind::Unauthenticated
}

/// Whether EC2 says of just this thing that it is absent.
fn names(error: &Error, thing: &Resource) -> bool {
    let of_an_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    error.message.split(|c| !of_an_id(c)).any(|word| word == thing.id())
}

/// What is absent has no tags to be changed.
fn done(things: Vec<Resource>) -> Option<Tagged> {
    (!things.is_empty()).then_some(Tagged {
        things,
        outcome: Ok(()),
    })
}

fn halves(things: &[Resource]) -> Vec<Vec<Resource>> {
    let size = things.len().div_ceil(2).max(1);
    things.chunks(size).map(<[Resource]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use moorline_api::VolumeId;

    use super::*;

    fn volume(n: usize) -> Resource {
        Resource::Volume(VolumeId(format!("vol-{n:08x}")))
    }

    #[test]
    fn batches_hold_five_hundred_and_load_balancers_go_alone() {
        let mut things: Vec<_> = (0..1001).map(volume).collect();
        things.push(volume(7));
        things.push(Resource::Snapshot("snap-1".to_owned()));
        things.push(Resource::LoadBalancer("web".to_owned()));
        things.push(Resource::LoadBalancer("arn:aws:x".to_owned()));
        things.push(Resource::TargetGroup("arn:aws:t".to_owned()));
        things.push(Resource::Holder("h".to_owned()));
        let found: Vec<_> = batches(things)
            .iter()
            .map(|batch| (batch.keeper, batch.things.len()))
            .collect();
        let expected = [
            (Keeper::Ec2, 500),
            (Keeper::Ec2, 500),
            (Keeper::Ec2, 2),
            (Keeper::V2, 1),
            (Keeper::Classic, 1),
            (Keeper::V2, 1),
            (Keeper::Nobody, 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_id_that_another_begins_with_is_not_named() {
        let message = "The volumes 'vol-0000000123456789a, vol-00000002' do not exist.";
        let error = Error::new(ErrorKind::NotFound, "ec2:CreateTags", "", message);
        assert!(names(&error, &volume(2)));
        assert!(!names(&error, &volume(1)));
        assert!(!names(&error, &volume(0)));
    }

    #[test]
    fn halves_are_never_empty() {
        assert!(halves(&[]).is_empty());
        let sizes = |count| {
            halves(&(0..count).map(volume).collect::<Vec<_>>())
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!((sizes(1), sizes(2), sizes(5)), (vec![1], vec![1, 1], vec![3, 2]));
    }
}
