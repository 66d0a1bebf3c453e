//! What every simulated service of the sandbox shares: a clock that tests move, faults and latency
//! before and after a call's effect, an audit of every call, and a journal that outlives the process.
//!
//! Nothing here knows a cloud or Kubernetes, and nothing here is shared with the code that the
//! sandbox checks.

mod audit;
mod clock;
mod date;
mod disk;
mod faults;
mod journal;
mod lagged;
mod seal;
mod serve;
mod shelf;

pub use audit::{Audit, AuditRow, Outcome};
pub use clock::Clock;
pub use date::dated;
pub use faults::{Effect, Fault, Faults, Moment};
pub use journal::{Journal, JournalError};
pub use lagged::Lagged;
pub use serve::{broken_answer, cut_connection, keep_port, serve, serve_by, serve_connection};
pub use shelf::{Mortal, Shelf};

use std::borrow::Cow;
use std::sync::Arc;

/// One call as the audit and the fault rules see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// `ec2`, `elb`, `elbv2`, `sts`, `arm`, `entra`, `imds`, `kubernetes`, or `kubernetes/<name>` for further clusters.
    pub service: Cow<'static, str>,
    /// The operation: `CreateVolume`, `StorageAccounts_Create`, or for Kubernetes verb and plural: `create persistentvolumes`,
    /// `patch statefulsets/scale`.
    pub operation: String,
    /// Whether the call may change something when it succeeds (a dry run does not).
    pub mutating: bool,
    /// Whether it is a write that the caller asked only to rehearse.
    pub dry_run: bool,
}

/// The ground on which all simulated services stand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    /// The sandbox's time.
    pub clock: Clock,
    /// What was called, how often, and how it ended.
    pub audit: Arc<Audit>,
    /// Faults and latency waiting to happen.
    pub faults: Arc<Faults>,
    /// Where state is kept between processes.
    pub journal: Arc<Journal>,
}

impl World {
    /// A world over `journal`; clock offset, audit and fault rules are read back from it.
    pub fn new(journal: Journal) -> Result<Self, JournalError> {
        let journal = Arc::new(journal);
        Ok(Self {
            clock: Clock::load(&journal)?,
            audit: Arc::new(Audit::load(journal.clone())?),
            faults: Arc::new(Faults::load(journal.clone())?),
            journal,
        })
    }

    /// The same world for a service of which there are several: what it keeps is in a room of the journal.
    #[must_use]
    pub fn room(&self, name: &str) -> Self {
        Self {
            journal: Arc::new(self.journal.room(name)),
            ..self.clone()
        }
    }
}
