//! The credential that was found, for other services of the same cloud.

use std::sync::Arc;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};

use tokio::time::timeout;

use super::Wallet;
use super::chain::{SOURCE_TIMEOUT, unheard};

/// Lends the wallet's credential to clients of `azure_core`, so that all of a run is done by one and the same caller.
#[derive(Debug)]
pub(crate) struct Lender(pub(crate) Arc<Wallet>);

#[async_trait::async_trait]
impl TokenCredential for Lender {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // Our own error travels inside, so that it comes out as it is.
        let refused = |error| Error::new(ErrorKind::Credential, error);
        match self.0.credential().await.map_err(refused)? {
            Ok(credential) => timeout(SOURCE_TIMEOUT, credential.get_token(scopes, options))
                .await
                .unwrap_or_else(|_| Err(Error::with_message(ErrorKind::Credential, unheard(SOURCE_TIMEOUT)))),
            Err(fixed) => Ok(fixed),
        }
    }
}
