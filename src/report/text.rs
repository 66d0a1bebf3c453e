//! Text from elsewhere (names, messages, events) made harmless before it meets a terminal.

/// One line: control characters, escape sequences and direction overrides become visible; line breaks become spaces.
pub(crate) fn inline(text: &str) -> String {
    neutralised(text, |c| c == '\n' || c == '\t')
}

/// As [`inline`], but line breaks stay.
pub(crate) fn block(text: &str) -> String {
    text.split('\n').map(inline).collect::<Vec<_>>().join("\n")
}

fn neutralised(text: &str, is_space: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_space(c) => out.push(' '),
            c if c.is_control() || is_override(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that reorder or hide what follows on a terminal.
fn is_override(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
}
