//! Everything that must pass, in the order in which a failure costs least.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use moorline_parts::{Parts, Programs, VARIABLE};

use crate::client::{Client, Missing};
use crate::real::{self, Part, Started};
use crate::{counted, kubectl, process, python, supply};

/// An outside client, and the tests that need it.
struct Needed {
    set_up: fn() -> Result<Client, Missing>,
    /// The module, in any package, whose tests are ignored without it.
    tests: &'static str,
    /// The variable that tells those tests where it is.
    variable: &'static str,
}

const CLIENTS: [Needed; 3] = [
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
    Needed {
        set_up: || python::AZURE.set_up(),
        tests: "azure_clients::",
        variable: "MOORLINE_TEST_AZURE_PYTHON",
    },
];

/// The modules, in any package, whose tests need real parts.
const REAL_TESTS: &str = "real::";

/// How many random worlds and lives the property tests of garbage collection try, together a hundred thousand, and that every kill
/// at a call which changes something is played: by themselves the tests try few, so that a plain `cargo test` is quick.
const CASES: [(&str, &str); 3] = [
    ("MOORLINE_GC_CASES", "97000"),
    ("MOORLINE_COLLECT_CASES", "3000"),
    ("MOORLINE_MATRIX", "writes"),
];

/// What was run and how it went.
#[derive(Default)]
pub(crate) struct Report {
    done: Vec<String>,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// What depends on others than this machine and us, and could not be had from them.
    not_checked: Vec<String>,
}

impl Report {
    /// Runs a step, and goes on after its failure: one run tells everything that is wrong.
    pub(crate) fn step(&mut self, name: &str, command: &mut Command) {
        process::say(&format!("\n==> {name}: {}", process::shown(command)));
        let start = Instant::now();
        let result = process::run(command);
        self.note(&format!("{name}, {:.0} s", start.elapsed().as_secs_f64()), result);
    }

    pub(crate) fn note(&mut self, line: &str, result: Result<()>) {
        match result {
            Ok(()) => self.done.push(line.to_owned()),
            Err(error) => self.failed.push(format!("{line}: {error:#}")),
        }
    }

    /// Something that this machine could be made to run, and cannot yet.
    pub(crate) fn skip(&mut self, line: String) {
        self.skipped.push(line);
    }

    /// Something that no machine like this can run: it is told, and is no failure.
    pub(crate) fn not_checked(&mut self, line: String) {
        self.not_checked.push(line);
    }

    /// Whether all is well. What was skipped is a failure where `strict`.
    fn passes(&self, strict: bool) -> bool {
        self.failed.is_empty() && (!strict || self.skipped.is_empty())
    }

