//! The sandbox's own HTTP interface, under `/_sandbox/`: settings, clock, faults, audit, state, reset.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use moorline_sandbox_aws::AwsCloud;
use moorline_sandbox_azure::AzureCloud;
use moorline_sandbox_controllers::{Clouds, Controllers, UsageError, count_objects};
use moorline_sandbox_core::{AuditRow, Fault, World};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::cluster::{self, Cluster};
use crate::files::{self, Folder};
use crate::seed::{Seed, SeedError};
use crate::{ClusterEndpoint, ClusterNames, FIRST_CLUSTER, Running, SandboxError, SandboxSettings, behind};

/// The parts of a sandbox, as its own interface reaches them.
#[derive(Clone)]
pub(crate) struct Admin {
    inner: Arc<Inner>,
}

/// What the clusters stand on.
pub(crate) struct Ground {
    pub(crate) world: World,
    pub(crate) clouds: Clouds,
    pub(crate) folder: Option<Folder>,
    /// As in [`StartOptions`](crate::StartOptions).
    pub(crate) address: SocketAddr,
}

struct Inner {
    ground: Ground,
    clusters: RwLock<Clusters>,
    /// The names of those that shall not be reached.
    unreachable: RwLock<Vec<String>>,
    /// Held while settings change.
    changing: tokio::sync::Mutex<()>,
    /// What other processes were told; then a request may end this one.
    announced: Mutex<Option<Running>>,
}

/// The clusters that run.
#[derive(Clone)]
struct Clusters {
    /// The one that is always there.
    first: Arc<Cluster>,
    further: Vec<Arc<Cluster>>,
}

impl Clusters {
    fn iter(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        std::iter::once(&self.first).chain(&self.further)
    }

