//! A policy file: any text is a policy or a list of problems that can be shown.
#![no_main]

mod harmless;

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let home = Path::new("/home/fuzz");
    if let Err(problems) = moorline_policy::parse(Path::new("moorline-gc.yaml"), text, Some(home)) {
        assert!(problems.has_errors());
        harmless::assert_harmless(&problems.render(false));
    }
});
