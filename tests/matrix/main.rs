//! Nothing lost: the real binary against a served sandbox, and something goes wrong at every call it makes.
//!
//! `docs/matrices.md` says what is played, how much of it, and how to play more or a single case.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking, and its helpers are seen by tests only"
)]

#[expect(dead_code, reason = "these tests use a part of what those of the sandbox do")]
#[path = "../it/support.rs"]
mod support;

mod behind;
mod crash;
mod fault;
mod live;
mod plays;
mod soak;
