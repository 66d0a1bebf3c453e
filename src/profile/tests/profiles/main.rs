//! Profiles from the outside: good ones, bad ones, hostile ones.

mod bad;
mod common;
mod files;
mod hostile;
mod meaning;
mod shipped;
