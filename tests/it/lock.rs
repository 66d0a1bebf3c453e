//! One run at a time changes a profile, and one that died is in nobody's way.

use std::process::{Child, Stdio};
use std::thread::scope;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Run, Served, World, eventually, profile, set, signal};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/moorline-one";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

/// A served sandbox and a profile of one volume.
fn stage() -> (World, Served, String) {
    let world = World::instant();
    let folder = world.write("one/profile.yaml", &profile("one"));
    world.write("one/set.yaml", &set("one", 1));
    let served = world.serve();
    (world, served, folder.display().to_string())
}

/// Makes each volume take so long.
fn slow_volumes(world: &World, millis: u64) {
    world.fault(
        &json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "effect": {"latency": millis}}),
    );
}

fn start(world: &World, line: &str) -> Child {
    let mut command = world.moorline(line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(line: &str, child: Child) -> Run {
    Run::of(line, &child.wait_with_output().unwrap())
}

fn holder(served: &Served) -> Option<String> {
    let leases = served.get(LEASES);
    let of_profile = |lease: &&Value| lease["metadata"]["name"] == "moorline-one";
    let lease = leases["items"].as_array().unwrap().iter().find(of_profile)?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

/// An `up` that holds the lock and has begun its volume.
fn at_work(world: &World, served: &Served, folder: &str) -> Child {
    let child = start(world, &format!("up {folder} --sandbox"));
    eventually("it holds the lock", || holder(served).is_some());
    child
}

/// A Lease of someone on another machine.
fn held_elsewhere(served: &Served, seconds: u64) {
    let spec = json!({"holderIdentity": "ci@elsewhere/1/ab", "leaseDurationSeconds": seconds, "leaseTransitions": 7});
    let kind = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "moorline-one"}});
    let mut lease = kind;
    lease["spec"] = spec;
    served.apply("test", LEASE, &lease);
}

#[test]
fn ten_at_once_come_to_what_one_does() {
    let (world, _served, folder) = stage();
    slow_volumes(&world, 1500);
    let line = format!("up {folder} --sandbox -o json");
    let runs: Vec<Child> = (0..10).map(|_| start(&world, &line)).collect();
    let runs: Vec<Run> = runs.into_iter().map(|run| end(&line, run)).collect();
    let (done, held): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.code == Some(0));
    for run in held {
        assert_eq!(run.code, Some(5), "{}", run.stderr);
        assert!(
            run.stderr.contains("profile one is held by ") && run.stderr.contains("--wait-lock"),
            "{}",
            run.stderr
        );
    }
    let changed = done.iter().filter(|run| run.json()["changed"] != 0).count();
    assert_eq!(changed, 1, "one does the work: {runs:?}");
    assert_eq!(world.volumes(), 1);
    assert_eq!(world.audit().count("CreateVolume", "calls"), 1);
}

#[test]
fn a_profile_says_where_its_lock_is_and_the_command_line_wins() {
    let (world, served, folder) = stage();
    world.write(
        "one/profile.yaml",
        &(profile("one") + "lock: {namespace: kube-system}\n"),
    );
    let held_in = |namespace: &str| {
        let leases = served.get(&LEASES.replace("/default/", &format!("/{namespace}/")));
        let leases = leases["items"].as_array().unwrap().clone();
        leases.iter().any(|lease| lease["metadata"]["name"] == "moorline-one")
    };
    world.run(&format!("up {folder} --sandbox")).succeeds();
    assert_eq!((held_in("kube-system"), held_in("default")), (true, false));
    let line = format!("scale {folder} one --replicas 2 --sandbox --lock-namespace default");
    world.run(&line).succeeds();
    assert!(held_in("default"));
}

#[test]
fn no_lock_is_where_the_profile_deletes_it() {
    let (world, _served, folder) = stage();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: own}\n";
    world.write("one/namespace.yaml", namespace);
    let run = world.run(&format!("up {folder} --sandbox --lock-namespace own"));
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let told = format!("--lock-namespace cannot be \"own\": profile one makes it ({folder}/namespace.yaml:1:1)");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    assert_eq!(world.audit().sum("*", "mutating"), 0);
}

#[test]
fn who_waits_finds_it_done() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 1500);
    let first = at_work(&world, &served, &folder);
    let pid = format!("/{}/", first.id());
    let second = world
        .run(&format!("up {folder} --sandbox -o json --wait-lock 60s"))
        .succeeds();
    assert!(
        second.stderr.contains("is held by") && second.stderr.contains(&pid),
        "{}",
        second.stderr
    );
    assert_eq!(second.json()["changed"], 0);
    end("up", first).succeeds();
    assert_eq!(holder(&served), None, "given back");
    // Nothing to do, nothing to keep others from.
    world.reset_audit();
    world.run(&format!("up {folder} --sandbox")).succeeds();
    assert_eq!(
        world.audit().sum("*", "mutating"),
        0,
        "{}",
        world.audit().with("mutating")
    );
    world.run(&format!("down {folder} --sandbox --yes")).succeeds();
    assert_eq!(served.get(LEASES)["items"], json!([]), "down leaves nothing behind");
}

