//! Fields that change, a line each.

use std::fmt::Write as _;

use moorline_engine::plan::FieldChange;
use serde_json::Value;

use super::{View, inline};

/// Longest value shown in one line, in characters; `wide` shows all.
const VALUE: usize = 100;

/// The changes of one object, indented.
pub(super) fn fields(changes: &[FieldChange], view: &View) -> String {
    let mut out = String::new();
    for change in changes {
        let path = inline(&change.path);
        let _ = match (&change.before, &change.after) {
            (None, Some(after)) => writeln!(
                out,
                "    {}",
                view.paint.added(format!("+ {path}: {}", value(after, view)))
            ),
            (Some(before), None) => writeln!(
                out,
                "    {}",
                view.paint.removed(format!("- {path}: {}", value(before, view)))
            ),
            (Some(before), Some(after)) => {
                writeln!(
                    out,
                    "    {}",
                    view.paint
                        .changed(format!("~ {path}: {} -> {}", value(before, view), value(after, view)))
                )
            }
            (None, None) => Ok(()),
        };
    }
    out
}

fn value(value: &Value, view: &View) -> String {
    let text = inline(&value.to_string());
    if view.wide || text.chars().count() <= VALUE {
        return text;
    }
    text.chars().take(VALUE).chain(['…']).collect()
}
