//! What garbage collection may conclude, cell by cell, and in a hundred thousand worlds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod evidence;
mod leftovers;
mod lookup;
mod plans;
mod proofs;
mod property;
mod sets;
mod table;
mod wrongs;
