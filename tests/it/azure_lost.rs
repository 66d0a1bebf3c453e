//! What the next try finds at Azure where an answer was lost. Every kill of every command is played by `tests/matrix`.

use serde_json::json;

use crate::support::World;

/// How many there are of something in the simulated Azure.
fn count(world: &World, what: &str) -> usize {
    world.state()[what].as_array().unwrap().len()
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
