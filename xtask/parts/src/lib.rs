//! Real parts for tests: a Kubernetes control plane with nodes in name only, moto, LocalStack, Azurite.
//!
//! A test that wants what `cargo xtask test` (or `cargo xtask real up`) has started asks [`from_environment`], and gets the
//! kubeconfig and the addresses of parts that it shares with others: it keeps to a namespace or an account of its own. A test
//! that wants to kill parts starts its own, from the same programs:
//!
//! ```no_run
//! # fn main() -> Result<(), moorline_parts::Error> {
//! use moorline_parts::{Component, ControlPlane, from_environment};
//!
//! let parts = from_environment()?;
//! let mut cluster = ControlPlane::start(&parts.programs, std::path::Path::new("/tmp/mine"))?;
//! cluster.kill(Component::ApiServer)?;
//! cluster.restart(Component::ApiServer)?;
//! println!("{}", cluster.kubeconfig().display());
//! # Ok(())
//! # }
//! ```
//!
//! Every part listens on a free loopback port, keeps its log in the folder that it was given, and is killed when its handle is
//! dropped. Should the program that started it be killed instead, a guardian (a shell that waits for the end of a pipe) kills
//! the parts; only a kill of that shell too, or one of the whole machine, leaves parts behind.

mod authority;
mod control_plane;
mod emulator;
mod error;
mod file;
mod guardian;
mod health;
mod identity;
mod layout;
mod nodes;
mod ports;
mod programs;
mod unit;

pub use control_plane::{Component, ControlPlane};
pub use emulator::Emulator;
pub use error::Error;
pub use file::{AZURITE_ACCOUNT, AZURITE_KEY, Parts, VARIABLE, azurite_connection, from_environment};
pub use health::Health;
pub use identity::Identity;
pub use programs::Programs;
pub use unit::Record;
