//! What the patch functions promise, through their public interface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "objects are written in place with json!")]

mod apply;
mod conflicts;
mod custom;
mod json;
mod lists;
mod properties;
mod size;
mod strategic;
mod update;
mod world;
