//! What is wrong with a file: where, why, and what would be right.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet as Shown};
use serde::Serialize;

use crate::source::{Source, Span};
use crate::words::visible;

/// How many problems are shown; the others are counted.
const SHOWN: usize = 50;
/// How many problems are kept, so that a hostile file cannot fill the memory with them.
const KEPT: usize = 10_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// Allowed, and probably not meant.
    Warning,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Location {
    /// The file, below the folder as it was given.
    pub file: PathBuf,
    /// Line, from 1. A problem of a file as a whole stands at line 1, column 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The line itself; `None` where there is nothing to show.
    pub snippet: Option<Snippet>,
}

impl Location {
    /// A file as a whole.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
            snippet: None,
        }
    }

    /// `file:line:column`, safe to print.
    fn short(&self) -> String {
        format!("{}:{}:{}", self.path(), self.line, self.column)
    }

    fn path(&self) -> String {
        visible(&self.file.to_string_lossy())
    }
}

/// One line of a file, with what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Snippet {
    /// The line, without its end; as it stands in the file, control characters too.
    pub text: String,
    /// Where the marked part begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub location: Location,
    /// What is wrong, as a lower-case fragment.
    pub cause: String,
    /// What would be right.
    pub cure: String,
    /// Another place that belongs to it, and what is there: the first of two objects with one name.
    pub also: Option<(Location, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn new(location: Location, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            location,
            cause: visible(&cause.into()),
            cure: visible(&cure.into()),
            also: None,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same with another place that belongs to it, and what is there.
    #[must_use]
    pub fn also(mut self, location: Location, what: impl Into<String>) -> Self {
        self.also = Some((location, visible(&what.into())));
        self
    }

    /// The whole problem in one line: `file:line:column: error: cause; cure`.
    pub fn brief(&self) -> String {
        let severity = if self.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        format!("{}: {severity}: {}; {}", self.location.short(), self.cause, self.cure)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = if self.severity == Severity::Error {
            Level::ERROR
        } else {
            Level::WARNING
        };
        let help = Level::HELP.message(self.cure.as_str());
        let group = show(
            Group::with_title(level.primary_title(self.cause.as_str())),
            &self.location,
        );
        let mut groups = vec![group.element(help)];
        if let Some((location, what)) = &self.also {
            let title = Level::NOTE.secondary_title(what.as_str());
            groups.push(show(Group::with_title(title), location));
        }
        renderer.render(&groups)
    }
}

/// Adds a place to a group: its line with the part underlined, or only where it is.
fn show<'a>(group: Group<'a>, location: &'a Location) -> Group<'a> {
    let line = usize::try_from(location.line).unwrap_or(usize::MAX);
    let column = usize::try_from(location.column).unwrap_or(usize::MAX);
    match &location.snippet {
        Some(Snippet { text, start, end }) => {
            let place = |offset: usize| safe(text.get(..offset).unwrap_or(text)).len();
            group.element(
                Shown::source(safe(text))
                    .path(location.path())
                    .line_start(line)
                    .annotation(AnnotationKind::Primary.span(place(*start)..place(*end))),
            )
        }
        None => group.element(Origin::path(location.path()).line(line).char_column(column)),
    }
}

/// The renderer makes the control characters of ASCII visible, and those that turn text around; not those of Latin-1, some of which a
/// terminal obeys as well, and not all that hide.
fn safe(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' => {
                shown.extend(character.escape_unicode());
            }
            other => shown.push(other),
        }
    }
    shown
}

