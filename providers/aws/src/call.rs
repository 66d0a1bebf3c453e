//! One call to AWS: its turn, its place among those under way, its repeats.

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use moorline_api::{ErrorKind, Result};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::errors::{Subject, from_sdk};
use crate::governor::{Family, Governor};

/// Attempts of a call that fails for another reason than its rate.
const ATTEMPTS: u32 = 4;

/// Makes calls for all tasks of a provider.
///
/// The SDK's own retries are off: each attempt needs a token of the call's budget, which the SDK knows nothing of.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) governor: Governor,
    under_way: Semaphore,
    patience: Duration,
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
    pub(crate) fn new(governor: Governor, concurrency: usize, patience: Duration) -> Self {
        Self {
            governor,
            under_way: Semaphore::new(concurrency.max(1)),
            patience,
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
        let mut deadline = None;
        let mut attempt = 1;
        loop {
            // The budget's turn comes first: a call that waits for its turn must not keep others from being under way. Nor is
            // it the call that takes long, however many are before it.
            self.governor.acquire(manner.family).await;
            let started = Instant::now();
            let deadline = *deadline.get_or_insert(started + self.patience);
            let place = self.under_way.acquire().await;
            let outcome = send().await;
            drop(place);
            let Subject {
                operation, resource, ..
            } = subject;
            let took = started.elapsed();
            let error = match outcome {
                Ok(answer) => {
                    tracing::debug!(operation, resource, attempt, ?took, "answered");
                    return Ok(answer);
                }
                Err(error) => from_sdk(&subject, &error),
            };
            tracing::debug!(operation, resource, attempt, ?took, kind = ?error.kind, message = error.message, "failed");
            let pause = match &error.kind {
                ErrorKind::Throttled { retry_after } => {
                    let pause = retry_after.unwrap_or_else(|| backoff(attempt));
                    self.governor.throttled(manner.family, pause);
                    pause
                }
                ErrorKind::Unreachable | ErrorKind::Internal if manner.repeatable && attempt < ATTEMPTS => {
                    backoff(attempt)
                }
                _ => return Err(error),
            };
            if Instant::now() + pause > deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            // A call that was refused for its rate had no effect.
            let in_doubt = !matches!(error.kind, ErrorKind::Throttled { .. });
            if in_doubt {
                match timeout_at(deadline, done()).await {
                    Ok(Some(answer)) => return Ok(answer),
                    Ok(None) => {}
                    Err(_) => return Err(error),
                }
            }
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
