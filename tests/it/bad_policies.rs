//! Bad policies are refused before any call.

use std::path::Path;

use crate::support::World;

/// Every file of `tests/bad-policies` exits 2, names a place, and reaches no one.
#[test]
fn every_bad_policy_exits_2_without_a_call() {
    let world = World::realistic();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-policies");
    let files = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let mut cases = 0;
    for case in files.filter(|path| path.extension().is_some_and(|end| end == "yaml")) {
        for command in ["gc", "gc --apply"] {
            let run = world.run(&format!("{command} --policy {} --sandbox", case.display()));
            assert_eq!(run.code, Some(2), "{}: {}", case.display(), run.stderr);
            assert!(run.stdout.is_empty(), "{}: {}", case.display(), run.stdout);
            let place = format!("{}:", case.display());
            assert!(run.stderr.contains(&place), "{}: {}", case.display(), run.stderr);
            assert!(
                !run.stderr.contains("hush-hush"),
                "a secret of {}: {}",
                case.display(),
                run.stderr
            );
        }
        cases += 1;
    }
    assert!(cases >= 65, "{cases}");
    assert!(
        !world.path().join("sandbox").exists(),
        "not even the sandbox was started"
    );
}

#[test]
fn a_policy_that_is_not_there_is_usage_and_says_how_to_get_one() {
    let world = World::realistic();
    let run = world.run("gc --policy no/such.yaml --sandbox").exits(2);
    assert!(run.stderr.contains("no/such.yaml"), "{}", run.stderr);
    assert!(run.stderr.contains("moorline gc init no/such.yaml"), "{}", run.stderr);
}

#[test]
fn a_huge_policy_is_refused_by_its_size() {
    let world = World::realistic();
    let path = world.path().join("huge.yaml");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let started = std::time::Instant::now();
    let run = world.run(&format!("gc --policy {} --sandbox", path.display())).exits(2);
    assert!(run.stderr.contains("too large"), "{}", run.stderr);
    assert!(started.elapsed().as_secs() < 5);
}

/// What is risky and allowed is said, and is no reason to stop.
#[test]
fn warnings_are_told_and_the_run_goes_on() {
    let world = World::instant();
    let contexts = "- {context: moorline-sandbox, tagIds: [kubernetes]}";
    let text = format!(
        "scopes:\n  - aws: {{regions: [us-east-1]}}\nclusters:\n  {contexts}\nstore: runs\ngrace: {{orphan: 0s}}\n"
    );
    let folder = world.write("policies/gc.yaml", &text);
    let run = world.run(&format!("gc --policy {}/gc.yaml --sandbox", folder.display()));
    assert_ne!(run.code, Some(2), "{}", run.stderr);
    for warning in ["warning: grace.orphan is 0", "no name"] {
        assert!(run.stderr.contains(warning), "{}", run.stderr);
    }
}
