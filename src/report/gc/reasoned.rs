//! A table with a reason for each row: in a column of its own, or, on a terminal, in a line of its own.

use super::super::table::Table;
use super::super::{View, inline};

/// Rows, and why each of them is there.
pub(super) struct Reasoned {
    headings: Vec<&'static str>,
    rows: Vec<(Vec<String>, String)>,
}

impl Reasoned {
    /// A table with these headings, and one for reasons.
    pub(super) fn new(headings: Vec<&'static str>) -> Self {
        Self {
            headings,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: Vec<String>, reason: &str) {
        self.rows.push((cells, reason.to_owned()));
    }

    /// The text. A reason is a sentence: as a column it would make a terminal's rows many lines high.
    pub(super) fn render(self, view: &View) -> String {
        if view.width.is_some() {
            return self.in_lines(view);
        }
        let mut table = Table::new(self.headings.into_iter().chain(["REASON"]));
        for (cells, reason) in self.rows {
            table.row(cells.into_iter().chain([reason]));
        }
        table.render(view)
    }

    fn in_lines(self, view: &View) -> String {
        let mut table = Table::new(self.headings);
        let mut reasons = vec![None];
        for (cells, reason) in self.rows {
            table.row(cells);
            reasons.push(Some(reason));
        }
        // Without a width nothing is wrapped, and each row is a line.
        let whole = table.render(&View { width: None, ..*view });
        let mut out = String::with_capacity(whole.len() * 2);
        for (line, reason) in whole.lines().zip(reasons) {
            out.push_str(line);
            out.push('\n');
            if let Some(reason) = reason {
                out.push_str(&view.paint.faint(format!("    {}", inline(&reason))));
                out.push('\n');
            }
        }
        out
    }
}
