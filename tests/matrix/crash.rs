//! The crash matrix: the process is killed before and after every call of every command, and the same command finishes.

use serde_json::json;

use crate::live::Live;
use crate::support::{World, profile, set};

#[test]
fn a_process_is_killed_at_the_call_that_a_rule_names() {
    let live = Live::of(World::instant());
    live.world.write("web/set.yaml", &set("web", 2));
    let folder = live.world.write("web/profile.yaml", &profile("web"));
    let up = format!("up {} --sandbox -o json", folder.display());
    let kill = |pid| {
        json!({"service": "ec2", "operation": "CreateVolume", "moment": "after", "skip": 1, "times": 1,
            "effect": {"kill": pid}})
    };
    assert_eq!(live.run_under(&up, kill).code, None);
    let made = live.state()["volumes"].as_array().unwrap().len();
    assert_eq!(made, 2);
    let again = live.run(&up).succeeds().json();
    assert_eq!(again["volumesAdopted"], 2, "{again}");
}
