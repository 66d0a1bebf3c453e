//! The grammars of names, labels and keys, and what the server says when one is broken.

/// What is wrong with a DNS-1123 label, if anything.
pub(crate) fn dns_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    (!is_label(text)).then_some("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')")
}

/// What is wrong with a DNS-1123 subdomain, if anything.
pub(crate) fn dns_subdomain(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 bytes");
    }
    (!text.split('.').all(is_label)).then_some("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')")
}

/// What is wrong with a DNS-1035 label, if anything.
pub(crate) fn dns_1035_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    let fits = is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    (!fits).then_some("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')")
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The name part of labels: letters, digits, `-_.`, alphanumeric at both ends, at most 63.
fn is_name_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63 && text.bytes().all(inner) && end(text.bytes().next()) && end(text.bytes().last())
}

/// `name` or `prefix/name`.
pub(crate) fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => dns_subdomain(prefix).is_none() && is_name_part(name),
        None => is_name_part(text),
    }
}

/// Empty, or like the name part of a key.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name_part(text)
}

/// A key of a ConfigMap or Secret.
pub(crate) fn is_config_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text != "."
        && !text.starts_with("..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The name of a port: at most 15, lower case, digits, `-`, at least one letter.
pub(crate) fn is_port_name(text: &str) -> bool {
    text.len() <= 15 && is_label(text) && !text.contains("--") && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

pub(crate) const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
pub(crate) const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars() {
        assert!(
            dns_label("a-1").is_none()
                && dns_label("A").is_some()
                && dns_label("a.b").is_some()
                && dns_label("").is_some()
        );
        assert!(dns_label(&"a".repeat(63)).is_none() && dns_label(&"a".repeat(64)).is_some());
        assert!(dns_subdomain("a.b-c").is_none() && dns_subdomain("a..b").is_some() && dns_subdomain("-a").is_some());
        assert!(dns_1035_label("a1").is_none() && dns_1035_label("1a").is_some());
        assert!(is_qualified_name("kubernetes.io/x_Y.z") && !is_qualified_name("a/b/c") && !is_qualified_name("/a"));
        assert!(is_label_value("") && !is_label_value("a b") && !is_label_value(&"a".repeat(64)));
        assert!(is_port_name("http-2") && !is_port_name("80") && !is_port_name("a--b"));
    }
}
