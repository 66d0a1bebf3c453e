//! The way to a server: TLS by the machine's certificates, direct or through a proxy's tunnel.
//!
//! Some SDKs take any HTTP client, and would otherwise bring one with a second TLS library. They get this one, on the HTTP
//! stack that everything else here uses. It follows no redirects: what it sends carries credentials.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
pub use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a connection has to know of the network.
#[derive(Clone)]
pub struct Network {
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// Root certificates to trust beside the machine's, as PEM text.
    pub extra_roots: Option<String>,
    /// The proxy for HTTPS, as an address.
    pub proxy: Option<String>,
    /// Hosts that are reached without it, as `NO_PROXY` lists them.
    pub no_proxy: String,
    /// Whether the machine's certificates are read, which takes a while: not where all is plain HTTP on loopback.
    pub machine_roots: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            extra_roots: None,
            proxy: None,
            no_proxy: String::new(),
            machine_roots: true,
        }
    }
}

/// Without the proxy's address: there may be a password in it.
impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("connect_timeout", &self.connect_timeout)
            .field("proxied", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}

impl Network {
    /// What these variables say: `HTTPS_PROXY` and `NO_PROXY`, in either case.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |names: [&str; 2]| {
            let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            names.into_iter().find_map(given)
        };
        Self {
            proxy: either(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: either(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What opens connections for a client of hyper's. It reads the machine's certificates: make it once, when the first
    /// request is sent.
    ///
    /// # Errors
    /// In words, where the extra certificates are of no use.
    pub fn connector(&self) -> Result<HttpsConnector<Road>, String> {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_nodelay(true);
        direct.set_connect_timeout(Some(self.connect_timeout));
        let proxy = self.proxy.as_ref().map(|proxy| {
            let matcher = Matcher::builder().https(proxy.clone()).no(self.no_proxy.clone());
            Arc::new(matcher.build())
        });
        Ok(hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Road { direct, proxy }))
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        if self.machine_roots {
            // Some of a machine's certificates being unreadable is common, and no reason to trust none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if let Some(pem) = &self.extra_roots {
            let extra: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
            let extra = extra.map_err(|_| "the extra root certificates are no PEM".to_owned())?;
            // A bundle may hold some that nobody can use, and must hold one that can be.
            if let (0, _) = roots.add_parsable_certificates(extra) {
                return Err("none of the extra root certificates can be trusted".to_owned());
            }
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The way to a server: direct, or through a proxy's tunnel.
#[derive(Clone)]
pub struct Road {
    direct: HttpConnector,
    proxy: Option<Arc<Matcher>>,
}

/// Without the proxy's address: there may be a password in it.
impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Road")
            .field("proxied", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_variables_name_the_proxy_and_debug_does_not() {
        let network = Network::from_environment(|name| match name {
            "https_proxy" => Some("http://me:hush@proxy.example.com:3128".to_owned()),
            "HTTPS_PROXY" => Some(" ".to_owned()),
            "NO_PROXY" => Some("localhost".to_owned()),
            _ => None,
        });
        assert_eq!(network.no_proxy, "localhost");
        assert!(
            network
                .proxy
                .as_ref()
                .is_some_and(|proxy| proxy.contains("example.com"))
        );
        let road = Network {
            machine_roots: false,
            ..network.clone()
        };
        let shown = format!("{network:?} {:?}", road.connector());
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let network = Network {
            machine_roots: false,
            extra_roots: Some("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".to_owned()),
            ..Network::default()
        };
        assert!(network.connector().is_err());
    }
}
