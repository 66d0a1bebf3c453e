//! What can go wrong with real parts.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// A part that could not be had, started, looked after or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tests were started without the parts.
    #[error(
        "MOORLINE_TEST_PARTS is not set: run `cargo xtask test`, or `eval \"$(cargo xtask real up)\"` before these tests"
    )]
    NoParts,
    /// The parts file names no such part.
    #[error("{0} does not run: see what `cargo xtask test` (or `cargo xtask real up`) says about it")]
    NotRunning(&'static str),
    /// No program of that name is known.
    #[error("there is no {0}: `cargo xtask real up` sets it up, or says what it needs for that")]
    NoProgram(String),
    /// A file or folder that could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `create`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A parts file that is none.
    #[error("{} is no parts file: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A program that could not be run at all.
    #[error("cannot run {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program that ended before it was of use.
    #[error("{name} ended ({status}) before it was healthy; {log}")]
    Died {
        /// The program.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its last words.
        log: LogTail,
    },
    /// A program that runs and is of no use.
    #[error("{name} is not healthy {seconds} s after its start: {why}; {log}")]
    Unhealthy {
        /// The program.
        name: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// What it answered last.
        why: String,
        /// Its last words.
        log: LogTail,
    },
    /// A command that set something up, and failed.
    #[error("{command} failed: {said}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// No signal could be sent.
    #[error("cannot stop {name} (process {id}): {why}")]
    Stop {
        /// The program.
        name: String,
        /// Its process.
        id: i32,
        /// Why.
        why: String,
    },
    /// A key could not be made.
    #[error("cannot make the key that signs service account tokens: {0}")]
    Key(#[from] rcgen::Error),
    /// No port is free.
    #[error(
        "no free loopback port found between {} and {}",
        crate::ports::FIRST,
        crate::ports::LAST
    )]
    NoPort,
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    /// Whether somebody else took the port between our look at it and the program's.
    pub(crate) fn is_taken_port(&self) -> bool {
        matches!(self, Self::Died { log, .. } if log.text.to_lowercase().contains("address already in use"))
    }
}

/// The last lines of a log.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    text: String,
}

impl LogTail {
    const LINES: usize = 12;
    const WIDTH: usize = 300;

    pub(crate) fn of(path: &Path) -> Self {
        let whole = std::fs::read(path).unwrap_or_default();
        let whole = String::from_utf8_lossy(&whole);
        let lines: Vec<&str> = whole.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(Self::LINES)..];
        let text = last
            .iter()
            .map(|line| line.chars().take(Self::WIDTH).collect::<String>());
        Self {
            path: path.to_owned(),
            text: text.collect::<Vec<_>>().join("\n  "),
        }
    }
}

impl std::fmt::Display for LogTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.text.is_empty() {
            return write!(f, "its log {} is empty", self.path.display());
        }
        write!(f, "its log {} ends with\n  {}", self.path.display(), self.text)
    }
}
