//! What an apply adds, keeps and removes, and what it owns afterwards.

use serde_json::{Value, json};

use crate::world::{World, bare, deployment, leaf, pods};

#[test]
fn the_first_apply_creates_the_object_and_owns_what_it_states() {
    let mut world = World::deployment();
    let applied = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "default", "uid": null, "creationTimestamp": null,
            "labels": {"app": "web"}, "finalizers": ["moorline.dev/hold"],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{
                        "name": "nginx", "image": "nginx:1.27", "args": ["-g"],
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}],
                        "resources": {"requests": {"cpu": "100m"}},
                    }],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                    "nodeSelector": {"disk": "ssd"},
                    "tolerations": [{"operator": "Exists"}],
                },
            },
        },
    });
    world.apply("moorline", &applied);
    let entries = world.at("/metadata/managedFields").as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let fields = json!({
        "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {"v:\"moorline.dev/hold\"": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        "k:{\"name\":\"nginx\"}": {
                            ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                            "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
                            "f:resources": {"f:requests": {"f:cpu": {}}},
                        },
                    },
                    "f:volumes": {"k:{\"name\":\"tmp\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}},
                    "f:nodeSelector": {},
                    "f:tolerations": {},
                },
            },
        },
    });
    assert_eq!(
        entries[0],
        json!({
            "manager": "moorline", "operation": "Apply", "apiVersion": "apps/v1",
            "time": "2026-11-21T10:01:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    );
    let mut expected = applied;
    expected["metadata"]
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    assert_eq!(bare(&world.live.unwrap()), expected);
}

#[test]
fn the_same_apply_again_changes_nothing_not_even_a_time() {
    let mut world = World::deployment();
    let object = pods(json!({"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 1}]}]}));
    world.apply("moorline", &object);
    world.update("controller", |live| live["spec"]["replicas"] = json!(1));
    let before = world.live.clone().unwrap().to_string();
    world.apply("moorline", &object);
    world.force("moorline", &object);
    assert_eq!(world.live.unwrap().to_string(), before);
}

#[test]
fn the_time_moves_when_a_value_or_the_set_changes() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    let first = world.time_of("moorline", "Apply");
    world.apply("moorline", &deployment(json!({"replicas": 4})));
    let second = world.time_of("moorline", "Apply");
    world.apply("moorline", &deployment(json!({"replicas": 4, "paused": true})));
    let third = world.time_of("moorline", "Apply");
    assert!(first < second && second < third, "{first} {second} {third}");
}

#[test]
fn a_field_no_longer_applied_is_removed() {
    let mut world = World::deployment();
    world.apply(
        "moorline",
        &deployment(json!({"replicas": 3, "paused": true, "minReadySeconds": 5})),
    );
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    assert_eq!(world.at("/spec"), &json!({"replicas": 3}));
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:replicas": {}}})
    );
}

#[test]
fn a_field_no_longer_applied_stays_where_another_owns_it() {
    let mut world = World::deployment();
    let both = deployment(json!({"replicas": 3, "paused": true}));
    world.apply("moorline", &both);
    world.apply("other", &both);
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    assert_eq!(world.at("/spec"), &json!({"replicas": 3, "paused": true}));
    // Nobody else owns it now, so the next who lets go removes it.
    world.apply("other", &deployment(json!({"replicas": 3})));
    assert_eq!(world.at("/spec"), &json!({"replicas": 3}));
}

#[test]
fn giving_up_everything_removes_the_entry() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    world.apply("other", &deployment(json!({"paused": true})));
    world.apply(
        "moorline",
        &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}),
    );
    assert!(world.entry("moorline", "Apply").is_none());
    assert_eq!(world.at("/spec"), &json!({"paused": true}));
}

#[test]
fn what_was_never_applied_is_not_removed() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    world.update("controller", |live| live["spec"]["revisionHistoryLimit"] = json!(10));
    world.apply("moorline", &deployment(json!({"replicas": 2})));
    assert_eq!(world.at("/spec/revisionHistoryLimit"), &json!(10));
}

