//! What goes when something else went.

pub(crate) mod collector;
pub(crate) mod events;
pub(crate) mod namespace;
