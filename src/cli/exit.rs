//! Exit codes: the one place that knows them.

use std::process::ExitCode;

use moorline_api::ErrorKind;
use moorline_engine::EngineError;

/// How a run ends, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage, a bad profile, or a question that no one was there to answer. No call was made that changes anything.
    Usage = 2,
    /// Incomplete: something was unreachable or refused, or is left for the next run.
    Incomplete = 3,
    /// There are changes, and `--detailed-exitcode` asked to tell.
    Changes = 4,
    /// Held by another run, or others own fields that the profile sets.
    Conflict = 5,
    /// The deadline passed.
    TimedOut = 6,
    /// Interrupted, after draining the calls under way.
    Interrupted = 130,
}

impl Exit {
    /// What a script is told about how the engine failed.
    pub(crate) fn of(error: &EngineError) -> Self {
        match error {
            EngineError::Provider(_) | EngineError::Failed(_) if all_out_of_reach(&error.kinds()) => Self::Incomplete,
            EngineError::Provider(_)
            | EngineError::Failed(_)
            | EngineError::Refused { .. }
            | EngineError::Blocked(_)
            | EngineError::NeverReady(_) => Self::Failed,
            EngineError::Silent { .. } => Self::Incomplete,
            EngineError::Conflicts(_) => Self::Conflict,
            EngineError::TimedOut { .. } => Self::TimedOut,
            EngineError::Interrupted { .. } => Self::Interrupted,
        }
    }

    /// What a script is told where one call failed for all of the run.
    pub(crate) fn of_call(kind: &ErrorKind) -> Self {
        if all_out_of_reach(&[kind]) {
            Self::Incomplete
        } else {
            Self::Failed
        }
    }

    /// Changes count only where they were asked for.
    pub(crate) fn detailed(asked: bool, changes: usize) -> Self {
        if asked && changes > 0 {
            Self::Changes
        } else {
            Self::Done
        }
    }

    /// Incomplete, or done.
    pub(crate) fn incomplete(incomplete: bool) -> Self {
        if incomplete { Self::Incomplete } else { Self::Done }
    }
}

/// Whether nothing but reach and rights stood in the way, so that the same run may succeed later.
fn all_out_of_reach(kinds: &[&ErrorKind]) -> bool {
    let out_of_reach = |kind: &ErrorKind| {
        matches!(
            kind,
            ErrorKind::Unreachable | ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::Throttled { .. }
        )
    };
    !kinds.is_empty() && kinds.iter().all(|kind| out_of_reach(kind))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use moorline_engine::Failure;

    use super::*;

    fn provider(kind: ErrorKind) -> moorline_api::Error {
        moorline_api::Error::new(kind, "ec2:CreateVolume", "", "no")
    }

    fn failed(kinds: impl IntoIterator<Item = ErrorKind>) -> EngineError {
        let failures = kinds.into_iter().map(|kind| Failure {
            what: "claim".to_owned(),
            error: provider(kind),
        });
        EngineError::Failed(failures.collect())
    }

    #[test]
    fn codes_are_those_of_the_documentation() {
        let codes = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Incomplete,
            Exit::Changes,
            Exit::Conflict,
            Exit::TimedOut,
            Exit::Interrupted,
        ];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5, 6, 130]);
    }

    #[test]
    fn reach_and_rights_are_incomplete_and_the_rest_failed() {
        let throttled = || ErrorKind::Throttled { retry_after: None };
        let cases = [
            (
                EngineError::Provider(provider(ErrorKind::Unreachable)),
                Exit::Incomplete,
            ),
            (
                EngineError::Provider(provider(ErrorKind::Unauthenticated)),
                Exit::Incomplete,
            ),
            (EngineError::Provider(provider(ErrorKind::Invalid)), Exit::Failed),
            (failed([ErrorKind::Forbidden, throttled()]), Exit::Incomplete),
            (failed([ErrorKind::Forbidden, ErrorKind::LimitExceeded]), Exit::Failed),
            (
                EngineError::Refused {
                    what: String::new(),
                    cure: String::new(),
                },
                Exit::Failed,
            ),
            (EngineError::Blocked(Vec::new()), Exit::Failed),
            (EngineError::NeverReady(Vec::new()), Exit::Failed),
            (EngineError::Conflicts(Vec::new()), Exit::Conflict),
            (
                EngineError::TimedOut {
                    seconds: 1,
                    causes: Vec::new(),
                },
                Exit::TimedOut,
            ),
            (
                EngineError::Silent {
                    seconds: 1,
                    causes: Vec::new(),
                },
                Exit::Incomplete,
            ),
            (EngineError::Interrupted { left: String::new() }, Exit::Interrupted),
        ];
        for (error, exit) in cases {
            assert_eq!(Exit::of(&error), exit, "{error:?}");
        }
    }

    #[test]
    fn changes_are_told_only_where_asked() {
        assert_eq!(
            [
                Exit::detailed(false, 3),
                Exit::detailed(true, 0),
                Exit::detailed(true, 3)
            ],
            [Exit::Done, Exit::Done, Exit::Changes]
        );
    }
}
