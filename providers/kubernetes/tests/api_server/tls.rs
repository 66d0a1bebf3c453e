//! HTTPS: whom we trust, and how we show who we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline_api::{Cluster, Error, ErrorKind, Object, ObjectRef, ResourceKind};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::claim;

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/api_server/certificates")
        .join(name)
}

/// Serves one claim over TLS, to those with a certificate where `wants_certificates`.
async fn serve(wants_certificates: bool) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate("ca.crt")).unwrap())
        .unwrap();
    let clients = if wants_certificates {
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .unwrap()
    } else {
        Arc::new(NoClientAuth)
    };
    let chain = vec![CertificateDer::from_pem_file(certificate("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us hangs up here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                let body = claim().to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

async fn get(cluster: &Value, user: &Value) -> Result<Option<Object>, Error> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config");
    let config = json!({
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let cluster = KubeCluster::connect(&KubeSettings {
        kubeconfig: Some(path),
        ..KubeSettings::default()
    })
    .await
    .unwrap();
    cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "data"))
        .await
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority() {
    let address = serve(false).await;
    let trusted = json!({"server": address, "certificate-authority": certificate("ca.crt")});
    assert!(get(&trusted, &json!({})).await.unwrap().is_some());
    let unchecked = json!({"server": address, "insecure-skip-tls-verify": true});
    assert!(get(&unchecked, &json!({})).await.unwrap().is_some());
    let renamed =
        json!({"server": address, "certificate-authority": certificate("ca.crt"), "tls-server-name": "api.test"});
    assert!(get(&renamed, &json!({})).await.unwrap().is_some());
}

#[tokio::test]
async fn a_stranger_is_refused_at_once() {
    let address = serve(false).await;
    let renamed =
        json!({"server": address, "certificate-authority": certificate("ca.crt"), "tls-server-name": "other.test"});
    let stranger = json!({"server": address, "certificate-authority": certificate("server.crt")});
    for cluster in [renamed, stranger] {
        let started = std::time::Instant::now();
        let error = get(&cluster, &json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(
            error.to_string().contains("no trust between us and https://127.0.0.1"),
            "{error}"
        );
        assert!(
            started.elapsed() < std::time::Duration::from_secs(1),
            "what will not change is not tried again"
        );
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let address = serve(true).await;
    let cluster = json!({"server": address, "certificate-authority": certificate("ca.crt")});
    let user = json!({"client-certificate": certificate("server.crt"), "client-key": certificate("server.key")});
    assert!(get(&cluster, &user).await.unwrap().is_some());
    let error = get(&cluster, &json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn a_broken_certificate_is_named() {
    let cluster = json!({"server": "https://127.0.0.1:9", "certificate-authority": certificate("ca.crt")});
    for user in [
        json!({"client-certificate": certificate("server.crt")}),
        json!({"client-certificate-data": "!!!", "client-key-data": "!!!"}),
        json!({"client-certificate": certificate("README.md"), "client-key": certificate("README.md")}),
    ] {
        let error = get(&cluster, &user).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        assert!(
            error
                .to_string()
                .starts_with("connect to https://127.0.0.1:9 (context `main`): "),
            "{error}"
        );
    }
}
