//! The last policy before a request of the data plane leaves: bounded in number and time, and authorised anew in each attempt.

use std::sync::Arc;
use std::time::Duration;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::Access;
use super::shared_key;

/// `azure_core` brings tokens along, and neither keys nor signatures.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) account: String,
    pub(super) endpoint: Url,
    pub(super) access: Access,
    pub(super) call_timeout: Duration,
    pub(super) under_way: Semaphore,
}

impl Signer {
    fn authorise(&self, request: &mut Request) -> Result<(), Error> {
        if !crate::arm::same_host(&self.endpoint, request.url()) {
            let message = "the request is not for the account's own address, and is not signed";
            return Err(Error::with_message(ErrorKind::Other, message));
        }
        match &self.access {
            Access::Key(key) => {
                request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
                let signed = shared_key::authorization(&self.account, key, request)
                    .ok_or_else(|| Error::with_message(ErrorKind::Credential, "the account's key is not Base64"))?;
                request.insert_header("authorization", signed);
            }
            Access::Sas(signature) => {
                let url = request.url_mut();
                // In a second attempt it is there already.
                if !url.query_pairs().any(|(name, _)| name == "sig") {
                    let query = [url.query().unwrap_or_default(), signature.expose()].map(str::to_owned);
                    let query = query.into_iter().filter(|part| !part.is_empty());
                    url.set_query(Some(&query.collect::<Vec<_>>().join("&")));
                }
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Policy for Signer {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let _place = self.under_way.acquire().await;
        self.authorise(request)?;
        let [first, rest @ ..] = next else {
            return Err(Error::with_message(ErrorKind::Other, "the pipeline has no transport"));
        };
        let answer = timeout(self.call_timeout, first.send(context, request, rest)).await;
        answer.unwrap_or_else(|_| Err(Error::with_message(ErrorKind::Io, "no answer in time")))
    }
}
