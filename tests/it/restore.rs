//! `restore` brings a volume and its bound claim back, and a kill at any call leaves something that the next run finishes.

use serde_json::{Value, json};

use crate::arm::Arm;
use crate::support::{World, profile, set};

const COUNTER: &str = "profiles/azure-counter";

/// A StatefulSet of two whose volumes are snapshotted when it goes down.
fn snapshotted(world: &World) -> String {
    let class = "parameters: {type: gp3, iops: \"4000\", throughput: \"200\", csi.storage.k8s.io/fstype: xfs}\nmountOptions: [noatime]";
    let set = set("db", 2).replace("parameters: {type: gp3}", class);
    world.write("db/set.yaml", &set.replace("storage: 1Gi", "storage: 8Gi"));
    let folder = world.write(
        "db/profile.yaml",
        &(profile("db") + "owner: team-a\nonDown: snapshot\n"),
    );
    folder.display().to_string()
}

/// The claims of a profile as `status` tells them.
fn claims(world: &World, folder: &str) -> Vec<Value> {
    let status = world
        .run(&format!("status {folder} --sandbox -o json"))
        .succeeds()
        .json();
    status["claims"].as_array().unwrap().clone()
}

/// What can be brought back, by the claim that it was of.
fn origin_of(world: &World, claim: &str) -> String {
    let list = world.run("restore --list --sandbox -o json").succeeds().json();
    let of_claim = |one: &&Value| one["tags"]["moorline.dev/claim"] == claim;
    let found = list.as_array().unwrap().iter().find(of_claim);
    let origin = &found.unwrap_or_else(|| panic!("nothing of {claim}: {list:#}"))["origin"];
    origin["snapshot"].as_str().unwrap().to_owned()
}

#[test]
fn a_set_comes_up_again_with_the_volumes_that_were_brought_back() {
    let world = World::instant();
    let folder = snapshotted(&world);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    let before = claims(&world, &folder);
    world.run(&format!("down {folder} --sandbox --yes")).succeeds();
    assert_eq!(world.volumes(), 0);

    let mut restored = Vec::new();
    for claim in ["data-db-0", "data-db-1"] {
        let snapshot = origin_of(&world, claim);
        world.reset_audit();
        let plan = world
            .run(&format!("restore {snapshot} {folder} --dry-run --sandbox"))
            .succeeds();
        assert!(
            plan.stdout.contains(&format!("claim default/{claim} is made")),
            "{}",
            plan.stdout
        );
        assert_eq!(
            world.audit().sum("*", "changed"),
            0,
            "{}",
            world.audit().with("changed")
        );
        let outcome = world
            .run(&format!("restore {snapshot} {folder} --sandbox -o json"))
            .succeeds()
            .json();
        assert_eq!(outcome["claim"], format!("default/{claim}"));
        restored.push(outcome["volume"].as_str().unwrap().to_owned());
    }
    assert_eq!(world.volumes(), 2);

    let up = world.run(&format!("up {folder} --sandbox -o json")).succeeds().json();
    assert_eq!(
        (&up["volumesCreated"], &up["status"]["ready"]),
        (&json!(0), &json!(true))
    );
    let after = claims(&world, &folder);
    for ((before, after), id) in before.iter().zip(&after).zip(&restored) {
        assert_eq!(after["status"], "Bound");
        assert_eq!(after["cloud"]["id"], json!(id));
        for field in ["sizeGib", "volumeType", "zone"] {
            assert_eq!(after["cloud"][field], before["cloud"][field], "{field}");
        }
        for field in ["capacity", "accessModes", "storageClass"] {
            assert_eq!(after[field], before[field], "{field}");
        }
    }
    world
        .run(&format!("check {folder} --sandbox --detailed-exitcode"))
        .succeeds();
    world
        .run(&format!("up {folder} --sandbox --detailed-exitcode"))
        .succeeds();
}

#[test]
fn what_is_brought_back_is_as_it_was_without_profile_and_class() {
    let world = World::instant();
    let folder = snapshotted(&world);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    let state = world.state();
    let before = state["volumes"].as_array().unwrap().clone();
    world.run(&format!("down {folder} --sandbox --yes")).succeeds();
    let snapshot = origin_of(&world, "data-db-0");
    let run = world.run(&format!("restore {snapshot} --sandbox -o json")).succeeds();
    let outcome = run.json();
    let notice = outcome["notices"][0].as_str().unwrap();
    assert!(notice.contains("StorageClass db-gp3 is not in the cluster"), "{notice}");
    let was = before
        .iter()
        .find(|volume| volume["tags"]["moorline.dev/claim"] == "data-db-0")
        .unwrap();
    let state = world.state();
    let is = &state["volumes"][0];
    for (key, value) in was["tags"].as_object().unwrap() {
        let of_this_life = [
            "moorline.dev/claim-uid",
            "CSIVolumeName",
            "Name",
            "kubernetes.io/created-for/pv/name",
        ];
        if !of_this_life.contains(&&**key) {
            assert_eq!(&is["tags"][key], value, "{key}: {is:#}");
        }
    }
    assert_eq!(outcome["spec"]["config"]["ebs"]["iops"], 4000);
    assert_eq!(outcome["spec"]["config"]["ebs"]["throughput"], 200);
}

