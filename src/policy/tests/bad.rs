//! The corpus of bad policies in `tests/bad-policies`: each is refused with all its problems, as the text beside it says.
//!
//! After a change of a message, run `MOORLINE_REGENERATE=1 cargo test -p moorline-policy bad` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::{load, parse};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad-policies")
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_bad_policy_is_refused_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 65, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let Err(diagnostics) = load(case, Some(Path::new("/home/me"))) else {
            wrong.push(format!("{name} is accepted"));
            continue;
        };
        assert!(diagnostics.has_errors(), "{name}: {diagnostics}");
        for problem in &diagnostics {
            let text = fs::read(case).unwrap();
            let lines = text.split(|byte| *byte == b'\n').count();
            assert!(problem.location.line as usize <= lines, "{name}: {}", problem.brief());
            assert!(!problem.cure.is_empty(), "{name}: {}", problem.brief());
        }
        let folder = format!("{}/", corpus().display());
        let actual = format!("{}\n", diagnostics.to_string().replace(&folder, ""));
        assert!(
            !actual.contains('\u{1b}') && !actual.contains("hush-hush"),
            "{name}: {actual}"
        );
        let file = case.with_extension("txt");
        if std::env::var_os("MOORLINE_REGENERATE").is_some() {
            fs::write(&file, &actual).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != actual {
            wrong.push(format!("{name} gives\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_file_no_policy() {
    let folder = tempfile::tempdir().unwrap();
    let brief = |path: &Path| load(path, None).unwrap_err().iter().next().unwrap().brief();
    let missing = brief(&folder.path().join("none.yaml"));
    assert!(
        missing.contains("no such file; write one with: moorline gc init /"),
        "{missing}"
    );
    let folder_itself = brief(folder.path());
    assert!(
        folder_itself.contains("this is a folder; pass a file"),
        "{folder_itself}"
    );
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let link = brief(&folder.path().join("link"));
    assert!(link.contains("link to nothing"), "{link}");
}

#[test]
fn a_file_that_is_too_large_or_without_end_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let huge = load(&path, None).unwrap_err();
    assert!(
        huge.to_string().contains("too large: 1024 MiB; 1 MiB are read"),
        "{huge}"
    );
    let endless = load(Path::new("/dev/zero"), None).unwrap_err();
    assert!(endless.to_string().contains("device"), "{endless}");
}

proptest! {
    /// Whatever is in the file, reading it ends with a policy or with problems.
    #[test]
    fn no_text_breaks_the_reader(text in "[ -~\n\t&*{}\\[\\]:,ä]{0,200}") {
        let _ = parse(Path::new("p.yaml"), &text, None);
    }

    /// A bad policy that lost a line, or has one twice, is still read to the end.
    #[test]
    fn no_mutilation_breaks_the_reader(case in 0usize..60, line in 0usize..12, twice: bool) {
        let cases = cases();
        let text = fs::read(&cases[case % cases.len()]).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines: Vec<_> = text.lines().collect();
        if line < lines.len() {
            let taken = lines.remove(line);
            if twice {
                lines.insert(line, taken);
                lines.insert(line, taken);
            }
        }
        let _ = parse(Path::new("p.yaml"), &lines.join("\n"), None);
    }
}
