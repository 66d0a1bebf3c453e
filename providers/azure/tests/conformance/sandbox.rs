//! The sandbox's Resource Manager, each case with one of its own.

use async_trait::async_trait;
use moorline_api::conformance::containers::ContainerBackend;
use moorline_api::{MountSecrets, Usage, VolumeId, Volumes};
use moorline_azure::{AzureProvider, AzureSettings};
use moorline_sandbox_azure::{Authority, AzureCloud, AzureSettings as SandboxSettings, serve_tls};
use moorline_sandbox_core::{Journal, World};
use tokio::net::TcpListener;

pub(crate) struct Sandbox {
    provider: AzureProvider,
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        let settings = SandboxSettings::instant();
        let cloud = AzureCloud::open(World::new(Journal::in_memory()).unwrap(), settings.clone()).unwrap();
        let authority = Authority::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let certificate = authority.certificate().to_owned();
        tokio::spawn(async move { serve_tls(listener, &authority, cloud.router(), std::future::pending()).await });
        let variables = [
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", &endpoint),
            ("AZURE_AUTHORITY_HOST", &endpoint),
            ("AZURE_TENANT_ID", &settings.tenant),
            ("AZURE_CLIENT_ID", &"44444444-dddd-4000-8000-000000000001".to_owned()),
            ("AZURE_CLIENT_SECRET", &"sandbox".to_owned()),
            ("AZURE_SUBSCRIPTION_ID", &settings.subscriptions[0]),
            ("AZURE_RESOURCE_GROUP", &settings.resource_groups[0]),
        ];
        let read = AzureSettings::from_environment(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(found.1.clone())
        });
        let settings = AzureSettings {
            extra_roots: Some(certificate),
            ..read.unwrap()
        };
        Self {
            provider: AzureProvider::connect(settings).unwrap(),
        }
    }
}

#[async_trait(?Send)]
impl ContainerBackend for Sandbox {
    fn volumes(&self) -> &dyn Volumes {
        &self.provider
    }

    fn secrets(&self) -> &dyn MountSecrets {
        &self.provider
    }

    fn usage(&self) -> &dyn Usage {
        &self.provider
    }

    fn label(&self) -> &'static str {
        "5a4db0c5"
    }

    async fn lease(&self, id: &VolumeId) -> String {
        panic!("nobody can use {id}: the sandbox has no data plane");
    }

    async fn release(&self, id: &VolumeId, _lease: &str) {
        panic!("nobody can use {id}: the sandbox has no data plane");
    }

    async fn write(&self, id: &VolumeId, _blob: &str, _bytes: usize) {
        panic!("nobody can use {id}: the sandbox has no data plane");
    }
}