    /// Says how it went.
    fn end(&self, strict: bool) -> ExitCode {
        process::say("");
        let lines = [
            ("ok", &self.done),
            ("NOT HERE", &self.not_checked),
            ("skipped", &self.skipped),
            ("FAILED", &self.failed),
        ];
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

/// One part of all that must pass.
pub(crate) fn alone(part: impl FnOnce(&mut Report)) -> ExitCode {
    let mut report = Report::default();
    part(&mut report);
    report.end(is_ci())
}

/// Formatting, tests, tests with real parts and outside clients, lints.
pub(crate) fn everything() -> ExitCode {
    let mut report = Report::default();
    format(&mut report);
    let outside = Outside::set_up(&mut report);
    let mut tests = process::cargo();
    tests
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .envs(CASES);
    report.step("tests", &mut tests);
    outside.test(&mut report);
    lint(&mut report);
    supply::check(&mut report);
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

/// What is not ours and some tests need.
struct Outside {
    programs: Programs,
    /// Whether every real part can be started.
    has_parts: bool,
    /// The modules of the tests that a client was found for.
    tests: Vec<&'static str>,
    environment: Vec<(&'static str, OsString)>,
}

impl Outside {
    /// Builds, installs and finds it; what cannot be had is noted as skipped.
    fn set_up(report: &mut Report) -> Self {
        process::say("\n==> real parts and outside clients");
        let start = Instant::now();
        let (programs, missing) = real::set_up(&Part::ALL);
        let has_parts = missing.is_empty();
        let skipped = |missing: Missing| format!("tests with real parts, which need {missing}");
        report.skipped.extend(missing.into_iter().map(skipped));
        let mut outside = Self {
            programs,
            has_parts,
            tests: Vec::new(),
            environment: Vec::new(),
        };
        for needed in &CLIENTS {
            match (needed.set_up)() {
                Ok(client) => {
                    process::say(&format!("using {}", client.what));
                    outside.tests.push(needed.tests);
                    outside.environment.push((needed.variable, client.program.into()));
                }
                Err(missing) => report.skipped.push(format!("tests with {missing}")),
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        report.note(
            &format!("set-up of real parts and outside clients, {seconds:.0} s"),
            Ok(()),
        );
        outside
    }

    /// Starts the parts, and runs the tests that are ignored without them and the clients.
    fn test(mut self, report: &mut Report) {
        let folder = match tempfile::Builder::new().prefix("moorline-parts-").tempdir() {
            Ok(folder) => folder,
            Err(error) => return report.note("a folder for the real parts", Err(error.into())),
        };
        let mut running = Vec::new();
        if self.has_parts {
            let start = Instant::now();
            let started = self.start(folder.path());
            let line = format!("start of the real parts, {:.0} s", start.elapsed().as_secs_f64());
            report.note(&line, started.map(|started| running = started));
        }
        let failures = report.failed.len();
        if !self.tests.is_empty() {
            let name = format!("tests of {}", self.tests.join(", "));
            process::say(&format!("\n==> {name}"));
            let start = Instant::now();
            let result = self.run();
            let line = format!("{name}, {:.0} s", start.elapsed().as_secs_f64());
            match result {
                Ok(counts) => report.note(&format!("{line}: {counts}"), Ok(())),
                Err(error) => report.note(&line, Err(error)),
            }
        }
        drop(running);
        if report.failed.len() > failures || (self.has_parts && !self.tests.contains(&REAL_TESTS)) {
            process::say(&format!(
                "logs of the real parts are kept in {}",
                folder.keep().display()
            ));
        }
    }

    /// Starts all parts; the tests that need them are then among those to run.
    fn start(&mut self, folder: &Path) -> Result<Vec<Started>> {
        let mut parts = Parts::new(self.programs.clone());
        let mut running = Vec::new();
        for (part, started) in real::start(&Part::ALL, &self.programs, folder) {
            let started = started.with_context(|| format!("{} does not start", part.name()))?;
            part.tell(&started.place(), &mut parts);
            running.push(started);
        }
        let file = folder.join("parts.json");
        parts.write(&file)?;
        self.environment.push((VARIABLE, file.into()));
        self.tests.push(REAL_TESTS);
        Ok(running)
    }

    /// Runs the ignored tests, and says how many there were of each kind. One run for each kind: not every test program takes
    /// several filters. The whole workspace is named, for a single package would want its dependencies with fewer features,
    /// and so built again.
    fn run(&self) -> Result<String> {
        let mut told = Vec::new();
        let mut failed = Vec::new();
        for tests in &self.tests {
            let mut command = process::cargo();
            command.args([
                "test",
                "--workspace",
                "--locked",
                "--no-fail-fast",
                "--",
                "--ignored",
                tests,
            ]);
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            match counted::run(&mut command, &[tests], &mut std::io::stdout()) {
                Err(error) => failed.push(format!("{error:#}")),
                Ok(counts) if counts.iter().any(|(_, count)| *count == 0) => {
                    failed.push(format!("no test of {tests} was run: the filter matches none"));
                }
                Ok(counts) => told.extend(counts.into_iter().map(|(tests, count)| format!("{count} of {tests}"))),
            }
        }
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(told.join(", "))
    }
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
            not_checked: Vec::new(),
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