#[test]
fn an_emptied_map_goes_with_its_last_item() {
    let mut world = World::deployment();
    let labelled = |labels: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": labels}});
    world.apply("moorline", &labelled(json!({"a": "1", "b": "2"})));
    world.apply("moorline", &labelled(json!({"a": "1"})));
    assert_eq!(world.at("/metadata/labels"), &json!({"a": "1"}));
    world.apply(
        "moorline",
        &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}),
    );
    assert_eq!(world.at("/metadata/labels"), &Value::Null);
}

#[test]
fn metadata_that_the_server_sets_is_never_owned() {
    let mut world = World::deployment();
    world.apply(
        "moorline",
        &json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7", "generation": 1,
                "creationTimestamp": "2026-11-21T09:00:00Z", "selfLink": "/x", "annotations": {"a": "b"},
            },
        }),
    );
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:metadata": {"f:annotations": {"f:a": {}}}})
    );
}

#[test]
fn a_null_is_owned_and_unsets_the_field() {
    let mut world = World::deployment();
    world.apply("moorline", &deployment(json!({"replicas": 3})));
    world.apply("moorline", &deployment(json!({"replicas": null})));
    assert_eq!(world.at("/spec"), &json!({}));
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:replicas": {}}})
    );
    let before = world.live.clone();
    world.apply("moorline", &deployment(json!({"replicas": null})));
    assert_eq!(world.live, before);
}

#[test]
fn a_null_list_or_map_leaves_the_items_of_others() {
    let mut world = World::deployment();
    world.update("other", |live| *live = pods(json!({"containers": [{"name": "a"}]})));
    world.apply("moorline", &pods(json!({"containers": null})));
    assert_eq!(world.at("/spec/template/spec/containers"), &json!([{"name": "a"}]));
}

#[test]
fn status_counts_only_through_its_subresource() {
    let mut world = World::deployment();
    let mut object = deployment(json!({"replicas": 1}));
    object["status"] = json!({"replicas": 9});
    world.apply("moorline", &object);
    assert_eq!(world.at("/status"), &Value::Null);
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:replicas": {}}})
    );

    object["spec"] = json!({"replicas": 5});
    object["metadata"]["labels"] = json!({"a": "b"});
    world.try_apply("moorline", false, Some("status"), &object).unwrap();
    assert_eq!(world.at("/spec/replicas"), &json!(1));
    assert_eq!(world.at("/metadata/labels"), &Value::Null);
    assert_eq!(world.at("/status/replicas"), &json!(9));
    let entries = world.at("/metadata/managedFields").as_array().unwrap();
    let status = entries.iter().find(|entry| entry["subresource"] == "status").unwrap();
    assert_eq!(status["fieldsV1"], json!({"f:status": {"f:replicas": {}}}));
}

#[test]
fn an_untracked_object_belongs_to_whoever_came_before() {
    let mut world = World::deployment();
    world.live = Some(deployment(json!({"replicas": 3, "paused": true})));
    let conflicts = world.conflicts("moorline", &deployment(json!({"replicas": 4})));
    assert_eq!(conflicts[0].manager, "before-first-apply");
    world.force("moorline", &deployment(json!({"replicas": 4})));
    assert_eq!(world.at("/spec"), &json!({"replicas": 4, "paused": true}));
    assert_eq!(
        world.fields_of("before-first-apply", "Update"),
        json!({"f:spec": {"f:paused": {}}})
    );
}

#[test]
fn managed_fields_may_not_be_applied() {
    let mut world = World::deployment();
    let mut object = deployment(json!({"replicas": 3}));
    for stated in [json!([]), json!([{}])] {
        object["metadata"]["managedFields"] = stated;
        assert_eq!(world.refusal("moorline", &object), "metadata.managedFields must be nil");
    }
    object["metadata"]["managedFields"] = Value::Null;
    world.apply("moorline", &object);
}

