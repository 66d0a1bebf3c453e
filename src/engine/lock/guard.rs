//! Cluster and cloud as a run sees them that holds a lock: whatever changes something passes the [`Tenure`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use moorline_api::{
    Applied, ApplyOptions, Cluster, ClusterIdentity, DeleteOptions, Deletion, Error, Kinds, ListQuery, LoadBalancer,
    LoadBalancers, MountStatistics, NewVolume, Object, ObjectRef, Origin, Owner, Page, Recoverable, Recovery, Result,
    Snapshot, Swept, Tags, Upkeep, Volume, VolumeFilter, VolumeId, VolumeSpec, Volumes, WatchEvent, Write,
};
use serde_json::Value;

use super::tenure::Tenure;
use crate::context::{Cloud, Context};

/// The same run, with everything that changes something behind the lock.
pub(super) fn guarded(ctx: &Context, tenure: &Arc<Tenure>) -> Context {
    Context {
        cluster: guard(&ctx.cluster, tenure),
        cloud: guarded_cloud(&ctx.cloud, tenure),
        others: ctx.others.iter().map(|cloud| guarded_cloud(cloud, tenure)).collect(),
        stop: tenure.stop().clone(),
        ..ctx.clone()
    }
}

fn guarded_cloud(cloud: &Cloud, tenure: &Arc<Tenure>) -> Cloud {
    Cloud {
        volumes: guard(&cloud.volumes, tenure),
        load_balancers: guard(&cloud.load_balancers, tenure),
        recovery: guard(&cloud.recovery, tenure),
        upkeep: guard(&cloud.upkeep, tenure),
        ..cloud.clone()
    }
}

fn guard<T: ?Sized>(inner: &Arc<T>, tenure: &Arc<Tenure>) -> Arc<Guard<T>> {
    Arc::new(Guard {
        inner: inner.clone(),
        tenure: tenure.clone(),
    })
}

/// A capability behind the lock. Reads and dry runs pass at once.
struct Guard<T: ?Sized> {
    inner: Arc<T>,
    tenure: Arc<Tenure>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Cluster for Guard<dyn Cluster> {
    async fn identity(&self) -> Result<ClusterIdentity> {
        self.inner.identity().await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.inner.kinds().await
    }

    async fn get(&self, target: &ObjectRef) -> Result<Option<Object>> {
        self.inner.get(target).await
    }

    fn list(&self, query: ListQuery) -> BoxStream<'_, Result<Page>> {
        self.inner.list(query)
    }

    fn watch(&self, query: ListQuery, from: String) -> BoxStream<'_, Result<WatchEvent>> {
        self.inner.watch(query, from)
    }

    async fn apply(&self, target: &ObjectRef, object: &Object, options: ApplyOptions) -> Result<Applied> {
        let call = self.inner.apply(target, object, options);
        if options.dry_run {
            return call.await;
        }
        self.tenure.during(call).await
    }

    async fn create(&self, target: &ObjectRef, object: &Object) -> Result<Object> {
        self.tenure.during(self.inner.create(target, object)).await
    }

    async fn merge(&self, target: &ObjectRef, patch: &Value) -> Result<Object> {
        self.tenure.during(self.inner.merge(target, patch)).await
    }

    async fn scale(&self, target: &ObjectRef, replicas: u32) -> Result<()> {
        self.tenure.during(self.inner.scale(target, replicas)).await
    }

    async fn rehearse(&self, target: &ObjectRef, write: &Write<'_>) -> Result<()> {
        self.inner.rehearse(target, write).await
    }

    async fn mount_statistics(&self, node: &str) -> Result<Vec<MountStatistics>> {
        self.inner.mount_statistics(node).await
    }

    async fn delete(&self, target: &ObjectRef, options: &DeleteOptions) -> Result<Deletion> {
        let call = self.inner.delete(target, options);
        if options.dry_run {
            return call.await;
        }
        self.tenure.during(call).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Volumes for Guard<dyn Volumes> {
    async fn create(&self, new: &NewVolume) -> Result<Volume> {
        self.tenure.during(self.inner.create(new)).await
    }

    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        self.inner.list(filter)
    }

    async fn wait_usable(&self, id: &VolumeId) -> Result<Volume> {
        self.inner.wait_usable(id).await
    }

    async fn delete(&self, id: &VolumeId) -> Result<()> {
        self.tenure.during(self.inner.delete(id)).await
    }

    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        self.inner.wait_gone(id).await
    }

    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        self.tenure.during(self.inner.snapshot(id, name, tags)).await
    }

    async fn obstacles(&self, owner: Owner<'_>, specs: &[VolumeSpec]) -> Result<Vec<Error>> {
        self.inner.obstacles(owner, specs).await
    }

    fn creation_floor(&self, creates: u32) -> Duration {
        self.inner.creation_floor(creates)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LoadBalancers for Guard<dyn LoadBalancers> {
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        self.inner.list()
    }

    async fn delete(&self, balancer: &LoadBalancer) -> Result<()> {
        self.tenure.during(self.inner.delete(balancer)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Recovery for Guard<dyn Recovery> {
    fn recoverable(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        self.inner.recoverable(tags)
    }

    fn snapshots(&self, tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        self.inner.snapshots(tags)
    }

    async fn recover(&self, origin: &Origin, new: &NewVolume) -> Result<Volume> {
        self.tenure.during(self.inner.recover(origin, new)).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.tenure.during(self.inner.delete_snapshot(id)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upkeep for Guard<dyn Upkeep> {
    async fn sweep(&self, cluster: &str, profile: &str) -> Result<Vec<Swept>> {
        self.tenure.during(self.inner.sweep(cluster, profile)).await
    }
}
