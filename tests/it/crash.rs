//! A process that dies between any two calls leaves something that the next run finishes.

use serde_json::json;

use crate::support::{World, profile, set};

const PROFILE: &str = "profiles/aws-nginx-stateful --sandbox";

/// Kills the process at the first such call that means it: dry runs are passed over.
fn abort(world: &World, service: &str, operation: &str, moment: &str) {
    world.fault(&json!({"service": service, "operation": operation, "moment": moment, "times": 1, "effect": "abort"}));
}

#[test]
fn a_kill_at_any_call_leaves_exactly_one_volume_for_each_claim() {
    let moments = [
        ("kubernetes", "create persistentvolumeclaims", "after"),
        ("ec2", "CreateVolume", "before"),
        ("ec2", "CreateVolume", "after"),
        ("kubernetes", "create persistentvolumes", "before"),
        ("kubernetes", "create persistentvolumes", "after"),
        ("kubernetes", "patch statefulsets", "after"),
    ];
    for (service, operation, moment) in moments {
        let world = World::instant();
        abort(&world, service, operation, moment);
        let killed = world.run(&format!("up {PROFILE}"));
        assert_eq!(killed.code, None, "{operation} {moment}: {}", killed.stderr);
        let up = world.run(&format!("up {PROFILE} -o json")).succeeds().json();
        assert_eq!(up["status"]["ready"], true, "{operation} {moment}");
        assert_eq!(world.volumes(), 3, "{operation} {moment}");
    }
}

#[test]
fn a_volume_made_before_the_kill_is_adopted() {
    let world = World::instant();
    abort(&world, "kubernetes", "create persistentvolumes", "before");
    assert_eq!(world.run(&format!("up {PROFILE}")).code, None);
    let made = world.volumes();
    assert!(made > 0);
    let up = world.run(&format!("up {PROFILE} -o json")).succeeds().json();
    assert_eq!(up["volumesAdopted"], made);
    assert_eq!(up["volumesCreated"], 3 - made);
    assert_eq!(world.volumes(), 3);
}

#[test]
fn a_kill_during_down_is_finished_by_the_next() {
    for (service, operation) in [
        ("ec2", "DeleteVolume"),
        ("kubernetes", "delete persistentvolumeclaims"),
        ("kubernetes", "delete statefulsets"),
    ] {
        let world = World::instant();
        // Without a CSI driver to do it, moorline deletes the volumes itself.
        world.configure(|settings| settings["controllers"]["csi"] = false.into());
        let before = world.state();
        world.run(&format!("up {PROFILE}")).succeeds();
        abort(&world, service, operation, "after");
        let killed = world.run(&format!("down {PROFILE} --yes"));
        assert_eq!(killed.code, None, "{operation}: {}", killed.stderr);
        world.run(&format!("down {PROFILE} --yes")).succeeds();
        assert_eq!(world.state(), before, "{operation}");
    }
}

#[test]
fn a_killed_scale_down_is_finished_by_the_same_scale() {
    let set = set("db", 4).replace(
        "  podManagementPolicy: Parallel\n",
        "  podManagementPolicy: Parallel\n  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}\n",
    );
    for moment in ["before", "after"] {
        let world = World::instant();
        world.configure(|settings| settings["controllers"]["csi"] = false.into());
        world.write("db/set.yaml", &set);
        let folder = world.write("db/profile.yaml", &profile("db")).display().to_string();
        let scale = format!("scale {folder} db --replicas 1 --sandbox --yes");
        world.run(&format!("up {folder} --sandbox")).succeeds();
        abort(&world, "ec2", "DeleteVolume", moment);
        let killed = world.run(&scale);
        assert_eq!(killed.code, None, "{moment}: {}", killed.stderr);
        world.run(&scale).succeeds();
        assert_eq!(world.volumes(), 1, "{moment}");
        let again = world.run(&scale).succeeds();
        assert!(again.stderr.contains("no changes"), "{moment}: {}", again.stderr);
    }
}

#[test]
fn a_lost_answer_makes_no_second_volume() {
    let world = World::instant();
    world.fault(
        &json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "times": 2, "effect": "reset"}),
    );
    world.run(&format!("up {PROFILE}")).succeeds();
    assert_eq!(world.volumes(), 3);
}
