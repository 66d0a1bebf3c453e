//! Hears what the token endpoint answers, which errors of credentials do not always tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::request::Request;
use azure_core::http::{AsyncRawResponse, HttpClient};
use serde::de::IgnoredAny;
use tokio::time::timeout;

/// A transport that remembers the status of the last answer. What is no answer, or only part of one, is a failure of the connection,
/// after which the request is made again: credentials would take it for a refusal, or wait for it with all the time that they have.
#[derive(Debug)]
pub(super) struct Ear {
    transport: Arc<dyn HttpClient>,
    /// How long one try may take.
    attempt: Duration,
    /// 0 where there was no answer.
    last: AtomicU16,
}

impl Ear {
    pub(super) fn new(transport: Arc<dyn HttpClient>, attempt: Duration) -> Self {
        Self {
            transport,
            attempt,
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

    async fn whole_answer(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, body) = self.transport.execute_request(request).await?.deconstruct();
        let body = body.collect().await?;
        self.last.store(status.into(), Ordering::SeqCst);
        if status.is_success() && serde_json::from_slice::<IgnoredAny>(&body).is_err() {
            return Err(Error::with_message(ErrorKind::Io, "the answer is no whole document"));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

#[async_trait::async_trait]
impl HttpClient for Ear {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.clear();
        timeout(self.attempt, self.whole_answer(request))
            .await
            .unwrap_or_else(|_| Err(Error::with_message(ErrorKind::Io, "no answer in time")))
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::Headers;
    use azure_core::http::{Method, StatusCode};

    use super::*;

    /// Answers so, or not at all.
    #[derive(Debug)]
    struct Endpoint(Option<(StatusCode, &'static str)>);

    #[async_trait::async_trait]
    impl HttpClient for Endpoint {
        async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
            match self.0 {
                Some((status, body)) => Ok(AsyncRawResponse::from_bytes(status, Headers::new(), body)),
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_a_failure_of_the_connection() {
        for (answer, whole, heard) in [
            (Some((StatusCode::Ok, r#"{"access_token": "a"}"#)), true, Some(200)),
            (Some((StatusCode::Ok, r#"{"access_token": "a"#)), false, Some(200)),
            (Some((StatusCode::Ok, "")), false, Some(200)),
            (Some((StatusCode::BadRequest, "no document")), true, Some(400)),
            (None, false, None),
        ] {
            let ear = Ear::new(Arc::new(Endpoint(answer)), Duration::from_millis(50));
            let request = Request::new("https://login.example/token".parse().unwrap(), Method::Post);
            let outcome = ear.execute_request(&request).await;
            match outcome {
                Ok(answer) => assert!(whole, "{answer:?}"),
                Err(error) => assert!(!whole && matches!(error.kind(), ErrorKind::Io), "{error:?}"),
            }
            assert_eq!(ear.heard(), heard);
        }
    }
}
