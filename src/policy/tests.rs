//! Reading whole files.

mod bad;
mod good;
mod initial;
