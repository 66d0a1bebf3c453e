//! What was run and how it went.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process::{self, Screen};

/// What was run and how it went.
#[derive(Default)]
pub(crate) struct Report {
    /// Where the output of its steps is seen.
    pub(crate) screen: Screen,
    done: Vec<String>,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// What depends on others than this machine and us, and could not be had from them.
    not_checked: Vec<String>,
}

impl Report {
    /// For steps that run beside others: what they say is kept until it is taken in.
    pub(crate) fn beside() -> Result<Self> {
        Ok(Self {
            screen: Screen::later()?,
            ..Self::default()
        })
    }

    /// Shows what the steps of another report said, and tells how they went as its own.
    pub(crate) fn take_in(&mut self, other: Self) {
        other.screen.show();
        self.done.extend(other.done);
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.not_checked.extend(other.not_checked);
    }

    /// Runs a step, and goes on after its failure: one run tells everything that is wrong. Whether it went well.
    pub(crate) fn step(&mut self, name: &str, command: &mut Command) -> bool {
        self.screen.say(&format!("\n==> {name}: {}", process::shown(command)));
        let (spent, result) = process::timed(command, &self.screen);
        let is_well = result.is_ok();
        self.note(&format!("{name}, {spent}"), result);
        is_well
    }

    pub(crate) fn note(&mut self, line: &str, result: Result<()>) {
        match result {
            Ok(()) => self.done.push(line.to_owned()),
            Err(error) => self.failed.push(format!("{line}: {error:#}")),
        }
    }

    /// How much has failed.
    pub(crate) fn failures(&self) -> usize {
        self.failed.len()
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
    pub(crate) fn end(&self, strict: bool) -> ExitCode {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failed: &[&str], skipped: &[&str]) -> Report {
        let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        Report {
            failed: owned(failed),
            skipped: owned(skipped),
            ..Report::default()
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
        let mut report = Report::beside().unwrap();
        assert!(!report.step("first", &mut Command::new("false")));
        assert!(report.step("second", &mut Command::new("true")));
        assert_eq!(report.failed.len(), 1);
        assert!(
            report.failed[0].ends_with("false failed (exit status: 1)"),
            "{:?}",
            report.failed
        );
        assert!(report.done[0].starts_with("second, "), "{:?}", report.done);
    }

    #[test]
    fn what_ran_beside_counts_too() {
        let mut all = report(&[], &[]);
        all.take_in(report(&["lints"], &["boto3"]));
        assert!(!all.passes(false));
        assert_eq!(all.skipped, ["boto3"]);
    }
}
