//! What a person is told when a command does not succeed: what happened, why, and what to do.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use moorline_api::ErrorKind;
use moorline_collect::CollectError;
use moorline_engine::EngineError;
use moorline_engine::lock::LockError;
use moorline_sandbox::{JournalError, SandboxError};

use super::exit::Exit;
use crate::report::{Paint, block};

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened, in one or more lines.
    message: String,
    /// The chain of causes below it.
    causes: Vec<String>,
    /// What to do next.
    hints: Vec<String>,
    /// Whether the message is already laid out (diagnostics) and gets no `error:` in front.
    laid_out: bool,
}

impl Failure {
    /// A failure with an exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            laid_out: false,
        }
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Problems of a profile, laid out with their places.
    pub(crate) fn diagnostics(text: String) -> Self {
        Self {
            laid_out: true,
            ..Self::usage(text)
        }
    }

    /// The same with what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same where nobody answered until the deadline was over: that is what happened then.
    #[must_use]
    pub(crate) fn after(mut self, deadline: Option<Duration>) -> Self {
        match deadline {
            Some(deadline) if matches!(self.exit, Exit::Incomplete | Exit::Interrupted) => {
                self.exit = Exit::TimedOut;
                self.message = format!("timed out after {} s: {}", deadline.as_secs_f32(), self.message);
                self
            }
            _ => self,
        }
    }

    /// The text for stderr.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let mut out = if self.laid_out {
            self.message.clone()
        } else {
            self.messages(paint)
        };
        if !out.ends_with('\n') {
            out.push('\n');
        }
        for cause in &self.causes {
            let _ = writeln!(out, "  caused by: {}", block(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(out, "{} {}", paint.hint("hint:"), block(hint));
        }
        out
    }

    /// Each line of the message as an error of its own: a run that went on with the rest may have met several.
    fn messages(&self, paint: Paint) -> String {
        let mut out = String::new();
        for line in self.message.lines() {
            let _ = writeln!(out, "{} {}", paint.error("error:"), block(line));
        }
        out
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let mut failure = Self::new(Exit::of(&error), error.to_string());
        failure.causes = chain(error.source());
        let hint = match &error {
            EngineError::Conflicts(_) => {
                Some("change the field where its owner keeps it, or take it with --force-conflicts")
            }
            EngineError::Failed(_) => Some("what succeeded is kept: run the same command again to go on with the rest"),
            EngineError::TimedOut { .. } => {
                Some("nothing was undone: run the same command again to go on waiting, longer with --timeout 30m")
            }
            EngineError::Silent { .. } => {
                Some("nothing was undone: start what does not run, then run the same command again to go on")
            }
            EngineError::NeverReady(_) => {
                Some("`moorline status` shows the events; correct the cause and run the same command again")
            }
            EngineError::Interrupted { .. } | EngineError::Blocked(_) | EngineError::Refused { .. } => None,
            EngineError::Provider(error) => Some(provider_hint(&error.kind)),
        };
        failure.hints.extend(hint.map(str::to_owned));
        failure
    }
}

impl From<moorline_api::Error> for Failure {
    fn from(error: moorline_api::Error) -> Self {
        EngineError::Provider(error).into()
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let (exit, hint) = match &error {
            LockError::Held { .. } => (
                Exit::Conflict,
                "nothing was changed; --wait-lock 10m waits for it, and `kubectl describe lease` shows it",
            ),
            LockError::Overtaken { .. } => (Exit::Conflict, "run again when they are done"),
            LockError::Lost { .. } => (
                Exit::Conflict,
                "nothing was undone: look at what the other run does, then run the same command again to go on",
            ),
            LockError::Unconfirmed { .. } => (
                Exit::Incomplete,
                "nothing was undone: run the same command again when the API server answers",
            ),
            LockError::Interrupted { .. } => (Exit::Interrupted, "run again to go on"),
            LockError::Provider(cause) if cause.kind == ErrorKind::Forbidden => (
                Exit::Incomplete,
                "nothing was changed; a Lease keeps other runs out: --lock-namespace (or lock.namespace in profile.yaml) names another place for it, --lock=false goes without",
            ),
            LockError::Provider(_) => (Exit::Failed, ""),
        };
        if let LockError::Provider(cause) = error {
            let failure = Self::from(cause);
            return if hint.is_empty() {
                failure
            } else {
                Self {
                    hints: vec![hint.to_owned()],
                    ..failure
                }
            };
        }
        let mut failure = Self::new(exit, error.to_string());
        failure.causes = chain(error.source());
        failure.hint(hint)
    }
}

