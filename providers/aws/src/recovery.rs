//! Volumes from snapshots.

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::{BoxStream, StreamExt};
use moorline_api::{ErrorKind, NewVolume, Origin, Recoverable, Recovery, Result, Tags, Volume, Volumes};

use crate::call::Manner;
use crate::convert;
use crate::governor::Family;
use crate::listing::{by_tags, plain};
use crate::provider::AwsProvider;

// A snapshot that is gone already is as good as deleted.
const DELETE: Manner = Manner {
    family: Family::Writes,
    repeatable: true,
};

#[async_trait]
impl Recovery for AwsProvider {
    fn recoverable(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        let filters = by_tags(&plain(&tags));
        let fit = move |snapshot: &Recoverable| tags.iter().all(|(key, value)| snapshot.tags.get(key) == Some(value));
        let of_page = move |page: Vec<_>| page.into_iter().filter_map(convert::recoverable).filter(&fit).collect();
        self.snapshot_pages(filters).map_ok(of_page).boxed()
    }

    async fn recover(&self, origin: &Origin, new: &NewVolume) -> Result<Volume> {
        let clients = self.clients().await?;
        let Origin::Snapshot(id) = origin else {
            let subject = clients.subject("ec2:CreateVolume", origin.id());
            return Err(subject.error(ErrorKind::Invalid, "EBS keeps no deleted volumes; name a snapshot"));
        };
        let volume = self.create_volume(new, Some(id)).await?;
        self.wait_usable(&volume.id).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        let clients = self.clients().await?;
        let request = || clients.ec2.delete_snapshot().snapshot_id(id).send();
        let subject = clients.subject("ec2:DeleteSnapshot", id);
        match self.caller.call(subject, DELETE, request).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
