//! How lists merge: by key, as sets, whole, and in which order.

use serde_json::{Value, json};

use crate::world::{World, deployment, pods};

fn containers(names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    pods(json!({"containers": items}))
}

fn order(world: &World) -> Vec<String> {
    let items = world.at("/spec/template/spec/containers").as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn items_keep_the_applied_order_with_live_ones_between() {
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        // live, applied, merged: as structured-merge-diff orders them.
        (&["a", "b"], &["c"], &["a", "b", "c"]),
        (&["a", "b"], &["c", "b"], &["a", "c", "b"]),
        (&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]),
        (&["a", "b", "c"], &["b", "x"], &["a", "b", "c", "x"]),
        (&["a", "b"], &["x", "a"], &["x", "a", "b"]),
        (&["a", "b", "c", "d"], &["d", "x", "b"], &["a", "c", "d", "x", "b"]),
        (&["a", "b"], &["b", "a"], &["b", "a"]),
        (&["a"], &["a"], &["a"]),
    ];
    for (live, applied, merged) in cases {
        let mut world = World::deployment();
        world.update("other", |object| *object = containers(live));
        world.apply("moorline", &containers(applied));
        assert_eq!(order(&world), merged, "live {live:?}, applied {applied:?}");
    }
}

#[test]
fn an_item_is_removed_with_its_last_owner() {
    let mut world = World::deployment();
    world.apply("moorline", &containers(&["a", "b"]));
    world.apply("moorline", &containers(&["b"]));
    assert_eq!(order(&world), ["b"]);
}

#[test]
fn an_item_stays_for_who_owns_something_in_it() {
    let mut world = World::deployment();
    world.apply(
        "moorline",
        &pods(json!({"containers": [{"name": "a", "image": "x", "command": ["run"]}]})),
    );
    world.apply(
        "injector",
        &pods(json!({"containers": [{"name": "a", "env": [{"name": "E", "value": "1"}]}]})),
    );
    world.apply("moorline", &pods(json!({})));
    assert_eq!(
        world.at("/spec/template/spec/containers"),
        &json!([{"name": "a", "env": [{"name": "E", "value": "1"}]}])
    );
}

#[test]
fn an_update_inside_an_item_does_not_keep_it_alive() {
    let mut world = World::deployment();
    world.apply("moorline", &pods(json!({"containers": [{"name": "a"}, {"name": "b"}]})));
    world.update("edit", |live| {
        live["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x");
    });
    // The editor owns the image, but nobody the item any more.
    world.apply("moorline", &pods(json!({"containers": [{"name": "b"}]})));
    assert_eq!(order(&world), ["b"]);
    assert!(world.entry("edit", "Update").is_none());
}

#[test]
fn a_port_without_protocol_is_a_tcp_port() {
    let mut world = World::new("v1", "Service");
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}});
    world.update("other", |live| {
        *live = service(json!([
            {"port": 53, "protocol": "UDP", "targetPort": 53},
            {"port": 53, "protocol": "TCP", "targetPort": 53, "nodePort": 30053},
        ]));
    });
    world.apply("moorline", &service(json!([{"port": 53, "name": "dns"}])));
    assert_eq!(
        world.at("/spec/ports"),
        &json!([
            {"port": 53, "protocol": "UDP", "targetPort": 53},
            {"port": 53, "protocol": "TCP", "targetPort": 53, "nodePort": 30053, "name": "dns"},
        ])
    );
}

