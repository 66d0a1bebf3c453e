//! A profile: `profile.yaml`, a line of `%%%`, and a manifest. Any text is a profile or a list of problems that can be shown.
#![no_main]

mod harmless;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use moorline_aws_rules::EbsRules;
use moorline_azure_rules::AzureRules;
use moorline_profile::Surroundings;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::Builder::new().prefix("moorline-fuzz-").tempdir();
    folder.expect("a folder for the profile").keep()
});

const PROFILE: &str = "name: web\nprovider:\n  aws: {}\n";

fuzz_target!(|text: &str| {
    let (profile, manifest) = text.split_once("\n%%%\n").unwrap_or((PROFILE, text));
    for (name, text) in [("profile.yaml", profile), ("a.yaml", manifest)] {
        std::fs::write(FOLDER.join(name), text).expect("a file of the profile");
    }
    let surroundings = Surroundings {
        rules: &[&EbsRules, &AzureRules],
        region: None,
        zones: None,
    };
    if let Err(problems) = moorline_profile::load(&FOLDER, &surroundings) {
        assert!(problems.has_errors());
        harmless::assert_harmless(&problems.render(false));
    }
});
