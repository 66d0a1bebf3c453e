//! Bad profiles are refused before any call.

use std::path::Path;

use crate::support::{World, profile};

/// Every folder of `tests/bad` exits 2, names a place, and reaches no one.
#[test]
fn every_bad_profile_exits_2_without_a_call() {
    let world = World::realistic();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut cases = 0;
    for case in std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        for command in ["up", "plan"] {
            let run = world.run(&format!("{command} {} --sandbox", case.display()));
            assert_eq!(run.code, Some(2), "{}: {}", case.display(), run.stderr);
            assert!(run.stdout.is_empty(), "{}: {}", case.display(), run.stdout);
            assert!(run.stderr.contains("error"), "{}: {}", case.display(), run.stderr);
        }
        cases += 1;
    }
    assert!(cases >= 150, "{cases}");
    assert!(
        !world.path().join("sandbox").exists(),
        "not even the sandbox was started"
    );
}

#[test]
fn a_folder_that_is_not_there_is_usage() {
    let world = World::realistic();
    let run = world.run("up no/such/folder --sandbox").exits(2);
    assert!(run.stderr.contains("no/such/folder"), "{}", run.stderr);
}

#[test]
fn a_huge_file_is_refused_by_its_size() {
    let world = World::realistic();
    let folder = world.write("huge/profile.yaml", &profile("huge"));
    let file = std::fs::File::create(folder.join("huge.yaml")).unwrap();
    file.set_len(50 << 20).unwrap();
    let started = std::time::Instant::now();
    let run = world.run(&format!("up {} --sandbox", folder.display())).exits(2);
    assert!(run.stderr.contains("huge.yaml"), "{}", run.stderr);
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn a_link_out_of_the_folder_is_refused() {
    let world = World::realistic();
    let folder = world.write("linked/profile.yaml", &profile("linked"));
    std::os::unix::fs::symlink("/etc/passwd", folder.join("passwd.yaml")).unwrap();
    let run = world.run(&format!("up {} --sandbox", folder.display())).exits(2);
    assert!(
        run.stderr.contains("passwd.yaml") && !run.stderr.contains("root:"),
        "{}",
        run.stderr
    );
}
