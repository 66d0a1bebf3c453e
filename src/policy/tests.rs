//! Reading whole files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod bad;
mod good;
mod initial;