impl From<CollectError> for Failure {
    fn from(error: CollectError) -> Self {
        let (exit, hint) = match &error {
            CollectError::Held { .. } => (Exit::Conflict, None),
            CollectError::Store(cause) => (Exit::of_call(&cause.kind), Some(provider_hint(&cause.kind))),
            CollectError::NotSeen { .. } | CollectError::Lost { .. } => (Exit::Incomplete, None),
            CollectError::Interrupted => (Exit::Interrupted, None),
            CollectError::Records { .. } | CollectError::Unknown { .. } | CollectError::NoRun { .. } => {
                (Exit::Failed, None)
            }
        };
        let mut failure = Self::new(exit, error.to_string());
        failure.causes = chain(error.source());
        failure.hints.extend(hint.map(str::to_owned));
        failure
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let is_held = matches!(
            error,
            SandboxError::Journal(JournalError::Held { .. }) | SandboxError::Served { .. }
        );
        let exit = if is_held { Exit::Conflict } else { Exit::Failed };
        let mut failure = Self::new(exit, format!("sandbox: {error}"));
        failure.causes = chain(error.source());
        if is_held {
            return failure
                .hint("several commands at once share a sandbox that is served: moorline sandbox serve --detach");
        }
        failure
    }
}

/// What helps with any provider's error of a kind; the error itself says what is particular.
fn provider_hint(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthenticated | ErrorKind::Unreachable => {
            "nothing was changed; --sandbox tries the same without account or cluster"
        }
        ErrorKind::Forbidden => "nothing was changed",
        ErrorKind::Throttled { .. } => "others use up the account's rate: run again in a while",
        ErrorKind::Internal => "what was done is kept: run the same command again in a while",
        ErrorKind::Stale | ErrorKind::Expired => "something changed it meanwhile: run the same command again",
        ErrorKind::InUse => "something else works with it: run the same command again in a while",
        ErrorKind::FieldConflicts(_) => "change the field where its owner keeps it, or take it with --force-conflicts",
        ErrorKind::NotFound => "it is not there, or not any more: look for it, then run the same command again",
        ErrorKind::AlreadyExists => {
            "something else has its name: look at it, remove or rename one of the two, then run the same command again"
        }
        ErrorKind::Invalid => "correct what the service names, then run the same command again",
        ErrorKind::TokenBurnt => "what was made for it is gone: run the same command again",
        ErrorKind::LimitExceeded => {
            "what was done is kept: free some or have the limit raised, then run the same command again"
        }
        ErrorKind::Unsupported => "check which endpoint the environment and the profile name: it has no such operation",
        _ => "run the same command again",
    }
}

fn chain(mut source: Option<&(dyn std::error::Error + 'static)>) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes.dedup();
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_error_causes_hint() {
        let source = std::io::Error::other("connection refused");
        let error = moorline_api::Error::new(ErrorKind::Unreachable, "get namespaces", "kube-system", "no connection")
            .with_source(source);
        let text = Failure::from(error).render(Paint::new(false));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "error: get namespaces kube-system: no connection");
        assert_eq!(lines[1], "  caused by: connection refused");
        assert!(lines[2].starts_with("hint: "), "{text}");
    }

    #[test]
    fn a_servers_escapes_do_not_reach_the_terminal() {
        let error = moorline_api::Error::new(ErrorKind::Invalid, "patch pods", "", "\u{1b}]0;owned\u{7}");
        assert!(!Failure::from(error).render(Paint::new(true)).contains("\u{1b}]"));
    }
}
