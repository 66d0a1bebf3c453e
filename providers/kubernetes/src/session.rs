//! The HTTP client: proxies, TLS and credentials. It is made for the first call, since the system's certificates take milliseconds
//! that a plain-HTTP sandbox need not spend.

use std::time::Duration;

use kube::client::{AuthError, Client, ClientBuilder, ConfigExt};
use kube::config::{AuthInfo, Config, KubeconfigError};
use moorline_api::{Error, ErrorKind};
use tower::buffer::BufferLayer;

use crate::credentials::plugin_name;
use crate::kubeconfig::{Access, unreadable};
use crate::plugin;
use crate::text::printable;

/// A connection, its TLS handshake included, takes no longer; with one repetition it stays under ten seconds.
const CONNECT: Duration = Duration::from_secs(4);

/// Requests that may wait for the task that sends them: as many as kube-rs lets wait itself.
const QUEUE: usize = 1024;

/// Makes a client, of credentials that no plugin has yet to print. Reads files, so it may block.
pub(crate) fn open(access: &Access) -> Result<Client, Error> {
    // Two TLS providers may be linked into one program, and rustls refuses to choose. Where one is installed already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = access.config.clone();
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    if !needs_certificates(&config) {
        config.root_cert = Some(Vec::new());
    }
    let auth = config.auth_layer().map_err(|error| refused(access, &error))?;
    let builder = |config: Config| ClientBuilder::try_from(config).map_err(|error| refused(access, &error));
    let Some(auth) = auth else {
        return Ok(builder(config)?.build());
    };
    // The layer holds the token already.
    config.auth_info = certificate_only(config.auth_info);
    // The layer needs a service that can be cloned, and kube-rs's cannot until it is behind a buffer.
    Ok(builder(config)?
        .with_layer(&BufferLayer::new(QUEUE))
        .with_layer(&auth)
        .build())
}

fn needs_certificates(config: &Config) -> bool {
    let is_https = |uri: &http::Uri| uri.scheme_str() == Some("https");
    is_https(&config.cluster_url) || config.proxy_url.as_ref().is_some_and(is_https)
}

fn certificate_only(auth: AuthInfo) -> AuthInfo {
    AuthInfo {
        username: None,
        password: None,
        token: None,
        token_file: None,
        auth_provider: None,
        exec: None,
        ..auth
    }
}

fn refused(access: &Access, error: &kube::Error) -> Error {
    let auth = &access.config.auth_info;
    let message = match error {
        kube::Error::Auth(error) => auth_problem(auth, error),
        kube::Error::InferKubeconfig(
            KubeconfigError::LoadClientCertificate(error) | KubeconfigError::LoadClientKey(error),
        ) => {
            format!("client certificate: {}", unreadable(error))
        }
        other => printable(&other.to_string()),
    };
    let resource = format!("{} (context `{}`)", access.server, access.context);
    Error::new(ErrorKind::Unauthenticated, "connect to", resource, message)
}

/// What went wrong with credentials.
pub(crate) fn auth_problem(auth: &AuthInfo, error: &AuthError) -> String {
    let plugin = plugin_name(auth);
    match error {
        AuthError::AuthExecRun { out, .. } => plugin::failed(&plugin, out.status, &out.stderr),
        AuthError::ParseTokenKey(_) => plugin::no_credentials(&plugin),
        AuthError::ReadTokenFile(cause, path) => format!("token file {}: {cause}", path.display()),
        other => printable(&other.to_string()),
    }
}
