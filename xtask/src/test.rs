//! Everything that must pass, in the order in which a failure costs least.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use moorline_parts::{Parts, Programs, VARIABLE};

use crate::client::{Client, Missing};
use crate::process::Spent;
use crate::real::{self, Part, Started};
use crate::report::Report;
use crate::{counted, fuzz, kubectl, process, python, supply};

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

/// How many tests of a program run at once: most wait for servers much more than they work.
const AT_ONCE: &str = "--test-threads=4";
/// The same of tests with real parts, some of which wait for their turn, too.
const REAL_AT_ONCE: &str = "--test-threads=6";

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

/// Formatting, tests, tests with real parts and outside clients, lints, fuzzing, what moorline is made of.
pub(crate) fn everything() -> ExitCode {
    let mut report = Report::default();
    format(&mut report);
    let outside = Outside::set_up(&mut report);
    if report.step("build of the tests", tests().arg("--no-run")) {
        run_tests(outside, &mut report);
    } else {
        lint(&mut report);
    }
    supply::check(&mut report);
    report.end(is_ci())
}

/// The tests; beside them the tests with real parts, which often wait; and with what time the processors have left, the fuzz targets.
fn run_tests(outside: Outside, report: &mut Report) {
    let (mut beside, mut fuzzing) = match (Report::beside(), Report::beside()) {
        (Ok(beside), Ok(fuzzing)) => (beside, fuzzing),
        (Err(error), _) | (_, Err(error)) => return report.note("tests", Err(error)),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lint(&mut beside);
            outside.test(&mut beside);
        });
        scope.spawn(|| {
            let effort = fuzz::Effort {
                seconds: fuzz::SECONDS,
                seed: fuzz::SEED,
                is_beside: true,
            };
            fuzz::run(&mut fuzzing, &[], effort);
        });
        let mut tests = tests();
        tests.args(["--no-fail-fast", "--", AT_ONCE]).envs(CASES);
        report.step("tests", &mut tests);
        process::say("\n==> waiting for what runs beside");
    });
    report.take_in(beside);
    report.take_in(fuzzing);
}

fn tests() -> Command {
    let mut tests = process::cargo();
    tests.args(["test", "--workspace", "--locked"]);
    tests
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
        missing.into_iter().map(skipped).for_each(|line| report.skip(line));
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
                Err(missing) => report.skip(format!("tests with {missing}")),
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
        let failures = report.failures();
        for tests in &self.tests {
            self.run(tests, report);
        }
        drop(running);
        if report.failures() > failures || (self.has_parts && !self.tests.contains(&REAL_TESTS)) {
            let folder = folder.keep();
            report
                .screen
                .say(&format!("logs of the real parts are kept in {}", folder.display()));
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

    /// Runs the ignored tests of one kind, and says how many there were. One run for each kind: not every test program takes several
    /// filters. The whole workspace is named, for a single package would want its dependencies with fewer features, and so built again.
    fn run(&self, filter: &str, report: &mut Report) {
        report.screen.say(&format!("\n==> tests of {filter}"));
        let start = Instant::now();
        let mut command = tests();
        command.args(["--lib", "--bins", "--tests", "--no-fail-fast"]);
        command.args(["--", "--ignored", REAL_AT_ONCE, filter]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        match counted::run(&mut command, filter, &report.screen) {
            Ok(counted) => {
                let line = format!(
                    "{} tests of {filter}, {}",
                    counted.tests,
                    Spent::since(start, counted.cpu)
                );
                let any = ensure_some(counted.tests, filter);
                report.note(&line, any);
            }
            Err(error) => report.note(&format!("tests of {filter}"), Err(error)),
        }
    }
}

fn ensure_some(tests: usize, filter: &str) -> Result<()> {
    ensure!(tests > 0, "no test of {filter} was run: the filter matches none");
    Ok(())
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
