//! Who owns what after creates, updates and patches.

use moorline_sandbox_patch::same_but_for_times;
use serde_json::{Value, json};

use crate::world::{World, deployment, pods};

#[test]
fn the_creator_owns_all_but_the_structs_that_are_always_there() {
    let mut world = World::deployment();
    world.update("kubectl-create", |live| {
        *live = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 1, "labels": {"app": "web"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "nginx", "image": "nginx", "resources": {}}], "restartPolicy": "Always"},
                },
            },
            "status": {"replicas": 7},
        });
    });
    // As `kubectl create deployment` leaves it on a real server.
    assert_eq!(
        world.fields_of("kubectl-create", "Update"),
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:selector": {},
                "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {
                        "f:containers": {
                            "k:{\"name\":\"nginx\"}": {".": {}, "f:name": {}, "f:image": {}, "f:resources": {}},
                        },
                        "f:restartPolicy": {},
                    },
                },
            },
        })
    );
}

#[test]
fn what_changes_moves_to_who_changes_it() {
    let mut world = World::deployment();
    world.update("creator", |live| {
        *live = deployment(json!({"replicas": 1, "paused": true}));
    });
    world.update("scaler", |live| live["spec"]["replicas"] = json!(2));
    assert_eq!(
        world.fields_of("creator", "Update"),
        json!({"f:spec": {"f:paused": {}}})
    );
    assert_eq!(
        world.fields_of("scaler", "Update"),
        json!({"f:spec": {"f:replicas": {}}})
    );
}

#[test]
fn a_manager_keeps_what_it_had() {
    let mut world = World::deployment();
    world.update("edit", |live| *live = deployment(json!({"replicas": 1})));
    world.update("edit", |live| live["spec"]["paused"] = json!(true));
    assert_eq!(
        world.fields_of("edit", "Update"),
        json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})
    );
}

#[test]
fn a_removed_field_is_nobodys() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 1, "paused": true})));
    world.update("edit", |live| {
        live["spec"].as_object_mut().unwrap().remove("paused");
    });
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:replicas": {}}})
    );
    assert!(world.entry("edit", "Update").is_none());
}

#[test]
fn who_loses_everything_is_gone() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 1})));
    world.update("edit", |live| live["spec"]["replicas"] = json!(2));
    assert!(world.entry("moorline", "Apply").is_none());
}

#[test]
fn only_the_entry_that_took_something_gets_a_new_time() {
    let mut world = World::deployment();
    world.update("one", |live| *live = deployment(json!({"replicas": 1, "paused": true})));
    let first = world.time_of("one", "Update");
    world.update("two", |live| live["spec"]["paused"] = json!(false));
    assert_eq!(world.time_of("one", "Update"), first);
    // The same field again: the set is the same, the value is new.
    let second = world.time_of("two", "Update");
    world.update("two", |live| live["spec"]["paused"] = json!(true));
    assert!(world.time_of("two", "Update") > second);
}

#[test]
fn an_update_without_a_change_is_the_same_object_byte_for_byte() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 1})));
    world.update("edit", |live| live["spec"]["paused"] = json!(false));
    let before = world.live.clone().unwrap().to_string();
    world.update("third", |_| {});
    world.update("third", |live| {
        // A client that knows nothing of managed fields.
        live["metadata"].as_object_mut().unwrap().remove("managedFields");
    });
    assert_eq!(world.live.unwrap().to_string(), before);
}

