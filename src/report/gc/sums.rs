//! What a run comes to: volumes by verdict, what goes and what that saves, and what kept it from knowing or doing more.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use moorline_collect::{Leftover, LeftoverAction, Outcome, Report};
use moorline_gc::Verdict;
use moorline_gc::caps::Sum;
use moorline_gc::plan::Kept;

use super::super::table::Table;
use super::super::{View, status};
use super::{counted, grouped, size, sum};

/// Notes of one sort that are shown one by one; the rest are counted.
const NOTES: usize = 20;

/// All volumes by verdict.
pub(super) fn totals(totals: &BTreeMap<Verdict, Sum>, view: &View) -> String {
    let mut table = Table::new(["VERDICT", "VOLUMES", "SIZE", "$/MONTH"]);
    for (verdict, sum) in totals {
        table.row([
            verdict.to_string(),
            grouped(sum.count),
            size(grouped(sum.gib)),
            format!("{:.2}", sum.monthly),
        ]);
    }
    table.render(view)
}

/// In sentences: what went or would go, what is marked, what waits.
pub(super) fn outcome(report: &Report, view: &View) -> String {
    let plan = &report.plan;
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", view.prose(0, 2, &text));
    };
    if report.applied {
        line(gone(report));
        for (what, count) in undone(report) {
            line(format!("{what}: {}", counted(count, "deletion")));
        }
        if report.marks_written > 0 {
            line(format!("marks written: {}", grouped(report.marks_written as u64)));
        }
        let marked = |leftover: &&Leftover| leftover.action == LeftoverAction::Mark;
        match report.leftovers.iter().filter(marked).count() as u64 {
            0 => {}
            count => line(format!("marked {}: grace begins", counted(count, "leftover"))),
        }
    } else {
        if !plan.deletions.is_empty() {
            line(format!("would delete {}", sum(&plan.doomed, "volume")));
        }
        let leftovers = report.leftovers.iter();
        let doomed = leftovers.filter(|leftover| leftover.action == LeftoverAction::Delete);
        match doomed.count() as u64 {
            0 => {}
            count => line(format!("would delete {} beside", counted(count, "leftover"))),
        }
        match plan.marks.len() as u64 {
            0 => {}
            count => line(format!("would mark {}: grace begins then", counted(count, "volume"))),
        }
        match plan.unmarks.len() as u64 {
            0 => {}
            count => line(format!(
                "would unmark {}: not unused any more",
                counted(count, "volume")
            )),
        }
    }
    let waiting = plan.kept.iter().filter_map(|keep| match keep.kept {
        Kept::Waiting(until) => Some(until),
        _ => None,
    });
    let (count, first) = waiting.fold((0, None), |(count, first), until| {
        (count + 1, Some(first.map_or(until, |first| until.min(first))))
    });
    if let Some(first) = first {
        let waits = if count == 1 { "waits" } else { "wait" };
        line(format!(
            "{} {waits} for grace to end, the first until {first}",
            counted(count, "volume")
        ));
    }
    if !report.has_findings() && !report.applied {
        line("nothing is unused".to_owned());
    }
    out
}

/// What went, and what that saves.
fn gone(report: &Report) -> String {
    let volumes = report.done.iter().filter(|done| done.confirmed).count() as u64;
    let leftovers = report.leftovers.iter();
    let leftovers = leftovers
        .filter(|leftover| leftover.action == LeftoverAction::Gone)
        .count() as u64;
    let what = match (volumes, leftovers) {
        (0, 0) => return "nothing was deleted".to_owned(),
        (volumes, 0) => counted(volumes, "volume"),
        (0, leftovers) => counted(leftovers, "leftover"),
        (volumes, leftovers) => format!("{} and {}", counted(volumes, "volume"), counted(leftovers, "leftover")),
    };
    let Sum { gib, monthly, .. } = report.saved;
    format!(
        "deleted {what}, and the cloud says that they are gone: {} GiB, ${monthly:.2} a month saved",
        grouped(gib)
    )
}

/// Deletions that did not come to their end, by how.
fn undone(report: &Report) -> Vec<(&'static str, u64)> {
    let mut counts = [
        ("failed, for the next run to take up", 0),
        ("spared by the second look", 0),
        ("left to the next run because its claim kept changing", 0),
        ("not begun", 0),
    ];
    for done in &report.done {
        match done.outcome {
            Outcome::Gone => {}
            Outcome::Failed(_) => counts[0].1 += 1,
            Outcome::Kept(_) => counts[1].1 += 1,
            Outcome::Unsettled(_) => counts[2].1 += 1,
            Outcome::NotBegun(_) => counts[3].1 += 1,
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// What a reader has to know beside: gaps, caps, clocks, failures; and what to do next.
pub(super) fn notes(report: &Report, view: &View) -> String {
    let plan = &report.plan;
    let mut out = String::new();
    let gaps: Vec<_> = plan.gaps.iter().map(ToString::to_string).collect();
    let caps = plan.exceeded.iter().map(|cap| format!("{cap}; nothing is deleted"));
    let caps: Vec<_> = caps.collect();
    for (word, lines) in [
        ("not read", gaps.as_slice()),
        ("cap", &caps),
        ("clock", plan.clock.as_slice()),
        ("mark failed", &report.marks_failed),
        ("ended early", report.ended_early.as_slice()),
    ] {
        out.push_str(&listed(word, lines, view));
    }
    out.push_str(&status::notices(&report.notices, view));
    for hint in hints(report, view) {
        let _ = writeln!(out, "{} {}", view.paint.hint("hint:"), view.prose(6, 6, hint));
    }
    out
}

fn listed(word: &str, lines: &[String], view: &View) -> String {
    let mut out = String::new();
    for line in lines.iter().take(if view.wide { lines.len() } else { NOTES }) {
        let _ = writeln!(
            out,
            "{} {}",
            view.paint.changed(format!("{word}:")),
            view.prose(word.len() + 2, 4, line)
        );
    }
    let hidden = lines.len().saturating_sub(NOTES) as u64;
    if hidden > 0 && !view.wide {
        let _ = writeln!(out, "… and {} more: -o wide shows them", grouped(hidden));
    }
    out
}

/// The next command, where there is one.
fn hints(report: &Report, view: &View) -> Vec<&'static str> {
    let plan = &report.plan;
    let mut hints = Vec::new();
    let count = |verdict| plan.totals.get(&verdict).map_or(0, |sum| sum.count);
    let stays = count(Verdict::Foreign) + count(Verdict::Protected) + count(Verdict::Unknown);
    if stays > 0 && !view.wide {
        hints.push("-o wide lists what is foreign, protected and unknown, with the reasons");
    }
    let of_leftovers = |leftover: &Leftover| !matches!(leftover.action, LeftoverAction::Keep | LeftoverAction::Wait(_));
    let changes = !plan.deletions.is_empty()
        || !plan.marks.is_empty()
        || !plan.unmarks.is_empty()
        || report.leftovers.iter().any(of_leftovers);
    if changes && !report.applied {
        hints.push("nothing was changed; `moorline gc --apply` does this");
    }
    let unused = plan.kept.iter().any(|keep| keep.verdict.is_unused()) || !plan.deletions.is_empty();
    if report.has_findings() && unused {
        hints.push("`moorline explain VOLUME` shows the evidence");
        hints.push("`moorline gc protect VOLUME` keeps one for good");
    }
    if !plan.exceeded.is_empty() {
        hints.push("where all of it may go, raise the policy's caps for one run");
    }
    hints
}
