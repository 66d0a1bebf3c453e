//! What a person reads of a run.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use moorline_api::VolumeId;
use moorline_collect::report::{ScopeSeen, Seen};
use moorline_collect::{Done, Outcome, Report, RunHistory};
use moorline_gc::caps::{Exceeded, Sum};
use moorline_gc::coverage::Gap;
use moorline_gc::plan::{Keep, Kept, Step};
use moorline_gc::{Deletion, Plan, Verdict};

use super::super::{Paint, View};
use super::{ROWS, grouped, history, report};

fn now() -> Timestamp {
    "2026-11-21T15:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn view(wide: bool) -> View {
    View {
        wide,
        width: None,
        paint: Paint::new(false),
        // Of another century than the cloud's clock, by which ages are told.
        now: Timestamp::UNIX_EPOCH,
    }
}

fn scope(name: &str) -> ScopeSeen {
    ScopeSeen {
        name: name.to_owned(),
        count: 3,
        complete: true,
    }
}

fn deletion(id: &str, monthly: f64) -> Deletion {
    Deletion {
        volume: VolumeId(id.to_owned()),
        scope: "aws 1 us-east-1".to_owned(),
        verdict: Verdict::LeftBehind,
        why: "its set is gone".to_owned(),
        chain: Vec::new(),
        since: now() - days(8),
        steps: vec![Step::Volume],
        maker: None,
        type_name: "gp3".to_owned(),
        gib: 10,
        monthly: Some(monthly),
    }
}

fn keep(id: &str, verdict: Verdict, kept: Kept) -> Keep {
    Keep {
        volume: VolumeId(id.to_owned()),
        scope: "aws 1 us-east-1".to_owned(),
        type_name: "gp3".to_owned(),
        gib: 10,
        monthly: None,
        since: Some(now() - days(1)),
        verdict,
        kept,
        why: "for a reason".to_owned(),
    }
}

fn run(deletions: Vec<Deletion>, kept: Vec<Keep>) -> Report {
    let mut doomed = Sum::default();
    let mut totals = BTreeMap::<_, Sum>::new();
    for deletion in &deletions {
        doomed.add(deletion.gib, deletion.monthly);
        totals
            .entry(deletion.verdict)
            .or_default()
            .add(deletion.gib, deletion.monthly);
    }
    for keep in &kept {
        totals.entry(keep.verdict).or_default().add(keep.gib, keep.monthly);
    }
    Report {
        run: "0a".to_owned(),
        applied: false,
        seen: Seen {
            scopes: vec![scope("aws 1 us-east-1")],
            clusters: vec![scope("prod")],
        },
        plan: Plan {
            run: "0a".to_owned(),
            at: now(),
            marks: Vec::new(),
            unmarks: Vec::new(),
            deletions,
            kept,
            totals,
            doomed,
            exceeded: Vec::new(),
            gaps: Vec::new(),
            clock: None,
        },
        marks_written: 0,
        marks_failed: Vec::new(),
        done: Vec::new(),
        leftovers: Vec::new(),
        saved: Sum::default(),
        ended_early: None,
        notices: Vec::new(),
    }
}

#[test]
fn unused_volumes_have_price_age_action_and_reason() {
    let kept = vec![
        keep("vol-3", Verdict::Orphan, Kept::Waiting(now() + days(6))),
        keep("vol-4", Verdict::Foreign, Kept::Never),
    ];
    let report_of = run(vec![deletion("vol-1", 0.5), deletion("vol-2", 8.0)], kept);
    let text = report(&report_of, &view(false));
    let expected = "\
VOLUME   SIZE    TYPE   $/MONTH   VERDICT       SINCE   ACTION     REASON
vol-2    10GiB   gp3    8.00      left-behind   8d      delete     its set is gone
vol-1    10GiB   gp3    0.50      left-behind   8d      delete     its set is gone
vol-3    10GiB   gp3    -         orphan        24h     waits 6d   for a reason
";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("would delete 2 volumes (20 GiB, $8.50 a month)"),
        "{text}"
    );
    assert!(
        text.contains("1 volume waits for grace to end, the first until 2026-11-27T15:00:00Z"),
        "{text}"
    );
    assert!(!text.contains("vol-4"), "what is foreign is only counted: {text}");
    assert!(
        report(&report_of, &view(true)).contains("vol-4"),
        "unless all is asked for"
    );
}

