//! Answers as they come from services.

/// Whether a body begins and ends as a JSON object does. What is between is read by who knows what it should be.
pub fn is_object(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.starts_with(b"{") && body.ends_with(b"}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_beginning_and_an_end() {
        for body in ["{}", " {\"a\": 1}\n"] {
            assert!(is_object(body.as_bytes()), "{body}");
        }
        for body in ["", "{\"a\": {", "1}", "[]", "null", "<html>", "####"] {
            assert!(!is_object(body.as_bytes()), "{body}");
        }
    }
}
