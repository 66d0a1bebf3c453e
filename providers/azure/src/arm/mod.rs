//! Resource Manager: requests, answers, polling, pages. What the requests mean is in `resources`.

mod auth;
mod clock;
mod pages;
mod path;
mod polling;

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind as CoreKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request, RetryOptions, Transport, Url,
};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use moorline_api::answer::is_object;
use moorline_api::{ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use crate::credentials::{Lender, Wallet};
use crate::errors::{self, Subject};
use crate::governor::{Family, Governor};
use crate::settings::AzureSettings;
use crate::transport::HyperTransport;

pub(crate) use pages::Listing;
pub(crate) use path::{Path, Version, is_loopback, same_host};

/// Who asks for more of a wait is not believed: no clock could count it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// Attempts of a call that fails for another reason than its rate.
const ATTEMPTS: u32 = 5;

/// The header that makes a write depend on what was read.
pub(crate) const IF_MATCH: &str = "if-match";

/// A request before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    /// As Azure's roles name the action: `Microsoft.Storage/storageAccounts/write`.
    pub(crate) operation: &'static str,
    /// What it is about, for people.
    pub(crate) resource: &'a str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Value>,
    /// Beside the usual ones.
    pub(crate) header: Option<(&'static str, String)>,
    pub(crate) family: Family,
    /// Whether it may be sent again when its outcome is unknown.
    pub(crate) repeatable: bool,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// Whether an answer of this status means something only by what it says. About access and rates others on the way may speak, too.
fn is_told_by_body(status: u16) -> bool {
    matches!(status, 200..=299 | 400..=499) && !matches!(status, 401 | 403 | 407 | 408 | 429)
}

impl Answer {
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get_optional_str(&HeaderName::from_static(name))
    }

    /// Whether it says nothing, or begins and ends as an object.
    fn is_whole(&self) -> bool {
        self.body.trim_ascii().is_empty() || is_object(&self.body)
    }

    /// The body as what it should be. Its text is not shown: it may hold keys.
    pub(crate) fn read<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!(
                "the answer (HTTP {}) is not what Resource Manager sends (line {}, column {}); check the endpoint and any proxy",
                self.status,
                error.line(),
                error.column()
            );
            call.subject().error(ErrorKind::Internal, message)
        })
    }

    /// How long the service asks to wait, where it says: in milliseconds, in seconds, or until a date.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.asked_wait().map(|wait| wait.min(LONGEST_WAIT))
    }

    fn asked_wait(&self) -> Option<Duration> {
        let millis = ["retry-after-ms", "x-ms-retry-after-ms"]
            .into_iter()
            .find_map(|name| self.header(name)?.trim().parse().ok());
        if let Some(millis) = millis {
            return Some(Duration::from_millis(millis));
        }
        let asked = self.header("retry-after")?.trim();
        if let Ok(seconds) = asked.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = moment(asked)?;
        // The service's own clock, which the date is by, where it tells that too.
        let now = self.sent().unwrap_or_else(Timestamp::now);
        Some(until.duration_since(now).try_into().unwrap_or_default())
    }

    /// When it was sent, by the service's own clock.
    fn sent(&self) -> Option<Timestamp> {
        self.header("date").and_then(moment)
    }

    /// How many calls of this sort the caller still has in the subscription, where Resource Manager says so.
    fn remaining(&self, method: Method) -> Option<u64> {
        let name = match method {
            Method::Get | Method::Head => "x-ms-ratelimit-remaining-subscription-reads",
            Method::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
            _ => "x-ms-ratelimit-remaining-subscription-writes",
        };
        self.header(name)?.trim().parse().ok()
    }
}

/// A date as HTTP writes it.
fn moment(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

impl Call<'_> {
    /// Whether it is to be done only if the thing is still what was read.
    fn is_conditional(&self) -> bool {
        self.header.as_ref().is_some_and(|(name, _)| *name == IF_MATCH)
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            operation: self.operation,
            resource: self.resource,
        }
    }
}

