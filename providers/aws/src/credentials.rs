//! Credentials that are kept while they are good: not beyond their expiry, and not once AWS has refused them.
//!
//! The SDK's own cache knows expiry alone. Keys that were rotated, or a session that was ended, would be used until the end of a run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long credentials may take at most: a profile may call STS or a program.
const PATIENCE: Duration = Duration::from_secs(15);
/// What expires sooner is replaced before it is used.
const MARGIN: Duration = Duration::from_secs(10);

/// How often credentials were refused. All that hold some look here whether theirs are still good.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<AtomicU64>);

impl Refusals {
    /// How often so far; to be asked before a call is sent.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// A call was refused that began when there were `before`. Of many calls with the same credentials, the first one counts.
    pub(crate) fn note(&self, before: u64) {
        let _ = self
            .0
            .compare_exchange(before, before + 1, Ordering::AcqRel, Ordering::Acquire);
    }
}

type Read = Pin<Box<dyn Future<Output = provider::Result> + Send>>;

/// What reads credentials, anew each time, and keeps them while they are good.
pub(crate) struct Kept {
    read: Box<dyn Fn() -> Read + Send + Sync>,
    refusals: Refusals,
    patience: Duration,
    held: Mutex<Option<(u64, Credentials)>>,
}

impl Kept {
    /// Reads nothing yet. What hangs is given up while the call that waits for it, of `call_timeout`, can still tell so.
    pub(crate) fn new(
        refusals: Refusals,
        call_timeout: Duration,
        read: impl Fn() -> Read + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Box::new(read),
            refusals,
            patience: PATIENCE.min(call_timeout / 4 * 3),
            held: Mutex::new(None),
        }
    }

    async fn credentials(&self) -> provider::Result {
        // One reads, and the others wait for what it finds.
        let mut held = self.held.lock().await;
        let refusals = self.refusals.count();
        let good = |(at, credentials): &&(u64, Credentials)| *at == refusals && !is_over(credentials);
        if let Some((_, credentials)) = held.as_ref().filter(good) {
            return Ok(credentials.clone());
        }
        let read = timeout(self.patience, (self.read)()).await;
        let fresh = read.map_err(|_| CredentialsError::provider_timed_out(self.patience))??;
        *held = Some((refusals, fresh.clone()));
        Ok(fresh)
    }
}

fn is_over(credentials: &Credentials) -> bool {
    credentials
        .expiry()
        .is_some_and(|expiry| expiry < SystemTime::now() + MARGIN)
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys with a number that counts how often they were read.
    fn counting(refusals: &Refusals, expiry: Option<SystemTime>) -> Kept {
        let reads = AtomicU64::new(0);
        Kept::new(refusals.clone(), PATIENCE, move || {
            let id = format!("key-{}", reads.fetch_add(1, Ordering::Relaxed));
            Box::pin(async move { Ok(Credentials::new(id, "hush", None, expiry, "test")) })
        })
    }

    async fn key(kept: &Kept) -> String {
        kept.provide_credentials().await.unwrap().access_key_id().to_owned()
    }

    #[tokio::test]
    async fn good_credentials_are_read_once() {
        let refusals = Refusals::default();
        let kept = counting(&refusals, None);
        assert_eq!(
            (key(&kept).await, key(&kept).await),
            ("key-0".to_owned(), "key-0".to_owned())
        );
        let soon = counting(&refusals, Some(SystemTime::now() + Duration::from_secs(5)));
        assert_eq!(
            (key(&soon).await, key(&soon).await),
            ("key-0".to_owned(), "key-1".to_owned())
        );
    }

    #[tokio::test]
    async fn refused_credentials_are_read_again_once_for_all_who_were_refused() {
        let refusals = Refusals::default();
        let kept = counting(&refusals, None);
        let before = refusals.count();
        assert_eq!(key(&kept).await, "key-0");
        for _ in 0..3 {
            refusals.note(before);
        }
        assert_eq!(refusals.count(), before + 1);
        assert_eq!(
            (key(&kept).await, key(&kept).await),
            ("key-1".to_owned(), "key-1".to_owned())
        );
    }
}
