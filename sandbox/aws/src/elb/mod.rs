//! Elastic Load Balancing: the classic API of 2012 and the current one of 2015, over the same account.

mod attributes;
pub(crate) mod classic;
pub(crate) mod groups;
mod names;
pub(crate) mod shared;
mod tags;
pub(crate) mod v2;
