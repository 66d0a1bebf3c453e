//! boto3 against `sandbox serve`: the scripts of `tests/clients`, each against an account of its own.
//!
//! Ignored because a machine may have no boto3; `cargo xtask test` sets it up and runs them.

use crate::support::{Run, World};

/// Runs a script of `tests/clients`; every one of its tests must pass.
fn script(world: &World, name: &str) {
    let python = std::env::var_os("MOORLINE_TEST_PYTHON").expect("`cargo xtask test` sets MOORLINE_TEST_PYTHON");
    let sandbox = world.serve();
    let mut command = world.command(python);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients"));
    command
        .envs(sandbox.environment.iter().cloned())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let run = Run::of(
        name,
        &command.args(["-m", "unittest", "--verbose", name]).output().unwrap(),
    )
    .succeeds();
    assert!(
        run.stderr.contains("OK") && !run.stderr.contains("skipped"),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs boto3: run cargo xtask test"]
fn volumes_are_made_found_changed_and_refused() {
    script(&World::instant(), "volumes");
}

#[test]
#[ignore = "needs boto3: run cargo xtask test"]
fn load_balancers_of_both_generations_are_made_paged_and_deleted() {
    script(&World::instant(), "balancers");
}

#[test]
#[ignore = "needs boto3: run cargo xtask test"]
fn tags_of_many_snapshots_roles_and_protection_are_as_they_are_in_aws() {
    script(&World::instant(), "collecting");
}

#[test]
#[ignore = "needs boto3: run cargo xtask test"]
fn rates_run_out_changes_are_seen_late_and_credentials_are_checked() {
    let world = World::realistic();
    // Long enough that a slow machine sees it too.
    let settings = world
        .write("settings.json", r#"{"aws": {"visibility_lag_millis": 3000}}"#)
        .join("settings.json");
    world
        .run(&format!("sandbox settings --settings {}", settings.display()))
        .succeeds();
    script(&world, "rates");
}