    fn named(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.iter().find(|cluster| cluster.name() == name)
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("folder", &self.inner.ground.folder)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Starts the clusters.
    pub(crate) fn start(ground: Ground, settings: &SandboxSettings) -> Result<Self, SandboxError> {
        let first = ground.start(FIRST_CLUSTER, &[], settings)?;
        let mut clusters = Clusters {
            first: Arc::new(first),
            further: Vec::new(),
        };
        for name in settings.clusters.iter().skip(1) {
            let live: Vec<_> = clusters.iter().cloned().collect();
            let cluster = ground.start(name, &live, settings)?;
            clusters.further.push(Arc::new(cluster));
        }
        let inner = Inner {
            ground,
            clusters: RwLock::new(clusters),
            unreachable: RwLock::new(settings.unreachable.clone()),
            changing: tokio::sync::Mutex::default(),
            announced: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/_sandbox/health", get(health))
            .route("/_sandbox/settings", get(settings).put(set_settings))
            .route("/_sandbox/clock", get(clock).post(advance))
            .route("/_sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
            .route("/_sandbox/audit", get(audit).delete(clear_audit))
            .route("/_sandbox/state", get(state))
            .route("/_sandbox/usage", post(set_usage))
            .route("/_sandbox/seed", post(sow))
            .route("/_sandbox/reset", post(reset))
            .route("/_sandbox/stop", post(stop))
            .with_state(self.clone())
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.ground.world
    }

    fn aws(&self) -> &AwsCloud {
        &self.inner.ground.clouds.aws
    }

    pub(crate) fn azure(&self) -> &AzureCloud {
        &self.inner.ground.clouds.azure
    }

    pub(crate) fn region(&self) -> String {
        self.aws().settings().region
    }

    fn clusters(&self) -> Clusters {
        self.inner
            .clusters
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Where every cluster is found, the first one first.
    pub(crate) fn endpoints(&self) -> Vec<ClusterEndpoint> {
        let endpoint = |cluster: &Arc<Cluster>| ClusterEndpoint {
            context: cluster.name().to_owned(),
            endpoint: cluster.endpoint(),
        };
        self.clusters().iter().map(endpoint).collect()
    }

    /// URL of the first cluster's API server.
    pub(crate) fn first_endpoint(&self) -> String {
        self.clusters().first.endpoint()
    }

    pub(crate) fn kubeconfig(&self) -> String {
        let token = self.clusters().first.api().settings().token;
        files::kubeconfig(&self.endpoints(), token.as_deref())
    }

    /// Tells other processes where everything is; from now on a request to stop ends this one.
    pub(crate) fn announce(&self, running: Running) -> Result<(), SandboxError> {
        *self.announced() = Some(running);
        self.tell()
    }

    fn announced(&self) -> MutexGuard<'_, Option<Running>> {
        self.inner.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what other processes read, where they were told anything.
    fn tell(&self) -> Result<(), SandboxError> {
        let mut announced = self.announced();
        if let (Some(running), Some(folder)) = (announced.as_mut(), &self.inner.ground.folder) {
            running.clusters = self.endpoints();
            folder.write_kubeconfig(&self.kubeconfig())?;
            folder.write_running(running)?;
        }
        Ok(())
    }

    /// Takes back what other processes were told.
    pub(crate) fn withdraw(&self) {
        if let (Some(_), Some(folder)) = (self.announced().take(), &self.inner.ground.folder) {
            folder.remove_running();
        }
    }

    pub(crate) fn settings(&self) -> SandboxSettings {
        let clusters = self.clusters();
        let first = &clusters.first;
        let names = clusters.iter().map(|cluster| cluster.name().to_owned()).collect();
        let unreachable = self.inner.unreachable.read().unwrap_or_else(PoisonError::into_inner);
        SandboxSettings {
            aws: self.aws().settings(),
            azure: self.azure().settings(),
            api: first.api().settings(),
            controllers: first.with_controllers(Controllers::settings).unwrap_or_default(),
            clusters: ClusterNames::of_running(names),
            unreachable: unreachable.clone(),
        }
    }

    async fn set_settings(&self, settings: SandboxSettings) -> Result<(), SandboxError> {
        let _alone = self.inner.changing.lock().await;
        // What may fail comes first.
        let gone = self.set_clusters(&settings)?;
        if let Some(folder) = &self.inner.ground.folder {
            folder.write_settings(&settings)?;
        }
        self.azure().set_settings(settings.azure)?;
        self.aws().set_settings(settings.aws);
        for cluster in self.clusters().iter() {
            cluster.api().set_settings(settings.api.clone());
            cluster.with_controllers(|controllers| controllers.set_settings(settings.controllers.clone()));
            let reachable = !settings.unreachable.iter().any(|name| name == cluster.name());
            cluster.set_reachable(reachable).await?;
        }
        *self.inner.unreachable.write().unwrap_or_else(PoisonError::into_inner) = settings.unreachable;
        for cluster in gone {
            cluster.stop().await;
        }
        self.tell()
    }

    /// Starts the clusters that are named and do not run; those that are named no longer come back, still running.
    fn set_clusters(&self, settings: &SandboxSettings) -> Result<Vec<Arc<Cluster>>, SandboxError> {
        let running = self.clusters();
        let mut further = Vec::new();
        for name in settings.clusters.iter().skip(1) {
            let cluster = if let Some(cluster) = running.named(name) {
                cluster.clone()
            } else {
                let live: Vec<_> = running.iter().chain(&further).cloned().collect();
                Arc::new(self.inner.ground.start(name, &live, settings)?)
            };
            further.push(cluster);
        }
        let gone = running
            .further
            .iter()
            .filter(|cluster| !settings.clusters.iter().any(|name| name == cluster.name()));
        let gone = gone.cloned().collect();
        self.inner
            .clusters
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .further = further;
        Ok(gone)
    }

    /// Empties the clouds and the clusters as one step that no controller sees half of, and waits for the fresh clusters.
    async fn reset(&self) -> Result<(), SandboxError> {
        let _alone = self.inner.changing.lock().await;
        let clusters: Vec<_> = self.clusters().iter().cloned().collect();
        let mut clear = || {
            for cluster in &clusters {
                cluster.api().clear();
            }
            self.aws().clear()?;
            self.azure().clear()?;
            self.world().faults.clear();
            self.world().audit.clear()
        };
        let mut fresh = Vec::new();
        // Clusters that have stopped wait for nothing.
        cluster::paused(&clusters, &mut clear, &mut fresh).unwrap_or(Ok(()))?;
        settle(fresh).await;
        Ok(())
    }

    /// Fills the account and the clusters, and waits until the controllers have seen it.
    async fn sow(&self, seed: Seed) -> Result<(), SeedError> {
        let _alone = self.inner.changing.lock().await;
        let clusters: Vec<_> = self.clusters().iter().cloned().collect();
        let admin = self.clone();
        let sown = tokio::task::spawn_blocking(move || {
            let mut fresh = Vec::new();
            let mut sow = || seed.sow(&clusters, admin.aws(), admin.world().clock.now());
            let sown = cluster::paused(&clusters, &mut sow, &mut fresh);
            sown.unwrap_or(Ok(())).map(|()| fresh)
        });
        // It does not panic, and nobody aborts it.
        let Ok(sown) = sown.await else { return Ok(()) };
        settle(sown?).await;
        Ok(())
    }

    /// Stops every cluster.
    pub(crate) async fn stop_clusters(&self) {
        for cluster in self.clusters().iter() {
            cluster.stop().await;
        }
    }
}

impl Ground {
    fn start(&self, name: &str, live: &[Arc<Cluster>], settings: &SandboxSettings) -> Result<Cluster, SandboxError> {
        let address = self.free_address(live);
        Cluster::start(name, &self.world, self.clouds.clone(), settings, address)
    }

    /// The first cluster listens behind the account, the others behind Azure's metadata service.
    fn free_address(&self, live: &[Arc<Cluster>]) -> SocketAddr {
        let candidates = [1, 4, 5, 6, 7, 8, 9, 10].map(|ports| behind(self.address, ports));
        let is_free = |address: &SocketAddr| !live.iter().any(|cluster| cluster.address() == *address);
        candidates.into_iter().find(is_free).unwrap_or(self.address)
    }
}

/// Waits until the controllers of every cluster have looked at everything anew.
async fn settle(fresh: Vec<oneshot::Receiver<()>>) {
    for is_fresh in fresh {
        // An error says that the controllers stopped: then nobody waits for a cluster.
        let _ = is_fresh.await;
    }
}

impl IntoResponse for SandboxError {
    fn into_response(self) -> Response {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"error": self.to_string()})),
        )
            .into_response()
    }
}

