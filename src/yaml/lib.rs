//! Files that people write, in YAML or JSON: read into values that know their places, so that a bad one is refused with file, line,
//! column, cause and cure, and with all of its problems at once.
//!
//! `file` turns bytes into a [`Source`](source::Source), [`read`] turns that into [`Node`]s as `kubectl` understands them, `shape`
//! finds what is unknown, missing or of the wrong type, and what is wrong is collected in [`Findings`](diagnostic::Findings) and
//! comes out as [`Diagnostics`](diagnostic::Diagnostics).

pub mod diagnostic;
pub mod file;
#[cfg(feature = "generate")]
pub mod generate;
pub mod shape;
pub mod source;
pub mod words;

mod node;
mod read;

pub use node::{Entry, Node, Value};
pub use read::read;
