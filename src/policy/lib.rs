//! The policy file of garbage collection: which clouds are looked at, which clusters use them, and what a run may do.
//!
//! It is read as profiles are: a bad one is refused before any call, with all of its problems at once, each with file, line, column,
//! cause and cure. `docs/policy.md` explains every key, `schemas/policy.schema.json` says the same to editors.
//!
//! Nothing is read but the file itself, and nothing depends on the process: whose home `~` is, is told.

mod duration;
mod initial;
mod model;
mod read;

#[cfg(test)]
mod generate;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::Path;

use moorline_yaml::diagnostic::Findings;
use moorline_yaml::file::{self, MIB};
use moorline_yaml::source::Source;

pub use initial::{Seen, SeenCluster, render_initial};
pub use model::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, LockTerms, PolicyFile, ScopeSpec};
pub use moorline_gc::leftovers::Grace as LeftoverGrace;
pub use moorline_yaml::diagnostic::{Diagnostic, Diagnostics, Severity};

/// The name under which a policy is looked for in the working folder.
pub const DEFAULT_NAME: &str = "moorline-gc.yaml";

/// The most bytes of a policy.
const LARGEST: u64 = MIB;

/// Reads and checks a policy file; `home` is what `~` in its paths means. Errors are complete: every problem of the file, with the
/// warnings among them.
pub fn load(path: &Path, home: Option<&Path>) -> Result<PolicyFile, Diagnostics> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            let cure = format!("write one with: moorline gc init {}", path.display());
            return Err(file::problem(path, "there is no such file", cure));
        }
        Ok(metadata) if metadata.is_dir() => {
            let cure = format!("pass a file, such as {}", path.join(DEFAULT_NAME).display());
            return Err(file::problem(path, "a policy is a file, and this is a folder", cure));
        }
        _ => {}
    }
    let real = path.canonicalize().map_err(|error| file::unreadable(path, &error))?;
    let bytes = file::read(
        &real,
        path,
        LARGEST,
        "a policy is a page or two: check that this is one",
    )?;
    let source = file::decode(path.to_owned(), bytes)?;
    check(&source, path, home)
}

/// The same for a text that stands, or will stand, under this path.
pub fn parse(path: &Path, text: &str, home: Option<&Path>) -> Result<PolicyFile, Diagnostics> {
    check(&Source::new(path.to_owned(), text.to_owned()), path, home)
}

/// What stands in lines that are not shown: people put secrets where they think that they belong.
const SECRETIVE: [&str; 8] = [
    "secret",
    "password",
    "token",
    "accountkey",
    "accesskey",
    "sharedkey",
    "connectionstring",
    "sig=",
];

/// The same problems, without the lines that may have a secret in them.
fn without_secrets(diagnostics: &Diagnostics) -> Diagnostics {
    let mut findings = Findings::default();
    for problem in diagnostics {
        let mut problem = problem.clone();
        let is_secretive = |text: &str| SECRETIVE.iter().any(|word| text.contains(word));
        let places = std::iter::once(&mut problem.location).chain(problem.also.as_mut().map(|(place, _)| place));
        for place in places {
            place.snippet.take_if(|shown| is_secretive(&shown.text.to_lowercase()));
        }
        findings.add(problem);
    }
    findings.finish()
}

fn check(source: &Source, path: &Path, home: Option<&Path>) -> Result<PolicyFile, Diagnostics> {
    let mut findings = Findings::default();
    let policy = read::policy(source, path, home, &mut findings);
    let diagnostics = without_secrets(&findings.finish());
    match policy {
        Some(policy) if !diagnostics.has_errors() => Ok(PolicyFile {
            warnings: diagnostics,
            ..policy
        }),
        _ => Err(diagnostics),
    }
}
