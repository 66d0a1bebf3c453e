//! What the tests of profiles share.

use std::fs;
use std::path::Path;

use moorline_aws_rules::EbsRules;
use moorline_azure_rules::AzureRules;
use moorline_profile::{Diagnostics, Profile, Surroundings, load};
use tempfile::TempDir;

/// A `profile.yaml` with nothing wrong.
pub(crate) const PROFILE: &str = "name: web\nprovider:\n  aws:\n    region: us-east-1\n";

/// A small object with nothing wrong.
pub(crate) const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n";

/// Loads a folder with the rules of every provider.
pub(crate) fn read(folder: &Path) -> Result<Profile, Diagnostics> {
    load(
        folder,
        &Surroundings {
            rules: &[&EbsRules, &AzureRules],
            ..Surroundings::default()
        },
    )
}

/// A folder with a good `profile.yaml` and these files; a file of that name replaces it.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("profile.yaml", PROFILE)].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Every place is one that an editor can open: a line of the file, and a column of the line or just behind it.
pub(crate) fn assert_places_exist(case: &str, diagnostics: &Diagnostics) {
    for one in diagnostics {
        assert!(!one.cause.is_empty() && !one.cure.is_empty(), "{case}: {one:?}");
        // Reading a pipe would wait for ever.
        let is_file = one.location.file.is_file();
        let text = if is_file {
            fs::read(&one.location.file).unwrap_or_default()
        } else {
            Vec::new()
        };
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let text = String::from_utf8_lossy(text);
        let (line, column) = (one.location.line as usize, one.location.column as usize);
        let shown = text.lines().nth(line - 1).unwrap_or_default();
        assert!(
            (1..=shown.chars().count() + 1).contains(&column),
            "{case}: {}",
            one.brief()
        );
        assert!(
            (1..=text.lines().count().max(1)).contains(&line),
            "{case}: {}",
            one.brief()
        );
    }
}