/// The last field is what other processes look for.
async fn health() -> Json<Value> {
    Json(json!({"pid": std::process::id()}))
}

async fn settings(State(admin): State<Admin>) -> Json<SandboxSettings> {
    Json(admin.settings())
}

async fn set_settings(
    State(admin): State<Admin>,
    Json(settings): Json<SandboxSettings>,
) -> Result<Json<SandboxSettings>, SandboxError> {
    admin.set_settings(settings).await?;
    Ok(Json(admin.settings()))
}

/// How far to move the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

async fn clock(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({"now": admin.world().clock.now()}))
}

async fn advance(State(admin): State<Admin>, Json(body): Json<Advance>) -> Result<Json<Value>, SandboxError> {
    let world = admin.world();
    world.clock.advance(body.advance_seconds, &world.journal)?;
    Ok(Json(json!({"now": world.clock.now()})))
}

async fn faults(State(admin): State<Admin>) -> Json<Vec<Fault>> {
    Json(admin.world().faults.rules())
}

async fn add_fault(State(admin): State<Admin>, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    admin.world().faults.add(fault);
    Json(admin.world().faults.rules())
}

async fn clear_faults(State(admin): State<Admin>) -> StatusCode {
    admin.world().faults.clear();
    StatusCode::NO_CONTENT
}

async fn audit(State(admin): State<Admin>) -> Json<Vec<AuditRow>> {
    Json(admin.world().audit.rows())
}

async fn clear_audit(State(admin): State<Admin>) -> Result<StatusCode, SandboxError> {
    admin.world().audit.clear()?;
    Ok(StatusCode::NO_CONTENT)
}

/// What there is, as it is: without the delay of the clouds' own answers.
async fn state(State(admin): State<Admin>) -> Json<Value> {
    let (cloud, azure) = (admin.aws(), admin.azure());
    let clusters = admin.clusters();
    let objects: BTreeMap<String, usize> = count_objects(clusters.first.api());
    let further = clusters.further.iter();
    let further: BTreeMap<_, _> = further
        .map(|cluster| (cluster.name(), json!({"objects": count_objects(cluster.api())})))
        .collect();
    let balancers = cloud.load_balancers();
    let accounts = azure.accounts();
    let shares: Vec<_> = accounts
        .iter()
        .flat_map(|account| azure.shares(&account.name))
        .collect();
    let containers: Vec<_> = accounts
        .iter()
        .flat_map(|account| azure.containers(&account.name))
        .collect();
    Json(json!({
        "volumes": cloud.volumes(), "load_balancers": balancers, "snapshots": cloud.snapshots(), "objects": objects,
        "storage_accounts": accounts, "shares": shares, "containers": containers, "disks": azure.disks(),
        "clusters": further,
    }))
}

/// How full a volume is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VolumeUsage {
    /// The name of the volume object.
    persistent_volume: String,
    used_bytes: u64,
    /// Whose volume object; the first cluster's where none is named.
    #[serde(default)]
    cluster: Option<String>,
}

async fn set_usage(State(admin): State<Admin>, Json(body): Json<VolumeUsage>) -> Response {
    let clusters = admin.clusters();
    let Some(cluster) = clusters.named(body.cluster.as_deref().unwrap_or(FIRST_CLUSTER)) else {
        return (
            StatusCode::NOT_FOUND,
            Json(json!({"error": "there is no such cluster"})),
        )
            .into_response();
    };
    let said = cluster
        .with_controllers(|controllers| controllers.set_usage(cluster.api(), &body.persistent_volume, body.used_bytes));
    let status = match &said {
        None | Some(Ok(())) => return StatusCode::NO_CONTENT.into_response(),
        Some(Err(UsageError::Unknown(_))) => StatusCode::NOT_FOUND,
        Some(Err(UsageError::TooMuch { .. } | UsageError::Azure(_))) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Err(UsageError::Journal(_))) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let why = said.and_then(Result::err).map(|error| error.to_string());
    (status, Json(json!({"error": why}))).into_response()
}

async fn sow(State(admin): State<Admin>, Json(seed): Json<Seed>) -> Response {
    let Err(error) = admin.sow(seed).await else {
        return Json(seed).into_response();
    };
    let status = match &error {
        SeedError::Journal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    (status, Json(json!({"error": error.to_string()}))).into_response()
}

async fn reset(State(admin): State<Admin>) -> Result<StatusCode, SandboxError> {
    admin.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the process that serves, as SIGTERM does; one that runs a sandbox for itself alone is not stopped from outside.
async fn stop(State(admin): State<Admin>) -> Response {
    if admin.announced().is_none() {
        let why = "this sandbox belongs to a running command and ends with it";
        return (StatusCode::CONFLICT, Json(json!({"error": why}))).into_response();
    }
    match rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"error": error.to_string()})),
        )
            .into_response(),
    }
}
