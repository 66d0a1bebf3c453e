//! stdout is data, stderr is progress; formats, colour, and readers that go away.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::World;

const PROFILE: &str = "profiles/aws-nginx-stateful --sandbox";

#[test]
fn a_plan_reads_well() {
    let world = World::instant();
    let plan = world.run(&format!("plan {PROFILE}")).succeeds();
    insta::assert_snapshot!(plan.stdout);
}

#[test]
fn json_and_yaml_are_the_same_document_and_alone_on_stdout() {
    let world = World::instant();
    let json = world.run(&format!("plan {PROFILE} -o json")).succeeds().json();
    assert_eq!(json["volumeCreates"], 3);
    let yaml = world.run(&format!("plan {PROFILE} -o yaml")).succeeds();
    assert!(yaml.stdout.starts_with("---\n"), "{}", yaml.stdout);
    let up = world.run(&format!("up {PROFILE} -o json")).succeeds();
    assert_eq!(up.json()["volumesCreated"], 3);
    assert!(up.stderr.contains("created"), "{}", up.stderr);
}

#[test]
fn logs_have_colours_only_where_the_rest_has() {
    let world = World::instant();
    let log = |color: &str| {
        world
            .run(&format!("lb --sandbox -vvv --color {color}"))
            .succeeds()
            .stderr
    };
    let plain = log("auto");
    assert!(plain.contains("DEBUG") && !plain.contains('\u{1b}'), "{plain}");
    assert!(log("always").contains('\u{1b}'));
}

#[test]
fn quiet_says_nothing_and_colour_comes_when_asked() {
    let world = World::instant();
    assert_eq!(world.run(&format!("up {PROFILE} --quiet")).succeeds().stderr, "");
    assert!(
        !world
            .run(&format!("status {PROFILE}"))
            .succeeds()
            .stdout
            .contains('\u{1b}')
    );
    assert!(
        world
            .run(&format!("status {PROFILE} --color always"))
            .succeeds()
            .stdout
            .contains('\u{1b}')
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::instant();
    let mut child = world
        .moorline(&format!("status {PROFILE}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn watching_follows_until_it_is_stopped() {
    let world = World::instant();
    let served = world.serve();
    let mut child = world
        .moorline(&format!("status {PROFILE} --watch -o json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let first: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(first["ready"], false);
    world.run(&format!("up {PROFILE}")).succeeds();
    assert!(lines.any(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap()["ready"] == true));
    crate::support::signal(&child, "INT").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(served);
}

#[test]
fn serve_prints_an_environment_for_eval_and_writes_a_kubeconfig() {
    let world = World::instant();
    let served = world.serve();
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_AUTHORITY_HOST",
        "AZURE_RESOURCE_MANAGER_ENDPOINT",
        "KUBECONFIG",
    ] {
        assert!(!served.variable(name).is_empty());
    }
    assert!(std::path::Path::new(served.variable("KUBECONFIG")).is_file());
    let env = world.run("sandbox env").succeeds();
    assert!(
        env.stdout.contains(served.variable("AWS_ENDPOINT_URL")),
        "{}",
        env.stdout
    );
    world.run("sandbox serve").exits(2);
}

#[test]
fn a_detached_sandbox_outlives_its_command_and_stops_when_told() {
    let world = World::instant();
    let serve = world.run("sandbox serve --detach").succeeds();
    let again = world.run("sandbox serve --detach");
    let env = world.run("sandbox env");
    // Before anything may fail: no test leaves a process behind.
    world.run("sandbox stop").succeeds();
    assert!(serve.stdout.contains("export AWS_ENDPOINT_URL="), "{}", serve.stdout);
    assert_eq!(again.succeeds().stdout, serve.stdout, "the one being served is used");
    assert_eq!(env.succeeds().stdout, serve.stdout);
    world.run("sandbox env").exits(1);
}

#[test]
fn a_sandbox_held_by_another_command_says_how_to_share_it() {
    let world = World::instant();
    let mut holder = world.moorline(&format!("status {PROFILE} --watch -o json"));
    let mut holder = holder.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let refused = world.run(&format!("up {PROFILE}"));
    crate::support::signal(&holder, "INT").unwrap();
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    assert!(refused.exits(5).stderr.contains("sandbox serve --detach"));
}

#[test]
fn reset_forgets_everything() {
    let world = World::instant();
    let before = world.state();
    world.run(&format!("up {PROFILE}")).succeeds();
    world.run("sandbox reset").succeeds();
    assert_eq!(world.state(), before);
}

#[test]
fn help_version_completions_and_schema() {
    let world = World::realistic();
    for line in [
        "--help",
        "up --help",
        "sandbox fault add --help",
        "--version",
        "completions bash",
        "schema",
    ] {
        assert!(!world.run(line).succeeds().stdout.is_empty(), "{line}");
    }
    world.run("").exits(2);
    world.run("up").exits(2);
    world.run("up a --sandbox --context b").exits(2);
}
