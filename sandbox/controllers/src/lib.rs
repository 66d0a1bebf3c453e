//! The sandbox's controllers: what the controller manager, the scheduler, the kubelets, the CSI drivers and the
//! cloud controller do in a real cluster, in one loop over the API server's changes.
//!
//! Everything is level-triggered: a controller looks at an object as it is now and takes the next step. What takes a
//! while is remembered in the journal, so that the next process over the same state goes on where this one stopped.

mod cleanup;
mod cluster;
mod index;
mod kinds;
mod network;
mod nodes;
mod object;
mod pod;
mod quantity;
mod queue;
mod run;
mod settings;
mod settled;
mod statistics;
mod storage;
mod usage;
mod waits;
mod wake;
mod workload;

pub use settings::{ClusterCloud, ControllerSettings};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use moorline_sandbox_aws::AwsCloud;
use moorline_sandbox_azure::AzureCloud;
use moorline_sandbox_core::{JournalError, World};
use moorline_sandbox_kubernetes::ApiServer;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::statistics::Statistics;
use crate::usage::Usage;

pub use usage::UsageError;

/// Why the controllers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What they remembered cannot be read.
    #[error("what the controllers remembered cannot be read")]
    Journal(#[from] JournalError),
    /// What a fresh cluster has cannot be made.
    #[error("nodes and classes of the cluster cannot be made")]
    Furnish(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The clouds that the cluster's drivers work in.
#[derive(Clone, Debug)]
pub struct Clouds {
    /// The AWS account.
    pub aws: AwsCloud,
    /// The Azure cloud.
    pub azure: AzureCloud,
}

/// How many objects of each resource (`plural[.group]`) there are; what there is none of is left out.
pub fn count_objects(api: &ApiServer) -> BTreeMap<String, usize> {
    let counts = kinds::resources(api)
        .into_iter()
        .map(|resource| (resource.to_string(), api.list(&resource, None).len()));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// What the loop and its handle share. The lock is held while a controller works.
struct Shared {
    orders: Mutex<Orders>,
    poked: Notify,
}

/// What the handle wants of the loop.
struct Orders {
    settings: ControllerSettings,
    /// Forget what is under way, look at everything anew, and tell those who wait for it.
    afresh: Vec<oneshot::Sender<()>>,
}

impl Shared {
    fn gated<T>(&self, act: impl FnOnce(&mut Orders) -> T) -> T {
        act(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The running controllers. Dropping the handle stops them soon; [`Controllers::stop`] waits until they have.
pub struct Controllers {
    shared: Arc<Shared>,
    usage: Arc<Usage>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Controllers {
    /// Makes what a fresh cluster has, and starts the controllers on the current tokio runtime. The API server reaches the
    /// simulated kubelets from then on.
    pub fn start(
        world: &World,
        api: ApiServer,
        clouds: Clouds,
        settings: ControllerSettings,
    ) -> Result<Self, StartError> {
        let usage = Arc::new(Usage::new(world.journal.clone(), clouds.clone()));
        api.set_kubelets(Arc::new(Statistics::new(world.clock.clone(), usage.clone())));
        let cluster = Cluster {
            api,
            aws: clouds.aws,
            azure: clouds.azure,
            clock: world.clock.clone(),
            settings: settings.clone(),
            index: index::Index::default(),
            queue: queue::Queue::default(),
            waits: waits::Waits::load(world.journal.clone())?,
            usage: usage.clone(),
            under_way: HashMap::default(),
            resync_due: None,
        };
        // Whoever comes first finds the nodes and the classes.
        nodes::ensure(&cluster).map_err(|error| StartError::Furnish(error.into()))?;
        let shared = Arc::new(Shared {
            orders: Mutex::new(Orders {
                settings,
                afresh: Vec::new(),
            }),
            poked: Notify::new(),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(run::run(cluster, shared.clone(), stop.clone()));
        Ok(Self {
            shared,
            usage,
            stop,
            task: Some(task),
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> ControllerSettings {
        self.shared.gated(|orders| orders.settings.clone())
    }

    /// Changes the settings; waits that were begun are measured by the new ones when they are next looked at.
    pub fn set_settings(&self, settings: ControllerSettings) {
        self.shared.gated(|orders| orders.settings = settings);
        self.shared.poked.notify_one();
    }

    /// Says how many bytes the files on a volume take, by the name of its volume object: nobody writes files here. Statistics
    /// of the kubelets show it, and the cloud where it knows such a thing.
    pub fn set_usage(&self, api: &ApiServer, volume: &str, bytes: u64) -> Result<(), UsageError> {
        self.usage.set(api, volume, bytes)
    }

    /// Runs `act` while no controller works; afterwards they forget what was under way and look at everything anew.
    /// For replacing the whole cluster: it has its nodes and classes again when the receiver hears of it.
    pub fn paused<T>(&self, act: impl FnOnce() -> T) -> (T, oneshot::Receiver<()>) {
        let (done, is_done) = oneshot::channel();
        let result = self.shared.gated(|orders| {
            orders.afresh.push(done);
            act()
        });
        self.shared.poked.notify_one();
        (result, is_done)
    }

    /// Stops the controllers after the step they are at.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the controllers ended badly");
        }
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
