//! Makes words from outside safe to show: no terminal control, no secrets, no floods.

const LONGEST: usize = 600;

/// The text in one line, without control characters and escape sequences, with what looks like a key or token replaced.
pub fn clean(text: &str) -> String {
    let plain = without_controls(text);
    let mut cleaned = String::with_capacity(plain.len());
    for word in plain.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        redact(word, &mut cleaned);
    }
    if let Some((cut, _)) = cleaned.char_indices().nth(LONGEST) {
        cleaned.truncate(cut);
        cleaned.push('…');
    }
    cleaned
}

/// A service's refusal in one line: what it says, its code, and what helps. `status` stands in where it explains nothing.
pub fn refusal((code, message): (&str, &str), status: u16, cure: &str) -> String {
    let words = match (clean(code), clean(message)) {
        (code, message) if code.is_empty() && message.is_empty() => format!("HTTP {status} without an explanation"),
        (code, message) if message.is_empty() => code,
        (code, message) if code.is_empty() => message,
        (code, message) => format!("{} ({code})", message.trim_end_matches('.')),
    };
    if cure.is_empty() {
        words
    } else {
        format!("{words}; {cure}")
    }
}

fn without_controls(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            // Characters that reorder or hide what stands around them.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

/// Skips the rest of an ANSI sequence: `[` up to its final byte, `]` up to its terminator, else one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => _ = chars.find(|c| ('@'..='~').contains(c)),
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

fn redact(word: &str, out: &mut String) {
    let of_a_secret = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut rest = word;
    while let Some(start) = rest.find(of_a_secret) {
        out.push_str(&rest[..start]);
        let run = &rest[start..];
        let end = run.find(|c| !of_a_secret(c)).unwrap_or(run.len());
        if is_path(&run[..end]) {
            let parts = run[..end].split('/').map(shown);
            out.push_str(&parts.collect::<Vec<_>>().join("/"));
        } else {
            out.push_str(shown(&run[..end]));
        }
        rest = &run[end..];
    }
    out.push_str(rest);
}

fn shown(run: &str) -> &str {
    if looks_secret(run) { "(redacted)" } else { run }
}

/// Words between slashes, as no random text has them: its parts are judged each by itself.
fn is_path(run: &str) -> bool {
    let is_word = |part: &&str| {
        let small = part.bytes().filter(u8::is_ascii_lowercase).count();
        part.len() >= 5 && part.bytes().all(|byte| byte.is_ascii_alphabetic()) && small + 2 >= part.len()
    };
    run.split('/').filter(is_word).count() >= 2
}

/// Access key ids, and long runs that change between cases and digits as only random text does.
fn looks_secret(run: &str) -> bool {
    let is_key_id = run.len() == 20
        && (run.starts_with("AKIA") || run.starts_with("ASIA"))
        && run
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_key_id {
        return true;
    }
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let both_cases = run.bytes().any(|byte| class(byte) == 0) && run.bytes().any(|byte| class(byte) == 1);
    let changes = run
        .as_bytes()
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count();
    run.len() >= 32 && both_cases && changes * 3 >= run.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_words_safe() {
        for (text, expected) in [
            (
                "plain words: vol-0123456789abcdef0",
                "plain words: vol-0123456789abcdef0",
            ),
            ("a\u{1b}[31mred\u{1b}[0m\r\nb\u{0}c", "ared b c"),
            ("\u{1b}]0;title\u{7}x\u{202e}y", "xy"),
            ("key AKIAIOSFODNN7EXAMPLE.", "key (redacted)."),
            ("secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY!", "(redacted)!"),
            (
                "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/me@example.org",
                "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/me@example.org",
            ),
            (
                "8c5ae7dc1f2ffb7b2f1d3e45d0e0cdb0a2b9b1f0c6de5a4f3b2a190807060504",
                "8c5ae7dc1f2ffb7b2f1d3e45d0e0cdb0a2b9b1f0c6de5a4f3b2a190807060504",
            ),
            (
                "over '/subscriptions/2222-bbbb/resourceGroups/moorline/providers/Microsoft.Storage/storageAccounts/moora1b2c3d4e5f6g7h8/fileServices/default/shares/pvc-0b8bD6a5'",
                "over '/subscriptions/2222-bbbb/resourceGroups/moorline/providers/Microsoft.Storage/storageAccounts/moora1b2c3d4e5f6g7h8/fileServices/default/shares/pvc-0b8bD6a5'",
            ),
            (
                "/accounts/default/a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
                "/accounts/default/(redacted)",
            ),
            ("", ""),
        ] {
            assert_eq!(clean(text), expected);
        }
        assert!(clean(&"x ".repeat(10_000)).chars().count() <= LONGEST + 1);
        assert_eq!(clean("\u{1b}["), "");
    }
}
