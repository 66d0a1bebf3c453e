//! Stores on services that misbehave: what they do then, and that nobody learns a secret by it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conditions;
mod fake;
mod refusals;
mod rotated;
mod secrets;
