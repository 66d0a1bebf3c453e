//! No secret is shown: not in logs at `trace`, not in errors, not in `Debug`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use moorline_api::{MountSecrets as _, Volumes as _};
use tracing::instrument::WithSubscriber as _;

use crate::server::{Server, TOKEN, class, new_volume, uid};
use crate::world::{KEY, Reply};

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

#[tokio::test]
async fn neither_token_nor_key_is_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let work = async {
        let server = Server::start().await;
        let provider = server.provider();
        let volume = provider
            .create(&new_volume(&class("file.csi.azure.com", &[]), &uid(1)))
            .await
            .unwrap();
        let secret = provider.mount_secret(&volume.id).await.unwrap();
        server.fault(|asked| {
            let leak = format!("the header was Bearer {TOKEN}, the key {KEY}");
            (asked == "share").then(|| Reply::refuse(400, "Whatever", &leak))
        });
        let error = server.provider().used(&volume.id).await;
        format!("{provider:?} {secret:?} {error:?} {error}")
    };
    let shown = work.with_subscriber(subscriber).await;
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("storageAccounts"), "something is logged: {logged}");
    for secret in [TOKEN, KEY] {
        assert!(!logged.contains(secret), "{logged}");
    }
    for secret in [TOKEN, KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Reads that can fail, and with what.
trait Used {
    async fn used(&self, id: &moorline_api::VolumeId) -> moorline_api::Error;
}

impl Used for moorline_azure::AzureProvider {
    async fn used(&self, id: &moorline_api::VolumeId) -> moorline_api::Error {
        moorline_api::Usage::used_bytes(self, id).await.unwrap_err()
    }
}
