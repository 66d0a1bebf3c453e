//! What a run stands on: the policy, scopes and clusters, the run store, where events go, and when to stop.

use std::sync::Arc;
use std::time::Duration;

use moorline_api::{RunStore, StorageRules};
use moorline_gc::Policy;
use moorline_gc::leftovers::Grace;
use moorline_store::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::event::{Event, EventSink};
use crate::{ClusterLink, Prices, Scope};

/// How a run goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long load balancers and storage accounts wait, as volumes do by the policy.
    pub leftovers: Grace,
    /// Listings and reads under way at once, over all clouds and clusters.
    pub concurrency: usize,
    /// For how long the lease is taken, without renewal.
    pub lock_span: Duration,
    /// How far clocks may be wrong.
    pub lock_margin: Duration,
    /// How long one deletion may take, claim, volume and PersistentVolume together, before it is left for the next run.
    pub deletion_timeout: Duration,
    /// How long a PersistentVolume may be held by finalizers after its volume is gone, while its driver catches up.
    pub held: Duration,
    /// How long a deletion that failed waits before it is tried again; a line of the journal a quarter of that.
    pub pause: Duration,
    /// How long deletions under way may take to end when the run is told to stop.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            leftovers: Grace::default(),
            concurrency: 16,
            lock_span: Duration::from_mins(2),
            lock_margin: Duration::from_secs(15),
            deletion_timeout: Duration::from_mins(5),
            held: Duration::from_secs(30),
            pause: Duration::from_secs(2),
            drain: Duration::from_secs(20),
        }
    }
}

/// Garbage collection of the scopes of one policy.
pub struct Collector {
    /// What may be done. Its clusters are those of `clusters`, in the same order.
    pub policy: Policy,
    /// How.
    pub settings: Settings,
    /// Where volumes are.
    pub scopes: Vec<Scope>,
    /// Who may use them.
    pub clusters: Vec<ClusterLink>,
    /// The rules of all providers, whatever clouds the scopes are of: PersistentVolumes name volumes in their forms.
    pub rules: Vec<Arc<dyn StorageRules>>,
    /// What tells the policy from others that may share the store: its scopes and clusters, in words. Records are kept by it.
    pub subject: String,
    /// Where the lease, the records and the journal are. Policies may share one: then one of them runs at a time.
    pub store: Arc<dyn RunStore>,
    /// What things cost.
    pub prices: Arc<dyn Prices>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// Cancelled by the first Ctrl-C: no deletion begins after it, and those under way are finished.
    pub stop: CancellationToken,
    /// Who runs it, for the lease: `gc on build-7, process 4711`.
    pub holder: String,
    /// The run's id: letters, digits and dashes, lower case, another one for each run.
    pub run: String,
    /// The clocks of this machine, for the lease.
    pub clock: Arc<dyn Clock>,
}

impl Collector {
    /// The real clocks of this machine.
    pub fn system_clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::default())
    }

    pub(crate) fn emit(&self, event: Event) {
        self.events.emit(event);
    }
}
