//! The embedded sandbox: a simulated AWS account, a simulated Azure and a Kubernetes cluster on loopback, with the
//! controllers that make them live, a clock that can be moved, faults, and an audit.
//!
//! [`Sandbox::start`] runs it for this process alone; [`Sandbox::serve`] runs it for others too, who find it with
//! [`Sandbox::running`]. With a folder for its state it goes on where the last process over that folder stopped, even
//! one that was killed.

mod admin;
mod cluster;
mod error;
mod files;
mod names;
mod running;
mod seed;
mod settings;

pub use error::SandboxError;
pub use moorline_sandbox_aws::AwsSettings;
pub use moorline_sandbox_azure::AzureSettings;
pub use moorline_sandbox_controllers::ControllerSettings;
pub use moorline_sandbox_core::{AuditRow, Effect, Fault, JournalError, Moment, World};
pub use moorline_sandbox_kubernetes::ApiSettings;
pub use names::{ClusterNames, FIRST_CLUSTER, WrongNames};
pub use running::{ClusterEndpoint, Running};
pub use seed::Seed;
pub use settings::SandboxSettings;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use moorline_sandbox_aws::AwsCloud;
use moorline_sandbox_azure::{Authority, AzureCloud, serve_tls};
use moorline_sandbox_controllers::Clouds;
use moorline_sandbox_core::{Journal, dated, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use admin::{Admin, Ground};
use files::Folder;

/// The application that callers are in the Azure cloud; any id would do.
pub const AZURE_CLIENT: &str = "44444444-dddd-4000-8000-000000000001";

/// How to start.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// The folder that keeps the state; `None` keeps it in memory.
    pub state_dir: Option<PathBuf>,
    /// Where the AWS account and the sandbox's own interface listen. The first cluster, the Azure cloud, its metadata service and
    /// the further clusters listen at the next ports, in this order, or, like the account, at any that are free where this is
    /// port 0. There is no authentication worth the name: stay on loopback.
    pub address: SocketAddr,
    /// Settings; they are kept in the folder. `None` takes those kept there, or else the defaults.
    pub settings: Option<SandboxSettings>,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            state_dir: None,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            settings: None,
        }
    }
}

/// A running sandbox. Dropping it ends it; [`Sandbox::shutdown`] ends it in order.
#[derive(Debug)]
pub struct Sandbox {
    admin: Admin,
    folder: Option<Folder>,
    aws: SocketAddr,
    azure: SocketAddr,
    azure_metadata: SocketAddr,
    azure_certificate: String,
    stop: CancellationToken,
    servers: JoinSet<std::io::Result<()>>,
}

impl Sandbox {
    /// Restores the state and starts servers and controllers on the current tokio runtime; it is ready when this
    /// returns. At most one process at a time may use a folder: any other gets [`SandboxError::Journal`].
    pub async fn start(options: StartOptions) -> Result<Self, SandboxError> {
        let folder = options.state_dir.as_deref().map(Folder::open).transpose()?;
        let settings = match (&folder, options.settings) {
            (Some(folder), Some(settings)) => {
                folder.write_settings(&settings)?;
                settings
            }
            (Some(folder), None) => folder.read_settings()?.unwrap_or_default(),
            (None, settings) => settings.unwrap_or_default(),
        };
        let journal = match &folder {
            Some(folder) => Journal::open(folder.journal())?,
            None => Journal::in_memory(),
        };
        let world = World::new(journal)?;
        let cloud = AwsCloud::open(world.clone(), settings.aws.clone())?;
        let azure_cloud = AzureCloud::open(world.clone(), settings.azure.clone())?;
        let authority = match &folder {
            Some(folder) => Authority::open(folder.path())?,
            None => Authority::new()?,
        };
        let (aws_listener, aws) = listen(behind(options.address, 0)).await?;
        let (azure_listener, azure) = listen(behind(options.address, 2)).await?;
        let (metadata_listener, azure_metadata) = listen(behind(options.address, 3)).await?;
        let clouds = Clouds {
            aws: cloud.clone(),
            azure: azure_cloud.clone(),
        };
        let ground = Ground {
            world,
            clouds,
            folder: folder.clone(),
            address: options.address,
        };
        let admin = Admin::start(ground, &settings)?;
        let stop = CancellationToken::new();
        let mut servers = JoinSet::new();
        let account = dated(cloud.router().merge(admin.router()), admin.world().clock.clone());
        servers.spawn(serve(aws_listener, account, stop.clone().cancelled_owned()));
        let metadata = azure_cloud.metadata_router();
        servers.spawn(serve(metadata_listener, metadata, stop.clone().cancelled_owned()));
        let azure_certificate = authority.certificate().to_owned();
        let stopped = stop.clone().cancelled_owned();
        servers.spawn(async move { serve_tls(azure_listener, &authority, azure_cloud.router(), stopped).await });
        Ok(Self {
            admin,
            folder,
            aws,
            azure,
            azure_metadata,
            azure_certificate,
            stop,
            servers,
        })
    }

