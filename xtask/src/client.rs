//! What is known of an outside client once it was looked for.

use std::fmt;
use std::path::PathBuf;

/// A client that the tests can use.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its program, as an absolute path.
    pub(crate) program: PathBuf,
    /// What it is and where it comes from, for people.
    pub(crate) what: String,
}

/// A client that this machine cannot have yet.
#[derive(Debug)]
pub(crate) struct Missing {
    /// Its name.
    pub(crate) client: &'static str,
    /// Why it is not there.
    pub(crate) why: String,
    /// What to install so that it will be.
    pub(crate) cure: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  to have it: {}", self.client, self.why, self.cure)
    }
}
