//! One run: the unused volumes, each with its price and reason, and what became or would become of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorline_collect::report::{LeftoverAction, Report};
use moorline_collect::{Done, Leftover, Outcome};
use moorline_gc::Verdict;
use moorline_gc::plan::{Deletion, Keep, Kept};

use super::super::{View, age};
use super::reasoned::{Reasoned, SCOPE};
use super::{ROWS, grouped, money, size, sums};

/// What a run found and did, or would do.
pub(crate) fn report(report: &Report, view: &View) -> String {
    // Ages are told by the cloud's clock, as marks and grace are.
    let view = &View {
        now: report.plan.at,
        ..*view
    };
    let sections = [
        unused(report, view),
        leftovers(report, view),
        if view.wide { kept(report, view) } else { String::new() },
        sums::totals(&report.plan.totals, view),
        sums::outcome(report, view),
        sums::notes(report, view),
    ];
    let filled: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    filled.join("\n")
}

/// What becomes of an unused volume, the most final first: rows are in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Failed,
    Deleted,
    Delete,
    NotBegun,
    Spared,
    HeldBack,
    Mark,
    Marked,
    Waits(Timestamp),
    Kept,
}

impl Action {
    fn text(&self, now: Timestamp) -> String {
        let word = match self {
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Delete => "delete",
            Self::NotBegun => "not begun",
            Self::Spared => "spared",
            Self::HeldBack => "held back",
            Self::Mark => "mark",
            Self::Marked => "marked",
            Self::Waits(until) => return format!("waits {}", age::short(until.duration_since(now))),
            Self::Kept => "kept",
        };
        word.to_owned()
    }
}

/// A row of the table of unused volumes.
struct Row<'a> {
    action: Action,
    volume: &'a str,
    scope: &'a str,
    type_name: &'a str,
    gib: u32,
    monthly: Option<f64>,
    verdict: Verdict,
    since: Option<Timestamp>,
    why: &'a str,
}

impl<'a> Row<'a> {
    fn of_deletion(deletion: &'a Deletion, done: Option<&'a Done>, applied: bool) -> Self {
        let (action, why) = match done.map(|done| &done.outcome) {
            None if applied => (Action::NotBegun, deletion.why.as_str()),
            None => (Action::Delete, deletion.why.as_str()),
            Some(Outcome::Gone) => (Action::Deleted, deletion.why.as_str()),
            Some(Outcome::Kept(why) | Outcome::Unsettled(why)) => (Action::Spared, why.as_str()),
            Some(Outcome::Failed(why)) => (Action::Failed, why.as_str()),
            Some(Outcome::NotBegun(why)) => (Action::NotBegun, why.as_str()),
        };
        Self {
            action,
            volume: &deletion.volume.0,
            scope: &deletion.scope,
            type_name: &deletion.type_name,
            gib: deletion.gib,
            monthly: deletion.monthly,
            verdict: deletion.verdict,
            since: Some(deletion.since),
            why,
        }
    }

    fn of_keep(keep: &'a Keep, applied: bool) -> Self {
        let action = match keep.kept {
            Kept::Marked if applied => Action::Marked,
            Kept::Marked => Action::Mark,
            Kept::Waiting(until) => Action::Waits(until),
            Kept::Capped => Action::HeldBack,
            Kept::Never | Kept::Withheld | Kept::Unread | Kept::Clock | Kept::Unpriced => Action::Kept,
        };
        Self {
            action,
            volume: &keep.volume.0,
            scope: &keep.scope,
            type_name: &keep.type_name,
            gib: keep.gib,
            monthly: keep.monthly,
            verdict: keep.verdict,
            since: keep.since,
            why: &keep.why,
        }
    }

    /// What an earlier run had begun, and this one finished.
    fn of_resumed(done: &'a Done) -> Self {
        let (action, why) = match &done.outcome {
            Outcome::Gone => (Action::Deleted, "an earlier run began it"),
            Outcome::Kept(why) | Outcome::Unsettled(why) => (Action::Spared, why.as_str()),
            Outcome::Failed(why) => (Action::Failed, why.as_str()),
            Outcome::NotBegun(why) => (Action::NotBegun, why.as_str()),
        };
        Self {
            action,
            volume: &done.volume.0,
            scope: &done.scope,
            type_name: "",
            gib: done.gib,
            monthly: done.monthly,
            verdict: done.verdict,
            since: None,
            why,
        }
    }
}

/// Every unused volume, the most final action and the dearest first.
fn rows(report: &Report) -> Vec<Row<'_>> {
    let plan = &report.plan;
    let mut done: BTreeMap<&str, &Done> = report.done.iter().map(|done| (done.volume.0.as_str(), done)).collect();
    let mut rows = Vec::new();
    for deletion in &plan.deletions {
        rows.push(Row::of_deletion(
            deletion,
            done.remove(deletion.volume.0.as_str()),
            report.applied,
        ));
    }
    let unused = plan.kept.iter().filter(|keep| keep.verdict.is_unused());
    rows.extend(unused.map(|keep| Row::of_keep(keep, report.applied)));
    rows.extend(done.into_values().map(Row::of_resumed));
    rows.sort_by(|a, b| {
        let dearest = || b.monthly.unwrap_or(0.0).total_cmp(&a.monthly.unwrap_or(0.0));
        let actions = a.action.cmp(&b.action);
        actions.then_with(dearest).then_with(|| a.volume.cmp(b.volume))
    });
    rows
}

