//! Reading whole files.

mod agree;
mod bad;
mod docs;
mod good;
mod initial;
