//! Marks and protection set by hand.

use std::fmt::Write as _;

use moorline_collect::Tagging;

use super::super::{View, inline};

/// What `gc unmark` came to.
pub(crate) fn unmarked(done: &[Tagging], view: &View) -> String {
    tagged(done, "unmarked; grace begins anew", view)
}

/// What `gc protect` came to.
pub(crate) fn protected(on: bool) -> impl Fn(&[Tagging], &View) -> String {
    let word = if on {
        "protected: no run deletes it"
    } else {
        "no longer protected; grace begins anew"
    };
    move |done, view| tagged(done, word, view)
}

fn tagged(done: &[Tagging], word: &str, view: &View) -> String {
    let mut out = String::new();
    for tagging in done {
        let (volume, scope) = (&tagging.volume, tagging.scope.as_deref());
        let place = scope.map(|scope| format!(" of {scope}")).unwrap_or_default();
        let text = match &tagging.failed {
            None => format!("{volume}{place}: {word}"),
            Some(why) => format!("{volume}{place}: failed: {why}"),
        };
        let _ = writeln!(out, "{}", inline(&text));
    }
    if out.is_empty() {
        let _ = writeln!(out, "{}", view.paint.faint("no volume has a mark"));
    }
    out
}