#[test]
fn each_list_merges_by_its_own_keys() {
    let cases = [
        (
            "/spec/template/spec/volumes",
            json!([{"name": "v", "emptyDir": {}}]),
            json!([{"name": "w", "emptyDir": {}}]),
        ),
        (
            "/spec/template/spec/hostAliases",
            json!([{"ip": "1.1.1.1"}]),
            json!([{"ip": "2.2.2.2"}]),
        ),
        (
            "/spec/template/spec/imagePullSecrets",
            json!([{"name": "a"}]),
            json!([{"name": "b"}]),
        ),
        (
            "/spec/template/spec/initContainers",
            json!([{"name": "a"}]),
            json!([{"name": "b"}]),
        ),
        (
            "/spec/template/spec/topologySpreadConstraints",
            json!([{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}]),
            json!([{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2}]),
        ),
        (
            "/metadata/ownerReferences",
            json!([{"uid": "1", "name": "a"}]),
            json!([{"uid": "2", "name": "a"}]),
        ),
        ("/metadata/finalizers", json!(["a"]), json!(["b"])),
    ];
    for (pointer, first, second) in cases {
        let mut world = World::deployment();
        world.apply("first", &placed(pointer, &first));
        world.apply("second", &placed(pointer, &second));
        let both: Vec<Value> = [&first, &second]
            .iter()
            .flat_map(|list| list.as_array().unwrap().clone())
            .collect();
        assert_eq!(world.at(pointer), &Value::Array(both), "{pointer}");
        world.apply("first", &deployment(json!({})));
        assert_eq!(world.at(pointer), &second, "{pointer}");
    }
}

#[test]
fn each_of_these_lists_is_owned_whole() {
    let cases = [
        (
            "/spec/template/spec/tolerations",
            json!([{"key": "a"}]),
            json!([{"key": "b"}]),
        ),
        (
            "/spec/template/spec/readinessGates",
            json!([{"conditionType": "a"}]),
            json!([{"conditionType": "b"}]),
        ),
        ("/spec/template/spec/containers/0/args", json!(["a"]), json!(["b"])),
        (
            "/spec/template/spec/containers/0/envFrom",
            json!([{"prefix": "a"}]),
            json!([{"prefix": "b"}]),
        ),
        (
            "/spec/template/spec/dnsConfig/nameservers",
            json!(["1.1.1.1"]),
            json!(["2.2.2.2"]),
        ),
    ];
    for (pointer, first, second) in cases {
        let mut world = World::deployment();
        world.apply("first", &placed(pointer, &first));
        let conflicts = world.conflicts("second", &placed(pointer, &second));
        assert_eq!(conflicts.len(), 1, "{pointer}");
        world.force("second", &placed(pointer, &second));
        assert_eq!(world.at(pointer), &second, "{pointer}");
    }
}

#[test]
fn items_of_an_atomic_type_are_owned_whole() {
    let mut world = World::deployment();
    world.apply("moorline", &pods(json!({"imagePullSecrets": [{"name": "a"}]})));
    assert_eq!(
        world.fields_of("moorline", "Apply")["f:spec"]["f:template"]["f:spec"],
        json!({"f:imagePullSecrets": {"k:{\"name\":\"a\"}": {}}})
    );
}

#[test]
fn twins_in_the_live_list_do_no_harm() {
    let mut world = World::deployment();
    let env = |items: Value| pods(json!({"containers": [{"name": "a", "env": items}]}));
    // The API allows an environment variable twice, the last one wins; only an apply may not state it so.
    world.update("other", |live| {
        *live = env(json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]));
    });
    world.apply("moorline", &env(json!([{"name": "B", "value": "3"}])));
    let pointer = "/spec/template/spec/containers/0/env";
    assert_eq!(world.at(pointer).as_array().unwrap().len(), 3);
    world.force("moorline", &env(json!([{"name": "A", "value": "9"}])));
    assert_eq!(world.at(pointer), &json!([{"name": "A", "value": "9"}]));
}

/// A Deployment with a value at a pointer; item 0 of the containers is one called `c`.
fn placed(pointer: &str, value: &Value) -> Value {
    let mut object = deployment(json!({"template": {"spec": {"containers": [{"name": "c"}], "dnsConfig": {}}}}));
    if !pointer.contains("/containers/") {
        object["spec"]["template"]["spec"] = json!({});
    }
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if object.pointer(parent).is_none() {
        let (above, key) = parent.rsplit_once('/').unwrap();
        object.pointer_mut(above).unwrap()[key] = json!({});
    }
    object.pointer_mut(parent).unwrap()[name] = value.clone();
    object
}