#[test]
fn reordered_items_of_a_keyed_list_change_hands_of_nothing() {
    let mut world = World::deployment();
    world.apply("moorline", &pods(json!({"containers": [{"name": "a"}, {"name": "b"}]})));
    let before = world.fields_of("moorline", "Apply");
    world.update("edit", |live| {
        live["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .reverse();
    });
    assert_eq!(world.fields_of("moorline", "Apply"), before);
    assert!(world.entry("edit", "Update").is_none());
}

#[test]
fn a_subresource_is_an_owner_of_its_own_and_cannot_state_owners() {
    let mut world = World::deployment();
    world.update("ctl", |live| *live = deployment(json!({"replicas": 1})));
    world.update_through("ctl", Some("status"), |live| {
        live["status"] = json!({"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]});
        live["metadata"]["managedFields"] = json!([]);
    });
    let entries = world.at("/metadata/managedFields").as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let status = entries.iter().find(|entry| entry["subresource"] == "status").unwrap();
    assert_eq!(
        status["fieldsV1"],
        json!({"f:status": {
            "f:replicas": {},
            "f:conditions": {".": {}, "k:{\"type\":\"Available\"}": {".": {}, "f:type": {}, "f:status": {}}},
        }})
    );
}

#[test]
fn managed_fields_can_be_reset_and_stay_so_until_the_next_apply() {
    for reset in [json!([]), json!([{}])] {
        let mut world = World::deployment();
        world.apply("moorline", &deployment(json!({"replicas": 1})));
        world.update("edit", |live| live["metadata"]["managedFields"] = reset);
        assert_eq!(world.at("/metadata/managedFields"), &Value::Null);
        world.update("edit", |live| live["spec"]["paused"] = json!(true));
        assert_eq!(world.at("/metadata/managedFields"), &Value::Null);
        world.apply("moorline", &deployment(json!({"replicas": 1})));
        assert!(world.entry("moorline", "Apply").is_some());
        assert!(world.entry("before-first-apply", "Update").is_some());
    }
}

#[test]
fn owners_can_be_edited_and_nonsense_is_ignored() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 1})));
    // What kubectl does to hand its client-side fields over.
    world.update("edit", |live| {
        live["metadata"]["managedFields"][0]["manager"] = json!("other");
    });
    assert!(world.entry("other", "Apply").is_some() && world.entry("moorline", "Apply").is_none());
    let before = world.at("/metadata/managedFields").clone();
    for nonsense in [
        json!([{"manager": "x"}]),
        json!([{"operation": "Update", "apiVersion": "v1", "fieldsType": "Other"}]),
    ] {
        world.update("edit", |live| live["metadata"]["managedFields"] = nonsense);
        assert_eq!(world.at("/metadata/managedFields"), &before);
    }
}

#[test]
fn the_oldest_updaters_become_one() {
    let mut world = World::deployment();
    world.update("creator", |live| *live = deployment(json!({"replicas": 0})));
    for index in 0..12 {
        world.update(&format!("m{index}"), |live| {
            live["metadata"]["annotations"][format!("a{index}")] = json!("x");
        });
    }
    let entries = world.at("/metadata/managedFields").as_array().unwrap();
    assert_eq!(entries.len(), 10);
    let ancient = world.fields_of("ancient-changes", "Update");
    assert_eq!(ancient["f:spec"], json!({"f:replicas": {}}));
    assert!(ancient["f:metadata"]["f:annotations"].get("f:a2").is_some());
    assert!(world.entry("m11", "Update").is_some());
}

#[test]
fn entries_come_in_the_servers_order() {
    let mut world = World::deployment();
    world.update("b", |live| *live = deployment(json!({"replicas": 1})));
    world.update("a", |live| live["spec"]["paused"] = json!(true));
    world.apply("z", &deployment(json!({"minReadySeconds": 1})));
    let entries = world.at("/metadata/managedFields").as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
    // Appliers first, then by time.
    assert_eq!(names, ["z", "b", "a"]);
}

#[test]
fn times_alone_make_no_difference() {
    let mut world = World::deployment();
    world.update("one", |live| *live = deployment(json!({"replicas": 1, "paused": true})));
    world.update("two", |live| live["spec"]["paused"] = json!(false));
    let old = world.live.clone().unwrap();
    let mut new = old.clone();
    new["metadata"]["managedFields"][0]["time"] = json!("2030-01-01T00:00:00Z");
    new["metadata"]["managedFields"].as_array_mut().unwrap().reverse();
    assert!(same_but_for_times(&old, &new));
    new["metadata"]["managedFields"][0]["manager"] = json!("three");
    assert!(!same_but_for_times(&old, &new));
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({});
    assert!(!same_but_for_times(&old, &new));
    new = old.clone();
    new["spec"]["replicas"] = json!(2);
    assert!(!same_but_for_times(&old, &new));
}
