//! The controllers at work on a simulated cluster and account, without HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod azure;
mod cleanup;
mod deployments;
mod network;
mod pods;
mod restart;
mod speed;
mod stateful_sets;
mod storage;
mod support;