/// Makes calls for all tasks of a provider. The pipeline's own retries are off: each attempt needs its turn in the budget,
/// which the pipeline knows nothing of.
#[derive(Debug)]
pub(crate) struct ResourceManager {
    base: Url,
    pipeline: Pipeline,
    wallet: Arc<Wallet>,
    governor: Governor,
    clock: clock::Clock,
    reads_under_way: Semaphore,
    /// A write waits for its second with its place in hand: that must not hold up reads.
    writes_under_way: Semaphore,
    call_timeout: Duration,
    patience: Duration,
    account_timeout: Duration,
}

impl ResourceManager {
    /// Connects nowhere yet; the error is an address that is none.
    pub(crate) fn new(settings: &AzureSettings) -> Result<Self> {
        let base = path::base(settings.cloud.resource_manager())?;
        let http = Arc::new(HyperTransport::new(settings));
        let wallet = Arc::new(Wallet::new(settings, http.clone()));
        let options = ClientOptions {
            transport: Some(Transport::new(http)),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let auth = Arc::new(auth::Bearer::new(&base, Arc::clone(&wallet)));
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            options,
            Vec::new(),
            vec![auth],
            None,
        );
        Ok(Self {
            base,
            pipeline,
            wallet,
            governor: Governor::new(&settings.registry, &payer(settings), &settings.budgets),
            clock: clock::Clock::default(),
            reads_under_way: Semaphore::new(settings.concurrency.max(1)),
            writes_under_way: Semaphore::new(settings.concurrency.max(1)),
            call_timeout: settings.call_timeout,
            patience: settings.patience,
            account_timeout: settings.account_timeout,
        })
    }

    /// A token for Resource Manager, to see whose it is.
    pub(crate) async fn token(&self) -> Result<moorline_api::Sensitive> {
        self.wallet.token().await
    }

