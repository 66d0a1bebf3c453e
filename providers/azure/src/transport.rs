//! HTTP for `azure_core`'s pipelines, on the HTTP stack that the rest of moorline uses.
//!
//! `azure_core` brings reqwest with another TLS library along by default; this is what it needs instead. Redirects are not
//! followed: Resource Manager sends none, and a token must not go where it did not mean to.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::request::{Body, Request};
use azure_core::http::{AsyncRawResponse, HttpClient, Method};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;

use crate::settings::AzureSettings;

/// No honest answer is larger: a page of shares has some hundred KiB.
const LARGEST_ANSWER: usize = 32 << 20;

type HyperClient = Client<HttpsConnector<Road>, Full<Bytes>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends requests. The first one builds what it takes, because reading the machine's certificates takes a while.
#[derive(Debug)]
pub(crate) struct HyperTransport {
    settings: TransportSettings,
    client: OnceLock<Result<HyperClient, String>>,
}

#[derive(Clone, Debug)]
struct TransportSettings {
    connect_timeout: std::time::Duration,
    extra_roots: Option<String>,
    extra_roots_file: Option<PathBuf>,
    proxy: Option<String>,
    no_proxy: String,
    /// Whether TLS is used at all.
    tls: bool,
}

impl HyperTransport {
    pub(crate) fn new(settings: &AzureSettings) -> Self {
        // A token that is given needs nobody to hand it out, and loopback needs no TLS.
        let fixed = matches!(settings.identity, crate::credentials::Identity::Token(_));
        let plain = settings.cloud.resource_manager().starts_with("http://");
        Self::of(settings, !(fixed && plain))
    }

    /// One of which is known whether TLS is used at all.
    pub(crate) fn of(settings: &AzureSettings, tls: bool) -> Self {
        Self {
            settings: TransportSettings {
                connect_timeout: settings.connect_timeout,
                extra_roots: settings.extra_roots.clone(),
                extra_roots_file: settings.extra_roots_file.clone(),
                proxy: settings.proxy.clone(),
                no_proxy: settings.no_proxy.clone(),
                tls,
            },
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&HyperClient, Error> {
        let built = self.client.get_or_init(|| self.settings.build());
        built
            .as_ref()
            .map_err(|why| Error::with_message(ErrorKind::Connection, why.clone()))
    }
}

impl TransportSettings {
    fn build(&self) -> Result<HyperClient, String> {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_nodelay(true);
        direct.set_connect_timeout(Some(self.connect_timeout));
        let proxy = self.proxy.as_ref().map(|proxy| {
            Arc::new(
                Matcher::builder()
                    .https(proxy.clone())
                    .no(self.no_proxy.clone())
                    .build(),
            )
        });
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Road { direct, proxy });
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector))
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        if self.tls {
            // Some of a machine's certificates being unreadable is common, and no reason to trust none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if let Some(pem) = &self.extra_roots {
            trust(&mut roots, pem.as_bytes(), "the extra root certificates")?;
        }
        if let Some(path) = self.extra_roots_file.as_ref().filter(|_| self.tls) {
            let shown = format!("{}, which REQUESTS_CA_BUNDLE names,", path.display());
            let pem = std::fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
            trust(&mut roots, &pem, &shown)?;
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Adds the certificates of a PEM text. A bundle may hold some that nobody can use, and must hold one that can be.
fn trust(roots: &mut RootCertStore, pem: &[u8], what: &str) -> Result<(), String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| format!("{what} is no PEM"))?;
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(format!("{what} has no certificate that can be trusted")),
        _ => Ok(()),
    }
}

/// The way to a server: direct, or through a proxy's tunnel.
#[derive(Clone, Debug)]
struct Road {
    direct: HttpConnector,
    proxy: Option<Arc<Matcher>>,
}

impl tower_service::Service<Uri> for Road {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        tower_service::Service::<Uri>::poll_ready(&mut self.direct, cx).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut direct = self.direct.clone();
        match self.proxy.as_ref().and_then(|proxy| proxy.intercept(&server)) {
            None => {
                let road = tower_service::Service::call(&mut direct, server);
                Box::pin(async move { Ok(road.await?) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                let road = tower_service::Service::call(&mut tunnel, server);
                Box::pin(async move { Ok(road.await?) })
            }
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for HyperTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let client = self.client()?;
        let response = client.request(outgoing(request)?).await.map_err(|error| {
            let kind = if error.is_connect() {
                ErrorKind::Connection
            } else {
                ErrorKind::Io
            };
            Error::new(kind, error)
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| Error::new(ErrorKind::Io, error))?;
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            if let Ok(value) = value.to_str() {
                let name = HeaderName::from(name.as_str().to_owned());
                headers.insert(name, HeaderValue::from(value.to_owned()));
            }
        }
        Ok(AsyncRawResponse::from_bytes(
            parts.status.as_u16().into(),
            headers,
            body.to_bytes(),
        ))
    }
}

fn outgoing(request: &Request) -> azure_core::Result<http::Request<Full<Bytes>>> {
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => {
            return Err(Error::with_message(ErrorKind::Other, "this transport sends no streams"));
        }
    };
    let method = match request.method() {
        Method::Delete => http::Method::DELETE,
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Patch => http::Method::PATCH,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        _ => return Err(Error::with_message(ErrorKind::Other, "no operation of ours is made so")),
    };
    let mut outgoing = http::Request::builder().method(method).uri(request.url().as_str());
    for (name, value) in request.headers().iter() {
        let mut value = http::HeaderValue::from_str(value.as_str())
            .map_err(|error| Error::new(ErrorKind::DataConversion, error))?;
        value.set_sensitive(name.as_str().eq_ignore_ascii_case("authorization"));
        outgoing = outgoing.header(name.as_str(), value);
    }
    outgoing
        .body(Full::new(body))
        .map_err(|error| Error::new(ErrorKind::DataConversion, error))
}
