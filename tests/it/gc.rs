//! `gc` from outside: what a StatefulSet leaves behind is shown, marked, and removed when its grace is over; never before, and never
//! what is used.

mod broken;
mod changes;
mod groups;
mod output;
mod role;
mod runs;
pub mod stage;
mod story;
mod trouble;
