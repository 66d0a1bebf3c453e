//! Hears what the token endpoint answers, which errors of credentials do not always tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use azure_core::http::request::Request;
use azure_core::http::{AsyncRawResponse, HttpClient};

/// A transport that remembers the status of the last answer.
#[derive(Debug)]
pub(super) struct Ear {
    transport: Arc<dyn HttpClient>,
    /// 0 where there was no answer.
    last: AtomicU16,
}

impl Ear {
    pub(super) fn new(transport: Arc<dyn HttpClient>) -> Self {
        Self {
            transport,
            last: AtomicU16::new(0),
        }
    }

    /// Forgets what was heard.
    pub(super) fn clear(&self) {
        self.last.store(0, Ordering::SeqCst);
    }

    /// The status of the last answer, where there was one.
    pub(super) fn heard(&self) -> Option<u16> {
        Some(self.last.load(Ordering::SeqCst)).filter(|status| *status > 0)
    }
}

#[async_trait::async_trait]
impl HttpClient for Ear {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.clear();
        let answer = self.transport.execute_request(request).await?;
        self.last.store(answer.status().into(), Ordering::SeqCst);
        Ok(answer)
    }
}
