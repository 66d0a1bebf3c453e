//! What exists in the account: volumes, snapshots, load balancers, and the rules they obey.

pub(crate) mod balancer;
pub(crate) mod instance;
pub(crate) mod rules;
pub(crate) mod snapshot;
pub(crate) mod tags;
pub(crate) mod target_group;
pub(crate) mod volume;
