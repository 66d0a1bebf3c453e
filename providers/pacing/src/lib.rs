//! Paces calls so that a cloud has no reason to throttle them: published budgets, kept on our side.
//!
//! Clouds publish budgets in two shapes. A [`Bucket`] holds so many calls and refills at a rate (EC2, Resource Manager); a
//! [`Window`] allows so many calls in any stretch of time (Azure's storage provider). Both serve in order: first come, first
//! served, and a caller that gives up waiting costs nothing.

mod bucket;
mod window;

pub use bucket::{Bucket, Budget};
pub use window::{Turn, Window, WindowBudget};
