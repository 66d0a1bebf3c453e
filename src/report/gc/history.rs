//! Runs that were: what each of them did and saved, and one of them line by line.

use moorline_collect::{Line, Outcome, RunHistory};

use super::super::View;
use super::super::table::{Table, or_none};
use super::reasoned::Reasoned;
use super::{grouped, money, run, size};

/// A row for each run, the newest first. On a terminal a row is one line, with a second one for what is long.
pub(crate) fn history(runs: &[RunHistory], view: &View) -> String {
    if runs.is_empty() {
        return "no run is written down\n".to_owned();
    }
    if view.width.is_some() && !view.wide {
        let mut table = Reasoned::new(vec!["RUN", "MARKED", "DELETED", "FAILED", "OPEN", "SAVED $/MONTH"]);
        for run in runs {
            let cells = [run.run.clone()].into_iter().chain(counts(run)).collect();
            let holder = if run.holder.is_empty() { "" } else { "; " };
            table.row(
                cells,
                &format!("{}: {}{holder}{}", started(run), state(run), run.holder),
            );
        }
        return table.render(view);
    }
    let mut table = Table::new([
        "RUN",
        "STARTED",
        "MARKED",
        "DELETED",
        "FAILED",
        "OPEN",
        "SAVED $/MONTH",
        "STATE",
        "HOLDER",
    ]);
    for run in runs {
        let cells = [run.run.clone(), started(run)].into_iter().chain(counts(run));
        table.row(cells.chain([state(run), run.holder.clone()]));
    }
    table.render(view)
}

fn started(run: &RunHistory) -> String {
    run.started.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Marked, deleted, failed, open, and what was saved.
fn counts(run: &RunHistory) -> [String; 5] {
    let count = |wanted: fn(&Line) -> bool| run.lines.iter().filter(|line| wanted(line)).count() as u64;
    let failed = |line: &Line| matches!(line, Line::End(done) if matches!(done.outcome, Outcome::Failed(_)));
    [
        grouped(count(|line| matches!(line, Line::Mark(_)))),
        grouped(run.saved.count),
        grouped(count(failed)),
        grouped((run.open.len() + run.open_leftovers.len()) as u64),
        money(Some(run.saved.monthly)),
    ]
}

fn state(run: &RunHistory) -> String {
    let ended_early = run.lines.iter().find_map(|line| match line {
        Line::Finish { ended_early, .. } => ended_early.as_deref(),
        _ => None,
    });
    match (run.finished, ended_early) {
        (_, Some(why)) => format!("ended early: {why}"),
        (Some(_), None) => "finished".to_owned(),
        (None, None) => "killed, or under way".to_owned(),
    }
}

/// One run, line by line.
pub(crate) fn past_run(run: &RunHistory, view: &View) -> String {
    let head = history(std::slice::from_ref(run), view);
    if view.width.is_some() && !view.wide {
        let mut table = Reasoned::new(vec!["LINE", "WHAT", "VERDICT", "SIZE", "$/MONTH"]);
        for line in &run.lines {
            let [what @ .., detail] = cells(line);
            table.row(what.map(|cell| or_none(&cell)).to_vec(), &detail);
        }
        return format!("{head}\n{}", table.render(view));
    }
    let mut table = Table::new(["LINE", "WHAT", "VERDICT", "SIZE", "$/MONTH", "DETAIL"]);
    for line in &run.lines {
        table.row(cells(line).map(|cell| or_none(&cell)));
    }
    format!("{head}\n{}", table.render(view))
}

fn cells(line: &Line) -> [String; 6] {
    let row = |word: &str, what: String, verdict: String, detail: String| {
        [word.to_owned(), what, verdict, String::new(), String::new(), detail]
    };
    match line {
        Line::Start { at, version, fence, .. } => row(
            "start",
            at.to_string(),
            String::new(),
            format!("moorline {version}, tenure {fence} of the lease"),
        ),
        Line::Seen { totals, gaps, .. } => {
            let volumes: u64 = totals.values().map(|sum| sum.count).sum();
            let gaps = format!("{} not read", grouped(gaps.len() as u64));
            row("seen", format!("{} volumes", grouped(volumes)), String::new(), gaps)
        }
        Line::Kept(keep) => row(
            "kept",
            keep.volume.to_string(),
            keep.verdict.to_string(),
            keep.why.clone(),
        ),
        Line::Mark(mark) => row(
            "mark",
            mark.volume.to_string(),
            mark.verdict.to_string(),
            mark.why.clone(),
        ),
        Line::Unmark(unmark) => row("unmark", unmark.volume.to_string(), String::new(), unmark.why.clone()),
        Line::Begin(deletion) => [
            "begin".to_owned(),
            deletion.volume.to_string(),
            deletion.verdict.to_string(),
            size(deletion.gib),
            money(deletion.monthly),
            deletion.why.clone(),
        ],
        Line::End(done) => [
            "end".to_owned(),
            done.volume.to_string(),
            done.verdict.to_string(),
            size(done.gib),
            money(done.monthly),
            outcome(&done.outcome, done.snapshot.as_deref()),
        ],
        Line::BeginLeftover(leftover) => row(
            "begin",
            leftover.resource.to_string(),
            leftover.verdict.to_string(),
            leftover.why.clone(),
        ),
        Line::EndLeftover(leftover) => row(
            "end",
            leftover.resource.to_string(),
            leftover.verdict.to_string(),
            run::leftover_outcome(leftover),
        ),
        Line::Finish { at, saved, ended_early } => row(
            "finish",
            at.to_string(),
            String::new(),
            ended_early
                .clone()
                .unwrap_or_else(|| format!("${:.2} a month saved", saved.monthly)),
        ),
    }
}

fn outcome(outcome: &Outcome, snapshot: Option<&str>) -> String {
    let words = match outcome {
        Outcome::Gone => "gone".to_owned(),
        Outcome::Kept(why) | Outcome::Unsettled(why) => format!("kept: {why}"),
        Outcome::Failed(why) => format!("failed: {why}"),
        Outcome::NotBegun(why) => format!("not begun: {why}"),
    };
    match snapshot {
        Some(snapshot) => format!("{words}; snapshot {snapshot}"),
        None => words,
    }
}
