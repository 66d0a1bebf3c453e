//! How a run fails, in the terms of the exit codes.

use std::fmt;

use moorline_api::{ErrorKind, FieldConflict, ObjectRef};

use crate::outcome::Cause;

/// One thing that failed in a run that went on with the rest.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct Failure {
    /// The thing: `claim default/data-0`.
    pub what: String,
    /// What went wrong.
    pub error: moorline_api::Error,
}

/// Why a run did not do all it should.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A call failed before anything was changed.
    #[error(transparent)]
    Provider(#[from] moorline_api::Error),
    /// The profile does not belong here: another cluster, account or region than it pins.
    #[error("{what}; {cure}")]
    Refused {
        /// What does not fit.
        what: String,
        /// What to do.
        cure: String,
    },
    /// The profile asks for what cannot be: all such problems at once, found before anything was changed.
    #[error("{}", lines(.0))]
    Blocked(Vec<Cause>),
    /// Fields or objects that others own. Nothing was changed.
    #[error("{}", conflicts(.0))]
    Conflicts(Vec<Conflict>),
    /// Some things failed; the others are done.
    #[error("{}", lines(.0))]
    Failed(Vec<Failure>),
    /// The deadline passed; this is what was not ready.
    #[error("timed out after {} s; not ready: {}", .seconds, lines(.causes))]
    TimedOut {
        /// The deadline in seconds.
        seconds: u64,
        /// What was not ready.
        causes: Vec<Cause>,
    },
    /// The deadline passed, and parts of the cluster have done nothing for a while: more waiting alone will not help.
    #[error("timed out after {} s: {}", .seconds, parts(.causes))]
    Silent {
        /// The deadline in seconds.
        seconds: u64,
        /// A cause for each part.
        causes: Vec<Cause>,
    },
    /// Waiting cannot help.
    #[error("{}", lines(.0))]
    NeverReady(Vec<Cause>),
    /// Stopped by the user after draining the calls under way.
    #[error("interrupted; {left}")]
    Interrupted {
        /// What is left to do.
        left: String,
    },
}

/// A field or an object that someone else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The object.
    pub target: ObjectRef,
    /// The owner and the field.
    pub field: FieldConflict,
}

impl EngineError {
    /// The worst kind behind it, where provider errors are.
    pub fn kinds(&self) -> Vec<&ErrorKind> {
        match self {
            Self::Provider(error) => vec![&error.kind],
            Self::Failed(failures) => failures.iter().map(|failure| &failure.error.kind).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

fn lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// In one line: a part and what it leaves undone read as a sentence.
fn parts(causes: &[Cause]) -> String {
    let part = |cause: &Cause| {
        let hint = cause
            .hint
            .as_ref()
            .map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("{} {}{hint}", cause.what, cause.why)
    };
    causes.iter().map(part).collect::<Vec<_>>().join("; ")
}

fn conflicts(conflicts: &[Conflict]) -> String {
    let line = |c: &Conflict| format!("{}: field {} is owned by {}", c.target, c.field.field, c.field.owner);
    conflicts.iter().map(line).collect::<Vec<_>>().join("\n")
}
