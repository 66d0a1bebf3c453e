//! The program from outside: the real binary, in an environment of its own, against the embedded sandbox.

mod bad_profiles;
mod crash;
mod errors;
mod formats;
mod interrupt;
mod many;
mod secrets;
mod support;
mod tutorial;
