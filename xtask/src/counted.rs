//! A run of tests that is not only shown but counted: a filter that matches nothing would otherwise look like success.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{self, Screen};

/// What came of a run.
pub(crate) struct Counted {
    /// How many tests ran whose path contains the filter.
    pub(crate) tests: usize,
    /// Time of processors.
    pub(crate) cpu: Duration,
}

/// Runs `command`, a `cargo test`, with its output on `screen`, and counts the tests whose path contains `filter`.
pub(crate) fn run(command: &mut Command, filter: &str, screen: &Screen) -> Result<Counted> {
    let shown = process::shown(command);
    screen.set(command)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot run {shown}"))?;
    let mut tests = 0;
    for line in BufReader::new(child.stdout.take().context("no output")?).split(b'\n') {
        let line = line.with_context(|| format!("cannot read what {shown} says"))?;
        let line = String::from_utf8_lossy(&line);
        screen.say(&line);
        tests += usize::from(finished(&line).is_some_and(|test| test.contains(filter)));
    }
    let (cpu, result) = process::wait(child, command)?;
    result.map(|()| Counted { tests, cpu })
}

/// The path of the test of whose end a line of a test program tells: `test module::name ... ok`.
fn finished(line: &str) -> Option<&str> {
    let (path, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let end = end.trim_end();
    (end.ends_with("ok") || end.ends_with("FAILED")).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    #[test]
    fn tests_are_counted_by_the_filter_that_they_match() {
        let said = "running 3 tests\ntest real::one ... ok\ntest it::real::two ... ok\ntest boto::three ... ignored\n\
                    test result: ok. 2 passed; 0 failed";
        for (filter, count) in [("real::", 2), ("boto::", 0)] {
            let mut command = Command::new("printf");
            command.args(["%s\\n", said]);
            let counted = run(&mut command, filter, &Screen::later().unwrap()).unwrap();
            assert_eq!(counted.tests, count, "{filter}");
        }
    }

    #[test]
    fn a_failure_is_one_and_what_was_said_is_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo test real::one ... FAILED; echo why >&2; exit 101"]);
        let screen = Screen::later().unwrap();
        let error = run(&mut command, "real::", &screen).err().unwrap();
        assert!(error.to_string().ends_with("failed (exit status: 101)"), "{error}");
        let Screen::Later(mut kept) = screen else {
            panic!("it is later")
        };
        let mut text = String::new();
        kept.rewind().unwrap();
        kept.read_to_string(&mut text).unwrap();
        assert!(text.contains("test real::one ... FAILED\n"), "{text}");
        assert!(text.contains("why\n"), "{text}");
    }

    #[test]
    fn only_lines_about_the_end_of_a_test_count() {
        assert_eq!(finished("test real::a ... ok"), Some("real::a"));
        assert_eq!(
            finished("test real::a - should panic ... ok"),
            Some("real::a - should panic")
        );
        assert_eq!(finished("test real::a ... FAILED"), Some("real::a"));
        assert_eq!(finished("test real::a ... ignored, needs real parts"), None);
        assert_eq!(finished("test result: ok. 1 passed"), None);
    }
}
