//! The story of both tutorials.

use super::stage::{AWS, AZURE, Stage, Tutorial, ended, kept};

/// Up, the set deleted by hand: shown with price and reason, marked, and removed when grace is over, pointer last.
fn what_is_left_behind_goes_when_its_grace_is_over(tutorial: &Tutorial) {
    let stage = Stage::left_behind(tutorial);
    let all = [tutorial.volumes; 3];

    let shown = stage.gc("").succeeds();
    let lines: Vec<_> = shown
        .stdout
        .lines()
        .filter(|line| line.contains("left-behind"))
        .collect();
    // One for each volume, and one of the sums.
    assert_eq!(lines.len(), tutorial.volumes + 1, "{}", shown.stdout);
    let reason = format!("moorline made it for StatefulSet {}, which is gone", tutorial.set);
    let told = lines.iter().filter(|line| line.contains(&reason)).count();
    assert_eq!(told, tutorial.volumes, "{}", shown.stdout);
    assert!(shown.stdout.contains("$/MONTH"), "{}", shown.stdout);
    assert!(shown.stdout.contains("moorline gc --apply"), "{}", shown.stdout);
    stage.gc("--detailed-exitcode").exits(4);
    let audit = stage.world.audit();
    assert_eq!(
        audit.sum("*", "changed"),
        0,
        "a dry run changes nothing: {}",
        audit.with("changed")
    );

    let marked = stage.apply();
    assert_eq!(marked["marksWritten"], tutorial.volumes, "{marked}");
    assert_eq!(
        marked["done"].as_array().unwrap().len(),
        0,
        "grace has only begun: {marked}"
    );
    assert_eq!(stage.remains(), all);
    let again = stage.apply();
    assert_eq!(kept(&again, "waiting").len(), tutorial.volumes, "{again}");
    assert_eq!(again["marksWritten"], 0, "{again}");
    assert_eq!(stage.remains(), all);

    stage.grace_passes();
    let plan = stage.gc("-o json").succeeds().json();
    for deletion in plan["plan"]["deletions"].as_array().unwrap() {
        let steps = deletion["steps"].as_array().unwrap();
        let order: Vec<_> = steps
            .iter()
            .map(|step| {
                let named = || step.as_object().unwrap().keys().next().unwrap().as_str();
                step.as_str().unwrap_or_else(named)
            })
            .collect();
        assert_eq!(order, ["claim", "volume", "persistent-volume"], "{deletion}");
    }
    stage.world.reset_audit();
    let swept = stage.apply();
    assert_eq!(ended(&swept, "gone").len(), tutorial.volumes, "{swept}");
    assert_eq!(swept["saved"]["count"], tutorial.volumes, "{swept}");
    assert_eq!(stage.remains(), [0; 3]);
    let audit = stage.world.audit();
    assert_eq!(audit.sum("*", "throttled"), 0, "{}", audit.with("throttled"));

    let nothing = stage.gc("--detailed-exitcode").succeeds();
    assert!(nothing.stdout.contains("nothing is unused"), "{}", nothing.stdout);
    let history = stage.gc("history -o json").succeeds().json();
    let saved: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["saved"]["count"].clone())
        .collect();
    assert_eq!(
        saved,
        [tutorial.volumes, 0, 0].map(serde_json::Value::from),
        "{history}"
    );
}

#[test]
fn ebs_volumes_left_behind_go_when_their_grace_is_over() {
    what_is_left_behind_goes_when_its_grace_is_over(&AWS);
}

#[test]
fn file_shares_left_behind_go_when_their_grace_is_over() {
    what_is_left_behind_goes_when_its_grace_is_over(&AZURE);
}

#[test]
fn a_set_made_anew_saves_its_volumes() {
    let stage = Stage::left_behind(&AWS);
    assert_eq!(stage.apply()["marksWritten"], 3);
    stage.world.run(&format!("up {} --sandbox", AWS.profile)).succeeds();
    stage.grace_passes();
    let saved = stage.apply();
    assert_eq!(saved["marksWritten"], 3, "marks are taken off: {saved}");
    assert_eq!(saved["done"].as_array().unwrap().len(), 0, "{saved}");
    assert_eq!(stage.remains(), [3; 3]);

    // Left behind once more, grace begins anew.
    stage.delete_set(&AWS);
    let again = stage.apply();
    assert_eq!(kept(&again, "marked").len(), 3, "{again}");
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn a_set_scaled_down_keeps_its_volumes() {
    let stage = Stage::with(&AWS);
    let scale = format!("scale {} {} --replicas 1 --sandbox", AWS.profile, AWS.set);
    stage.world.run(&scale).succeeds();
    for _ in 0..2 {
        let report = stage.apply();
        assert_eq!(report["marksWritten"], 0, "{report}");
        assert_eq!(report["plan"]["totals"]["claimed"]["count"], 2, "{report}");
        stage.grace_passes();
    }
    assert_eq!(stage.remains(), [3; 3]);
}

#[test]
fn a_volume_without_claim_and_persistent_volume_is_an_orphan() {
    let stage = Stage::left_behind(&AWS);
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    for ordinal in 0..3 {
        stage
            .sandbox
            .delete(&format!("{claims}/my-volume-nginx-home-deployment-{ordinal}"));
    }
    crate::support::eventually("the claims are gone", || stage.count(claims) == 0);
    let report = stage.apply();
    let unused = kept(&report, "marked");
    assert!(
        unused
            .iter()
            .all(|keep| keep["verdict"] == "orphan" || keep["verdict"] == "released"),
        "{report}"
    );
    stage.grace_passes();
    stage.apply();
    assert_eq!(stage.remains(), [0; 3]);
}
