//! The program from outside against parts that others wrote: a real control plane, moto, LocalStack, Azurite.
//!
//! Each test needs real parts, which `cargo xtask test` starts and names in `MOORLINE_TEST_PARTS`. Azure's Resource Manager, which
//! nobody else plays, is the sandbox's; Azure's official clients look at it, and at Azurite.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking, and its helpers are seen by tests only"
)]

#[expect(dead_code, reason = "these tests use a part of what those of the sandbox do")]
#[path = "../it/support.rs"]
mod support;

#[expect(dead_code, reason = "these tests use a part of what those of the sandbox do")]
#[path = "../it/gc/stage.rs"]
mod sandbox_stage;

mod accident;
mod azure;
mod between;
mod clouds;
mod life;
mod own;
mod stage;

#[path = "."]
mod real {
    mod azure_tutorial;
    mod binding;
    mod blobs;
    mod crashes;
    mod documents;
    mod faults;
    mod gc;
    mod kills;
    mod lifecycle;
    mod locks;
    mod restore;
    mod rights;
    mod stores;
    mod tutorial;
}
