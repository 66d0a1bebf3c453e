//! Tables as kubectl prints them: capital headings, no borders, three spaces between columns.

use comfy_table::{Cell, Color, ContentArrangement, presets};

use super::{View, text};

/// A table under construction.
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(super) fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            headings: headings.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| text::inline(&cell)).collect());
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, each line ended; empty where there are no rows. Wrapped to the terminal where stdout is one.
    pub(super) fn render(&self, view: &View) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(self.headings.iter().map(Cell::new));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| coloured(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 3));
        }
        if view.paint.is_on() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if let Some(width) = view.width {
            table
                .set_width(width)
                .set_content_arrangement(ContentArrangement::Dynamic);
        }
        let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
        lines.collect()
    }
}

/// States that want attention stand out.
fn coloured(text: &str) -> Cell {
    let cell = Cell::new(text);
    match text {
        "Missing" | "Lost" | "Failed" | "error" | "Error" | "CrashLoopBackOff" | "ImagePullBackOff"
        | "ErrImagePull" | "service gone" => cell.fg(Color::Red),
        "Pending" | "Terminating" | "ContainerCreating" | "creating" | "deleting" | "<pending>" | "Warning" => {
            cell.fg(Color::Yellow)
        }
        _ => cell,
    }
}

/// Text, or `<none>` where it is empty.
pub(super) fn or_none(text: &str) -> String {
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paint;
    use super::*;

    fn view(width: Option<u16>, colour: bool) -> View {
        View {
            wide: false,
            width,
            paint: Paint::new(colour),
            now: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn table() -> Table {
        let mut table = Table::new(["NAME", "STATUS"]);
        table.row(["data-0".to_owned(), "Bound".to_owned()]);
        table.row(["data-100".to_owned(), "Pending".to_owned()]);
        table
    }

    #[test]
    fn columns_are_three_spaces_apart_and_lines_have_no_tail() {
        assert_eq!(
            table().render(&view(None, false)),
            "NAME       STATUS\ndata-0     Bound\ndata-100   Pending\n"
        );
    }

    #[test]
    fn a_narrow_terminal_wraps_and_a_pipe_does_not() {
        let mut long = Table::new(["NAME"]);
        long.row(["x".repeat(60)]);
        assert!(long.render(&view(Some(20), false)).lines().all(|line| line.len() <= 20));
        assert!(long.render(&view(None, false)).contains(&"x".repeat(60)));
    }

    #[test]
    fn escapes_in_cells_are_neutralised_even_where_colour_is_on() {
        let mut table = Table::new(["NAME"]);
        table.row(["a\u{1b}[31mb".to_owned()]);
        assert!(table.render(&view(None, true)).contains("a\\u{1b}[31mb"));
    }

    #[test]
    fn no_rows_are_no_table() {
        assert_eq!(Table::new(["NAME"]).render(&view(None, false)), "");
    }
}