fn unused(report: &Report, view: &View) -> String {
    let rows = rows(report);
    let scoped = view.wide || report.seen.scopes.len() > 1;
    let mut headings = vec!["VOLUME"];
    headings.extend(scoped.then_some(SCOPE));
    headings.extend(["SIZE", "TYPE", "$/MONTH", "VERDICT", "SINCE", "ACTION"]);
    let mut table = Reasoned::new(headings);
    let shown = if view.wide { rows.len() } else { ROWS };
    for row in rows.iter().take(shown) {
        let mut cells = vec![row.volume.to_owned()];
        cells.extend(scoped.then(|| row.scope.to_owned()));
        cells.extend([
            size(row.gib),
            row.type_name.to_owned(),
            money(row.monthly),
            row.verdict.to_string(),
            since(row.since, view),
            row.action.text(view.now),
        ]);
        table.row(cells, row.why);
    }
    table.render(view) + &more(rows.len().saturating_sub(shown))
}

fn more(hidden: usize) -> String {
    match hidden {
        0 => String::new(),
        hidden => format!("… and {} more: -o wide or -o json shows them\n", grouped(hidden as u64)),
    }
}

fn since(since: Option<Timestamp>, view: &View) -> String {
    since.map_or_else(|| "-".to_owned(), |since| view.age(Some(since)))
}

/// Load balancers, target groups, storage accounts and snapshots that nobody can want, or of which nobody can say; `wide` shows all that
/// were looked at.
fn leftovers(report: &Report, view: &View) -> String {
    let mut table = Reasoned::new(vec!["LEFTOVER", SCOPE, "$/MONTH", "VERDICT", "SINCE", "ACTION"]);
    // What is unused and stays all the same is told with its reason, as of volumes.
    let wanted = |leftover: &&Leftover| {
        let unclear = leftover.verdict == Verdict::Unknown;
        view.wide || unclear || leftover.verdict.is_unused() || leftover.action != LeftoverAction::Keep
    };
    let all: Vec<_> = report.leftovers.iter().filter(wanted).collect();
    let shown = if view.wide { all.len() } else { ROWS };
    for leftover in all.iter().take(shown) {
        let (action, why) = leftover_action(leftover, report.applied, view.now);
        let cells = vec![
            named(leftover),
            leftover.scope.clone(),
            money(leftover.monthly),
            leftover.verdict.to_string(),
            since(leftover.since, view),
            action,
        ];
        table.row(cells, why);
    }
    table.render(view) + &more(all.len().saturating_sub(shown))
}

/// With the name that people know: an id may be a page long.
fn named(leftover: &Leftover) -> String {
    let id = leftover.resource.id();
    leftover.resource.to_string().replace(id, &leftover.name)
}

fn leftover_action(leftover: &Leftover, applied: bool, now: Timestamp) -> (String, &str) {
    let why = leftover.why.as_str();
    let word = match &leftover.action {
        LeftoverAction::Keep => "kept",
        LeftoverAction::Mark if applied => "marked",
        LeftoverAction::Mark => "mark",
        LeftoverAction::Unmark if applied => "unmarked",
        LeftoverAction::Unmark => "unmark",
        LeftoverAction::Wait(until) => return (Action::Waits(*until).text(now), why),
        LeftoverAction::Delete if applied => "not begun",
        LeftoverAction::Delete => "delete",
        LeftoverAction::Gone => "deleted",
        LeftoverAction::Failed(why) => return ("failed".to_owned(), why),
    };
    (word.to_owned(), why)
}

/// What became of a leftover, for its line of a journal.
pub(super) fn leftover_outcome(leftover: &Leftover) -> String {
    match &leftover.action {
        LeftoverAction::Gone => "gone".to_owned(),
        LeftoverAction::Failed(why) => format!("failed: {why}"),
        _ => format!("kept: {}", leftover.why),
    }
}

/// What stays whatever time passes: foreign, protected, unknown.
fn kept(report: &Report, view: &View) -> String {
    let mut table = Reasoned::new(vec!["KEPT", SCOPE, "SIZE", "TYPE", "$/MONTH", "VERDICT"]);
    for keep in report.plan.kept.iter().filter(|keep| !keep.verdict.is_unused()) {
        let cells = vec![
            keep.volume.0.clone(),
            keep.scope.clone(),
            size(keep.gib),
            keep.type_name.clone(),
            money(keep.monthly),
            keep.verdict.to_string(),
        ];
        table.row(cells, &keep.why);
    }
    table.render(view)
}
