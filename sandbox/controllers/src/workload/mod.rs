//! Controllers that keep as many pods as an object asks for.

mod adoption;
pub(crate) mod deployment;
mod pods;
pub(crate) mod replica_set;
pub(crate) mod stateful_set;

pub(crate) use pods::{containers, has_ended, is_ready};
