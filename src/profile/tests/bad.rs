//! The corpus of bad profiles in `tests/bad`: each is refused with all its problems, as its `expected.txt` says.
//!
//! After a change of a message, run `MOORLINE_REGENERATE=1 cargo test -p moorline-profile --test bad` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use moorline_aws_rules::EbsRules;
use moorline_profile::{Diagnostics, Profile, Surroundings, load};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad")
}

fn read(folder: &Path) -> Result<Profile, Diagnostics> {
    load(folder, &Surroundings { rules: &[&EbsRules], ..Surroundings::default() })
}

/// Every place is one that an editor can open: a line of the file, and a column of the line or just behind it.
fn assert_places_exist(case: &str, diagnostics: &Diagnostics) {
    for one in diagnostics {
        assert!(!one.cause.is_empty() && !one.cure.is_empty(), "{case}: {one:?}");
        let text = fs::read(&one.location.file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\u{feff}', "");
        let line = text.lines().nth(one.location.line as usize - 1).unwrap_or_default();
        assert!((1..=line.chars().count() + 1).contains(&(one.location.column as usize)), "{case}: {}", one.brief());
        assert!(one.location.line as usize <= text.lines().count().max(1), "{case}: {}", one.brief());
    }
}

#[test]
fn every_bad_profile_is_refused_as_expected() {
    let mut cases: Vec<_> = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    cases.sort();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let folder = corpus().join(case);
        let Err(diagnostics) = read(&folder) else {
            wrong.push(format!("{case} is accepted"));
            continue;
        };
        assert!(diagnostics.has_errors(), "{case}: {diagnostics}");
        assert_places_exist(case, &diagnostics);
        let actual = format!("{}\n", diagnostics.to_string().replace(&format!("{}/", folder.display()), ""));
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

#[test]
fn no_bad_profile_is_slow() {
    let begun = std::time::Instant::now();
    for entry in fs::read_dir(corpus()).unwrap() {
        _ = read(&entry.unwrap().path());
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
