//! When an apply is refused, in which words, and what force does.

use moorline_sandbox_patch::ApplyError;
use serde_json::{Value, json};

use crate::world::{World, deployment, pods};

#[test]
fn another_value_for_an_owned_field_is_a_conflict_and_changes_nothing() {
    let mut world = World::deployment();
    world.apply("first", &deployment(json!({"replicas": 3})));
    let before = world.live.clone();
    let conflicts = world.conflicts("second", &deployment(json!({"replicas": 4})));
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].manager.as_str(), conflicts[0].field.as_str()),
        ("first", ".spec.replicas")
    );
    assert_eq!(world.live, before);
}

#[test]
fn the_same_value_is_shared() {
    let mut world = World::deployment();
    let object = deployment(json!({"replicas": 3}));
    world.apply("first", &object);
    world.apply("second", &object);
    assert_eq!(world.fields_of("first", "Apply"), world.fields_of("second", "Apply"));
    // Shared fields cannot be changed by either alone.
    assert_eq!(
        world.conflicts("first", &deployment(json!({"replicas": 4})))[0].manager,
        "second"
    );
}

#[test]
fn numbers_are_the_same_however_they_are_written() {
    let mut world = World::deployment();
    world.apply("first", &deployment(json!({"replicas": 3})));
    world.apply("second", &deployment(json!({"replicas": 3.0})));
}

#[test]
fn force_takes_the_field_from_every_owner() {
    let mut world = World::deployment();
    world.apply("first", &deployment(json!({"replicas": 3, "paused": true})));
    world.apply("second", &deployment(json!({"replicas": 3})));
    world.force("third", &deployment(json!({"replicas": 9})));
    assert_eq!(world.at("/spec/replicas"), &json!(9));
    assert_eq!(world.fields_of("first", "Apply"), json!({"f:spec": {"f:paused": {}}}));
    assert!(world.entry("second", "Apply").is_none());
    // Whoever lost a field and applies it again is in conflict, and so is never overridden silently.
    assert_eq!(
        world.conflicts("first", &deployment(json!({"replicas": 3})))[0].manager,
        "third"
    );
}

#[test]
fn a_change_by_update_takes_the_field_from_its_applier() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3, "paused": true})));
    world.update("kubectl-edit", |live| live["spec"]["replicas"] = json!(5));
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:paused": {}}})
    );
    let error = world.try_apply(
        "moorline",
        false,
        None,
        &deployment(json!({"replicas": 3, "paused": true})),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn the_message_names_the_subresource() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    world.update_through("kubectl", Some("scale"), |live| live["spec"]["replicas"] = json!(5));
    let refusal = world.refusal("moorline", &deployment(json!({"replicas": 3})));
    assert_eq!(
        refusal,
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn many_conflicts_are_grouped_by_owner() {
    let mut world = World::deployment();
    world.apply("zed", &deployment(json!({"replicas": 3})));
    world.update("edit", |live| live["spec"]["paused"] = json!(true));
    world.apply("zed2", &pods(json!({"containers": [{"name": "nginx", "image": "a"}]})));
    let mut wanted = deployment(json!({"replicas": 4, "paused": false}));
    wanted["spec"]["template"] = json!({"spec": {"containers": [{"name": "nginx", "image": "b"}]}});
    assert_eq!(
        world.refusal("moorline", &wanted),
        "Apply failed with 3 conflicts: conflicts with \"edit\" using apps/v1:\n- .spec.paused\n\
         conflicts with \"zed\":\n- .spec.replicas\n\
         conflicts with \"zed2\":\n- .spec.template.spec.containers[name=\"nginx\"].image"
    );
}

#[test]
fn fields_are_printed_as_the_server_prints_them() {
    let container = |protocol: &str, name: &str| {
        pods(
            json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": protocol, "name": name}]}]}),
        )
    };
    let mut world = World::deployment();
    world.apply("first", &container("UDP", "one"));
    assert_eq!(
        world.conflicts("second", &container("UDP", "two"))[0].field,
        ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"UDP\"].name"
    );
    // Another protocol is another port.
    world.apply("second", &container("TCP", "two"));

    let mut world = World::deployment();
    let annotated = |value: &str| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "annotations": {"a.b/c": value}}});
    world.apply("first", &annotated("1"));
    assert_eq!(
        world.conflicts("second", &annotated("2"))[0].field,
        ".metadata.annotations.a.b/c"
    );
}

#[test]
fn a_manager_who_updates_is_another_than_the_one_who_applies() {
    let mut world = World::deployment();
    world.update("moorline", |live| *live = deployment(json!({"replicas": 3})));
    let conflicts = world.conflicts("moorline", &deployment(json!({"replicas": 4})));
    assert_eq!(
        (conflicts[0].manager.as_str(), conflicts[0].operation.as_str()),
        ("moorline", "Update")
    );
}

#[test]
fn a_conflict_carries_all_that_a_status_needs() {
    let mut world = World::deployment();
    world.update("edit", |live| *live = deployment(json!({"replicas": 3})));
    let time = world.time_of("edit", "Update");
    let conflict = world
        .conflicts("moorline", &deployment(json!({"replicas": 4})))
        .remove(0);
    assert_eq!(conflict.api_version, "apps/v1");
    assert_eq!(conflict.subresource, None);
    assert_eq!(conflict.time.unwrap().to_string(), time);
    assert_eq!(conflict.owner(), "\"edit\" using apps/v1");
}

#[test]
fn applied_lists_must_fit_their_keys() {
    let named = |items: Value| pods(json!({"containers": items}));
    let cases = [
        (
            named(json!([{"name": "nginx"}, {"name": "a"}, {"name": "nginx"}])),
            ".spec.template.spec.containers: duplicate entries for key [name=\"nginx\"]",
        ),
        (
            named(json!([{"name": "c", "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "TCP"}]}])),
            ".spec.template.spec.containers[name=\"c\"].ports: \
             duplicate entries for key [containerPort=1,protocol=\"TCP\"]",
        ),
        (
            named(json!(["nginx"])),
            ".spec.template.spec.containers: element 0: associative list with keys may not have non-map elements",
        ),
        (
            named(json!([null])),
            ".spec.template.spec.containers: element 0: associative list with keys may not have a null element",
        ),
        (
            named(json!({"name": "nginx"})),
            ".spec.template.spec.containers: expected list, got {\"name\":\"nginx\"}",
        ),
    ];
    for (object, problem) in cases {
        let mut world = World::deployment();
        let refusal = world.try_apply("moorline", false, None, &object).unwrap_err();
        assert!(matches!(refusal, ApplyError::Invalid(_)));
        assert_eq!(
            refusal.to_string(),
            format!("failed to create typed patch object (default/web; apps/v1, Kind=Deployment): {problem}")
        );
        assert!(world.live.is_none());
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let mut world = World::deployment();
    let mut object = pods(json!({"containers": [{"name": "a"}, {"name": "a"}]}));
    object["metadata"]["finalizers"] = json!(["x", "x"]);
    let refusal = world.refusal("moorline", &object);
    assert!(
        refusal.contains(".metadata.finalizers: duplicate entries for key [=\"x\"]"),
        "{refusal}"
    );
    assert!(refusal.contains("duplicate entries for key [name=\"a\"]"), "{refusal}");
}
