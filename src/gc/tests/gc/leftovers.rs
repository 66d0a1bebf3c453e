//! What is no volume: every cell of its verdicts, its marks and its caps.

mod accounts;
mod balancers;
mod build;
mod groups;
mod plans;
mod property;
mod snapshots;
