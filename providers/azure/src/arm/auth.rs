//! Puts the token into requests, and into no others than Resource Manager's.

use std::sync::Arc;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};

use super::path;
use crate::credentials::Wallet;

/// The last policy before a request leaves. `azure_core`'s own one knows one credential and no plain HTTP, which emulators
/// and the sandbox serve on loopback.
#[derive(Debug)]
pub(super) struct Bearer {
    base: Url,
    wallet: Arc<Wallet>,
}

impl Bearer {
    pub(super) fn new(base: &Url, wallet: Arc<Wallet>) -> Self {
        Self {
            base: base.clone(),
            wallet,
        }
    }
}

#[async_trait::async_trait]
impl Policy for Bearer {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let safe = request.url().scheme() == "https" || path::is_loopback(request.url());
        if !safe || !path::same_host(&self.base, request.url()) {
            let message = "the request is not Resource Manager's, and gets no token";
            return Err(Error::with_message(ErrorKind::Other, message));
        }
        // Our own error travels inside, so that it comes out as it is.
        let token = self
            .wallet
            .token()
            .await
            .map_err(|error| Error::new(ErrorKind::Credential, error))?;
        request.insert_header("authorization", format!("Bearer {}", token.expose()));
        let [first, rest @ ..] = next else {
            return Err(Error::with_message(ErrorKind::Other, "the pipeline has no transport"));
        };
        first.send(context, request, rest).await
    }
}
