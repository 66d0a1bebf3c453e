//! The simulated Azure over its HTTP interface.

mod accounts;
mod client;
mod containers;
mod disks;
mod faults;
mod groups;
mod identity;
mod listing;
mod rates;
mod shares;
mod strictness;
mod survival;
mod tls;
