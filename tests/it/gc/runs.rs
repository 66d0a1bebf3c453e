//! Runs that meet: the lease, and what by hand is protected, unmarked and explained.

use std::process::{Child, Stdio};

use serde_json::json;

use super::stage::{AWS, Stage, ended};
use crate::support::{Run, eventually, signal};

/// A lease that is soon over.
const SHORT_LEASE: &str = "lock: {span: 4s, margin: 1s}\n";

impl Stage {
    /// A `gc --apply` that hangs in its first deletion.
    fn hanging(&self, policy: &str) -> Child {
        self.world.fault(
            &json!({"service": "ec2", "operation": "DeleteVolume", "moment": "before", "times": 1, "effect": "hang"}),
        );
        let child = self
            .world
            .moorline(&format!("gc --apply --policy {policy} --sandbox"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("the first deletion is asked for", || {
            let rules = self.world.run("sandbox fault list -o json").succeeds().json();
            rules[0]["times"] == 0
        });
        child
    }

    fn with_policy(&self, line: &str, policy: &str) -> Run {
        self.world.run(&format!("gc {line} --policy {policy} --sandbox"))
    }
}

/// Everything is past its grace.
fn ripe() -> (Stage, String) {
    let stage = Stage::left_behind(&AWS);
    let policy = stage.policy(SHORT_LEASE);
    stage.with_policy("--apply", &policy).succeeds();
    stage.grace_passes();
    (stage, policy)
}

#[test]
fn of_two_runs_one_works_and_the_other_names_the_holder() {
    let (stage, policy) = ripe();
    let first = stage.hanging(&policy);
    let second = stage.with_policy("--apply", &policy).exits(5);
    let holder = format!("process {}", first.id());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    // What only looks needs no lease.
    stage.with_policy("", &policy).succeeds();
    kill(first);
}

#[test]
fn a_holder_that_was_killed_is_followed_when_its_lease_is_over() {
    let (stage, policy) = ripe();
    kill(stage.hanging(&policy));
    let mut report = None;
    eventually("the lease is over", || {
        let run = stage.with_policy("--apply -o json", &policy);
        report = (run.code != Some(5)).then(|| run.succeeds().json());
        report.is_some()
    });
    let report = report.unwrap();
    let resumed = ended(&report, "gone")
        .iter()
        .filter(|done| !done["resumed"].is_null())
        .count();
    assert!(resumed >= 1, "what the first had begun is finished: {report}");
    assert_eq!(stage.remains(), [0; 3]);
    // Of what the first had finished the second knows nothing more: together they saved each volume once.
    let runs = stage.with_policy("history -o json", &policy).succeeds().json();
    let saved = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["saved"]["count"].as_u64().unwrap());
    assert_eq!(saved.sum::<u64>(), 3, "{runs}");
    let history = stage.with_policy("history", &policy).succeeds();
    assert!(history.stdout.contains("killed, or under way"), "{}", history.stdout);
}

#[test]
fn a_holder_that_wakes_up_late_deletes_nothing() {
    let (stage, policy) = ripe();
    stage.world.fault(
        &json!({"service": "kubernetes", "operation": "list persistentvolumes", "moment": "before", "skip": 1, "times": 1, "effect": {"latency": 60_000}}),
    );
    let first = stage
        .world
        .moorline(&format!("gc --apply --policy {policy} --sandbox"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it looks once more", || {
        stage.world.run("sandbox fault list -o json").succeeds().json()[0]["times"] == 0
    });
    signal(&first, "STOP").unwrap();
    // Meanwhile somebody wants the volumes again.
    stage.world.run("sandbox fault clear").succeeds();
    let mut ended = false;
    eventually("the lease is over", || {
        ended = stage.with_policy("unmark --all", &policy).code == Some(0);
        ended
    });
    eventually("another run may work", || {
        stage.with_policy("--apply", &policy).code == Some(0)
    });
    stage.world.reset_audit();
    signal(&first, "CONT").unwrap();
    let late = Run::of("gc --apply", &first.wait_with_output().unwrap());
    assert_ne!(late.code, Some(0), "{late:?}");
    let audit = stage.world.audit();
    assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn what_is_protected_stays_and_says_so() {
    let (stage, policy) = ripe();
    let report = stage.with_policy("-o json", &policy).succeeds().json();
    let volume = report["plan"]["deletions"][0]["volume"].as_str().unwrap().to_owned();
    stage.with_policy(&format!("protect {volume}"), &policy).succeeds();
    stage.with_policy("--apply", &policy).succeeds();
    assert_eq!(stage.remains(), [1; 3]);
    let wide = stage.with_policy("-o wide", &policy).succeeds();
    let row = wide
        .stdout
        .lines()
        .find(|line| line.starts_with(&volume))
        .unwrap_or_default();
    assert!(
        row.contains("protected") && row.contains("moorline.dev/protect"),
        "{}",
        wide.stdout
    );

    stage
        .with_policy(&format!("protect --off {volume}"), &policy)
        .succeeds();
    stage.with_policy("--apply", &policy).succeeds();
    assert_eq!(stage.remains(), [1; 3], "grace begins anew");
    stage.grace_passes();
    stage.with_policy("--apply", &policy).succeeds();
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn a_mark_taken_off_begins_grace_anew() {
    let (stage, policy) = ripe();
    let unmarked = stage.with_policy("unmark --all", &policy).succeeds();
    assert_eq!(
        unmarked
            .stdout
            .lines()
            .filter(|line| line.contains("grace begins anew"))
            .count(),
        3
    );
    stage.with_policy("--apply", &policy).succeeds();
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn a_volume_is_explained_by_id_claim_and_persistent_volume() {
    let (stage, policy) = ripe();
    let report = stage.with_policy("-o json", &policy).succeeds().json();
    let deletion = &report["plan"]["deletions"][0];
    let volume = deletion["volume"].as_str().unwrap();
    let name = |step: &str| {
        let steps = deletion["steps"].as_array().unwrap();
        let target = steps.iter().find_map(|named| named.get(step)).unwrap();
        target["name"].as_str().unwrap().to_owned()
    };
    let subjects = [
        volume.to_owned(),
        format!("default/{}", name("claim")),
        name("persistent-volume"),
    ];
    for subject in subjects {
        let told = stage
            .world
            .run(&format!("explain {subject} --policy {policy} --sandbox"))
            .succeeds();
        for evidence in [
            volume,
            "left-behind",
            "which is gone",
            "volumes of aws",
            "cluster moorline-sandbox",
        ] {
            assert!(told.stdout.contains(evidence), "{evidence}: {}", told.stdout);
        }
    }
    stage
        .world
        .run(&format!("explain vol-0000 --policy {policy} --sandbox"))
        .exits(1);
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_sandbox_that_is_emptied_forgets_its_runs() {
    let world = crate::support::World::instant();
    world.run("sandbox clock advance 8d").succeeds();
    world.run("gc --apply --sandbox").succeeds();
    world.run("sandbox reset").succeeds();
    // Its clock is back, and a run of a week ahead would make it look wrong.
    world.run("gc --apply --sandbox").succeeds();
    let runs = world.run("gc history --sandbox -o json").succeeds().json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
}

#[test]
fn options_of_every_command_may_stand_anywhere_and_those_of_a_run_only_with_a_run() {
    let world = crate::support::World::instant();
    world.run("gc --apply --sandbox").succeeds();
    for line in ["gc --sandbox -o json history", "--sandbox gc history -o json"] {
        assert_eq!(world.run(line).succeeds().json().as_array().unwrap().len(), 1, "{line}");
    }
    for given in ["--apply", "--policy nowhere.yaml", "--events"] {
        let run = world.run(&format!("gc {given} history --sandbox")).exits(2);
        assert!(run.stderr.contains("options of a run"), "{}", run.stderr);
    }
}
