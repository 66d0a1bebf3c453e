//! Renderers of the engine's events and results. Everything here turns values into text; nothing here decides.

mod age;
pub(crate) mod balancers;
mod bytes;
pub(crate) mod check;
pub(crate) mod df;
mod diff;
pub(crate) mod document;
pub(crate) mod down;
pub(crate) mod gc;
mod paint;
mod plain_log;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod restore;
pub(crate) mod sandbox;
pub(crate) mod status;
mod table;
mod text;

use jiff::Timestamp;

pub(crate) use paint::Paint;
pub(crate) use text::{Guarded, block, guarded, inline};

/// How results are shown to a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Show every column and every field.
    pub(crate) wide: bool,
    /// Columns of the terminal; `None` where stdout is none, and nothing is wrapped.
    pub(crate) width: Option<u16>,
    /// Colour, or none.
    pub(crate) paint: Paint,
    /// The time that ages are counted to.
    pub(crate) now: Timestamp,
}

impl View {
    /// A sentence with names from elsewhere, made harmless. It begins at this column; what does not fit on the terminal's line goes on in
    /// the next, after `hang` spaces.
    fn prose(&self, column: usize, hang: usize, text: &str) -> String {
        text::wrapped(column, hang, &inline(text), self.width)
    }

    /// An age as kubectl prints it; `<unknown>` where the time is not known.
    fn age(&self, since: Option<Timestamp>) -> String {
        since.map_or_else(
            || "<unknown>".to_owned(),
            |since| age::short(self.now.duration_since(since)),
        )
    }
}
