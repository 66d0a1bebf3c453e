//! The policy file of garbage collection: which clouds are looked at, which clusters use them, and what a run may do.
//!
//! It is read as profiles are: a bad one is refused before any call, with all of its problems at once, each with file, line, column,
//! cause and cure.

mod model;

pub use model::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, LeftoverGrace, LockTerms, PolicyFile, ScopeSpec};
pub use moorline_profile::{Diagnostic, Diagnostics};
