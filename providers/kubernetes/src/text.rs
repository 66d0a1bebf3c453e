//! The server's words made safe to print.

/// More than any honest message needs; a hostile one is cut here.
const LONGEST: usize = 4_000;

/// One line of text: control and text-direction characters are gone, and it is at most 4,000 characters long.
pub(crate) fn printable(text: &str) -> String {
    let mut line: String = text
        .trim()
        .chars()
        .take(LONGEST)
        .map(|c| if is_harmless(c) { c } else { ' ' })
        .collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// Direction overrides can make a terminal show other words than were written, so they count as control characters.
fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The texts of `Warning` headers (RFC 7234: `299 - "text"`), in order.
pub(crate) fn warnings(headers: &http::HeaderMap) -> Vec<String> {
    headers
        .get_all(http::header::WARNING)
        .iter()
        .map(|value| warning(&String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn warning(header: &str) -> String {
    let Some((_, quoted)) = header.split_once('"') else {
        return printable(header);
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_tricks_become_spaces() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a [31mred  b c");
        assert_eq!(printable(" größe 10 GiB \n"), "größe 10 GiB");
    }

    #[test]
    fn a_flood_is_cut() {
        assert_eq!(printable(&"x".repeat(LONGEST)).chars().count(), LONGEST);
        assert!(printable(&"é".repeat(1_000_000)).ends_with('…'));
    }

    #[test]
    fn reads_warning_headers() {
        for (header, expected) in [
            (r#"299 - "spec.x is deprecated""#, "spec.x is deprecated"),
            (
                r#"299 - "say \"hi\" and \\o/" "Sat, 21 Nov 2026 09:00:00 GMT""#,
                r#"say "hi" and \o/"#,
            ),
            ("nonsense", "nonsense"),
            (r#"299 - "unclosed"#, "unclosed"),
        ] {
            assert_eq!(warning(header), expected);
        }
    }
}
