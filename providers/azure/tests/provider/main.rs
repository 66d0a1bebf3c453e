//! The provider against a small Resource Manager on loopback, which takes no request that is not documented.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod failures;
mod hostile;
mod life;
mod named;
mod paths;
mod secrets;
mod server;
mod table;
mod violations;
mod world;
