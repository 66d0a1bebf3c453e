//! Refusals of Resource Manager. The first line is a status and `Retry-After`.
#![no_main]

mod harmless;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &str| {
    let (head, body) = answer.split_once('\n').unwrap_or(("403", answer));
    let (status, retry_after) = head.split_once(' ').unwrap_or((head, ""));
    let status = status.parse().unwrap_or(403);
    let error = moorline_azure::fuzzing::refusal(status, retry_after, body.as_bytes());
    harmless::assert_harmless(&error.to_string());
    if let Ok(value) = serde_json::from_str(body) {
        harmless::assert_harmless(&moorline_azure::fuzzing::failed_operation(&value).to_string());
    }
});
