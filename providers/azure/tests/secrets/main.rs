//! No secret is shown by anyone: neither by the provider, nor by the libraries below it, nor by the simulated Azure, whatever is
//! asked of them and however it fails. A program of its own, because the libraries' tasks log to the process's subscriber only.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt as _;
use moorline_api::{
    Accounts as _, ClientToken, MountSecrets as _, NewVolume, Object, StorageClass, StorageRules as _, Upkeep as _,
    VolumeFilter, VolumeSpec, Volumes as _, tags,
};
use moorline_azure::{AzureProvider, AzureRules, AzureSettings};
use moorline_sandbox_azure::{Authority, AzureCloud, AzureSettings as SandboxSettings, serve_tls};
use moorline_sandbox_core::{Effect, Fault, Journal, Moment, World};
use serde_json::json;

const CLIENT_SECRET: &str = "known-client-secret-0815";
const EXPIRED_SECRET: &str = "EXPIRED-client-secret-0816";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn volume(provisioner: &str, number: u32) -> NewVolume {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "shares"}, "provisioner": provisioner,
    });
    let class = StorageClass::from_object(&Object::from_value(class).unwrap());
    let shape = moorline_api::ClaimShape {
        bytes: 50 << 20,
        access_modes: vec!["ReadWriteMany".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    };
    let placement = AzureRules.place(&class, &shape, None).unwrap();
    let uid = format!("0b8bd6a5-2b8e-4a5e-9d2c-{number:012}");
    let tags = [
        (tags::CLUSTER_UID, "cluster"),
        (tags::PROFILE, "web"),
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

/// Everything that was said, and the secrets that were about.
#[derive(Default)]
struct Heard {
    shown: Vec<String>,
    secrets: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_shown_or_kept() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Journal::open(folder.path()).unwrap()).unwrap();
    let cloud = AzureCloud::open(world.clone(), SandboxSettings::instant()).unwrap();
    let authority = Authority::new().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let certificate = authority.certificate().to_owned();
    let served = cloud.clone();
    let serving =
        tokio::spawn(async move { serve_tls(listener, &authority, served.router(), std::future::pending()).await });
    let settings = |secret: &str| {
        let simulated = cloud.settings();
        let variables = BTreeMap::from([
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", endpoint.clone()),
            ("AZURE_AUTHORITY_HOST", endpoint.clone()),
            ("AZURE_TENANT_ID", simulated.tenant),
            ("AZURE_CLIENT_ID", "44444444-dddd-4000-8000-000000000001".to_owned()),
            ("AZURE_CLIENT_SECRET", secret.to_owned()),
            ("AZURE_SUBSCRIPTION_ID", simulated.subscriptions[0].clone()),
            ("AZURE_RESOURCE_GROUP", simulated.resource_groups[0].clone()),
        ]);
        AzureSettings {
            extra_roots: Some(certificate.clone()),
            patience: std::time::Duration::from_secs(1),
            ..AzureSettings::from_environment(|name| variables.get(name).cloned()).unwrap()
        }
    };

    let mut heard = Heard::default();
    let provider = AzureProvider::connect(settings(CLIENT_SECRET)).unwrap();
    work(&provider, &cloud, &mut heard).await;
    let expired = AzureProvider::connect(settings(EXPIRED_SECRET)).unwrap();
    let error = expired.account().await.unwrap_err();
    heard.shown.push(format!(
        "{error} {error:?} {expired:?} {:?} {cloud:?}",
        settings(CLIENT_SECRET)
    ));
    heard
        .secrets
        .extend([CLIENT_SECRET.to_owned(), EXPIRED_SECRET.to_owned()]);
    let files = String::from_utf8_lossy(&contents(folder.path())).into_owned();
    assert!(!files.is_empty());
    // One that knows no key yet. The faults quote a key, and are kept in files themselves: those are read before.
    let other = AzureProvider::connect(settings(CLIENT_SECRET)).unwrap();
    failures(&other, &world, &cloud, &mut heard).await;
    serving.abort();

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    for said in ["moorline_azure::", "hyper", "azure_"] {
        assert!(logged.contains(said), "{said} logs nothing, and proves nothing");
    }
    // The bearer's token is three parts; each by itself would do harm, but for its header.
    let tokens: Vec<String> = logged
        .split(|c: char| c.is_whitespace() || c == '"')
        .filter(|word| word.starts_with("eyJ"))
        .map(str::to_owned)
        .collect();
    assert!(tokens.is_empty(), "a token is logged");
    for secret in &heard.secrets {
        assert!(secret.len() >= 8, "{secret:?} would be found anywhere");
        assert!(!logged.contains(secret.as_str()), "the log shows {secret}");
        assert!(
            !heard.shown.iter().any(|shown| shown.contains(secret.as_str())),
            "an answer shows {secret}"
        );
        assert!(!files.contains(secret.as_str()), "a file keeps {secret}");
    }
}

async fn work(provider: &AzureProvider, cloud: &AzureCloud, heard: &mut Heard) {
    let account = provider.account().await.unwrap();
    heard.shown.push(format!("{account:?}"));
    for (number, provisioner) in [(1, "file.csi.azure.com"), (2, "blob.csi.azure.com")] {
        let made = provider.create(&volume(provisioner, number)).await.unwrap();
        let secret = provider.mount_secret(&made.id).await.unwrap();
        let key = secret["azurestorageaccountkey"].expose().to_owned();
        assert_eq!(
            cloud.account_key(made.id.0.split('.').next().unwrap()),
            Some(key.clone())
        );
        heard.shown.push(format!("{made:?} {secret:?}"));
        heard.secrets.push(key);
        provider.delete(&made.id).await.unwrap();
    }
    let listed: Vec<_> = provider.list(VolumeFilter::All).try_concat().await.unwrap();
    let swept = provider.sweep("cluster", "web").await.unwrap();
    heard.shown.push(format!("{listed:?} {swept:?}"));
}

/// Errors that quote the key, after the effect of calls and before it.
async fn failures(provider: &AzureProvider, world: &World, cloud: &AzureCloud, heard: &mut Heard) {
    let made = provider.create(&volume("file.csi.azure.com", 3)).await.unwrap();
    let account = made.id.0.split('.').next().unwrap().to_owned();
    let key = cloud.account_key(&account).unwrap();
    for (operation, moment, status) in [
        ("StorageAccounts_ListKeys", Moment::After, 400),
        ("FileShares_Get", Moment::Before, 500),
        ("FileShares_Delete", Moment::After, 403),
    ] {
        world.faults.add(Fault {
            service: "arm".to_owned(),
            operation: operation.to_owned(),
            moment,
            skip: 0,
            times: None,
            effect: Effect::Error {
                status,
                code: "Whatever".to_owned(),
                message: format!("AccountKey={key};EndpointSuffix=core.windows.net"),
                retry_after: None,
            },
        });
    }
    let by_id = VolumeFilter::Ids(vec![made.id.clone()]);
    let errors = [
        provider.mount_secret(&made.id).await.unwrap_err(),
        provider.list(by_id).try_concat().await.unwrap_err(),
        provider.delete(&made.id).await.unwrap_err(),
    ];
    heard
        .shown
        .extend(errors.iter().map(|error| format!("{error} {error:?}")));
    heard.secrets.push(key);
    world.faults.clear();
}

/// All bytes of all files below a folder.
fn contents(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(contents(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}
