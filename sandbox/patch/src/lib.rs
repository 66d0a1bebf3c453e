//! The Kubernetes patch types as pure functions over JSON: merge patch, JSON patch, strategic merge patch
//! and server-side apply with `metadata.managedFields`.
//!
//! Nothing here does I/O, reads a clock or knows about storage; the API server of the sandbox calls these between
//! reading an object and writing it. The order of what happens in an apply, and every rule about ownership, is that of
//! [structured-merge-diff](https://github.com/kubernetes-sigs/structured-merge-diff), which the real API server uses.

mod apply;
mod compare;
mod error;
mod fields;
mod json;
mod managed;
mod merge;
mod schema;
mod strategic;
mod typed;
mod update;

pub use apply::{ApplyRequest, apply};
pub use error::{ApplyError, Conflict, PatchError};
pub use json::{json_merge, json_patch};
pub use schema::Schema;
pub use strategic::strategic_merge;
pub use typed::item_problems;
pub use update::{same_but_for_times, track_update};
