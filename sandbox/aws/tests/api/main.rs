//! The account over its own protocol, one request at a time, on a clock that the tests move.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod balancers;
mod client;
mod faults;
mod life;
mod listing;
mod rates;
mod tokens;
