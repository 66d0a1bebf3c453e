//! Paces calls so that a cloud has no reason to throttle them: published budgets, kept on our side.
//!
//! Clouds publish budgets in two shapes. A [`Bucket`] holds so many calls and refills at a rate (EC2, Resource Manager); a
//! [`Window`] allows so many calls in any stretch of time (Azure's storage provider). Both serve in order: first come, first
//! served, and a caller that gives up waiting costs nothing.
//!
//! A budget belongs to an account, not to a client or a process. A [`Registry`] has one of each, for all clients of a process
//! and, through small files, for all processes of a user on this machine. Who else spends it is learnt from the cloud's own
//! answers: a throttled call cuts the rate, which then comes back.

mod bucket;
mod clock;
mod level;
mod registry;
mod state;
mod waits;
mod window;

pub use bucket::{Bucket, Budget, Departure, Spacing};
pub use registry::Registry;
pub use waits::{Cause, Listener, Wait};
pub use window::{Turn, Window, WindowBudget};
