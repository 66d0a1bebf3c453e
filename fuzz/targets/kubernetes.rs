//! Answers of an API server, or of whatever stands in its place. The first line is a status and `Retry-After`.
#![no_main]

mod harmless;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &[u8]| {
    let (head, body) = match answer.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&answer[..end], &answer[end + 1..]),
        None => (answer, &[][..]),
    };
    let (status, retry_after) = head.split_at(head.len().min(3));
    let status = std::str::from_utf8(status)
        .ok()
        .and_then(|status| status.parse().ok())
        .unwrap_or(403);
    if let Some(error) = moorline_kubernetes::fuzzing::refusal(status, retry_after.trim_ascii(), body) {
        harmless::assert_harmless(&error.to_string());
    }
    moorline_kubernetes::fuzzing::warnings(head)
        .iter()
        .for_each(|text| harmless::assert_harmless(text));
    moorline_kubernetes::fuzzing::objects(body);
});
