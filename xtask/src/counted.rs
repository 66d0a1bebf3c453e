//! A run of tests that is not only shown but counted: a filter that matches nothing would otherwise look like success.

use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Runs `command`, a `cargo test`, with its output shown on `screen`, and tells how many tests ran whose path contains each of
/// `filters`.
pub(crate) fn run<'a>(
    command: &mut Command,
    filters: &[&'a str],
    screen: &mut impl Write,
) -> Result<Vec<(&'a str, usize)>> {
    let shown = process::shown(command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot run {shown}"))?;
    let mut counts: Vec<(&str, usize)> = filters.iter().map(|filter| (*filter, 0)).collect();
    for line in BufReader::new(child.stdout.take().context("no output")?).split(b'\n') {
        let line = line.with_context(|| format!("cannot read what {shown} says"))?;
        let line = String::from_utf8_lossy(&line);
        // Shown as it comes; that nobody reads it is no reason to stop counting.
        drop(writeln!(screen, "{line}"));
        let test = finished(&line);
        for (filter, count) in &mut counts {
            *count += usize::from(test.is_some_and(|test| test.contains(*filter)));
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {shown}"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(counts)
}

/// The path of the test of whose end a line of a test program tells: `test module::name ... ok`.
fn finished(line: &str) -> Option<&str> {
    let (path, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let end = end.trim_end();
    (end.ends_with("ok") || end.ends_with("FAILED")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_the_filter_that_they_match() {
        let said = "running 3 tests\ntest real::one ... ok\ntest it::real::two ... ok\ntest boto::three ... ignored\n\
                    test result: ok. 2 passed; 0 failed";
        let mut command = Command::new("printf");
        command.args(["%s\\n", said]);
        let counts = run(&mut command, &["real::", "boto::"], &mut Vec::new()).unwrap();
        assert_eq!(counts, [("real::", 2), ("boto::", 0)]);
    }

    #[test]
    fn a_failure_is_one() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo test real::one ... FAILED; exit 101"]);
        let mut screen = Vec::new();
        let error = run(&mut command, &["real::"], &mut screen).unwrap_err();
        assert_eq!(screen, b"test real::one ... FAILED\n");
        assert!(error.to_string().ends_with("failed (exit status: 101)"), "{error}");
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
