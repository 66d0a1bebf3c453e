//! What every backend must do, asserted alike on each of them: sandbox, emulators, the real thing.
//!
//! A [`Case`] is one assertion with a name. A test program takes the lists of cases from here, makes a backend for each, and
//! runs them under names such as `real::apply::a_conflict_names_the_owner`; a case fails by panicking. Nothing here knows
//! what is behind a backend, so a case can make no exceptions: a backend that differs fails until it is mended, or until the
//! test program expects the failure and says why.

use std::fmt::Display;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::time::{Instant, sleep};

pub mod blobs;
pub mod cloud;
pub mod containers;
pub mod deviation;
pub mod kubernetes;
pub mod store;

/// One assertion about a backend `B`.
#[derive(Debug)]
pub struct Case<B> {
    /// Module and function: `apply::a_conflict_names_the_owner`.
    pub name: &'static str,
    run: fn(B) -> LocalBoxFuture<'static, ()>,
}

impl<B> Case<B> {
    /// Names a case; `cases!` does it for a list.
    pub const fn new(name: &'static str, run: fn(B) -> LocalBoxFuture<'static, ()>) -> Self {
        Self { name, run }
    }

    /// Runs it, on one thread; panics where the backend does something else.
    pub async fn run(&self, backend: B) {
        (self.run)(backend).await;
    }
}

impl<B> Clone for Case<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Case<B> {}

/// Cases by the paths of their functions, which take the backend and are `async`.
macro_rules! cases {
    ($($case:path),* $(,)?) => {
        vec![$($crate::conformance::Case::new(stringify!($case), |backend| Box::pin($case(backend)))),*]
    };
}
pub(crate) use cases;

/// The first pause between two looks; each is twice the last, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);

const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Looks until there is something to see, and gives it. `look` gives `Err` with what it saw instead for as long as it is worth
/// looking again.
///
/// # Panics
/// After `patience`, with what was seen last.
pub async fn eventually<T, E: Display>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(instead) => assert!(
                Instant::now() < deadline,
                "after {patience:?} still not {what}: {instead}"
            ),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
