//! The provider against a server on loopback that answers what AWS would.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account;
mod balancers;
mod failures;
mod hostile;
mod scope;
mod server;
mod snapshots;
mod tagging;
mod volumes;
mod zones;