#[test]
fn unreadable_managed_fields_are_refused() {
    let mut world = World::deployment();
    let mut live = deployment(json!({}));
    live["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"bad": {}}}]);
    world.live = Some(live);
    let refusal = world.refusal("moorline", &deployment(json!({})));
    assert!(refusal.starts_with("failed to decode managed fields"), "{refusal}");
}

#[test]
fn selectors_and_node_selectors_are_owned_whole() {
    let mut world = World::deployment();
    let selecting = |labels: Value| deployment(json!({"selector": {"matchLabels": labels}}));
    world.apply("moorline", &selecting(json!({"a": "1", "b": "2"})));
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:selector": leaf()}})
    );
    world.apply("moorline", &selecting(json!({"a": "1"})));
    assert_eq!(world.at("/spec/selector"), &json!({"matchLabels": {"a": "1"}}));
    let conflicts = world.conflicts("other", &selecting(json!({"a": "1", "c": "3"})));
    assert_eq!(conflicts[0].field, ".spec.selector");
}

#[test]
fn claim_templates_are_owned_whole() {
    let mut world = World::new("apps/v1", "StatefulSet");
    let set = |size: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"resources": {"requests": {"storage": size}}},
            }]},
        })
    };
    world.apply("moorline", &set("10Gi"));
    assert_eq!(
        world.fields_of("moorline", "Apply"),
        json!({"f:spec": {"f:volumeClaimTemplates": {}}})
    );
    assert_eq!(
        world.conflicts("other", &set("20Gi"))[0].field,
        ".spec.volumeClaimTemplates"
    );
}

#[test]
fn a_claim_reference_is_owned_field_by_field() {
    let mut world = World::new("v1", "PersistentVolume");
    let volume = |reference: Value| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {"claimRef": reference},
        })
    };
    world.apply("moorline", &volume(json!({"namespace": "default", "name": "data"})));
    world.update("binder", |live| live["spec"]["claimRef"]["uid"] = json!("u"));
    // The binder's UID is none of moorline's business, and stays.
    world.apply("moorline", &volume(json!({"namespace": "default", "name": "data"})));
    assert_eq!(world.at("/spec/claimRef/uid"), &json!("u"));
    let other = volume(json!({"uid": "other"}));
    assert_eq!(world.conflicts("moorline", &other)[0].field, ".spec.claimRef.uid");
}

#[test]
fn who_states_an_empty_map_keeps_it_when_another_takes_the_items() {
    let mut world = World::new("v1", "Secret");
    let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
    world.apply("other", &secret(json!({})));
    world.apply("moorline", &secret(json!({"a": "YQ=="})));
    world.apply("moorline", &secret(json!({})));
    assert_eq!(world.fields_of("other", "Apply"), json!({"f:data": {}}));
    assert!(world.at("/data").is_null());
}

#[test]
fn kubectl_takes_over_what_it_applied_from_the_client() {
    let mut world = World::deployment();
    let stated = deployment(json!({"replicas": 3, "paused": true}));
    world.update("kubectl-client-side-apply", |live| {
        *live = stated.clone();
        live["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": format!("{stated}\n")});
    });
    let next = deployment(json!({"replicas": 4, "paused": true}));
    assert_eq!(world.conflicts("moorline", &next).len(), 1);
    world.apply("kubectl", &next);
    assert_eq!(world.at("/spec/replicas"), &json!(4));
    let annotation = world.at("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration");
    assert_eq!(annotation, &json!(format!("{next}\n")));

    // What someone changed since is no longer kubectl's.
    world.update("other", |live| live["spec"]["paused"] = json!(false));
    let conflicts = world.conflicts("kubectl", &deployment(json!({"replicas": 5, "paused": true})));
    let fields: Vec<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
    assert_eq!(fields, [".spec.paused"]);
}
