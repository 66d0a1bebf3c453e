//! A process that dies between any two calls to Azure leaves something that the next run finishes.

use serde_json::json;

use crate::support::World;

/// Kills the process at the first such call that means it: dry runs are passed over.
fn abort(world: &World, service: &str, operation: &str, moment: &str) {
    world.fault(&json!({"service": service, "operation": operation, "moment": moment, "times": 1, "effect": "abort"}));
}

/// How many there are of something in the simulated Azure.
fn count(world: &World, what: &str) -> usize {
    world.state()[what].as_array().unwrap().len()
}

#[test]
fn a_kill_at_any_call_of_up_leaves_one_share_a_claim_in_one_account() {
    const PROFILE: &str = "profiles/azure-counter --sandbox";
    for (service, operation) in [
        ("kubernetes", "create persistentvolumeclaims"),
        ("arm", "StorageAccounts_Create"),
        ("arm", "StorageAccounts_ListKeys"),
        ("arm", "FileShares_Create"),
        ("kubernetes", "create secrets"),
        ("kubernetes", "create persistentvolumes"),
        ("kubernetes", "patch statefulsets"),
    ] {
        for moment in ["before", "after"] {
            let world = World::instant();
            abort(&world, service, operation, moment);
            let killed = world.run(&format!("up {PROFILE}"));
            assert_eq!(killed.code, None, "{operation} {moment}: {}", killed.stderr);
            let up = world.run(&format!("up {PROFILE} -o json")).succeeds().json();
            assert_eq!(up["status"]["ready"], true, "{operation} {moment}");
            let made = (count(&world, "shares"), count(&world, "storage_accounts"));
            assert_eq!(made, (1, 1), "{operation} {moment}");
            world.run(&format!("up {PROFILE} --detailed-exitcode")).succeeds();
        }
    }
}

#[test]
fn a_kill_at_any_call_of_down_is_finished_by_the_next() {
    const PROFILE: &str = "profiles/azure-blob --sandbox";
    for (service, operation) in [
        ("kubernetes", "delete persistentvolumeclaims"),
        ("arm", "BlobContainers_Delete"),
        ("kubernetes", "delete persistentvolumes"),
        ("kubernetes", "delete secrets"),
        ("arm", "StorageAccounts_Delete"),
    ] {
        for moment in ["before", "after"] {
            let world = World::instant();
            // Without a CSI driver to do it, moorline deletes the containers itself.
            world.configure(|settings| settings["controllers"]["csi"] = false.into());
            let before = world.state();
            world.run(&format!("up {PROFILE}")).succeeds();
            abort(&world, service, operation, moment);
            let killed = world.run(&format!("down {PROFILE} --yes"));
            assert_eq!(killed.code, None, "{operation} {moment}: {}", killed.stderr);
            world.run(&format!("down {PROFILE} --yes")).succeeds();
            assert_eq!(world.state(), before, "{operation} {moment}");
        }
    }
}

#[test]
fn lost_answers_make_no_second_share_and_no_second_account() {
    let world = World::instant();
    for operation in ["StorageAccounts_Create", "FileShares_Create"] {
        world.fault(
            &json!({"service": "arm", "operation": operation, "moment": "after", "times": 2, "effect": "reset"}),
        );
    }
    world.run("up profiles/azure-counter --sandbox").succeeds();
    assert_eq!((count(&world, "shares"), count(&world, "storage_accounts")), (1, 1));
}