    /// The credential behind the tokens.
    pub(crate) fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::new(Lender(Arc::clone(&self.wallet)))
    }

    /// The cloud's clock; `None` before its first answer.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &Path) -> Result<Url> {
        path.url(&self.base)
    }

    /// Makes a call and repeats it while that is safe and may help. Answers of 2xx come back; all others are errors.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Answer> {
        // What is left of it: waiting for a turn takes none, for it is not the call that takes long, however many are before it.
        let mut patience = self.patience;
        let mut attempt = 1;
        let mut throttled = false;
        loop {
            // The budget's turn comes first: a call that waits for its turn must not keep others from being under way.
            self.governor.acquire((call.family, call.method), throttled).await;
            let places = match call.method {
                Method::Get | Method::Head => &self.reads_under_way,
                _ => &self.writes_under_way,
            };
            let place = places.acquire().await;
            let pass = self.governor.depart(call.family).await;
            let started = Instant::now();
            let (departure, deadline) = (pass.departure, started + patience);
            let outcome = self.try_once(call).await;
            drop((pass, place));
            if let Some(sent) = outcome.as_ref().ok().and_then(|answer| answer.as_ref().ok()?.sent()) {
                self.clock.note(sent);
            }
            if let Ok(Ok(answer)) = &outcome
                && let Some(left) = answer.remaining(call.method)
            {
                self.governor.told(call.method, departure, left).await;
            }
            let Call {
                operation, resource, ..
            } = call;
            let took = started.elapsed();
            let mut error = match outcome {
                Ok(Ok(answer)) if !answer.is_whole() && is_told_by_body(answer.status) => {
                    let message = "the answer is no whole object; run again, and if that does not help, check the endpoint and any proxy on the way";
                    call.subject().error(ErrorKind::Internal, message)
                }
                Ok(Ok(answer)) if (200..300).contains(&answer.status) => {
                    tracing::debug!(operation, resource, attempt, ?took, status = answer.status, "answered");
                    return Ok(answer);
                }
                Ok(Ok(answer)) => errors::from_answer(call.subject(), &answer),
                Ok(Err(error)) => errors::from_pipeline(call.subject(), &self.base, &error),
                Err(_) => errors::unanswered(call.subject(), &self.base),
            };
            error.message = self.wallet.redact(&error.message).await;
            tracing::debug!(operation, resource, attempt, ?took, kind = ?error.kind, message = error.message, "failed");
            let pause = match &error.kind {
                ErrorKind::Throttled { retry_after } => {
                    let pause = retry_after.unwrap_or_else(|| backoff(attempt));
                    self.governor
                        .throttled((call.family, call.method), departure, pause)
                        .await;
                    pause
                }
                // The condition will not hold again: whoever set it reads anew.
                ErrorKind::Stale if call.is_conditional() => return Err(error),
                // What is stale is busy: an account that another operation holds for a moment.
                ErrorKind::Unreachable | ErrorKind::Internal | ErrorKind::Stale
                    if call.repeatable && attempt < ATTEMPTS =>
                {
                    backoff(attempt)
                }
                // The token may have been taken back while we held it: once, with a new one.
                ErrorKind::Unauthenticated if attempt == 1 && self.wallet.refused().await => Duration::ZERO,
                _ => return Err(error),
            };
            if Instant::now() + pause > deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            throttled = matches!(error.kind, ErrorKind::Throttled { .. });
            patience = deadline.saturating_duration_since(Instant::now());
            attempt += 1;
        }
    }

    /// Signing in has a time of its own: a program that hangs over it is not to be taken for a Resource Manager that does not answer.
    async fn try_once(&self, call: &Call<'_>) -> std::result::Result<azure_core::Result<Answer>, Elapsed> {
        if let Err(error) = self.wallet.token().await {
            return Ok(Err(azure_core::Error::new(CoreKind::Credential, error)));
        }
        timeout(self.call_timeout, self.once(call)).await
    }

    async fn once(&self, call: &Call<'_>) -> azure_core::Result<Answer> {
        let mut request = Request::new(call.url.clone(), call.method);
        request.insert_header("accept", "application/json");
        if let Some((name, value)) = &call.header {
            request.insert_header(*name, value.clone());
        }
        if let Some(body) = &call.body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string());
        } else if matches!(call.method, Method::Post | Method::Put | Method::Patch) {
            request.insert_header("content-length", "0");
        }
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let (status, headers, body) = self
            .pipeline
            .send(&Context::new(), &mut request, Some(options))
            .await?
            .deconstruct();
        Ok(Answer {
            status: status.into(),
            headers,
            body: Bytes::from(body),
        })
    }

    /// An address that an answer names, if it is Resource Manager's own: a token goes nowhere else.
    fn address(&self, call: &Call<'_>, address: &str) -> Result<Url> {
        let next = self
            .base
            .join(address)
            .ok()
            .filter(|url| path::same_host(&self.base, url));
        next.ok_or_else(|| {
            let message = "the answer names an address that is not Resource Manager's, which is not followed";
            call.subject().error(ErrorKind::Internal, message)
        })
    }
}

/// Whose budgets are spent.
fn payer(settings: &AzureSettings) -> String {
    let subscription = settings.subscription.as_deref().unwrap_or_default();
    format!(
        "{}\n{}",
        subscription.to_ascii_lowercase(),
        settings.cloud.resource_manager()
    )
}

/// Doubles from 200 ms to 20 s, with half of it random, so that many callers do not return at once.
fn backoff(attempt: u32) -> Duration {
    let full = Duration::from_millis(200)
        .saturating_mul(1 << (attempt - 1).min(7))
        .min(Duration::from_secs(20));
    full.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

impl ResourceManager {
    /// A read of one thing, or `None` where that very thing is absent. An absent parent is an error: a share whose account
    /// cannot be seen is not known to be gone.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Option<T>> {
        match self.call(call).await {
            Ok(answer) => answer.read(call).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
