//! Ctrl-C: the first drains and says what is left, the second stops at once.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{World, signal};

const PROFILE: &str = "profiles/aws-nginx-stateful --sandbox";

/// An `up` whose volumes take a while, up to the moment where its claims are begun.
fn under_way(world: &World, latency_millis: u64) -> (Child, BufReader<std::process::ChildStderr>) {
    world.fault(&json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "effect": {"latency": latency_millis}}));
    let mut child = world
        .moorline(&format!("up {PROFILE}"))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("claims and volumes (3)") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before its volumes");
    }
    (child, stderr)
}

#[test]
fn once_drains_and_says_what_is_left() {
    let world = World::instant();
    let (mut child, mut stderr) = under_way(&world, 1500);
    signal(&child, "INT").unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("interrupted") && said.contains("up again"), "{said}");
    world.run("sandbox fault clear").succeeds();
    world.run(&format!("up {PROFILE}")).succeeds();
    assert_eq!(world.volumes(), 3, "what was under way was finished, not made twice");
}

#[test]
fn twice_stops_at_once() {
    let world = World::instant();
    let (mut child, mut stderr) = under_way(&world, 60_000);
    signal(&child, "INT").unwrap();
    let mut line = String::new();
    while !line.contains("once more") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
    }
    let second = Instant::now();
    signal(&child, "INT").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_deadline_says_what_was_not_ready() {
    let world = World::instant();
    let folder = world.write("stuck/profile.yaml", &crate::support::profile("stuck"));
    world.write(
        "stuck/set.yaml",
        &crate::support::set("stuck", 1).replace("nginx:1.27", "nginx:does-not-exist"),
    );
    let run = world.run(&format!("up {} --sandbox --timeout 4s", folder.display()));
    assert!(matches!(run.code, Some(1 | 6)), "{run:?}");
    assert!(
        run.stderr.contains("stuck-0") && run.stderr.contains("image"),
        "{}",
        run.stderr
    );
}

/// Nothing changes in this sandbox: that the reader has gone is all there is to notice.
#[test]
fn following_ends_when_nobody_reads_any_more() {
    let world = World::instant();
    let mut command = world.moorline(&format!("status {PROFILE} --watch"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(0), "after {line}");
}
