//! The sequences that are kept, and their replay.

use std::fs;
use std::path::PathBuf;

use crate::compare::compare;
use crate::normalise::normalise;
use crate::run::run;
use crate::sequence::{Answer, Case, Sequence};
use crate::server::Server;
use crate::{QUIET, sandbox, survey};

/// The kept cases by file.
fn all() -> Vec<(PathBuf, Case)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differential/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no cases");
    let read = |file: PathBuf| {
        let case = serde_json::from_slice(&fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, case)
    };
    files.into_iter().map(read).collect()
}

async fn answers(server: &Server, sequence: &Sequence, quiet: std::time::Duration) -> Vec<Answer> {
    let token = survey::token();
    normalise(run(server, sequence, &token, quiet).await, &token)
}

/// The sandbox against what was recorded.
pub(crate) async fn replay_recorded() {
    let (_sandbox, server) = sandbox().await;
    let mut failures = Vec::new();
    for (file, case) in all() {
        let answers = answers(&server, &case.sequence, QUIET[0]).await;
        if let Some(difference) = compare(&case.answers, &answers) {
            failures.push(format!("{}: {}", file.display(), difference.report(&case.sequence)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The real server against what was recorded of it.
pub(crate) async fn replay_on_both() {
    let real = survey::real().await;
    let record = std::env::var_os("MOORLINE_TEST_RECORD").is_some();
    let mut failures = Vec::new();
    for (file, mut case) in all() {
        let answers = answers(&real, &case.sequence, QUIET[1]).await;
        if record {
            case.answers = answers;
            fs::write(&file, serde_json::to_string_pretty(&case).unwrap() + "\n").unwrap();
        } else if let Some(difference) = compare(&answers, &case.answers) {
            failures.push(format!(
                "{} (“sandbox” is what was recorded): {}",
                file.display(),
                difference.report(&case.sequence)
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if !record {
        replay_recorded().await;
    }
}
