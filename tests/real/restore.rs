//! What `down` snapshotted comes back on the real control plane, from snapshots of clouds that others wrote.

use serde_json::{Value, json};

use crate::clouds::Cloud;
use crate::stage::Stage;
use crate::support::{profile, set};

/// What of a volume has to be as it was; its tags but for those of the former life.
fn likeness(volume: &Value) -> Value {
    let mut tags = volume["tags"].as_object().unwrap().clone();
    let of_this_life = [
        "moorline.dev/claim-uid",
        "CSIVolumeName",
        "Name",
        "kubernetes.io/created-for/pv/name",
    ];
    for key in of_this_life {
        assert!(tags.remove(key).is_some(), "{key}: {volume}");
    }
    json!({"type": volume["type"], "size": volume["size"], "zone": volume["zone"], "tags": tags})
}

fn likenesses(stage: &Stage, name: &str) -> Vec<Value> {
    let mut all: Vec<Value> = stage.account.volumes(name).iter().map(likeness).collect();
    all.sort_by_key(|one| one["tags"]["moorline.dev/claim"].to_string());
    all
}

fn round_trip(cloud: Cloud, name: &str) {
    let stage = Stage::shared(cloud);
    stage.world.write(&format!("{name}/set.yaml"), &set(name, 2));
    let text = profile(name) + "owner: team-a\nonDown: snapshot\n";
    let folder = stage
        .world
        .write(&format!("{name}/profile.yaml"), &text)
        .display()
        .to_string();
    stage.run(&format!("up {folder}")).succeeds();
    let before = likenesses(&stage, name);
    assert_eq!(before.len(), 2);
    let ids: Vec<Value> = stage
        .account
        .volumes(name)
        .iter()
        .map(|volume| volume["id"].clone())
        .collect();
    stage.run(&format!("down {folder} --yes")).succeeds();
    assert_eq!(stage.account.volumes(name), [Value::Null; 0]);

    let list = stage.run("restore --list -o json").succeeds().json();
    // Emulators keep what former runs of this test left.
    let ours = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| ids.contains(&one["volume"]));
    let snapshots: Vec<&str> = ours.map(|one| one["origin"]["snapshot"].as_str().unwrap()).collect();
    assert_eq!(snapshots.len(), 2, "{list:#}");
    for snapshot in &snapshots {
        let restore = format!("restore {snapshot} {folder} -o json");
        let outcome = stage.run(&restore).succeeds().json();
        let (namespace, claim) = outcome["claim"].as_str().unwrap().split_once('/').unwrap();
        let live = stage
            .get(&format!("persistentvolumeclaim {claim} --namespace {namespace}"))
            .remove(0);
        assert_eq!(live["status"]["phase"], "Bound", "{live}");
        let again = stage.run(&restore).succeeds().json();
        assert_eq!(again["changed"], 0, "{again:#}");
    }
    assert_eq!(likenesses(&stage, name), before);

    let up = stage.run(&format!("up {folder} -o json")).succeeds().json();
    assert_eq!(
        (&up["volumesCreated"], &up["status"]["ready"]),
        (&json!(0), &json!(true))
    );
    // Nothing attaches disks here: kwok's kubelets run pods in name only.
    let check = stage.run(&format!("check {folder} -o json")).succeeds().json();
    let others: Vec<&Value> = check["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["problem"] != "detached")
        .collect();
    assert_eq!(others, [&Value::Null; 0]);

    std::fs::write(stage.world.path().join(format!("{name}/profile.yaml")), profile(name)).unwrap();
    stage.run(&format!("down {folder} --yes")).succeeds();
}

#[test]
#[ignore = "needs real parts: run cargo xtask test"]
fn a_set_comes_up_with_what_was_brought_back_on_moto() {
    round_trip(Cloud::Moto, "again-moto");
}

#[test]
#[ignore = "needs real parts: run cargo xtask test"]
fn a_set_comes_up_with_what_was_brought_back_on_localstack() {
    round_trip(Cloud::LocalStack, "again-localstack");
}