#[test]
fn on_a_terminal_a_reason_has_a_line_of_its_own() {
    let narrow = View {
        width: Some(60),
        ..view(false)
    };
    let text = report(&run(vec![deletion("vol-1", 0.5)], Vec::new()), &narrow);
    let expected = "\
VOLUME   SIZE    TYPE   $/MONTH   VERDICT       SINCE   ACTION
vol-1    10GiB   gp3    0.50      left-behind   8d      delete
    its set is gone
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn everything_fits_a_terminal_of_eighty_columns() {
    let terminal = |columns| View {
        width: Some(columns),
        ..view(false)
    };
    let mut long = deletion("vol-0123456789abcdef0", 0.8);
    "aws 123456789012 eu-central-1".clone_into(&mut long.scope);
    "claim shop/data-postgres-0: moorline made it for StatefulSet postgres, which is gone, and nothing refers to it"
        .clone_into(&mut long.why);
    let mut of = run(vec![long], Vec::new());
    of.seen.scopes.push(scope("aws 123456789012 eu-central-1"));
    of.plan.gaps = vec![Gap {
        place: "cluster prod".to_owned(),
        what: "pods".to_owned(),
        why: "could not be read: list pods: pods is forbidden: user gc cannot list it at the cluster scope".to_owned(),
    }];
    let text = report(&of, &terminal(80));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let expected = "\
VOLUME                  SIZE    TYPE   $/MONTH   VERDICT       SINCE   ACTION
vol-0123456789abcdef0   10GiB   gp3    0.80      left-behind   8d      delete
    aws 123456789012 eu-central-1: claim shop/data-postgres-0: moorline made it
    for StatefulSet postgres, which is gone, and nothing refers to it
";
    assert!(text.starts_with(expected), "{text}");
    let wide = report(&of, &terminal(200));
    assert!(wide.starts_with("VOLUME                  SCOPE"), "{wide}");

    let one = RunHistory {
        run: "58b1c1197d1a54a8".to_owned(),
        started: now(),
        finished: None,
        holder: "gc on a-machine-with-a-long-name.example.com, process 27326".to_owned(),
        lines: Vec::new(),
        open: Vec::new(),
        open_leftovers: Vec::new(),
        saved: Sum::default(),
    };
    let text = history(&[one], &terminal(80));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(
        text.contains("\n58b1c1197d1a54a8   "),
        "a run's id can be copied: {text}"
    );
    assert!(
        text.contains("2026-11-21 15:00:00Z: killed, or under way; gc on"),
        "{text}"
    );
}

#[test]
fn what_came_of_a_deletion_stands_in_its_row_and_only_what_is_gone_is_saved() {
    let mut of = run(
        vec![deletion("vol-1", 1.0), deletion("vol-2", 1.0), deletion("vol-3", 1.0)],
        Vec::new(),
    );
    of.applied = true;
    of.saved.add(10, Some(1.0));
    let outcomes = [
        ("vol-1", Outcome::Gone),
        ("vol-2", Outcome::Failed("the cloud said no".to_owned())),
        ("vol-3", Outcome::Kept("a pod uses it".to_owned())),
    ];
    of.done = outcomes
        .map(|(volume, outcome)| Done {
            volume: VolumeId(volume.to_owned()),
            scope: "aws 1 us-east-1".to_owned(),
            verdict: Verdict::LeftBehind,
            confirmed: outcome == Outcome::Gone,
            outcome,
            snapshot: None,
            gib: 10,
            monthly: Some(1.0),
            resumed: None,
        })
        .to_vec();
    let text = report(&of, &view(false));
    let rows: Vec<_> = text.lines().skip(1).take(3).collect();
    assert!(
        rows[0].starts_with("vol-2") && rows[0].ends_with("failed    the cloud said no"),
        "{text}"
    );
    assert!(rows[1].starts_with("vol-1") && rows[1].contains("deleted"), "{text}");
    assert!(
        rows[2].starts_with("vol-3") && rows[2].ends_with("spared    a pod uses it"),
        "{text}"
    );
    assert!(text.contains("deleted 1 volume, and"), "{text}");
    assert!(text.contains("10 GiB, $1.00 a month saved"), "{text}");
    assert!(
        text.contains("failed, for the next run to take up: 1 deletion"),
        "{text}"
    );
}

#[test]
fn gaps_caps_and_clocks_are_told() {
    let mut of = run(Vec::new(), vec![keep("vol-1", Verdict::Orphan, Kept::Capped)]);
    of.plan.exceeded = vec![Exceeded::Count { count: 3, allowed: 2 }];
    of.plan.gaps = vec![Gap {
        place: "cluster prod".to_owned(),
        what: "pods".to_owned(),
        why: "was \u{1b}[2Jforbidden".to_owned(),
    }];
    of.plan.clock = Some("an earlier run is of tomorrow".to_owned());
    let text = report(&of, &view(false));
    assert!(
        text.contains("not read: pods of cluster prod: was \\u{1b}[2Jforbidden"),
        "{text}"
    );
    assert!(
        text.contains("cap: 3 deletions would be made, and the policy allows 2 a run; nothing is deleted"),
        "{text}"
    );
    assert!(text.contains("clock: an earlier run is of tomorrow"), "{text}");
}

#[test]
fn a_hundred_thousand_rows_are_counted_and_not_shown() {
    let many = (0..100_000).map(|n| keep(&format!("vol-{n}"), Verdict::Orphan, Kept::Marked));
    let text = report(&run(Vec::new(), many.collect()), &view(false));
    assert!(text.lines().count() < ROWS + 20, "{}", text.lines().count());
    let hidden = grouped(100_000 - ROWS as u64);
    assert!(
        text.contains(&format!("… and {hidden} more: -o wide or -o json")),
        "{hidden}"
    );
}

#[test]
fn nothing_unused_is_said() {
    let text = report(&run(Vec::new(), Vec::new()), &view(false));
    assert!(text.contains("nothing is unused"), "{text}");
}
