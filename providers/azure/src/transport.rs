//! HTTP for `azure_core`'s pipelines, on the HTTP stack that the rest of moorline uses.
//!
//! `azure_core` brings reqwest with another TLS library along by default; this is what it needs instead. Redirects are not
//! followed: Resource Manager sends none, and a token must not go where it did not mean to.

use std::path::PathBuf;
use std::sync::OnceLock;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::request::{Body, Request};
use azure_core::http::{AsyncRawResponse, HttpClient, Method};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use moorline_http::{HttpsConnector, Network, Road};

use crate::settings::AzureSettings;

/// No honest answer is larger: a page of shares has some hundred KiB.
const LARGEST_ANSWER: usize = 32 << 20;

type HyperClient = Client<HttpsConnector<Road>, Full<Bytes>>;

/// Sends requests. The first one builds what it takes, because reading the machine's certificates takes a while.
#[derive(Debug)]
pub(crate) struct HyperTransport {
    network: Network,
    /// A file with more root certificates.
    roots: Option<PathBuf>,
    client: OnceLock<Result<HyperClient, String>>,
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
            network: Network {
                connect_timeout: settings.connect_timeout,
                extra_roots: settings.extra_roots.clone(),
                proxy: settings.proxy.as_ref().map(|proxy| proxy.expose().to_owned()),
                no_proxy: settings.no_proxy.clone(),
                machine_roots: tls,
            },
            roots: settings.extra_roots_file.clone().filter(|_| tls),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&HyperClient, Error> {
        let built = self.client.get_or_init(|| self.build());
        built
            .as_ref()
            .map_err(|why| Error::with_message(ErrorKind::Connection, why.clone()))
    }

    fn build(&self) -> Result<HyperClient, String> {
        let mut network = self.network.clone();
        if let Some(path) = &self.roots {
            let shown = format!("{}, which REQUESTS_CA_BUNDLE names,", path.display());
            let more = std::fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
            if !more.contains("BEGIN CERTIFICATE") {
                return Err(format!("{shown} has no certificate that can be trusted"));
            }
            let roots = network.extra_roots.get_or_insert_default();
            *roots = format!("{roots}\n{more}");
        }
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(network.connector()?))
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