    /// Like [`Sandbox::start`], and tells other processes: [`Sandbox::running`] finds it, and a kubeconfig is written
    /// into the folder. A request to stop over HTTP ends this process as SIGTERM does.
    pub async fn serve(options: StartOptions) -> Result<Self, SandboxError> {
        let sandbox = Self::start(options).await?;
        if sandbox.folder.is_some() {
            sandbox.admin.announce(Running {
                pid: std::process::id(),
                aws_endpoint: sandbox.aws_endpoint(),
                azure_endpoint: sandbox.azure_endpoint(),
                azure_certificate: sandbox.azure_certificate.clone(),
                kubernetes_endpoint: sandbox.kubernetes_endpoint(),
                clusters: sandbox.clusters(),
                admin_endpoint: sandbox.admin_endpoint(),
                environment: sandbox.environment(),
            })?;
        }
        Ok(sandbox)
    }

    /// The sandbox that another process serves over this folder. What a dead process left behind is cleaned up.
    pub fn running(state_dir: &Path) -> Option<Running> {
        running::find(state_dir)
    }

    /// Forgets all state in a folder; settings stay, unless they cannot be read. Refused while a process uses it.
    pub fn reset(state_dir: &Path) -> Result<(), SandboxError> {
        files::reset(state_dir)
    }

    /// URL of the account: EC2, both load balancing APIs and STS.
    pub fn aws_endpoint(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// URL of the first cluster's API server.
    pub fn kubernetes_endpoint(&self) -> String {
        self.admin.first_endpoint()
    }

    /// Where every cluster is found, the first one first.
    pub fn clusters(&self) -> Vec<ClusterEndpoint> {
        self.admin.endpoints()
    }

    /// URL of the Azure cloud: Resource Manager and the token endpoint, over TLS.
    pub fn azure_endpoint(&self) -> String {
        format!("https://{}", self.azure)
    }

    /// The certificate, as PEM, by which clients know [`Sandbox::azure_endpoint`].
    pub fn azure_certificate(&self) -> &str {
        &self.azure_certificate
    }

    /// URL under which `/_sandbox/…` is found.
    pub fn admin_endpoint(&self) -> String {
        self.aws_endpoint()
    }

    /// The environment in which `aws`, boto3, every SDK of AWS and Azure and (given a folder) `kubectl` use the sandbox.
    /// Programs in Python trust the Azure cloud by it, and then no other server of TLS.
    pub fn environment(&self) -> Vec<(String, String)> {
        let region = self.admin.region();
        let azure = self.admin.azure().settings();
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        let mut environment = vec![
            ("AWS_ENDPOINT_URL", self.aws_endpoint()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AZURE_AUTHORITY_HOST", self.azure_endpoint()),
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.azure_endpoint()),
            (
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                format!("http://{}", self.azure_metadata),
            ),
            ("AZURE_TENANT_ID", azure.tenant.clone()),
            ("AZURE_CLIENT_ID", AZURE_CLIENT.to_owned()),
            ("AZURE_CLIENT_SECRET", "test".to_owned()),
            ("AZURE_SUBSCRIPTION_ID", first(&azure.subscriptions)),
            ("AZURE_DEFAULTS_GROUP", first(&azure.resource_groups)),
            ("AZURE_DEFAULTS_LOCATION", azure.location.clone()),
        ];
        if let Some(folder) = &self.folder {
            let certificate = Authority::certificate_file(folder.path());
            environment.push(("REQUESTS_CA_BUNDLE", certificate.display().to_string()));
            environment.push(("KUBECONFIG", folder.kubeconfig().display().to_string()));
        }
        environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// A kubeconfig with a context for each cluster; `moorline-sandbox` is the current.
    pub fn kubeconfig(&self) -> String {
        self.admin.kubeconfig()
    }

    /// The clock, faults and audit, for tests in the same process.
    pub fn world(&self) -> &World {
        self.admin.world()
    }

    /// The settings in force.
    pub fn settings(&self) -> SandboxSettings {
        self.admin.settings()
    }

    /// Stops servers and controllers; the state is kept. Calls under way are cut.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        self.admin.withdraw();
        while let Some(ended) = self.servers.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a server of the sandbox had failed"),
                Err(error) => tracing::error!(%error, "a server of the sandbox ended badly"),
            }
        }
        self.admin.stop_clusters().await;
    }
}

/// The address so many ports behind another; any free port where that one asks for any.
fn behind(address: SocketAddr, ports: u16) -> SocketAddr {
    let port = match address.port() {
        0 => 0,
        port => port.checked_add(ports).unwrap_or_default(),
    };
    (address.ip(), port).into()
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}
