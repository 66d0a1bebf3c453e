//! The syntax of names, labels and the like, and how text from a file is shown.

/// The longest text of a file that a message repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// The text with control characters and those that change the direction of writing made visible.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that reorder or hide the text around them.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text in quotes, cut short where it is long.
pub fn quote(text: &str) -> String {
    if text.chars().count() <= LONGEST_QUOTE {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(LONGEST_QUOTE).collect();
    format!("{head:?}…")
}

/// The known word that was probably meant; case does not count.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&word, &known.to_lowercase());
    let best = known
        .into_iter()
        .map(|known| (distance(known), known))
        .min_by_key(|(distance, _)| *distance);
    best.filter(|(distance, _)| *distance <= (word.chars().count() / 3).clamp(1, 3))
        .map(|(_, known)| known)
}

/// What is wrong with a DNS label (RFC 1123): up to 63 lower-case letters, digits and `-`.
pub fn dns_label(text: &str) -> Result<(), String> {
    within(text, 63)?;
    made_of(text, |byte| byte == b'-', "lower-case letters, digits and -")
}

/// What is wrong with a DNS label as Services need it (RFC 1035): it begins with a letter too.
pub fn dns_label_of_service(text: &str) -> Result<(), String> {
    dns_label(text)?;
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("it begins with a digit; it must begin with a letter".to_owned());
    }
    Ok(())
}

/// What is wrong with a DNS subdomain: up to 253 lower-case letters, digits, `-` and `.`.
pub fn dns_subdomain(text: &str) -> Result<(), String> {
    within(text, 253)?;
    text.split('.')
        .try_for_each(|part| made_of(part, |byte| byte == b'-', "lower-case letters, digits, - and ."))
}

/// What is wrong with the name of an object of RBAC, which is any path segment.
pub fn path_segment(text: &str) -> Result<(), String> {
    match text {
        "" => Err("it is empty".to_owned()),
        "." | ".." => Err("it may not be . or ..".to_owned()),
        _ if text.contains(['/', '%']) => Err("it may not contain / or %".to_owned()),
        _ => Ok(()),
    }
}

/// What is wrong with a label's or annotation's key: `[prefix/]name`.
pub fn qualified_name(text: &str) -> Result<(), String> {
    let (prefix, name) = text
        .split_once('/')
        .map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        dns_subdomain(prefix).map_err(|why| format!("before the /: {why}"))?;
    }
    if name.is_empty() {
        return Err("it is empty".to_owned());
    }
    label_text(name)
}

/// What is wrong with a label's value: empty, or up to 63 letters, digits, `-`, `_` and `.`.
pub fn label_value(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { label_text(text) }
}

/// What is wrong with text that has to say anything at all.
pub fn not_blank(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("it is blank".to_owned())
    } else {
        Ok(())
    }
}

/// What is wrong with the name of an AWS region: `us-east-1`, `us-gov-west-1`, `ap-southeast-5`.
pub fn region(text: &str) -> Result<(), String> {
    let parts: Vec<_> = text.split('-').collect();
    let is_region = match &parts[..] {
        [area, middle @ .., number] => {
            !middle.is_empty()
                && [*area]
                    .iter()
                    .chain(middle)
                    .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    };
    if is_region {
        return Ok(());
    }
    let zone = text
        .strip_suffix(|last: char| last.is_ascii_lowercase())
        .filter(|rest| region(rest).is_ok());
    Err(zone.map_or_else(
        || "it is no region".to_owned(),
        |region| format!("it is a zone; its region is {region}"),
    ))
}

/// What is wrong with the number of an AWS account.
pub fn account(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err("an AWS account number has twelve digits".to_owned())
    }
}

fn label_text(text: &str) -> Result<(), String> {
    within(text, 63)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if let Some(wrong) = text.chars().find(|c| !u8::try_from(*c).is_ok_and(allowed)) {
        return Err(format!(
            "it contains {wrong:?}; letters, digits, -, _ and . are allowed"
        ));
    }
    if text.starts_with(['-', '_', '.']) || text.ends_with(['-', '_', '.']) {
        return Err("it must begin and end with a letter or a digit".to_owned());
    }
    Ok(())
}

fn within(text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let length = text.len();
    if length > most {
        return Err(format!("it has {length} characters; {most} are allowed"));
    }
    Ok(())
}

fn made_of(text: &str, also: impl Fn(u8) -> bool, allowed: &str) -> Result<(), String> {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if let Some(wrong) = text
        .chars()
        .find(|c| !u8::try_from(*c).is_ok_and(|byte| lower(byte) || also(byte)))
    {
        return Err(format!("it contains {wrong:?}; {allowed} are allowed"));
    }
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !text.starts_with(edge) || !text.ends_with(edge) {
        return Err("it must begin and end with a letter or a digit".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_kubernetes_takes() {
        let longest = "a".repeat(63);
        assert_eq!(dns_label(&longest), Ok(()));
        assert_eq!(
            dns_label(&format!("{longest}a")),
            Err("it has 64 characters; 63 are allowed".to_owned())
        );
        for wrong in ["", "-a", "a-", "A", "a.b", "a_b", "ä"] {
            assert!(dns_label(wrong).is_err(), "{wrong:?}");
        }
        assert!(dns_label("1a").is_ok() && dns_label_of_service("1a").is_err());
        assert!(dns_subdomain("a.b-c.1").is_ok() && dns_subdomain(&format!("{longest}a.b")).is_ok());
        for wrong in ["a..b", ".a", "a.", "a.-b", &"a".repeat(254)] {
            assert!(dns_subdomain(wrong).is_err(), "{wrong:?}");
        }
        assert!(path_segment("system:node").is_ok() && path_segment("a/b").is_err() && path_segment("..").is_err());
    }

    #[test]
    fn labels_are_what_kubernetes_takes() {
        for right in ["app", "app.kubernetes.io/name", "A_b-c.1"] {
            assert_eq!(qualified_name(right), Ok(()), "{right:?}");
        }
        for wrong in ["", "/a", "a/", "a/b/c", "-a", "A.io/b", "a b"] {
            assert!(qualified_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(label_value("").is_ok() && label_value("v1.2_3").is_ok());
        assert!(label_value("a b").is_err() && label_value(&"a".repeat(64)).is_err());
    }

    #[test]
    fn regions_and_accounts_are_recognised() {
        for right in ["us-east-1", "us-gov-west-1", "ap-southeast-5", "us-iso-east-1"] {
            assert_eq!(region(right), Ok(()), "{right}");
        }
        assert_eq!(
            region("us-east-1a"),
            Err("it is a zone; its region is us-east-1".to_owned())
        );
        for wrong in ["", "us", "us-east", "US-EAST-1", "us--1", "-", "1"] {
            assert!(region(wrong).is_err(), "{wrong:?}");
        }
        assert!(account("012345678901").is_ok() && account("12345678901").is_err() && account("12345678901a").is_err());
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["replicas", "selector", "template"];
        assert_eq!(nearest("replica", known), Some("replicas"));
        assert_eq!(nearest("Selector", known), Some("selector"));
        assert_eq!(nearest("volumes", known), None);
    }

    #[test]
    fn long_and_invisible_text_is_tamed() {
        assert_eq!(visible("a\u{1b}b\u{202e}"), "a\\u{1b}b\\u{202e}");
        assert!(quote(&"x".repeat(1000)).chars().count() < 90);
    }
}
