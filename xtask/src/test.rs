//! Everything that must pass, in the order in which a failure costs least.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::client::{Client, Missing};
use crate::{kubectl, process, python};

/// An outside client, and the tests that need it.
struct Needed {
    set_up: fn() -> Result<Client, Missing>,
    /// The module of `tests/it` that is skipped without it.
    tests: &'static str,
    /// The variable that tells those tests where it is.
    variable: &'static str,
}

const CLIENTS: [Needed; 2] = [
    Needed {
        set_up: kubectl::set_up,
        tests: "kubectl::",
        variable: "MOORLINE_TEST_KUBECTL",
    },
    Needed {
        set_up: || python::BOTO3.set_up(),
        tests: "boto::",
        variable: "MOORLINE_TEST_PYTHON",
    },
];

/// What was run and how it went.
#[derive(Default)]
struct Report {
    done: Vec<String>,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Runs a step, and goes on after its failure: one run tells everything that is wrong.
    fn step(&mut self, name: &str, command: &mut Command) {
        process::say(&format!("\n==> {name}: {}", process::shown(command)));
        let start = Instant::now();
        let result = process::run(command);
        self.note(&format!("{name}, {:.0} s", start.elapsed().as_secs_f64()), result);
    }

    fn note(&mut self, line: &str, result: Result<()>) {
        match result {
            Ok(()) => self.done.push(line.to_owned()),
            Err(error) => self.failed.push(format!("{line}: {error:#}")),
        }
    }

    /// Whether all is well. What was skipped is a failure where `strict`.
    fn passes(&self, strict: bool) -> bool {
        self.failed.is_empty() && (!strict || self.skipped.is_empty())
    }

    /// Says how it went.
    fn end(&self, strict: bool) -> ExitCode {
        process::say("");
        let lines = [("ok", &self.done), ("skipped", &self.skipped), ("FAILED", &self.failed)];
        for (word, lines) in lines {
            for line in lines {
                process::say(&format!("{word:>8}  {line}"));
            }
        }
        if strict && !self.skipped.is_empty() {
            process::say("CI=true: what is skipped counts as failed");
        }
        if self.passes(strict) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Formatting and lints.
pub(crate) fn check() -> ExitCode {
    let mut report = Report::default();
    format(&mut report);
    lint(&mut report);
    report.end(false)
}

/// Formatting, tests, tests with outside clients, lints.
pub(crate) fn everything() -> ExitCode {
    let mut report = Report::default();
    format(&mut report);
    let mut outside = Vec::new();
    for needed in &CLIENTS {
        match (needed.set_up)() {
            Ok(client) => {
                process::say(&format!("using {}", client.what));
                outside.push((needed, client));
            }
            Err(missing) => report.skipped.push(format!("tests with {missing}")),
        }
    }
    report.step(
        "tests",
        process::cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]),
    );
    if !outside.is_empty() {
        test_clients(&mut report, &outside);
    }
    lint(&mut report);
    report.end(is_ci())
}

fn format(report: &mut Report) {
    report.step(
        "formatting",
        process::cargo().args(["fmt", "--all", "--check", "--", "--files-with-diff"]),
    );
}

fn lint(report: &mut Report) {
    let lint = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ];
    report.step("lints", process::cargo().args(lint));
}

/// Runs the tests that are ignored where their client is not known. The whole workspace is named, for a single package
/// would want its dependencies with fewer features, and so built again.
fn test_clients(report: &mut Report, outside: &[(&Needed, Client)]) {
    let mut command = process::cargo();
    command.args(["test", "--workspace", "--locked", "--test", "it", "--", "--ignored"]);
    for (needed, client) in outside {
        command.arg(needed.tests).env(needed.variable, &client.program);
    }
    report.step("tests with outside clients", &mut command);
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failed: &[&str], skipped: &[&str]) -> Report {
        let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        Report {
            done: Vec::new(),
            failed: owned(failed),
            skipped: owned(skipped),
        }
    }

    #[test]
    fn what_is_skipped_fails_in_continuous_integration_only() {
        assert!(report(&[], &["boto3"]).passes(false));
        assert!(!report(&[], &["boto3"]).passes(true));
        assert!(report(&[], &[]).passes(true));
        assert!(!report(&["lints"], &[]).passes(false));
    }

    #[test]
    fn a_failed_step_does_not_hide_the_next() {
        let mut report = Report::default();
        report.note("first", process::run(&mut Command::new("false")));
        report.note("second", process::run(&mut Command::new("true")));
        assert_eq!(report.failed, ["first: false failed (exit status: 1)"]);
        assert_eq!(report.done, ["second"]);
    }
}
