//! Progress as lines, for logs and for terminals that want no bars.

use moorline_engine::Event;
use moorline_engine::event::{Change, Stage};
use moorline_engine::outcome::Cause;

use super::{age, inline};

/// Causes named in one line; the rest are counted.
const CAUSES: usize = 3;

/// The line for an event, or none where it says nothing new to a reader.
pub(super) fn line(event: &Event) -> Option<String> {
    match event {
        Event::Stage { total: 0, stage } => Some(aligned("", &format!("{}…", title(*stage)))),
        Event::Stage { total, stage } => Some(aligned("", &format!("{} ({total})…", title(*stage)))),
        Event::Done {
            what, change, detail, ..
        } => Some(aligned(verb(*change), &format!("{what} {detail}"))),
        Event::Waiting { ready, total, causes } if ready < total => Some(aligned(
            "waiting",
            &format!("{ready} of {total} ready; {}", top(causes)),
        )),
        Event::Waiting { .. } => None,
        Event::Pace { calls, seconds } => Some(aligned(
            "paced",
            &format!("{calls} calls left; rate limits allow them in {}", age::span(*seconds)),
        )),
        Event::Notice { text } => Some(aligned("note", text)),
    }
}

pub(super) fn aligned(verb: &str, rest: &str) -> String {
    format!("{verb:>12} {}", inline(rest.trim_end()))
}

/// What a stage does, in words.
pub(super) fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Observe => "reading cluster and cloud",
        Stage::Foundations => "namespaces and definitions",
        Stage::Objects => "objects",
        Stage::Volumes => "claims and volumes",
        Stage::Workloads => "workloads",
        Stage::Wait => "waiting until all is bound and ready",
        Stage::Teardown => "workloads and load balancers go",
        Stage::Reclaim => "claims and volumes go",
    }
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Configured => "configured",
        Change::Replaced => "replaced",
        Change::Adopted => "adopted",
        Change::Settled => "settled",
        Change::Deleting => "deleting",
        Change::Deleted => "deleted",
        Change::Kept => "kept",
        Change::Snapshotted => "snapshotted",
        Change::Restored => "restored",
    }
}

/// The first causes and how many more there are.
pub(super) fn top(causes: &[Cause]) -> String {
    let named: Vec<_> = causes
        .iter()
        .take(CAUSES)
        .map(|cause| format!("{}: {}", cause.what, cause.why))
        .collect();
    match causes.len().saturating_sub(CAUSES) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(what: &str) -> Cause {
        Cause {
            what: what.to_owned(),
            why: "pending".to_owned(),
            hint: None,
            fatal: false,
        }
    }

    #[test]
    fn a_wait_names_the_first_causes_and_counts_the_rest() {
        let causes = ["a", "b", "c", "d", "e"].map(cause).to_vec();
        let line = line(&Event::Waiting {
            ready: 2,
            total: 7,
            causes,
        })
        .unwrap();
        assert_eq!(
            line,
            "     waiting 2 of 7 ready; a: pending; b: pending; c: pending; and 2 more"
        );
    }

    #[test]
    fn messages_cannot_drive_the_terminal() {
        let line = line(&Event::Notice {
            text: "\u{1b}[2Jgone".to_owned(),
        })
        .unwrap();
        assert_eq!(line, "        note \\u{1b}[2Jgone");
    }
}
