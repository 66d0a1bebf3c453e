//! moorline's engine: parse → resolve → **observe → plan → apply → wait → report**.
//!
//! It depends on the provider contract alone; no SDK type can be named here. `plan` is pure. Everything that must
//! survive a crash is written to Kubernetes first, so that every function here may be killed at any call and run again.

pub mod check;
pub mod context;
pub mod error;
pub mod event;
pub mod lock;
pub mod names;
pub mod outcome;
pub mod plan;
pub mod restore;

mod apply;
mod balancers;
mod df;
mod down;
#[cfg(test)]
mod fakes;
mod fold;
mod mounts;
mod observe;
mod preflight;
mod readiness;
mod scale;
mod slim;
mod status;
mod tracker;
mod up;
mod usage;

pub use balancers::load_balancers;
pub use check::check;
pub use context::{Cloud, Context, Limits};
pub use df::df;
pub use down::{execute_down, plan_down};
pub use error::{EngineError, Failure};
pub use event::{Event, EventSink};
pub use restore::{execute_restore, plan_restore, restorable};
pub use scale::{execute_scale, plan_scale};
pub use status::{status, watch_status};
pub use up::{execute_up, plan_up};
