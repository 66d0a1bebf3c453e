//! Snapshots, found again by name: `CreateSnapshot` takes no client token.

use std::time::Duration;

use aws_sdk_ec2::types::{self as ec2, Filter, ResourceType, SnapshotState};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use moorline_api::{ErrorKind, Result, Snapshot, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, tags};
use tokio::time::sleep;

use crate::call::{Manner, READ};
use crate::convert;
use crate::governor::Family;
use crate::listing::{Pages, exactly};
use crate::provider::AwsProvider;
use crate::words::clean;

/// The tag by which the EBS CSI driver names its snapshots too.
const NAME_TAG: &str = "CSIVolumeSnapshotName";

/// Snapshots a page; EC2 takes 5 to 1000.
const PAGE: i32 = 1000;
/// Tags that a snapshot can have.
const MOST_TAGS: usize = 50;

/// Creation is not sent again blindly: a second snapshot would be made.
const CREATE: Manner = Manner {
    family: Family::Snapshot,
    repeatable: false,
};
const CREATE_ATTEMPTS: u32 = 3;
/// How long a snapshot whose creation went unanswered may take to show up.
const SETTLE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl AwsProvider {
    pub(crate) async fn take_snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        let filters = vec![exactly("volume-id", &id.0), exactly(&format!("tag:{NAME_TAG}"), name)];
        let mut attempt = 1;
        let begun = loop {
            if let Some(found) = self.snapshots(filters.clone()).await?.into_iter().find(is_alive) {
                break found;
            }
            match self.create_snapshot(id, name, tags).await {
                Ok(snapshot) => break snapshot,
                Err(error) if error.is_transient() && attempt < CREATE_ATTEMPTS => sleep(SETTLE).await,
                Err(error) => return Err(error),
            }
            attempt += 1;
        };
        self.wait_complete(begun).await
    }

    async fn create_snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<ec2::Snapshot> {
        let clients = self.clients().await?;
        let volume = self.volume(id).await?;
        let tags = snapshot_tags(volume.as_ref(), name, tags);
        let request = || {
            let tags = convert::tag_specification(ResourceType::Snapshot, &tags);
            clients
                .ec2
                .create_snapshot()
                .volume_id(&id.0)
                .description(name)
                .set_tag_specifications(tags)
                .send()
        };
        let answer = self
            .caller
            .call(clients.subject("ec2:CreateSnapshot", &id.0), CREATE, request)
            .await?;
        Ok(ec2::Snapshot::builder()
            .set_snapshot_id(answer.snapshot_id)
            .set_volume_id(answer.volume_id)
            .set_state(answer.state)
            .set_tags(answer.tags)
            .build())
    }

    /// Progress is slow and unsteady: the pause grows.
    async fn wait_complete(&self, begun: ec2::Snapshot) -> Result<Snapshot> {
        let clients = self.clients().await?;
        let id = begun.snapshot_id.clone().unwrap_or_default();
        let subject = clients.subject("ec2:DescribeSnapshots", &id);
        let mut pause = FIRST_PAUSE;
        let mut current = begun;
        loop {
            match &current.state {
                Some(SnapshotState::Completed) => break,
                Some(SnapshotState::Error) => {
                    let reason = clean(current.state_message.as_deref().unwrap_or("AWS gives no reason"));
                    return Err(subject.error(ErrorKind::Internal, format!("the snapshot failed: {reason}")));
                }
                _ => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            // Absent so soon after its creation means that reads lag.
            if let Some(seen) = self.snapshot_now(&id).await? {
                current = seen;
            }
        }
        convert::snapshot(current).ok_or_else(|| subject.error(ErrorKind::Internal, "the answer names no snapshot"))
    }

    /// A snapshot as it is now, where it exists: read along with others that are asked for at the same time.
    async fn snapshot_now(&self, id: &str) -> Result<Option<ec2::Snapshot>> {
        let read = |ids: Vec<String>| async move {
            let by_ids = Filter::builder().name("snapshot-id").set_values(Some(ids)).build();
            let found = self.snapshots(vec![by_ids]).await?;
            let with_id = |snapshot: ec2::Snapshot| Some((snapshot.snapshot_id.clone()?, snapshot));
            Ok(found.into_iter().filter_map(with_id).collect())
        };
        self.snapshots_now.get(id, read).await
    }

    async fn snapshots(&self, filters: Vec<Filter>) -> Result<Vec<ec2::Snapshot>> {
        self.snapshot_pages(filters).try_concat().await
    }

    /// Pages of our own snapshots.
    pub(crate) fn snapshot_pages(&self, filters: Vec<Filter>) -> BoxStream<'_, Result<Vec<ec2::Snapshot>>> {
        stream::try_unfold(Pages::of("ec2:DescribeSnapshots"), move |pages| {
            let filters = filters.clone();
            async move {
                if pages.finished() {
                    Ok(None)
                } else {
                    self.snapshot_page(filters, pages).await.map(Some)
                }
            }
        })
        .boxed()
    }

    async fn snapshot_page(&self, filters: Vec<Filter>, pages: Pages) -> Result<(Vec<ec2::Snapshot>, Pages)> {
        let clients = self.clients().await?;
        let filters = (!filters.is_empty()).then_some(filters);
        let request = || {
            clients
                .ec2
                .describe_snapshots()
                .owner_ids("self")
                .set_filters(filters.clone())
                .max_results(PAGE)
                .set_next_token(pages.token())
                .send()
        };
        let subject = clients.subject("ec2:DescribeSnapshots", "");
        let answer = self.caller.call(subject, READ, request).await?;
        Ok((answer.snapshots.unwrap_or_default(), pages.advance(answer.next_token)?))
    }
}

