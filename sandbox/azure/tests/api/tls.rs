//! TLS.

use std::sync::Arc;

use moorline_sandbox_azure::{Authority, serve_tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::client::Client;

fn trusting(certificate: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn clients_that_trust_the_authority_are_served_and_others_are_not() {
    let client = Client::instant().await;
    let authority = Authority::new().unwrap();
    let certificate = authority.certificate().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = client.cloud.router();
    let server = tokio::spawn(async move {
        let stop = async { drop(stopped.await) };
        serve_tls(listener, &authority, router, stop).await
    });

    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = trusting(&certificate)
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
            .unwrap();
        let path = format!(
            "/{}/v2.0/.well-known/openid-configuration",
            client.cloud.settings().tenant
        );
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("https://{address}/")), "{answer}");
    }
    let other = Authority::new().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    assert!(trusting(other.certificate()).connect(name, stream).await.is_err());
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_authority_is_kept_with_its_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::open(folder.path()).unwrap();
    let file = Authority::certificate_file(folder.path());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first.certificate());
    let key = std::fs::metadata(folder.path().join("azure-ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    // A client that trusts the first certificate trusts what the second opening serves.
    let second = Authority::open(folder.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Client::instant().await.cloud.router();
    let served = tokio::spawn(async move { serve_tls(listener, &second, router, std::future::pending()).await });
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    trusting(first.certificate()).connect(name, stream).await.unwrap();
    served.abort();
    std::fs::write(folder.path().join("azure-ca.key"), "no key").unwrap();
    assert!(Authority::open(folder.path()).is_err());
}
