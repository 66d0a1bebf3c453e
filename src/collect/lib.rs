//! The collector: garbage collection with its calls.
//!
//! It surveys clouds and clusters into a [`World`](moorline_gc::World), has `moorline-gc` judge it, and carries the plan out under a
//! lease: marks first, then deletions, each looked at once more before its first call and written to the journal before and
//! after. What differs between clouds is behind the traits of `providers/api`.

pub mod collector;
pub mod error;
pub mod event;
pub mod explain;
pub mod history;
pub mod prices;
pub mod report;
pub mod scope;
pub mod tags;

mod clock;
mod ledger;
mod leftovers;
mod run;
mod survey;
mod unusable;

pub use collector::{Collector, Settings};
pub use error::{CollectError, Result};
pub use event::{Event, EventSink, Stage};
pub use explain::Explanation;
pub use history::{Line, RunHistory};
pub use prices::{NoPrices, Prices};
pub use report::{Done, Leftover, LeftoverAction, Outcome, Report, ScopeSeen, Seen};
pub use scope::{ClusterLink, Scope};
pub use tags::{Selection, Tagging};
