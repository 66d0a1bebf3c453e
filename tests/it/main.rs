//! The program from outside: the real binary, in an environment of its own, against the embedded sandbox.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking, and its helpers are seen by tests only"
)]

mod arm;
mod azure;
mod azure_errors;
mod azure_lost;
mod azure_stage;
mod bad_policies;
mod bad_profiles;
mod boto;
mod check;
mod crash;
mod credentials;
mod deadlines;
mod ec2;
mod errors;
mod formats;
mod gc;
mod hostile;
mod interrupt;
mod kubectl;
mod lock;
mod many;
mod mounts_kubectl;
mod rates;
mod restore;
mod secrets;
mod support;
mod tutorial;