#[test]
fn a_kill_at_any_call_leaves_one_volume_and_the_next_run_finishes() {
    for (service, operation) in [
        ("kubernetes", "create persistentvolumeclaims"),
        ("ec2", "CreateVolume"),
        ("kubernetes", "create persistentvolumes"),
        ("kubernetes", "patch persistentvolumeclaims"),
    ] {
        for moment in ["before", "after"] {
            let world = World::instant();
            let folder = snapshotted(&world);
            world.run(&format!("up {folder} --sandbox")).succeeds();
            world.run(&format!("down {folder} --sandbox --yes")).succeeds();
            let restore = format!("restore {} --sandbox -o json", origin_of(&world, "data-db-1"));
            world.fault(
                &json!({"service": service, "operation": operation, "moment": moment, "times": 1, "effect": "abort"}),
            );
            let killed = world.run(&restore);
            assert_eq!(killed.code, None, "{operation} {moment}: {}", killed.stderr);
            let claim_is_there = (operation, moment) != ("create persistentvolumeclaims", "before");
            let is_pointed_to =
                operation.starts_with("patch") || (operation, moment) == ("create persistentvolumes", "after");
            if claim_is_there && !is_pointed_to {
                // An `up` in between must not take the claim for one of its own, and make an empty volume for it.
                let up = world.run(&format!("up {folder} --sandbox")).exits(1);
                assert!(
                    up.stderr.contains("is being brought back from snap-"),
                    "{operation} {moment}: {}",
                    up.stderr
                );
            }
            let outcome = world.run(&restore).succeeds().json();
            assert_eq!(world.volumes(), 1, "{operation} {moment}");
            let again = world.run(&restore).succeeds().json();
            assert_eq!(again["changed"], 0, "{operation} {moment}: {again:#}");
            world.run(&format!("up {folder} --sandbox")).succeeds();
            let claim = claims(&world, &folder).remove(1);
            assert_eq!(claim["status"], "Bound", "{operation} {moment}");
            assert_eq!(claim["cloud"]["id"], outcome["volume"], "{operation} {moment}");
        }
    }
}

#[test]
fn a_lost_answer_makes_no_second_volume() {
    let world = World::instant();
    let folder = snapshotted(&world);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    world.run(&format!("down {folder} --sandbox --yes")).succeeds();
    let snapshot = origin_of(&world, "data-db-0");
    world.fault(
        &json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "times": 2, "effect": "reset"}),
    );
    world.run(&format!("restore {snapshot} --sandbox")).succeeds();
    assert_eq!(world.volumes(), 1);
}

#[test]
fn what_is_in_the_way_is_told_before_anything_is_changed() {
    let world = World::instant();
    let folder = snapshotted(&world);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    world.run(&format!("down {folder} --sandbox --yes")).succeeds();
    let snapshot = origin_of(&world, "data-db-0");
    world.run(&format!("up {folder} --sandbox")).succeeds();
    world.reset_audit();
    for (options, says) in [
        (
            "",
            "claim default/data-db-0 is there already (bound to PersistentVolume",
        ),
        (
            "--claim other --namespace nowhere",
            "namespace nowhere is not in the cluster",
        ),
        ("--claim other --zone us-west-2a", "zone us-west-2a is not one"),
        (
            "--claim other --class nothing",
            "StorageClass nothing is not in the cluster",
        ),
    ] {
        let refused = world.run(&format!("restore {snapshot} {options} --sandbox")).exits(1);
        assert!(refused.stderr.contains(says), "{options}: {}", refused.stderr);
    }
    let nothing = world.run("restore snap-0123456789abcdef0 --sandbox").exits(1);
    assert!(nothing.stderr.contains("neither a snapshot"), "{}", nothing.stderr);
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
    // Beside the living one there is room under another name, and for more.
    let copy = world
        .run(&format!("restore {snapshot} --claim copy --size 12 --sandbox -o json"))
        .succeeds()
        .json();
    assert_eq!(
        (&copy["claim"], &copy["spec"]["sizeGib"]),
        (&json!("default/copy"), &json!(12))
    );
}

#[test]
fn a_deleted_share_comes_back_with_its_claim() {
    let world = World::instant();
    world.run(&format!("up {COUNTER} --sandbox")).succeeds();
    let share = claims(&world, COUNTER)[0]["cloud"]["id"].as_str().unwrap().to_owned();
    let name = claims(&world, COUNTER)[0]["name"].as_str().unwrap().to_owned();
    world.run(&format!("down {COUNTER} --sandbox --yes")).succeeds();
    let restore = format!("restore {share} {COUNTER} --sandbox -o json");
    let outcome = world.run(&restore).succeeds().json();
    assert_eq!(outcome["volume"], json!(share));
    assert_eq!(outcome["claim"], format!("default/{name}"));
    let up = world.run(&format!("up {COUNTER} --sandbox -o json")).succeeds().json();
    assert_eq!(
        (&up["volumesCreated"], &up["status"]["ready"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(claims(&world, COUNTER)[0]["cloud"]["id"], json!(share));
    world
        .run(&format!("check {COUNTER} --sandbox --detailed-exitcode"))
        .succeeds();
}

#[test]
fn a_share_that_was_deleted_under_its_living_claim_just_comes_back() {
    let world = World::instant();
    world.run(&format!("up {COUNTER} --sandbox")).succeeds();
    let claim = claims(&world, COUNTER).remove(0);
    let id = claim["cloud"]["id"].as_str().unwrap();
    let (account, share) = id.split_once(".file/").unwrap();
    {
        let served = world.serve();
        Arm::of(&served).delete_share(account, share);
    }
    world
        .run(&format!("check {COUNTER} --sandbox --detailed-exitcode"))
        .exits(4);
    world.reset_audit();
    let outcome = world.run(&format!("restore {id} --sandbox -o json")).succeeds().json();
    assert_eq!(outcome["claim"], format!("default/{}", claim["name"].as_str().unwrap()));
    let audit = world.audit();
    let lock = audit.count("create leases", "changed") + audit.count("patch leases", "changed");
    assert_eq!(audit.sum("kubernetes", "changed"), lock, "{}", audit.with("changed"));
    world
        .run(&format!("check {COUNTER} --sandbox --detailed-exitcode"))
        .succeeds();
}
