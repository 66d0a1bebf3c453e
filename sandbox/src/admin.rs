//! The sandbox's own HTTP interface, under `/_sandbox/`: settings, clock, faults, audit, state, reset.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use moorline_sandbox_aws::AwsCloud;
use moorline_sandbox_azure::AzureCloud;
use moorline_sandbox_controllers::{Clouds, Controllers, UsageError, count_objects};
use moorline_sandbox_core::{AuditRow, Fault, World};
use moorline_sandbox_kubernetes::ApiServer;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::Folder;
use crate::{SandboxError, SandboxSettings};

/// The parts of a sandbox, as its own interface reaches them.
#[derive(Clone)]
pub(crate) struct Admin {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    cloud: AwsCloud,
    azure: AzureCloud,
    api: ApiServer,
    /// Taken when the sandbox stops.
    controllers: Mutex<Option<Controllers>>,
    folder: Option<Folder>,
    /// Whether a request may end the process.
    may_stop: std::sync::atomic::AtomicBool,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("folder", &self.inner.folder)
            .finish_non_exhaustive()
    }
}

impl Admin {
    pub(crate) fn new(
        world: World,
        Clouds { aws: cloud, azure }: Clouds,
        api: ApiServer,
        controllers: Controllers,
        folder: Option<Folder>,
    ) -> Self {
        let controllers = Mutex::new(Some(controllers));
        Self {
            inner: Arc::new(Inner {
                world,
                cloud,
                azure,
                api,
                controllers,
                folder,
                may_stop: false.into(),
            }),
        }
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
            .route("/_sandbox/reset", post(reset))
            .route("/_sandbox/stop", post(stop))
            .with_state(self.clone())
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.world
    }

    pub(crate) fn azure(&self) -> &AzureCloud {
        &self.inner.azure
    }

    pub(crate) fn region(&self) -> String {
        self.inner.cloud.settings().region
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.inner.api.settings().token
    }

    /// From now on a request to stop ends the process.
    pub(crate) fn allow_stop(&self) {
        self.inner.may_stop.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn settings(&self) -> SandboxSettings {
        SandboxSettings {
            aws: self.inner.cloud.settings(),
            azure: self.inner.azure.settings(),
            api: self.inner.api.settings(),
            controllers: self.with_controllers(Controllers::settings).unwrap_or_default(),
        }
    }

    fn set_settings(&self, settings: SandboxSettings) -> Result<(), SandboxError> {
        if let Some(folder) = &self.inner.folder {
            folder.write_settings(&settings)?;
        }
        self.inner.cloud.set_settings(settings.aws);
        self.inner.azure.set_settings(settings.azure)?;
        self.inner.api.set_settings(settings.api);
        self.with_controllers(|controllers| controllers.set_settings(settings.controllers));
        Ok(())
    }

    /// Empties the clouds and the cluster as one step that no controller sees half of, and waits for the fresh cluster.
    async fn reset(&self) -> Result<(), SandboxError> {
        let clear = || {
            self.inner.api.clear();
            self.inner.cloud.clear()?;
            self.inner.azure.clear()?;
            self.inner.world.faults.clear();
            self.inner.world.audit.clear()
        };
        let cleared = self.with_controllers(|controllers| controllers.paused(clear));
        let Some((cleared, is_fresh)) = cleared else {
            return Ok(());
        };
        cleared?;
        // An error says that the controllers stopped: then nobody waits for a cluster.
        let _ = is_fresh.await;
        Ok(())
    }

    pub(crate) async fn stop_controllers(&self) {
        let controllers = self
            .inner
            .controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(controllers) = controllers {
            controllers.stop().await;
        }
    }

    fn with_controllers<T>(&self, act: impl FnOnce(&Controllers) -> T) -> Option<T> {
        self.inner
            .controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(act)
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
    admin.set_settings(settings)?;
    Ok(Json(admin.settings()))
}

/// How far to move the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u32,
}

async fn clock(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({"now": admin.inner.world.clock.now()}))
}

async fn advance(State(admin): State<Admin>, Json(body): Json<Advance>) -> Result<Json<Value>, SandboxError> {
    let world = &admin.inner.world;
    world.clock.advance(body.advance_seconds, &world.journal)?;
    Ok(Json(json!({"now": world.clock.now()})))
}

async fn faults(State(admin): State<Admin>) -> Json<Vec<Fault>> {
    Json(admin.inner.world.faults.rules())
}

async fn add_fault(State(admin): State<Admin>, Json(fault): Json<Fault>) -> Json<Vec<Fault>> {
    admin.inner.world.faults.add(fault);
    Json(admin.inner.world.faults.rules())
}

async fn clear_faults(State(admin): State<Admin>) -> StatusCode {
    admin.inner.world.faults.clear();
    StatusCode::NO_CONTENT
}

async fn audit(State(admin): State<Admin>) -> Json<Vec<AuditRow>> {
    Json(admin.inner.world.audit.rows())
}

async fn clear_audit(State(admin): State<Admin>) -> Result<StatusCode, SandboxError> {
    admin.inner.world.audit.clear()?;
    Ok(StatusCode::NO_CONTENT)
}

/// What there is, as it is: without the delay of the clouds' own answers.
async fn state(State(admin): State<Admin>) -> Json<Value> {
    let (cloud, azure) = (&admin.inner.cloud, &admin.inner.azure);
    let objects: BTreeMap<String, usize> = count_objects(&admin.inner.api);
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
    }))
}

/// How full a volume is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VolumeUsage {
    /// The name of the volume object.
    persistent_volume: String,
    used_bytes: u64,
}

async fn set_usage(State(admin): State<Admin>, Json(body): Json<VolumeUsage>) -> Response {
    let said = admin.with_controllers(|controllers| {
        controllers.set_usage(&admin.inner.api, &body.persistent_volume, body.used_bytes)
    });
    let status = match &said {
        None | Some(Ok(())) => return StatusCode::NO_CONTENT.into_response(),
        Some(Err(UsageError::Unknown(_))) => StatusCode::NOT_FOUND,
        Some(Err(UsageError::TooMuch { .. } | UsageError::Azure(_))) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Err(UsageError::Journal(_))) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let why = said.and_then(Result::err).map(|error| error.to_string());
    (status, Json(json!({"error": why}))).into_response()
}

async fn reset(State(admin): State<Admin>) -> Result<StatusCode, SandboxError> {
    admin.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the process that serves, as SIGTERM does; one that runs a sandbox for itself alone is not stopped from outside.
async fn stop(State(admin): State<Admin>) -> Response {
    if !admin.inner.may_stop.load(std::sync::atomic::Ordering::Relaxed) {
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