/// All problems of a file or several, in the order of files and lines, none twice. `Display` shows them as rustc would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|one| one.severity == Severity::Error)
    }

    /// The text that people read, with or without colours; no line end at its end.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut shown: Vec<_> = self.0.iter().take(SHOWN).map(|one| one.render(&renderer)).collect();
        if let Some(more) = self.0.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            shown.push(format!("and {more} more"));
        }
        shown.join("\n\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Collects problems while files are checked.
#[derive(Debug, Default)]
pub struct Findings {
    found: HashSet<Diagnostic>,
}

impl Findings {
    /// Adds a problem; the same one twice is one.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < KEPT {
            self.found.insert(diagnostic);
        }
    }

    /// Adds problems.
    pub fn extend(&mut self, diagnostics: Diagnostics) {
        diagnostics.0.into_iter().for_each(|one| self.add(one));
    }

    /// An error at a place in a source.
    pub fn error(&mut self, source: &Source, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.add(Diagnostic::new(source.locate(span), cause, cure));
    }

    /// A warning at a place in a source.
    pub fn warning(&mut self, source: &Source, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.add(Diagnostic::new(source.locate(span), cause, cure).warning());
    }

    /// How many there are so far.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|one| one.severity == Severity::Error)
    }

    /// Whether the same was said at the same place, whatever belongs to it.
    pub fn has_same(&self, other: &Diagnostic) -> bool {
        self.found
            .iter()
            .any(|one| one.location == other.location && one.cause == other.cause)
    }

    /// Whether nothing more can be kept: reading on would be of no use.
    pub fn is_full(&self) -> bool {
        self.found.len() >= KEPT
    }

    /// All problems, in the order of files and lines.
    pub fn finish(self) -> Diagnostics {
        let mut all: Vec<_> = self.found.into_iter().collect();
        let place = |one: &Diagnostic| (one.location.file.clone(), one.location.line, one.location.column);
        all.sort_by_cached_key(|one| (place(one), one.severity, one.cause.clone(), one.cure.clone()));
        Diagnostics(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: u32, cause: &str) -> Diagnostic {
        let location = Location {
            line,
            ..Location::of_file("p/profile.yaml")
        };
        Diagnostic::new(location, cause, "fix it")
    }

    #[test]
    fn no_character_of_a_shown_line_is_obeyed_by_a_terminal() {
        for c in [
            '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}',
        ] {
            let source = Source::new("p/a.yaml".into(), format!("a: {c}z\n"));
            let mut findings = Findings::default();
            let span = Span {
                start: 3 + c.len_utf8(),
                end: 4 + c.len_utf8(),
            };
            findings.error(&source, span, "no", "yes");
            let shown = findings.finish().to_string();
            assert!(!shown.contains(c), "{shown:?}");
            let lines: Vec<&str> = shown.lines().collect();
            let column = |line: &str, wanted: char| line.chars().position(|c| c == wanted);
            assert_eq!(column(lines[3], 'z'), column(lines[4], '^'), "{shown}");
        }
    }

    #[test]
    fn renders_place_line_cause_and_cure() {
        let source = Source::new("p/a.yaml".into(), "kind: Pod\nreplicas: many\n".to_owned());
        let mut findings = Findings::default();
        findings.error(
            &source,
            Span { start: 20, end: 24 },
            "replicas is a whole number",
            "write replicas: 3",
        );
        let expected = "error: replicas is a whole number\n --> p/a.yaml:2:11\n  |\n2 | replicas: many\n  |           ^^^^\n  |\n  \
                        = help: write replicas: 3";
        assert_eq!(findings.finish().to_string(), expected);
    }

    #[test]
    fn sorts_drops_repeats_and_counts_what_it_does_not_show() {
        let mut findings = Findings::default();
        for line in (1..=60).rev() {
            findings.add(problem(line, "bad"));
            findings.add(problem(line, "bad"));
        }
        let all = findings.finish();
        assert_eq!(all.len(), 60);
        assert!(all.iter().is_sorted_by_key(|one| one.location.line));
        assert!(all.to_string().ends_with("\n\nand 10 more"), "{all}");
    }

    #[test]
    fn control_characters_of_the_input_are_not_echoed() {
        let source = Source::new("p/\u{1b}[2J.yaml".into(), "name: \u{1b}[31mred\u{202e}\n".to_owned());
        let mut findings = Findings::default();
        findings.error(
            &source,
            Span { start: 6, end: 14 },
            "bad \u{1b}[0m name",
            "rename \u{7}",
        );
        let all = findings.finish();
        for text in [all.to_string(), all.iter().next().unwrap().brief()] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut findings = Findings::default();
        (0..20_000).for_each(|line| findings.add(problem(line, "bad")));
        assert!(findings.is_full());
        assert_eq!(findings.finish().len(), KEPT);
    }
}
