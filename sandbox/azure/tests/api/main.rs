//! The simulated Azure over its own protocol, one request at a time, on a clock that the tests move.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod client;
mod containers;
mod disks;
mod faults;
mod groups;
mod identity;
mod leases;
mod listing;
mod rates;
mod shares;
mod snapshots;
mod strictness;
mod survival;
mod tags;
mod tls;
