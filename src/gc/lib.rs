//! The pure heart of garbage collection: which volumes nobody can want any more, and what proves it.
//!
//! Nothing here makes a call, looks at a clock or rolls dice. Whoever runs it folds streamed listings into a [`World`]
//! ([`listing`] does it for pages as they come), asks for a [`Plan`], and carries the plan out, looking again before each
//! deletion. What could not be read is part of the world: whatever a verdict depends on and is missing makes it
//! [`Verdict::Unknown`].
//!
//! `README.md` beside this file says what the side that makes the calls has to keep to.

pub mod caps;
pub mod coverage;
pub mod leftovers;
pub mod listing;
pub mod mark;
pub mod names;
pub mod plan;
pub mod policy;
pub mod records;
pub mod verdict;
pub mod world;

mod intern;
mod maker;
mod ordinals;
mod protect;

pub use coverage::{Kind, Reading};
pub use mark::Mark;
pub use plan::{Clock, Deletion, Plan, Step};
pub use policy::{Caps, Grace, NamedCluster, Policy, Protect};
pub use records::Records;
pub use verdict::{Judgement, Link, Verdict, judge};
pub use world::{ClusterIndex, Detail, ScopeIndex, VolumeIndex, VolumeNames, World};
