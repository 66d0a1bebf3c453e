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

fn config_maps(world: &World, label: &str, count: u32) -> String {
    let map = |number: u32| {
        let metadata = format!("{{name: map-{number}, labels: {{role: {label}-{number}}}}}");
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata: {{key: value {number}}}\n")
    };
    let maps: Vec<String> = (0..count).map(map).collect();
    world.write("maps/maps.yaml", &maps.join("---\n"));
    world.write("maps/profile.yaml", &profile("maps")).display().to_string()
}

/// Of new objects that are alike the server is asked about one; what is there already is asked about by itself.
#[test]
fn objects_that_are_alike_are_rehearsed_once() {
    let world = World::instant();
    let folder = config_maps(&world, "role", 40);
    world.run(&format!("up {folder} --sandbox")).succeeds();
    let patches = |world: &World| world.audit().count("patch configmaps", "calls");
    assert_eq!(patches(&world), 41, "{}", world.audit().with("calls"));
}

#[test]
fn an_object_of_someone_else_is_no_object_that_is_alike() {
    let world = World::instant();
    let folder = config_maps(&world, "role", 40);
    let theirs = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map-7"}, "data": {"key": "theirs"},
    });
    let served = world.serve();
    served.apply("kubectl", "/api/v1/namespaces/default/configmaps/map-7", &theirs);
    let refused = world.run(&format!("up {folder} --sandbox")).exits(5);
    assert!(refused.stderr.contains("map-7"), "{}", refused.stderr);
    assert_eq!(
        world.audit().count("patch configmaps", "changed"),
        1,
        "{}",
        world.audit().with("changed")
    );
}
