//! The corpus of bad profiles in `tests/bad`: each is refused with all its problems, as its `expected.txt` says.
//!
//! After a change of a message, run `MOORLINE_REGENERATE=1 cargo test -p moorline-profile --test profiles` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{assert_places_exist, read};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad")
}

#[test]
fn every_bad_profile_is_refused_as_expected() {
    let entries = fs::read_dir(corpus())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir());
    let mut cases: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    cases.sort();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let folder = corpus().join(case);
        let Err(diagnostics) = read(&folder) else {
            wrong.push(format!("{case} is accepted"));
            continue;
        };
        assert!(diagnostics.has_errors(), "{case}: {diagnostics}");
        assert_places_exist(case, &diagnostics);
        let actual = format!(
            "{}\n",
            diagnostics.to_string().replace(&format!("{}/", folder.display()), "")
        );
        let file = folder.join("expected.txt");
        if std::env::var_os("MOORLINE_REGENERATE").is_some() {
            fs::write(&file, &actual).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != actual {
            wrong.push(format!("{case} gives\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
