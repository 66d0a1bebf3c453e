//! One call to AWS: its turn, its place among those under way, its repeats.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use moorline_api::{ErrorKind, Result};
use moorline_pacing::Departure;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::credentials::Refusals;
use crate::errors::{Subject, from_sdk};
use crate::governor::{Family, Governor};

/// Attempts of a call that fails for another reason than its rate.
const ATTEMPTS: u32 = 4;

/// Makes calls for all tasks of a provider.
///
/// The SDK's own retries are off: each attempt needs a token of the call's budget, which the SDK knows nothing of.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Known when it is known whose budgets they are; nothing is paced before.
    governor: OnceLock<Governor>,
    under_way: Semaphore,
    patience: Duration,
    refusals: Refusals,
}

/// How a call is paced and whether it may be sent again when its outcome is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) family: Family,
    pub(crate) repeatable: bool,
}

/// Reads: they change nothing.
pub(crate) const READ: Manner = Manner {
    family: Family::Reads,
    repeatable: true,
};

impl Caller {
    pub(crate) fn new(concurrency: usize, patience: Duration) -> Self {
        Self {
            governor: OnceLock::new(),
            under_way: Semaphore::new(concurrency.max(1)),
            patience,
            refusals: Refusals::default(),
        }
    }

    /// How often AWS refused the credentials.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The budgets to keep from now on.
    pub(crate) fn govern(&self, budgets: impl FnOnce() -> Governor) {
        self.governor.get_or_init(budgets);
    }

    /// Whether the family has more than half of its burst left.
    pub(crate) fn is_relaxed(&self, family: Family) -> bool {
        self.governor.get().is_none_or(|governor| governor.is_relaxed(family))
    }

    async fn turn(&self, family: Family, again: bool) -> Departure {
        match self.governor.get() {
            Some(governor) => governor.acquire(family, again).await,
            None => Departure::now(),
        }
    }

    async fn throttled(&self, family: Family, call: Departure, pause: Duration) {
        if let Some(governor) = self.governor.get() {
            governor.throttled(family, call, pause).await;
        }
    }

    /// Makes a call and repeats it while that is safe and may help.
    pub(crate) async fn call<T, E, F>(
        &self,
        subject: Subject<'_>,
        manner: Manner,
        send: impl Fn() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        T: Send,
    {
        self.call_unless(subject, manner, send, || std::future::ready(None))
            .await
    }

    /// The same; but when it is in doubt whether the call had its effect, `done` is asked before it is repeated, and what that
    /// finds is the call's answer.
    pub(crate) async fn call_unless<T, E, F, D>(
        &self,
        subject: Subject<'_>,
        manner: Manner,
        send: impl Fn() -> F + Send,
        done: impl Fn() -> D + Send,
    ) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>> + Send,
        D: Future<Output = Option<T>> + Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        T: Send,
    {
        // What is left of it: waiting for a turn takes none, for it is not the call that takes long, however many are before it.
        let mut patience = self.patience;
        let mut attempt = 1;
        let mut throttled = false;
        let mut renewed = false;
        loop {
            // The budget's turn comes first: a call that waits for its turn must not keep others from being under way.
            let departure = self.turn(manner.family, throttled).await;
            let started = Instant::now();
            let deadline = started + patience;
            let place = self.under_way.acquire().await;
            let refusals = self.refusals.count();
            let outcome = send().await;
            drop(place);
            let Subject {
                operation, resource, ..
            } = subject;
            let took = started.elapsed();
            let (error, answered) = match outcome {
                Ok(answer) => {
                    tracing::debug!(operation, resource, attempt, ?took, "answered");
                    return Ok(answer);
                }
                Err(error) => (from_sdk(&subject, &error), matches!(error, SdkError::ServiceError(_))),
            };
            tracing::debug!(operation, resource, attempt, ?took, kind = ?error.kind, message = error.message, "failed");
            let pause = match &error.kind {
                ErrorKind::Throttled { retry_after } => {
                    let pause = retry_after.unwrap_or_else(|| backoff(attempt));
                    self.throttled(manner.family, departure, pause).await;
                    pause
                }
                ErrorKind::Unreachable | ErrorKind::Internal if manner.repeatable && attempt < ATTEMPTS => {
                    backoff(attempt)
                }
                // The keys may have been rotated while we held them: once, with those that are there now.
                ErrorKind::Unauthenticated if answered && !renewed => {
                    renewed = true;
                    self.refusals.note(refusals);
                    Duration::ZERO
                }
                _ => return Err(error),
            };
            if Instant::now() + pause > deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            // A call that was refused, for its rate or its credentials, had no effect.
            throttled = matches!(error.kind, ErrorKind::Throttled { .. });
            if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Internal) {
                match timeout_at(deadline, done()).await {
                    Ok(Some(answer)) => return Ok(answer),
                    Ok(None) => {}
                    Err(_) => return Err(error),
                }
            }
            patience = deadline.saturating_duration_since(Instant::now());
            attempt += 1;
        }
    }
}

/// Doubles from 200 ms to 10 s, with half of it random, so that many callers do not return at once.
fn backoff(attempt: u32) -> Duration {
    let full = Duration::from_millis(200)
        .saturating_mul(1 << (attempt - 1).min(6))
        .min(Duration::from_secs(10));
    full.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound() {
        for (attempt, least, most) in [(1, 100, 200), (2, 200, 400), (7, 5000, 10_000), (40, 5000, 10_000)] {
            let pause = backoff(attempt).as_millis();
            assert!((least..=most).contains(&pause), "{attempt}: {pause}");
        }
    }
}
