//! Everything in the account and region.

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use moorline_api::{
    Detail, Error, ErrorKind, Holder, Holders, Inventoried, Inventory, Result, Volume, VolumeFilter, VolumeId,
};

use crate::listing::{queries, until_error};
use crate::provider::AwsProvider;

/// Batches of ids that are asked for at once.
const READS: usize = 4;

#[async_trait]
impl Inventory for AwsProvider {
    /// The zones of a large region come side by side.
    fn inventory(&self) -> BoxStream<'_, Result<Inventoried>> {
        let whole = |volumes| Inventoried {
            volumes,
            detail: Detail::Full,
        };
        self.every_volume().map_ok(whole).boxed()
    }

    fn read(&self, ids: Vec<VolumeId>) -> BoxStream<'_, Result<Vec<Volume>>> {
        let ours = ids.into_iter().filter(|id| id.0.starts_with("vol-")).collect();
        let batches = queries(&VolumeFilter::Ids(ours));
        let read = move |filters| self.volume_pages(filters).try_concat();
        until_error(stream::iter(batches).map(read).buffer_unordered(READS)).boxed()
    }

    fn clock(&self) -> Option<Timestamp> {
        self.clock.now()
    }
}

/// EBS volumes stand by themselves.
#[async_trait]
impl Holders for AwsProvider {
    fn holders(&self) -> BoxStream<'_, Result<Vec<Holder>>> {
        stream::empty().boxed()
    }

    async fn holder(&self, _: &str) -> Result<Option<Holder>> {
        Ok(None)
    }

    async fn delete_holder(&self, id: &str) -> Result<()> {
        let why = "nothing holds volumes in AWS, so nothing can be deleted";
        Err(Error::new(ErrorKind::Unsupported, "delete", id, why))
    }
}
