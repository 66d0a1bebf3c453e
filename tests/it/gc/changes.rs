//! What people do while a run is under way, or between two of them.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::stage::{AWS, Stage, ended};
use crate::support::{Run, eventually};

const CLAIM: &str = "/api/v1/namespaces/default/persistentvolumeclaims/my-volume-nginx-home-deployment-0";

fn ripe() -> Stage {
    let stage = Stage::left_behind(&AWS);
    stage.apply();
    stage.grace_passes();
    stage
}

impl Stage {
    /// Waits until deletions of claims have been asked for so often, and writes to the first claim before they are done.
    fn touch(&self, times: u64) {
        eventually("a deletion is under way", || {
            let rules = self.world.run("sandbox fault list -o json").succeeds().json();
            rules[0]["times"] == json!(times)
        });
        let note = format!("seen {times} times");
        self.sandbox
            .merge(CLAIM, &json!({"metadata": {"annotations": {"example.com/note": note}}}));
    }

    fn slow_deletions(&self, times: u64) -> Child {
        self.world.fault(
            &json!({"service": "kubernetes", "operation": "delete persistentvolumeclaims",
            "moment": "before", "times": times, "effect": {"latency": 3_000}}),
        );
        let mut command = self.world.moorline("gc --apply -o json --sandbox");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn report(child: Child, code: i32) -> Value {
    Run::of("gc --apply", &child.wait_with_output().unwrap())
        .exits(code)
        .json()
}

#[test]
fn a_claim_that_somebody_wrote_to_is_looked_at_again_and_goes() {
    let stage = ripe();
    let run = stage.slow_deletions(3);
    stage.touch(0);
    let report = report(run, 0);
    assert_eq!(ended(&report, "gone").len(), 3, "{report}");
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn a_claim_that_somebody_keeps_writing_to_is_kept_and_said() {
    let stage = ripe();
    let run = stage.slow_deletions(4);
    stage.touch(1);
    stage.touch(0);
    let report = report(run, 3);
    assert_eq!(ended(&report, "gone").len(), 2, "{report}");
    let unsettled = ended(&report, "unsettled");
    assert_eq!(unsettled.len(), 1, "{report}");
    assert_eq!(stage.remains(), [1; 3]);
    // The next run goes on as if nothing had been.
    assert_eq!(ended(&stage.apply(), "gone").len(), 1);
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn protection_that_no_run_saw_begins_grace_anew_when_it_is_taken_off() {
    let stage = ripe();
    let plan = stage.gc("-o json").succeeds().json();
    let volume = plan["plan"]["deletions"][0]["volume"].as_str().unwrap().to_owned();
    stage.gc(&format!("protect {volume}")).succeeds();
    let off = stage.gc(&format!("protect --off {volume}")).succeeds();
    assert!(off.stdout.contains("grace begins anew"), "{}", off.stdout);
    let report = stage.apply();
    assert_eq!(ended(&report, "gone").len(), 2, "{report}");
    assert_eq!(stage.remains(), [1; 3]);
}

#[test]
fn policies_that_share_a_store_have_records_of_their_own() {
    let stage = Stage::left_behind(&AWS);
    let policy = stage.policy("");
    let gc = |line: &str| {
        stage
            .world
            .run(&format!("gc {line} --policy {policy} --sandbox -o json"))
    };
    gc("--apply").succeeds();
    stage.grace_passes();
    // The same file with another name for the cluster is another policy, and says so once.
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("- context:", "- name: again\n    context:")).unwrap();
    let notices = |run: &Run| run.json()["notices"].to_string();
    assert!(notices(&gc("").succeeds()).contains("only of others"));
    let report = gc("--apply").succeeds();
    assert!(notices(&report).contains("only of others"));
    // Marks are on the volumes: grace is over all the same.
    assert_eq!(ended(&report.json(), "gone").len(), 3);
    assert!(!notices(&gc("--apply").succeeds()).contains("only of others"));
    let runs = gc("history").succeeds().json();
    assert_eq!(runs.as_array().unwrap().len(), 3, "the history is everybody's: {runs}");
}