/// The tags of a snapshot: those of its volume, what the volume was like, and what the caller says, which counts most. Of more than
/// EC2 takes, the volume's own go first.
fn snapshot_tags(volume: Option<&Volume>, name: &str, of_caller: &Tags) -> Tags {
    // What AWS itself wrote on the volume nobody else may write; a mark says of the volume since when it is unused, and of
    // nothing else.
    let free = |key: &str| !key.starts_with("aws:") && key != tags::UNUSED;
    let of_caller = of_caller.iter().filter(|(key, _)| free(key));
    let mut tags: Tags = of_caller.map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.insert(NAME_TAG.to_owned(), name.to_owned());
    let Some(volume) = volume else { return tags };
    for (key, value) in likeness(&volume.spec) {
        tags.insert(key.to_owned(), value);
    }
    let own = volume.tags.iter().filter(|(key, _)| free(key));
    for (key, value) in own {
        if tags.len() >= MOST_TAGS && !tags.contains_key(key) {
            tracing::warn!(volume = %volume.id, key, "a snapshot has no room for this tag of its volume");
        } else {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    tags
}

/// What a volume is like beside its size and its key, which EC2 itself remembers with a snapshot.
fn likeness(spec: &VolumeSpec) -> impl Iterator<Item = (&'static str, String)> {
    let (volume_type, iops, throughput) = match &spec.config {
        VolumeConfig::Ebs {
            volume_type,
            iops,
            throughput,
            ..
        } => (Some(volume_type.clone()), *iops, *throughput),
        _ => (None, None, None),
    };
    let number = |number: u32| number.to_string();
    let known = [
        (tags::VOLUME_TYPE, volume_type),
        (tags::VOLUME_IOPS, iops.map(number)),
        (tags::VOLUME_THROUGHPUT, throughput.map(number)),
        (tags::VOLUME_ZONE, spec.zone.clone()),
    ];
    known.into_iter().filter_map(|(key, value)| Some((key, value?)))
}

/// A snapshot that failed is no snapshot: another one is begun.
fn is_alive(snapshot: &ec2::Snapshot) -> bool {
    snapshot.state != Some(SnapshotState::Error)
}

#[cfg(test)]
mod tests {
    use moorline_api::VolumeState;

    use super::*;

    fn volume(own: Tags) -> Volume {
        let config = VolumeConfig::Ebs {
            volume_type: "io2".to_owned(),
            iops: Some(500),
            throughput: None,
            encrypted: Some(true),
            kms_key_id: None,
        };
        Volume {
            id: VolumeId("vol-1".to_owned()),
            spec: VolumeSpec {
                size_gib: 10,
                zone: Some("us-east-1a".to_owned()),
                config,
            },
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: own,
            created: None,
        }
    }

    fn tags_of(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_snapshot_bears_its_volumes_tags_and_what_it_was_like() {
        let own = [("a", "volume"), ("b", "volume"), ("aws:x", "x"), (tags::UNUSED, "m")];
        let of_caller = [
            ("b", "caller"),
            ("aws:y", "y"),
            (tags::UNUSED, "m"),
            (tags::EXPIRES, "later"),
        ];
        let expected = [
            (NAME_TAG, "name"),
            ("a", "volume"),
            ("b", "caller"),
            (tags::EXPIRES, "later"),
            (tags::VOLUME_TYPE, "io2"),
            (tags::VOLUME_IOPS, "500"),
            (tags::VOLUME_ZONE, "us-east-1a"),
        ];
        let found = snapshot_tags(Some(&volume(tags_of(&own))), "name", &tags_of(&of_caller));
        assert_eq!(found, tags_of(&expected));
        assert_eq!(
            snapshot_tags(None, "name", &Tags::new()),
            tags_of(&[(NAME_TAG, "name")])
        );
    }

    #[test]
    fn of_more_tags_than_there_is_room_for_the_volumes_own_go_first() {
        let own: Tags = (0..49).map(|n| (format!("k{n:02}"), "volume".to_owned())).collect();
        let of_caller = tags_of(&[("k48", "caller"), (tags::EXPIRES, "later")]);
        let found = snapshot_tags(Some(&volume(own)), "name", &of_caller);
        assert_eq!(found.len(), MOST_TAGS);
        assert_eq!(found["k48"], "caller");
        for key in [
            tags::EXPIRES,
            tags::VOLUME_TYPE,
            tags::VOLUME_IOPS,
            tags::VOLUME_ZONE,
            NAME_TAG,
            "k00",
        ] {
            assert!(found.contains_key(key), "{key}");
        }
        assert!(!found.contains_key("k47"));
    }
}
