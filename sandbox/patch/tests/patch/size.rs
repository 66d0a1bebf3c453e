//! Long lists cost what they are long, not the square of it. Were one scanned for each item, these would take minutes.

use moorline_sandbox_patch::{Schema, strategic_merge};
use serde_json::{Value, json};

use crate::world::{World, deployment, pods};

const MANY: usize = 20_000;

fn env(range: std::ops::Range<usize>) -> Value {
    let items: Vec<Value> = range.map(|n| json!({"name": format!("V{n}"), "value": "x"})).collect();
    json!({"containers": [{"name": "c", "env": items}]})
}

#[test]
fn a_long_list_is_applied_updated_and_patched() {
    let mut world = World::deployment();
    world.apply("moorline", &pods(env(0..MANY)));
    world.update("edit", |live| {
        live["spec"]["template"]["spec"]["containers"][0]["env"][5]["value"] = json!("y");
    });
    world.force("moorline", &pods(env(100..MANY + 100)));
    let items = world.at("/spec/template/spec/containers/0/env").as_array().unwrap();
    assert_eq!(items.len(), MANY);

    let patch = json!({"spec": {"template": {"spec": env(0..MANY)}}});
    let schema = Schema::for_kind("apps/v1", "Deployment");
    let patched = strategic_merge(schema, world.live.as_ref().unwrap(), &patch).unwrap();
    assert_eq!(
        patched["spec"]["template"]["spec"]["containers"][0]["env"]
            .as_array()
            .unwrap()
            .len(),
        MANY + 100
    );
}

#[test]
fn three_hundred_objects_are_applied_twice() {
    for index in 0..300 {
        let mut world = World::deployment();
        let mut object = deployment(json!({"replicas": index}));
        object["spec"]["template"] = json!({"spec": env(0..100)});
        world.apply("moorline", &object);
        let before = world.live.clone();
        world.apply("moorline", &object);
        assert_eq!(world.live, before);
    }
}
