//! What the next run finds: a volume that was made before the process died, or whose answer was lost. Every kill of every command is played
//! by `tests/matrix`.

use serde_json::json;

use crate::support::World;

const PROFILE: &str = "profiles/aws-nginx-stateful --sandbox";

/// Kills the process at the first such call that means it: dry runs are passed over.
fn abort(world: &World, service: &str, operation: &str, moment: &str) {
    world.fault(&json!({"service": service, "operation": operation, "moment": moment, "times": 1, "effect": "abort"}));
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
fn a_lost_answer_makes_no_second_volume() {
    let world = World::instant();
    world.fault(
        &json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "times": 2, "effect": "reset"}),
    );
    world.run(&format!("up {PROFILE}")).succeeds();
    assert_eq!(world.volumes(), 3);
}
