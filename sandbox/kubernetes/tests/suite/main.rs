//! The API server from outside: over HTTP, and in-process as the controllers use it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod client;
mod custom;
mod evidence;
mod in_process;
mod proxy;
mod read;
mod speed;
mod write;
