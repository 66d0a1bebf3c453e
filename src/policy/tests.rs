//! Reading whole files.

mod bad;
mod docs;
mod good;
mod initial;
