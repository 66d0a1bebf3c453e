//! Profiles from the outside: good ones, bad ones, hostile ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what is skipped is said aloud")]

mod bad;
mod common;
mod files;
mod hostile;
mod meaning;
mod shipped;
