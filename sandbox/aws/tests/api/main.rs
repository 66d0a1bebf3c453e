//! The account over its own protocol, one request at a time, on a clock that the tests move.

mod balancers;
mod client;
mod faults;
mod life;
mod listing;
mod rates;
mod tokens;
