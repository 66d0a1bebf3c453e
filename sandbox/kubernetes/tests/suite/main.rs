//! The API server from outside: over HTTP, and in-process as the controllers use it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says how fast it was")]

mod calls;
mod client;
mod custom;
mod in_process;
mod read;
mod speed;
mod write;
