//! Many replicas.

use std::collections::BTreeMap;

use crate::support::{World, profile, set};

fn many(world: &World, replicas: u32) -> String {
    world.write("many/set.yaml", &set("many", replicas));
    world.write("many/profile.yaml", &profile("many")).display().to_string()
}

#[test]
fn three_hundred_claims_are_bound() {
    let world = World::instant();
    let folder = many(&world, 300);
    let up = world.run(&format!("up {folder} --sandbox -o json")).succeeds().json();
    let claims = up["status"]["claims"].as_array().unwrap();
    assert_eq!(claims.iter().filter(|claim| claim["status"] == "Bound").count(), 300);
    let zones = claims.iter().fold(BTreeMap::<_, usize>::new(), |mut zones, claim| {
        *zones.entry(claim["cloud"]["zone"].to_string()).or_default() += 1;
        zones
    });
    assert_eq!(zones.values().collect::<Vec<_>>(), [&100, &100, &100], "{zones:?}");
    world.reset_audit();
    world.run(&format!("up {folder} --sandbox")).succeeds();
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
}

/// Over the burst of 100 the calls are spent evenly: none is refused for its rate.
#[test]
fn no_call_is_throttled_at_the_published_rates() {
    let world = World::realistic();
    let folder = many(&world, 120);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    let audit = world.audit();
    assert_eq!(audit.sum("*", "throttled"), 0, "{}", audit.with("throttled"));
    assert_eq!(audit.count("CreateVolume", "changed"), 120);
}
