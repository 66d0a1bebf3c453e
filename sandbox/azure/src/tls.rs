//! TLS: the SDKs send tokens over nothing else.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use moorline_sandbox_core::{serve_by, serve_connection};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Clients reject certificates that live longer.
const DAYS: i64 = 396;

/// TLS could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the authority cannot be read or written.
    #[error("the sandbox's certificate authority cannot be kept in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A key or certificate could not be made, or those kept cannot be read.
    #[error("the sandbox cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate does not make a server.
    #[error("the sandbox cannot serve TLS")]
    Server(#[from] rustls::Error),
}

/// A certificate authority of the sandbox's own, with a server certificate for the loopback addresses.
///
/// Clients trust it by its certificate: `REQUESTS_CA_BUNDLE` for the Python SDKs and `az`, `SSL_CERT_FILE` for many others.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// A new authority that is forgotten with the process.
    pub fn new() -> Result<Self, TlsError> {
        Self::of_key(&KeyPair::generate()?)
    }

    /// The authority whose key is kept in `folder`, made where there is none. Its certificate is written to
    /// `azure-ca.pem` beside the key, anew each time; the key is readable by its owner only.
    pub fn open(folder: &Path) -> Result<Self, TlsError> {
        let key_file = folder.join("azure-ca.key");
        let key = match fs::read_to_string(&key_file) {
            Ok(text) => KeyPair::from_pem(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write(&key_file, &key.serialize_pem())?;
                key
            }
            Err(source) => return Err(TlsError::File { path: key_file, source }),
        };
        let authority = Self::of_key(&key)?;
        write(&Self::certificate_file(folder), &authority.certificate)?;
        Ok(authority)
    }

    /// Where [`Authority::open`] writes the certificate to trust.
    pub fn certificate_file(folder: &Path) -> PathBuf {
        folder.join("azure-ca.pem")
    }

    /// The certificate to trust, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    fn of_key(key: &KeyPair) -> Result<Self, TlsError> {
        let mut params = lasting(CertificateParams::default());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "moorline sandbox");
        let issuer = CertifiedIssuer::self_signed(params, key)?;
        let certificate = issuer.pem();

        let server_key = KeyPair::generate()?;
        let mut params = lasting(CertificateParams::new(vec!["localhost".to_owned()])?);
        params.subject_alt_names.extend([
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]);
        params
            .distinguished_name
            .push(DnType::CommonName, "moorline sandbox server");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server = params.signed_by(&server_key, &issuer)?;

        let chain: Vec<CertificateDer<'static>> = vec![server.der().clone()];
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            certificate,
            config: Arc::new(config),
        })
    }
}

fn lasting(mut params: CertificateParams) -> CertificateParams {
    let today = Zoned::new(Timestamp::now(), TimeZone::UTC).date();
    let midnight = |date: jiff::civil::Date| {
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    // A client's clock may be a little behind.
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(DAYS.days()));
    params
}

/// Writes a file in one step, readable by its owner only.
fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    let replace = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    replace().map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

/// Serves `router` over TLS on every connection that `listener` accepts until `stop` is done; connections that are
/// then still open are closed.
pub async fn serve_tls(
    listener: TcpListener,
    authority: &Authority,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(authority.config.clone());
    serve_by(listener, stop, |stream| {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        async move {
            match acceptor.accept(stream).await {
                Ok(stream) => serve_connection(stream, router).await,
                Err(error) => {
                    tracing::debug!(%error, "a client gave up its handshake");
                    None
                }
            }
        }
    })
    .await
}
