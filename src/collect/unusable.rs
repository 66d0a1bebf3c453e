//! A scope that cannot even be asked: its credentials are another account's, or are not there.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use moorline_api::{
    Error, ErrorKind, Holder, Holders, Inventoried, Inventory, LoadBalancer, LoadBalancers, NewVolume, Origin,
    Recoverable, Recovery, Resource, Result, Snapshot, StorageRules, TagChange, Tagged, Tagging, Tags, TargetGroup,
    TargetGroups, Volume, VolumeFilter, VolumeId, Volumes,
};

use crate::Scope;

/// Answers every question with why it cannot be asked.
struct Unusable {
    kind: ErrorKind,
    operation: String,
    resource: String,
    message: String,
}

impl Unusable {
    fn error(&self) -> Error {
        Error::new(self.kind.clone(), &self.operation, &self.resource, &self.message)
    }

    fn stream<T: Send + 'static>(&self) -> BoxStream<'_, Result<T>> {
        stream::iter([Err(self.error())]).boxed()
    }
}

impl Scope {
    /// A scope that cannot be asked, for this reason: what is in it is unknown, the rest of the run goes on, and it is incomplete.
    pub fn unusable(
        rules: Arc<dyn StorageRules>,
        name: impl Into<String>,
        region: impl Into<String>,
        error: &Error,
    ) -> Self {
        let unusable = Unusable {
            kind: error.kind.clone(),
            operation: error.operation.clone(),
            resource: error.resource.clone(),
            message: error.message.clone(),
        };
        Self::of(Arc::new(unusable), rules, name, region)
    }
}

#[async_trait]
impl Inventory for Unusable {
    fn inventory(&self) -> BoxStream<'_, Result<Inventoried>> {
        self.stream()
    }

    fn read(&self, _ids: Vec<VolumeId>) -> BoxStream<'_, Result<Vec<Volume>>> {
        self.stream()
    }

    fn clock(&self) -> Option<Timestamp> {
        None
    }
}

impl Tagging for Unusable {
    fn tag(&self, things: Vec<Resource>, _change: TagChange) -> BoxStream<'_, Tagged> {
        let outcome = Err(self.error());
        stream::iter([Tagged { things, outcome }]).boxed()
    }
}

#[async_trait]
impl Holders for Unusable {
    fn holders(&self) -> BoxStream<'_, Result<Vec<Holder>>> {
        self.stream()
    }

    async fn holder(&self, _id: &str) -> Result<Option<Holder>> {
        Err(self.error())
    }

    async fn delete_holder(&self, _id: &str) -> Result<()> {
        Err(self.error())
    }
}

#[async_trait]
impl Recovery for Unusable {
    fn recoverable(&self, _tags: Tags) -> BoxStream<'_, Result<Vec<Recoverable>>> {
        self.stream()
    }

    async fn recover(&self, _origin: &Origin, _new: &NewVolume) -> Result<Volume> {
        Err(self.error())
    }

    async fn delete_snapshot(&self, _id: &str) -> Result<()> {
        Err(self.error())
    }
}

#[async_trait]
impl LoadBalancers for Unusable {
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        self.stream()
    }

    async fn delete(&self, _balancer: &LoadBalancer) -> Result<()> {
        Err(self.error())
    }
}

#[async_trait]
impl TargetGroups for Unusable {
    fn target_groups(&self) -> BoxStream<'_, Result<Vec<TargetGroup>>> {
        self.stream()
    }

    async fn delete_target_group(&self, _id: &str) -> Result<()> {
        Err(self.error())
    }
}

#[async_trait]
impl Volumes for Unusable {
    async fn create(&self, _new: &NewVolume) -> Result<Volume> {
        Err(self.error())
    }

    fn list(&self, _filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        self.stream()
    }

    async fn wait_usable(&self, _id: &VolumeId) -> Result<Volume> {
        Err(self.error())
    }

    async fn delete(&self, _id: &VolumeId) -> Result<()> {
        Err(self.error())
    }

    async fn wait_gone(&self, _id: &VolumeId) -> Result<()> {
        Err(self.error())
    }

    async fn snapshot(&self, _id: &VolumeId, _name: &str, _tags: &Tags) -> Result<Snapshot> {
        Err(self.error())
    }

    fn creation_floor(&self, _creates: u32) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}