#[test]
fn every_command_that_changes_something_is_kept_out_and_no_other() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 4000);
    world.write("two/profile.yaml", &profile("two"));
    let other = world.write("two/set.yaml", &set("two", 0));
    let first = at_work(&world, &served, &folder);
    let at_once = |line: &str, code: i32| {
        let run = world.run(&format!("{line} --sandbox"));
        assert_eq!(run.code, Some(code), "{line}: {}", run.stderr);
    };
    scope(|scope| {
        for (line, code) in [
            (format!("up {folder}"), 5),
            (format!("down {folder} --yes"), 5),
            (format!("scale {folder} one --replicas 3"), 5),
            (format!("plan {folder}"), 0),
            (format!("status {folder}"), 0),
            (format!("up {}", other.display()), 0),
        ] {
            scope.spawn(move || at_once(&line, code));
        }
    });
    end("up", first).succeeds();
}

#[test]
fn a_killed_run_on_this_machine_is_followed_at_once() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 60_000);
    let mut first = at_work(&world, &served, &folder);
    first.kill().unwrap();
    first.wait().unwrap();
    world.run("sandbox fault clear").succeeds();
    let again = world.run(&format!("up {folder} --sandbox")).succeeds();
    assert!(again.stderr.contains("whose process is gone"), "{}", again.stderr);
    assert!(!again.stderr.contains("waiting up to"), "{}", again.stderr);
    assert_eq!(world.volumes(), 1);
}

#[test]
fn a_silent_holder_elsewhere_is_waited_for_and_followed() {
    let (world, served, folder) = stage();
    held_elsewhere(&served, 2);
    let run = world.run(&format!("up {folder} --sandbox")).succeeds();
    assert!(
        run.stderr.contains("waiting up to 2 s for a sign of life"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("ci@elsewhere/1/ab"), "{}", run.stderr);
    assert_eq!(
        served.get(LEASE)["spec"]["leaseTransitions"],
        8,
        "a larger fence than before"
    );
}

#[test]
fn a_holder_that_lives_elsewhere_is_left_alone() {
    let (world, served, folder) = stage();
    held_elsewhere(&served, 600);
    let begun = Instant::now();
    let run = start(&world, &format!("up {folder} --sandbox"));
    let mut child = run;
    let mut beat = 0;
    eventually("it sees a sign of life", || {
        beat += 1;
        served.merge(
            LEASE,
            &json!({"spec": {"renewTime": format!("2026-11-21T12:00:00.{beat:06}Z")}}),
        );
        child.try_wait().unwrap().is_some()
    });
    let run = end("up", child).exits(5);
    assert!(run.stderr.contains("ci@elsewhere/1/ab"), "{}", run.stderr);
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "it does not wait out the span"
    );
    assert_eq!(world.volumes(), 0);
    let waited = world.run(&format!("up {folder} --sandbox --wait-lock 1s")).exits(5);
    assert!(waited.stderr.contains("held by ci@elsewhere"), "{}", waited.stderr);
}

#[test]
fn a_run_that_loses_its_lease_changes_nothing_more() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 12_000);
    let first = at_work(&world, &served, &folder);
    served.merge(LEASE, &json!({"spec": {"holderIdentity": "thief@elsewhere/1/ab"}}));
    let run = end("up", first).exits(5);
    assert!(run.stderr.contains("thief@elsewhere/1/ab"), "{}", run.stderr);
    assert_eq!(
        served.get("/api/v1/persistentvolumes")["items"],
        json!([]),
        "the call after the volume"
    );
    assert_eq!(
        holder(&served).as_deref(),
        Some("thief@elsewhere/1/ab"),
        "not its own to give back"
    );
}

#[test]
fn a_sign_of_life_whose_answer_is_lost_ends_nothing() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 7_000);
    let child = at_work(&world, &served, &folder);
    // It has the Lease: the next write to it is a sign of life, after five seconds.
    world.fault(
        &json!({"service": "kubernetes", "operation": "patch leases", "moment": "after", "times": 1, "effect": "reset"}),
    );
    end("up", child).succeeds();
    assert_eq!(world.volumes(), 1);
    assert_eq!(holder(&served), None, "given back");
}

#[test]
fn a_missing_right_is_told_and_can_be_done_without() {
    let (world, _served, folder) = stage();
    let error = json!({"error": {"status": 403, "code": "Forbidden", "message": "User \"me\" cannot do that", "retry_after": null}});
    for verb in ["get", "create"] {
        let operation = format!("{verb} leases");
        world.fault(&json!({"service": "kubernetes", "operation": operation, "moment": "before", "effect": error}));
        let run = world.run(&format!("up {folder} --sandbox")).exits(3);
        assert!(
            run.stderr.contains("grant") && run.stderr.contains("leases"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("--lock=false"), "{}", run.stderr);
        assert_eq!(world.volumes(), 0);
    }
    world.run(&format!("up {folder} --sandbox --lock=false")).succeeds();
    assert_eq!(world.volumes(), 1);
}

#[test]
fn an_interrupted_run_gives_its_lease_back() {
    let (world, served, folder) = stage();
    slow_volumes(&world, 1500);
    let child = at_work(&world, &served, &folder);
    signal(&child, "TERM").unwrap();
    end("up", child).exits(130);
    assert_eq!(holder(&served), None);
}
