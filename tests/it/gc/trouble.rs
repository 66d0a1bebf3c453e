//! What cannot be read: the rest is done, what depends on it is unknown, and the run says so with exit code 3.

use serde_json::{Value, json};

use super::stage::{AWS, Stage, ended, kept};

fn refusal(service: &str, operation: &str, status: u16, code: &str) -> Value {
    json!({"service": service, "operation": operation, "moment": "before",
        "effect": {"error": {"status": status, "code": code, "message": "no", "retry_after": null}}})
}

/// Everything is past its grace.
fn ripe() -> Stage {
    let stage = Stage::left_behind(&AWS);
    stage.apply();
    stage.grace_passes();
    stage
}

#[test]
fn a_kind_that_may_not_be_listed_makes_its_volumes_unknown() {
    let stage = ripe();
    stage
        .world
        .fault(&refusal("kubernetes", "list cronjobs", 403, "Forbidden"));
    let run = stage.gc("--apply -o json").exits(3);
    let report = run.json();
    assert_eq!(report["plan"]["totals"]["unknown"]["count"], 3, "{report}");
    assert!(run.stdout.contains("cronjobs.batch"), "{report}");
    assert_eq!(stage.remains(), [3; 3]);

    // A listing that broke off begins no grace anew.
    stage.world.run("sandbox fault clear").succeeds();
    assert_eq!(ended(&stage.apply(), "gone").len(), 3);
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn a_listing_that_ends_early_is_not_taken_for_the_whole() {
    let stage = ripe();
    stage
        .world
        .fault(&refusal("kubernetes", "list persistentvolumes", 410, "Expired"));
    let report = stage.gc("--apply -o json").exits(3).json();
    assert_eq!(report["plan"]["totals"]["unknown"]["count"], 3, "{report}");
    stage.world.run("sandbox fault clear").succeeds();
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn a_region_that_does_not_answer_keeps_nobody_from_the_others() {
    let stage = ripe();
    stage
        .world
        .fault(&refusal("ec2", "DescribeVolumes", 503, "RequestLimitExceeded"));
    let run = stage.gc("-o json --timeout 20s").exits(3);
    let report = run.json();
    let scopes = report["seen"]["scopes"].as_array().unwrap();
    let complete = |cloud: &str| {
        let mut of = scopes
            .iter()
            .filter(|scope| scope["name"].as_str().unwrap().starts_with(cloud));
        of.all(|scope| scope["complete"] == true)
    };
    assert_eq!([complete("aws"), complete("azure")], [false, true], "{report}");
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn a_cluster_that_is_down_leaves_what_it_might_use() {
    let stage = ripe();
    stage
        .world
        .configure(|settings| settings["clusters"] = json!(["moorline-sandbox", "b"]));
    stage.world.configure(|settings| settings["unreachable"] = json!(["b"]));
    let run = stage.gc("--apply -o json").exits(3);
    let report = run.json();
    assert_eq!(report["done"].as_array().unwrap().len(), 0, "{report}");
    assert_eq!(stage.remains(), [3; 3]);
    let gaps = report["plan"]["gaps"].as_array().unwrap();
    assert!(
        gaps.iter().any(|gap| gap["place"].as_str().unwrap().contains('b')),
        "{report}"
    );

    stage.world.configure(|settings| settings["unreachable"] = json!([]));
    assert_eq!(ended(&stage.apply(), "gone").len(), 3);
}

#[test]
fn a_deletion_that_fails_is_reported_and_taken_up_by_the_next_run() {
    let stage = Stage::left_behind(&AWS);
    let policy = stage.policy("includeRetain: true\n");
    let gc = || {
        stage
            .world
            .run(&format!("gc --apply --policy {policy} --sandbox -o json"))
    };
    // Under Delete the cluster's driver would delete the volumes as soon as their claims are gone.
    for pv in stage.sandbox.get("/api/v1/persistentvolumes")["items"]
        .as_array()
        .unwrap()
    {
        let name = pv["metadata"]["name"].as_str().unwrap();
        let retain = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        stage
            .sandbox
            .apply("user", &format!("/api/v1/persistentvolumes/{name}"), &retain);
    }
    gc().succeeds();
    stage.grace_passes();
    stage
        .world
        .fault(&refusal("ec2", "DeleteVolume", 403, "UnauthorizedOperation"));
    let report = gc().exits(1).json();
    assert_eq!(ended(&report, "failed").len(), 3, "{report}");
    assert_eq!(report["saved"]["count"], 0, "{report}");
    // Claim, then volume, then PersistentVolume: what points to the volume is still there.
    assert_eq!(stage.remains(), [0, 3, 3]);

    stage.world.run("sandbox fault clear").succeeds();
    let report = gc().succeeds().json();
    assert_eq!(
        ended(&report, "gone").len(),
        3,
        "the claims went by our own hand: {report}"
    );
    assert_eq!(stage.remains(), [0; 3]);
}

#[test]
fn over_a_cap_nothing_is_deleted() {
    let stage = Stage::left_behind(&AWS);
    let policy = stage.policy("caps: {count: 2}\n");
    let gc = |line: &str| stage.world.run(&format!("gc {line} --policy {policy} --sandbox"));
    gc("--apply").succeeds();
    stage.grace_passes();
    let run = gc("--apply -o json").exits(3);
    let report = run.json();
    assert_eq!(kept(&report, "capped").len(), 3, "{report}");
    assert_eq!(stage.remains(), [3; 3]);
    let told = gc("").succeeds();
    assert!(told.stdout.contains("the policy allows 2 a run"), "{}", told.stdout);
}
