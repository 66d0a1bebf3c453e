//! The provider against the sandbox's Azure, over TLS, at the published rates, with credentials from the environment.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod credentials;
mod holders;
mod inventory;
mod life;
mod recovery;
mod refusals;
mod tagging;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request};
use moorline_api::{ClientToken, NewVolume, Object, StorageClass, StorageRules as _, VolumeSpec, tags};
use moorline_azure::{AzureProvider, AzureRules, AzureSettings};
use moorline_sandbox_azure::{Authority, AzureCloud, AzureSettings as SandboxSettings, serve_tls};
use moorline_sandbox_core::{Journal, World};
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// A running Azure.
pub(crate) struct Azure {
    pub(crate) world: World,
    pub(crate) cloud: AzureCloud,
    endpoint: String,
    certificate: String,
    settings: SandboxSettings,
}

impl Azure {
    pub(crate) async fn start(settings: SandboxSettings) -> Self {
        let world = World::new(Journal::in_memory()).unwrap();
        let cloud = AzureCloud::open(world.clone(), settings.clone()).unwrap();
        let authority = Authority::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let certificate = authority.certificate().to_owned();
        let served = cloud.clone();
        tokio::spawn(async move { serve_tls(listener, &authority, served.router(), std::future::pending()).await });
        Self {
            world,
            cloud,
            endpoint,
            certificate,
            settings,
        }
    }

    /// Settings as the environment makes them, with these variables over the usual ones.
    pub(crate) fn settings(&self, variables: &[(&str, &str)]) -> AzureSettings {
        let mut all = BTreeMap::from([
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.endpoint.as_str()),
            ("AZURE_AUTHORITY_HOST", &self.endpoint),
            ("AZURE_TENANT_ID", &self.settings.tenant),
            ("AZURE_CLIENT_ID", "44444444-dddd-4000-8000-000000000001"),
            ("AZURE_CLIENT_SECRET", "sandbox"),
            ("AZURE_SUBSCRIPTION_ID", &self.settings.subscriptions[0]),
            ("AZURE_RESOURCE_GROUP", &self.settings.resource_groups[0]),
        ]);
        all.extend(variables.iter().copied());
        let found = AzureSettings::from_environment(|name| all.get(name).map(|value| (*value).to_owned()));
        AzureSettings {
            extra_roots: Some(self.certificate.clone()),
            ..found.unwrap()
        }
    }

    pub(crate) fn provider(&self, variables: &[(&str, &str)]) -> AzureProvider {
        AzureProvider::connect(self.settings(variables)).unwrap()
    }

    /// Calls an operation of Resource Manager as somebody else would, who has an empty body for it.
    async fn ask(&self, method: Method, path: &str, version: &str) {
        let form = "grant_type=client_credentials&client_id=44444444-dddd-4000-8000-000000000009&client_secret=s&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
        let sign_in = Request::post(format!("/{}/oauth2/v2.0/token", self.settings.tenant))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        let token = self.cloud.router().oneshot(sign_in).await.unwrap();
        let token = axum::body::to_bytes(token.into_body(), usize::MAX).await.unwrap();
        let token: serde_json::Value = serde_json::from_slice(&token).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?api-version={version}"))
            .header(
                "authorization",
                format!("Bearer {}", token["access_token"].as_str().unwrap()),
            )
            .header("content-type", "application/json")
            .body(Body::from(r#"{"properties": {}}"#))
            .unwrap();
        let answer = self.cloud.router().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
    }

    pub(crate) async fn put(&self, path: &str, version: &str) {
        self.ask(Method::PUT, path, version).await;
    }

    pub(crate) async fn delete(&self, path: &str, version: &str) {
        self.ask(Method::DELETE, path, version).await;
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> u64 {
        let rows = self.world.audit.rows();
        rows.iter()
            .filter(|row| row.operation == operation)
            .map(|row| row.calls)
            .sum()
    }

    /// Calls that came too fast.
    pub(crate) fn throttled(&self) -> u64 {
        let rows = self.world.audit.rows();
        let slowed: Vec<_> = rows.iter().filter(|row| row.throttled > 0).collect();
        assert!(slowed.is_empty(), "{slowed:?}");
        rows.iter().map(|row| row.throttled).sum()
    }
}

/// The volume of a claim of the tutorial's size.
pub(crate) fn new_volume(provisioner: &str, number: u32) -> NewVolume {
    volume_of(provisioner, &[("skuName", "Standard_LRS")], number)
}

/// The volume of such a claim, of a class with these parameters.
pub(crate) fn volume_of(provisioner: &str, parameters: &[(&str, &str)], number: u32) -> NewVolume {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "azurefile-div"},
        "provisioner": provisioner, "parameters": parameters.iter().copied().collect::<BTreeMap<_, _>>(),
    });
    let class = StorageClass::from_object(&Object::from_value(class).unwrap());
    let shape = moorline_api::ClaimShape {
        bytes: 50 << 20,
        access_modes: vec!["ReadWriteMany".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    };
    let placement = AzureRules.place(&class, &shape, None).unwrap();
    let uid = format!("0b8bd6a5-2b8e-4a5e-9d2c-{number:012}");
    let claim = format!("counter-div-counter-div-{number}");
    let tags = [
        (tags::CLUSTER_UID, "3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f"),
        (tags::PROFILE, "azure-counter"),
        (tags::NAMESPACE, "default"),
        (tags::CLAIM, &claim),
        (tags::CLAIM_UID, &uid),
    ];
    NewVolume {
        spec: VolumeSpec {
            size_gib: placement.size_gib,
            zone: None,
            config: placement.config,
        },
        tags: tags
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        token: ClientToken {
            claim_uid: uid,
            generation: 1,
        },
    }
}
