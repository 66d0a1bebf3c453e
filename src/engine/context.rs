//! What a run stands on: the cluster, the cloud, where events go, and when to stop.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moorline_api::{Accounts, Cluster, LoadBalancers, MountSecrets, Recovery, StorageRules, Upkeep, Usage, Volumes};
use tokio_util::sync::CancellationToken;

use crate::event::{Event, EventSink};

/// A cloud by its capabilities.
#[derive(Clone)]
pub struct Cloud {
    /// Who we are.
    pub accounts: Arc<dyn Accounts>,
    /// Volumes.
    pub volumes: Arc<dyn Volumes>,
    /// Load balancers.
    pub load_balancers: Arc<dyn LoadBalancers>,
    /// What nodes need to mount a volume.
    pub mount_secrets: Arc<dyn MountSecrets>,
    /// How full volumes are.
    pub usage: Arc<dyn Usage>,
    /// What volumes can be brought back from.
    pub recovery: Arc<dyn Recovery>,
    /// What holds volumes.
    pub upkeep: Arc<dyn Upkeep>,
    /// Storage rules.
    pub rules: Arc<dyn StorageRules>,
}

impl Cloud {
    /// A cloud whose capabilities one provider has, with the storage rules that go with it.
    pub fn of<P>(provider: Arc<P>, rules: Arc<dyn StorageRules>) -> Self
    where
        P: Accounts + Volumes + LoadBalancers + MountSecrets + Recovery + Usage + Upkeep + 'static,
    {
        Self {
            accounts: provider.clone(),
            volumes: provider.clone(),
            load_balancers: provider.clone(),
            mount_secrets: provider.clone(),
            recovery: provider.clone(),
            usage: provider.clone(),
            upkeep: provider,
            rules,
        }
    }
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the waiting may take in all; `up` and `down` fail with what is not ready after it.
    pub timeout: Duration,
    /// Things under way at once.
    pub concurrency: usize,
    /// Take fields that other managers own instead of stopping at the conflict.
    pub force_conflicts: bool,
    /// Whether `up` waits until everything that it applied is Bound and Ready.
    pub wait: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
            concurrency: 64,
            force_conflicts: false,
            wait: true,
        }
    }
}

/// Everything a run needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The cluster.
    pub cluster: Arc<dyn Cluster>,
    /// The same cluster, by a way that calls of `cluster` do not hold up, however many are under way.
    pub beside: Arc<dyn Cluster>,
    /// The cloud.
    pub cloud: Cloud,
    /// Other clouds that have machines of the cluster, where no profile says which one is meant.
    pub others: Vec<Cloud>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// Cancelled by the first Ctrl-C: no new call begins, calls under way are awaited.
    pub stop: CancellationToken,
    /// Bounds.
    pub limits: Limits,
    /// The time, for ages; passed in so that a test can hold it.
    pub now: fn() -> Timestamp,
    /// Random bits for names that must be new; passed in so that a plan can be repeated.
    pub entropy: fn() -> u64,
}

impl Context {
    /// The same run in each of the clouds that may be meant, the likeliest first.
    pub(crate) fn each_cloud(&self) -> impl Iterator<Item = Self> {
        std::iter::once(&self.cloud).chain(&self.others).map(|cloud| Self {
            cloud: cloud.clone(),
            others: Vec::new(),
            ..self.clone()
        })
    }

    /// Sends an event.
    pub fn emit(&self, event: Event) {
        self.events.emit(event);
    }

    /// Sends a notice.
    pub fn notice(&self, text: impl Into<String>) {
        self.emit(Event::Notice { text: text.into() });
    }
}
