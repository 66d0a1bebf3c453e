//! The collector against clouds, clusters and a store in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;
mod stage;

mod changes;
mod crashes;
mod leases;
mod leftovers;
mod property;
mod remembered;
mod resumed;
mod runs;
mod surveys;
