//! Proof that a service keeps to the conditions of a request. Servers that speak S3 without knowing them take such a request and
//! write all the same, and then two runs both believe that they hold the lease. So nothing is written before that was tried.

use moorline_api::{Error, ErrorKind, Result, StoreVersion};
use tokio::sync::OnceCell;

use super::failure::Failure;
use super::{ATTEMPTS, Call, CloudStore, Condition, pause};

/// The object that it is tried on. It stays, so that the next run needs one request less; its name is that of no key.
const NAME: &str = ".moorline-store";

const VALUE: &[u8] = b"{\"what\":\"a run store of moorline\",\"format\":1}\n";

/// A version that nothing has: of the right form for S3 (a hash) and good enough for Azure.
const NO_VERSION: &str = "\"00000000000000000000000000000000\"";

/// What was proven already.
#[derive(Debug, Default)]
pub(super) struct Proof {
    writes: OnceCell<()>,
    deletions: OnceCell<()>,
}

impl CloudStore {
    /// That a key that is there is not made again, and that what was changed is not replaced.
    pub(super) async fn prove_writes(&self) -> Result<()> {
        let proven = self.proof.writes.get_or_try_init(|| async {
            if self.refuses(Condition::Absent).await? {
                // It was there, from an earlier run.
            } else if !self.refuses(Condition::Absent).await? {
                return Err(self.unproven(Call::Put, "If-None-Match"));
            }
            let version = StoreVersion::new(NO_VERSION);
            if self.refuses(Condition::Unchanged(&version)).await? {
                Ok(())
            } else {
                Err(self.unproven(Call::Put, "If-Match"))
            }
        });
        proven.await.copied()
    }

    /// That what was changed is not deleted, either.
    pub(super) async fn prove_deletions(&self) -> Result<()> {
        self.prove_writes().await?;
        let proven = self.proof.deletions.get_or_try_init(|| async {
            if self.refuses_to_delete().await? {
                Ok(())
            } else {
                Err(self.unproven(Call::Delete, "If-Match"))
            }
        });
        proven.await.copied()
    }

    /// Whether the service refuses to write on this condition, rather than to write. Where that is not known it is tried again: it
    /// makes no difference if it was done.
    async fn refuses(&self, condition: Condition<'_>) -> Result<bool> {
        let name = self.name(NAME);
        let mut attempts = 1;
        loop {
            match self.put_once(&name, VALUE, condition, "proof").await {
                Ok(_) => return Ok(false),
                // Absent: somebody deleted it a moment ago.
                Err(Failure::Condition | Failure::Absent) => return Ok(true),
                Err(Failure::Unknown(error)) if attempts < ATTEMPTS => pause(attempts, Some(&error)).await,
                Err(Failure::Unknown(error) | Failure::Denied(error) | Failure::Other(error)) => return Err(error),
            }
            attempts += 1;
        }
    }

    /// The same for the deletion of a version that nothing has.
    async fn refuses_to_delete(&self) -> Result<bool> {
        let (name, version) = (self.name(NAME), StoreVersion::new(NO_VERSION));
        let mut attempts = 1;
        loop {
            match self.delete_once(&name, &version).await {
                Ok(()) | Err(Failure::Absent) => return Ok(false),
                Err(Failure::Condition) => return Ok(true),
                Err(Failure::Unknown(error)) if attempts < ATTEMPTS => pause(attempts, Some(&error)).await,
                Err(Failure::Unknown(error) | Failure::Denied(error) | Failure::Other(error)) => return Err(error),
            }
            attempts += 1;
        }
    }

    fn unproven(&self, call: Call, header: &str) -> Error {
        let why = format!(
            "the service does not keep to {header}, so that two runs could both believe to be the only one; use a folder, or a \
             service that knows conditional requests"
        );
        self.error(ErrorKind::Unsupported, call, &self.name(NAME), why)
    }
}
