//! What a Kubernetes API server, and the controllers behind it, must do for moorline to keep its promises.
//!
//! | module | what it holds a cluster to |
//! |---|---|
//! | `apply` | server-side apply: ownership, conflicts, merging, what is no longer applied |
//! | `dry_run` | a rehearsal tells the truth and stores nothing |
//! | `merge`, `scale` | the other two writes, with their preconditions |
//! | `refusals` | what a refused call says |
//! | `paging`, `watch` | many objects: page by page, and as they change |
//! | `expiry` | versions that the server has forgotten |
//! | `deletion` | finalizers, preconditions, and what becomes of dependents |
//! | `binding`, `release`, `protection` | claims and PersistentVolumes, from pre-binding to re-adoption |
//! | `stateful_set`, `retention` | pods and claims by ordinal |
//! | `lease` | who may run |
//! | `discovery` | what there is |

#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

mod apply;
mod backend;
mod binding;
mod deletion;
mod discovery;
mod dry_run;
mod expiry;
mod lease;
mod manifests;
mod merge;
mod paging;
mod protection;
mod refusals;
mod release;
mod retention;
mod scale;
mod stateful_set;
mod watch;

pub use backend::{Answer, Backend, Door, Request, Server, run};

use super::Case;

/// Every case that may run beside others, on a cluster with nodes in three zones.
pub fn cases() -> Vec<Case<Backend>> {
    [
        apply::cases(),
        dry_run::cases(),
        merge::cases(),
        scale::cases(),
        refusals::cases(),
        paging::cases(),
        watch::cases(),
        deletion::cases(),
        binding::cases(),
        release::cases(),
        protection::cases(),
        stateful_set::cases(),
        retention::cases(),
        lease::cases(),
        discovery::cases(),
    ]
    .concat()
}

/// The cases that make the server forget its history: the server needs [`Door::forget`], and nobody else may be using it.
pub fn forgetting_cases() -> Vec<Case<Backend>> {
    expiry::cases()
}
