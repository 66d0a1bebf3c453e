//! The text of a file and places in it.

use std::path::PathBuf;

use crate::diagnostic::{Location, Snippet};

/// Lines longer than this many bytes are not shown: nobody reads them, and a file may be one such line.
const LONGEST_SHOWN_LINE: usize = 400;

/// A range of bytes in a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends; the byte behind the last.
    pub end: usize,
}

/// A file that was read.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// The text of a file, under the path that messages show.
    pub fn new(path: PathBuf, text: String) -> Self {
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(index, _)| index + 1))
            .collect();
        Self { path, text, lines }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the file's name says JSON.
    pub fn is_json(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    /// The text of a span; empty where it is none of this source.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The offset of a line (from 1) and a column in characters (from 0).
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let start = self
            .lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
    }

    /// Where a span begins, with its line to show. What lies behind the last text is moved back to it, so that the place
    /// can always be opened in an editor.
    pub fn locate(&self, span: Span) -> Location {
        let mut start = span.start.min(self.text.trim_end().len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let line = self.lines.partition_point(|begin| *begin <= start).max(1);
        let begin = self.lines.get(line - 1).copied().unwrap_or_default();
        let until = self.lines.get(line).copied().unwrap_or(self.text.len());
        let shown = self
            .text
            .get(begin..until)
            .unwrap_or_default()
            .trim_end_matches(['\r', '\n']);
        let before = self.text.get(begin..start).unwrap_or_default();
        let marked = self
            .text
            .get(start..span.end.clamp(start, begin + shown.len()))
            .unwrap_or_default();
        let snippet = (shown.len() <= LONGEST_SHOWN_LINE).then(|| Snippet {
            text: shown.to_owned(),
            start: before.len(),
            end: before.len() + marked.trim_end().len(),
        });
        Location {
            file: self.path.clone(),
            line: number(line),
            column: number(before.chars().count() + 1),
            snippet,
        }
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, start: usize) -> (u32, u32) {
        let place = Source::new("f.yaml".into(), text.to_owned()).locate(Span { start, end: start + 1 });
        (place.line, place.column)
    }

    #[test]
    fn counts_lines_and_characters_from_one() {
        assert_eq!(at("a: b\nc: d\n", 0), (1, 1));
        assert_eq!(at("a: b\nc: d\n", 8), (2, 4));
        assert_eq!(at("ä: ö\n", 4), (1, 4), "characters, not bytes");
        assert_eq!(at("a: b\r\nc: d\r\n", 9), (2, 4));
    }

    #[test]
    fn stays_inside_the_file() {
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("a: b\n\n\n", 7), (1, 5));
        assert_eq!(at("ä", 1), (1, 1), "never between two bytes of a character");
        assert_eq!(at("a", 900), (1, 2));
    }

    #[test]
    fn offsets_are_found_by_line_and_column() {
        let source = Source::new("f.yaml".into(), "ä: b\ncd\n".to_owned());
        assert_eq!(source.offset(1, 1), 2);
        assert_eq!(source.offset(2, 1), 7);
        assert_eq!(source.offset(9, 9), source.text().len());
    }

    #[test]
    fn very_long_lines_are_located_and_not_shown() {
        let place = Source::new("f.json".into(), "x".repeat(500)).locate(Span { start: 450, end: 451 });
        assert_eq!((place.line, place.column, place.snippet), (1, 451, None));
    }
}
