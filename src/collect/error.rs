//! Why a run could not take place at all. What fails for one volume, scope or cluster is in the report instead.

use std::error::Error as _;

use jiff::Timestamp;
use moorline_api::{Error, StoreKey};
use moorline_store::LeaseError;
use thiserror::Error as ThisError;

/// The result of a run.
pub type Result<T> = std::result::Result<T, CollectError>;

/// Why there was no run, or why it ended.
#[derive(Debug, ThisError)]
pub enum CollectError {
    /// Another run is under way: exit code 5.
    #[error("another run is under way: {holder} holds the lease until {until}; wait for it, or until then if it died")]
    Held {
        /// Who, safe to show.
        holder: String,
        /// When the lease is free if it is not renewed.
        until: Timestamp,
    },
    /// The lease was lost, or the journal could not be written, before anything was deleted: exit code 3.
    #[error("nothing more may be done: {why}")]
    Lost {
        /// What happened.
        why: String,
    },
    /// The run store does not answer, or refuses. Nothing was deleted: what is not written down is not done.
    #[error("the run store cannot be used")]
    Store(#[source] Error),
    /// What the store has under a key cannot be read by this version.
    #[error("the value {key} of the run store cannot be read: {why}; nothing is deleted while it is so")]
    Records {
        /// The key.
        key: StoreKey,
        /// What is wrong with it.
        why: String,
    },
    /// Interrupted before there was anything to report: exit code 130.
    #[error("interrupted while reading; nothing was changed")]
    Interrupted,
    /// There is no journal of such a run.
    #[error("the run store has no run {run}; `moorline gc history` lists those that it has")]
    NoRun {
        /// The run's id.
        run: String,
    },
    /// What was asked for is in no scope.
    #[error("{what} is in no scope of the policy and in none of its clusters; look for it with `moorline gc -o wide`")]
    Unknown {
        /// What was asked for.
        what: String,
    },
    /// What was asked for may be there: not everything could be read.
    #[error("{what} was not found, and not everything could be read: {why}")]
    NotSeen {
        /// What was asked for.
        what: String,
        /// What was not read.
        why: String,
    },
}

impl CollectError {
    /// With its cause, in one line.
    pub(crate) fn whole(&self) -> String {
        let cause = self.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{self}{cause}")
    }
}

impl From<LeaseError> for CollectError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held { holder, until } => Self::Held { holder, until },
            LeaseError::Store(error) => Self::Store(error),
            LeaseError::Lost { why, .. } => Self::Lost { why },
        }
    }
}
