//! One cluster of a sandbox: its API server with the door to it, and its controllers.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use moorline_sandbox_controllers::{Clouds, Controllers};
use moorline_sandbox_core::{World, keep_port, serve};
use moorline_sandbox_kubernetes::ApiServer;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::names::FIRST_CLUSTER;
use crate::{SandboxError, SandboxSettings};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A running cluster.
pub(crate) struct Cluster {
    name: String,
    address: SocketAddr,
    api: ApiServer,
    /// Taken when the cluster stops.
    controllers: Mutex<Option<Controllers>>,
    door: tokio::sync::Mutex<Door>,
}

/// Whether clients reach the API server.
enum Door {
    Open {
        stop: CancellationToken,
        served: JoinHandle<io::Result<()>>,
    },
    /// The port is kept, and nobody listens there: connections are refused.
    Shut(TcpSocket),
    /// For good.
    Gone,
}

impl Cluster {
    /// Restores the cluster, or makes a fresh one, and starts its server and controllers.
    pub(crate) fn start(
        name: &str,
        world: &World,
        clouds: Clouds,
        settings: &SandboxSettings,
        address: SocketAddr,
    ) -> Result<Self, SandboxError> {
        let world = match name {
            // State of before there were several clusters goes on in this one.
            FIRST_CLUSTER => world.clone(),
            other => world.room(&format!("cluster-{other}")),
        };
        let api = ApiServer::open_as(&service(name), world.clone(), settings.api.clone())?;
        let failed = |source| SandboxError::Listen { address, source };
        let socket = keep_port(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let door = if settings.is_reachable(name) {
            Door::open(socket, api.router()).map_err(failed)?
        } else {
            Door::Shut(socket)
        };
        let controllers = Controllers::start(&world, api.clone(), clouds, settings.controllers.clone())?;
        Ok(Self {
            name: name.to_owned(),
            address,
            api,
            controllers: Mutex::new(Some(controllers)),
            door: tokio::sync::Mutex::new(door),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// URL of the API server.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn api(&self) -> &ApiServer {
        &self.api
    }

    /// Lets clients reach the server, or refuses their connections; those that are open are cut. The cluster itself goes on.
    pub(crate) async fn set_reachable(&self, reachable: bool) -> Result<(), SandboxError> {
        let failed = |source| SandboxError::Listen {
            address: self.address,
            source,
        };
        let mut door = self.door.lock().await;
        let next = match std::mem::replace(&mut *door, Door::Gone) {
            Door::Shut(socket) if reachable => Door::open(socket, self.api.router()).map_err(failed)?,
            Door::Open { stop, served } if !reachable => {
                close(stop, served).await;
                Door::Shut(keep_port(self.address).map_err(failed)?)
            }
            same => same,
        };
        *door = next;
        Ok(())
    }

    /// Stops server and controllers; the state is kept. Calls under way are cut.
    pub(crate) async fn stop(&self) {
        if let Door::Open { stop, served } = std::mem::replace(&mut *self.door.lock().await, Door::Gone) {
            close(stop, served).await;
        }
        let controllers = self.controllers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(controllers) = controllers {
            controllers.stop().await;
        }
    }

    /// `None` after the cluster has stopped.
    pub(crate) fn with_controllers<T>(&self, act: impl FnOnce(&Controllers) -> T) -> Option<T> {
        self.controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(act)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Door::Open { stop, .. } = self.door.get_mut() {
            stop.cancel();
        }
    }
}

impl Door {
    fn open(socket: TcpSocket, router: Router) -> io::Result<Self> {
        let listener = socket.listen(BACKLOG)?;
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router, stop.clone().cancelled_owned()));
        Ok(Self::Open { stop, served })
    }
}

async fn close(stop: CancellationToken, served: JoinHandle<io::Result<()>>) {
    stop.cancel();
    match served.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a cluster's server had failed"),
        Err(error) => tracing::error!(%error, "a cluster's server ended badly"),
    }
}

/// Runs `act` while no controller of these clusters works; `None` where one of them has stopped. Each cluster has its nodes and
/// classes again when its receiver in `fresh` hears of it.
pub(crate) fn paused<T>(
    clusters: &[Arc<Cluster>],
    act: &mut dyn FnMut() -> T,
    fresh: &mut Vec<oneshot::Receiver<()>>,
) -> Option<T> {
    let Some((first, others)) = clusters.split_first() else {
        return Some(act());
    };
    let (done, is_fresh) = first.with_controllers(|controllers| controllers.paused(|| paused(others, act, fresh)))?;
    fresh.push(is_fresh);
    done
}

/// The cluster as the audit and fault rules name it.
pub(crate) fn service(name: &str) -> String {
    match name {
        FIRST_CLUSTER => "kubernetes".to_owned(),
        other => format!("kubernetes/{other}"),
    }
}
