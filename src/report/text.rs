//! Text from elsewhere (names, messages, events) made harmless before it meets a terminal.
//!
//! Renderers pass what is not theirs through [`inline`] or [`block`], so that it cannot break a line or a table. Whatever is written
//! passes [`guarded`] at last: a renderer that forgot cannot hand a terminal anything but text and colours.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// One line: control characters, escape sequences and direction overrides become visible; line breaks become spaces.
pub(crate) fn inline(text: &str) -> String {
    neutralised(text, |c| c == '\n' || c == '\t')
}

/// As [`inline`], but line breaks stay.
pub(crate) fn block(text: &str) -> String {
    text.split('\n').map(inline).collect::<Vec<_>>().join("\n")
}

/// Text in lines of a terminal, broken at spaces: it begins at a column, and its other lines with `hang` spaces. Without a width it is one
/// line. A word that is too long for any line stays whole, to be copied.
pub(super) fn wrapped(mut column: usize, hang: usize, text: &str, width: Option<u16>) -> String {
    let width = width.map_or(usize::MAX, usize::from);
    let mut out = String::with_capacity(text.len());
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            column = hang;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn neutralised(text: &str, is_space: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_space(c) => out.push(' '),
            c if is_trick(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// What may go to a terminal as it is: text, line breaks, tabs, and the colours of [`Paint`](super::Paint). All else becomes visible.
pub(crate) fn guarded(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_trick(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = colour(rest).unwrap_or(c.len_utf8());
        if is_trick(c) && c != '\n' && c != '\t' && end == c.len_utf8() {
            out.extend(c.escape_default());
        } else {
            out.push_str(&rest[..end]);
        }
        rest = &rest[end..];
    }
    Cow::Owned(out)
}

/// Where the sequence that begins the text ends, if it sets a colour and does nothing else: `ESC [ 1 ; 31 m`.
fn colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some(end + 3)
}

/// JSON with everything escaped that a terminal might obey: its strings mean the same.
pub(super) fn plain_json(json: String) -> String {
    if !json.contains(|c| is_trick(c) && c != '\n') {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_trick(c) && c != '\n' {
            // None of them lies outside of what four digits can say.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether there is anything that a terminal might obey, line breaks aside.
pub(super) fn has_tricks(text: &str) -> bool {
    text.contains(|c| is_trick(c) && c != '\n')
}

fn is_trick(c: char) -> bool {
    c.is_control() || is_override(c)
}

/// A stream of whole messages, such as log lines, [`guarded`].
pub(crate) struct Guarded<W>(pub(crate) W);

impl<W: io::Write> io::Write for Guarded<W> {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.0
            .write_all(guarded(&String::from_utf8_lossy(message)).as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Characters that reorder or hide what follows on a terminal.
fn is_override(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_visible() {
        assert_eq!(inline("a\u{1b}[2Jb\u{7}\u{9b}31m"), "a\\u{1b}[2Jb\\u{7}\\u{9b}31m");
        assert_eq!(inline("x\r\ny\u{202e}z"), "x\\r y\\u{202e}z");
        assert_eq!(block("a\u{1b}\nb"), "a\\u{1b}\nb");
        assert_eq!(inline("naïve – 名前"), "naïve – 名前");
    }

    #[test]
    fn colours_pass_and_nothing_else_does() {
        let painted = super::super::Paint::new(true).error("error:");
        assert_eq!(guarded(&painted), painted);
        for (text, expected) in [
            ("a\tb\nc\n", "a\tb\nc\n"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}[1;31", "\\u{1b}[1;31"),
            ("\u{1b}[?1049h", "\\u{1b}[?1049h"),
            (
                "\u{1b}]8;;https://evil.example\u{7}x",
                "\\u{1b}]8;;https://evil.example\\u{7}x",
            ),
            ("\u{9b}2Jx\u{202e}é", "\\u{9b}2Jx\\u{202e}é"),
            ("all\rgone", "all\\rgone"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), expected);
        }
    }

    #[test]
    fn prose_breaks_at_spaces_and_never_in_a_word() {
        let text = "claim ns/data-0: nothing refers to it";
        assert_eq!(wrapped(8, 4, text, None), text);
        assert_eq!(
            wrapped(8, 4, text, Some(24)),
            "claim ns/data-0:\n    nothing refers to it"
        );
        assert_eq!(wrapped(0, 2, "pvc-0123456789 x", Some(8)), "pvc-0123456789\n  x");
        assert_eq!(wrapped(2, 2, "", Some(8)), "");
    }

    #[test]
    fn a_log_line_is_guarded_and_counted_as_written() {
        let mut written = Vec::new();
        let line = "x\u{1b}[2Jy\n";
        assert_eq!(
            io::Write::write(&mut Guarded(&mut written), line.as_bytes()).unwrap(),
            line.len()
        );
        assert_eq!(written, b"x\\u{1b}[2Jy\n");
    }
}
