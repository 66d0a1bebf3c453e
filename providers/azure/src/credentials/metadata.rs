//! The metadata address by another name: tests, and proxies in clusters, answer in its place.

use std::sync::Arc;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::request::Request;
use azure_core::http::{AsyncRawResponse, HttpClient, Transport, Url};

/// Where machines in Azure find their identity.
pub(super) const ADDRESS: &str = "169.254.169.254";

/// Sends what is meant for the metadata address to `host`, and nothing else anywhere.
#[derive(Debug)]
struct Detour {
    host: Url,
    transport: Arc<dyn HttpClient>,
}

#[async_trait::async_trait]
impl HttpClient for Detour {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let asked = request.url();
        if asked.host_str() != Some(ADDRESS) {
            return Err(Error::with_message(
                ErrorKind::Other,
                "this is no question to the metadata address",
            ));
        }
        let mut url = self.host.clone();
        url.set_path(asked.path());
        url.set_query(asked.query());
        let mut request = request.clone();
        *request.url_mut() = url;
        self.transport.execute_request(&request).await
    }
}

/// A transport to the metadata address that ends at `host`; the error is a host that is none.
pub(super) fn transport(host: &str, transport: Arc<dyn HttpClient>) -> Result<Transport, String> {
    let parsed = Url::parse(host).ok().filter(|url| url.host_str().is_some());
    let host = parsed.ok_or_else(|| {
        format!(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST is {host:?}, which is no address; use one such as http://127.0.0.1:40342"
        )
    })?;
    Ok(Transport::new(Arc::new(Detour { host, transport })))
}
