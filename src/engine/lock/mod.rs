//! One run at a time changes a profile: whoever does holds a Lease in the cluster, outside all that `down` deletes.
//!
//! The Lease is looked at before anything is planned and taken with the first call that changes something, so that a run with nothing to do
//! writes nothing. It is taken from the very version that was looked at: where another run came between, the plan may be
//! out of date, and is made anew. While it is held, each call that changes something passes the [`guard`], which lets it begin and
//! go on only as long as the Lease is surely ours; see `docs/adr/0010-one-run-at-a-time.md`.
//!
//! | module | what lives there |
//! |---|---|
//! | `record` | what the Lease says |
//! | `look` | whether it is free, and waiting until it is |
//! | `tenure` | taking it, renewing it, giving it back |
//! | `guard` | the wrappers of cluster and cloud |

mod guard;
mod look;
mod record;
mod tenure;

use std::sync::Arc;
use std::time::Duration;

use moorline_api::Error;

use crate::context::Context;
use look::look;
use tenure::Tenure;

pub use record::Keeper;

/// How long a Lease is its holder's without a sign of life.
pub(crate) const SPAN: Duration = Duration::from_secs(15);

/// Where Leases are unless told otherwise: a namespace that nobody can delete.
pub const DEFAULT_NAMESPACE: &str = "default";

/// How often a plan is made anew because another run came between.
const ROUNDS: usize = 20;

/// What its own machine can tell of a holder's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Runs,
    /// It is gone, and that is proved.
    Gone,
    /// Neither can be said: it is another machine's, or is stopped.
    Unknown,
}

/// Who wants a lock.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Unlike any other run's: `user@host/process/number`.
    pub identity: String,
    /// The command, for people.
    pub command: String,
    /// A mark by which this machine knows the process again; empty where there is none.
    pub process: String,
    /// Reads such a mark.
    pub fate: fn(&str) -> Fate,
}

/// How long to wait for another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Only until it is sure that there is one: a holder without a sign of life for its span is followed.
    UntilAlive,
    /// So long.
    For(Duration),
}

/// What is locked, for whom, and how much it is worth waiting for.
#[derive(Clone, Debug)]
pub struct Terms {
    /// For people: `profile web`.
    pub what: String,
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// Who wants it.
    pub holder: Holder,
    /// How long others are waited for.
    pub patience: Patience,
}

impl Terms {
    /// `lease default/moorline-web`, as messages call it.
    fn place(&self) -> String {
        format!("lease {}/{}", self.namespace, self.name)
    }
}

/// Why a run does not have its lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it. Nothing was changed.
    #[error("{what} is held by {keeper}, in {place}")]
    Held {
        /// What.
        what: String,
        /// By whom.
        keeper: Box<Keeper>,
        /// Where.
        place: String,
    },
    /// It was taken away from this run, which stopped before its next change.
    #[error("{what} was taken from this run: {place} {taker}; it stopped before its next change")]
    Lost {
        /// What.
        what: String,
        /// Where.
        place: String,
        /// By whom: `is now held by …`, `was deleted`.
        taker: String,
    },
    /// Nobody could say for a while whether it was still this run's, which stopped before its next change.
    #[error("the API server did not renew {place}, and without it nothing may be changed: {why}")]
    Unconfirmed {
        /// Where.
        place: String,
        /// What the last try came to.
        why: String,
    },
    /// Stopped by the user while it waited. Nothing was changed.
    #[error("interrupted while waiting for {what}; nothing was changed")]
    Interrupted {
        /// What.
        what: String,
    },
    /// Other runs came between again and again.
    #[error("other runs changed {what} each time before this one could begin; nothing was changed by this one")]
    Overtaken {
        /// What.
        what: String,
    },
    /// The Lease cannot be read or written.
    #[error(transparent)]
    Provider(Error),
}

/// What is to become of the Lease of a run that came to a good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It stays, and is free.
    Free,
    /// It goes: nothing of what it guarded is left.
    Remove,
}

/// Plans and changes something while no other run does. `work` may be done again from its beginning, as long as it has changed
/// nothing, where another run was quicker; cluster and cloud in the context that it gets are guarded.
///
/// The Lease is given back however `work` ends. What `work` says counts only where the Lease was not lost on the way.
pub async fn exclusively<T, E: From<LockError>>(
    ctx: &Context,
    terms: &Terms,
    mut work: impl AsyncFnMut(&Context) -> Result<(T, Afterwards), E>,
) -> Result<T, E> {
    for _ in 0..ROUNDS {
        let seen = look(ctx, terms).await?;
        let tenure = Arc::new(Tenure::new(ctx, terms, seen));
        let result = work(&guard::guarded(ctx, &tenure)).await;
        let afterwards = result.as_ref().map_or(Afterwards::Free, |(_, afterwards)| *afterwards);
        match tenure.end(ctx, afterwards).await {
            Ok(()) => return result.map(|(value, _)| value),
            Err(LockError::Overtaken { .. }) => {
                ctx.notice(format!("another run was quicker with {}: looking again", terms.what));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let what = terms.what.clone();
    Err(LockError::Overtaken { what }.into())
}

#[cfg(test)]
mod tests;
