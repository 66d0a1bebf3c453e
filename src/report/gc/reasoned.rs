//! A table with a reason for each row: in a column of its own, or, on a terminal, in lines of their own.

use super::super::View;
use super::super::table::Table;

/// The column that moves into the reasons where a terminal is too narrow for it.
pub(super) const SCOPE: &str = "SCOPE";

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

    fn in_lines(mut self, view: &View) -> String {
        let mut whole = self.columns(view);
        let too_wide = |text: &str| {
            let width = view.width.map_or(usize::MAX, usize::from);
            text.lines().any(|line| line.chars().count() > width)
        };
        // Colours count as characters, and a table that has some is only sooner made narrow.
        if too_wide(&whole) && self.scope_into_reasons() {
            whole = self.columns(view);
        }
        let mut out = String::with_capacity(whole.len() * 2);
        let reasons = self.rows.iter().map(|(_, reason)| Some(reason));
        for (line, reason) in whole.lines().zip([None].into_iter().chain(reasons)) {
            out.push_str(line);
            out.push('\n');
            let reason = reason.filter(|reason| !reason.is_empty());
            let prose = reason.map(|reason| format!("    {}", view.prose(4, 4, reason)));
            for line in prose.iter().flat_map(|prose| prose.lines()) {
                out.push_str(&view.paint.faint(line));
                out.push('\n');
            }
        }
        out
    }

    /// Each row in one line, without its reason.
    fn columns(&self, view: &View) -> String {
        let mut table = Table::new(self.headings.iter().copied());
        for (cells, _) in &self.rows {
            table.row(cells.iter().cloned());
        }
        table.render(&View { width: None, ..*view })
    }

    /// Whether there was such a column.
    fn scope_into_reasons(&mut self) -> bool {
        let Some(column) = self.headings.iter().position(|heading| *heading == SCOPE) else {
            return false;
        };
        self.headings.remove(column);
        for (cells, reason) in &mut self.rows {
            let scope = cells.remove(column);
            *reason = format!("{scope}: {reason}");
        }
        true
    }
}
