//! What clusters leave behind beside volumes: load balancers whose Service is gone and their target groups, storage accounts that
//! hold nothing, and our own snapshots past their expiry.
//!
//! They need no chain of evidence as volumes do, so they have a world of their own: the few things of the clouds that may have
//! to go are its candidates, and of everything that clusters list only what speaks for one of them is kept. A candidate that
//! nothing speaks for is an orphan where its tags prove who made it and every listing that could speak for it came to its end.
//!
//! Order matters here as with volumes: the clouds first ([`Leftovers::add_balancer`] and its like), then [`Leftovers::wants`]
//! says which kinds have to be read, then the clusters ([`Leftovers::identify`], then [`Leftovers::add`]).

mod balancers;
mod groups;
mod holders;
mod judge;
mod names;
mod plan;
mod snapshots;
mod world;

pub use plan::{Action, Grace, Plan, Row, plan, second_look, settle};
pub use world::{Kind, Leftovers, Sort};
