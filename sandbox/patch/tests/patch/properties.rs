//! What holds for every object.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{World, bare};

/// Deployments over a small set of names, so that two of them often meet.
fn deployments(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let labels = btree_map(prop::sample::select(names), "[xy]", 1..3);
    let finalizers = btree_map(prop::sample::select(names), Just(()), 1..3);
    (
        option::of(labels),
        option::of(finalizers),
        option::of(btree_map(prop::sample::select(names), container(names), 1..4).prop_map(keyed)),
        option::of(btree_map(prop::sample::select(names), Just(json!({"emptyDir": {}})), 1..3).prop_map(keyed)),
    )
        .prop_map(|(labels, finalizers, containers, volumes)| {
            let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
            if let Some(labels) = labels {
                object["metadata"]["labels"] = json!(labels);
            }
            if let Some(finalizers) = finalizers {
                object["metadata"]["finalizers"] = finalizers.into_keys().map(Value::from).collect();
            }
            for (name, list) in [("containers", containers), ("volumes", volumes)] {
                if let Some(list) = list {
                    object["spec"]["template"]["spec"][name] = list;
                }
            }
            object
        })
}

fn container(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let port = (
        prop::sample::select(vec![80, 443]),
        prop::sample::select(vec!["TCP", "UDP"]),
    );
    (
        option::of("[xy]"),
        option::of(btree_map(
            prop::sample::select(names),
            "[xy]".prop_map(|value| json!({"value": value})),
            1..3,
        )),
        option::of(vec("[xy]", 1..3)),
        option::of(port),
    )
        .prop_map(|(image, env, args, port)| {
            let mut container = Map::new();
            container.extend(image.map(|image| ("image".to_owned(), json!(image))));
            container.extend(env.map(|env| ("env".to_owned(), keyed(env))));
            container.extend(args.map(|args| ("args".to_owned(), json!(args))));
            container.extend(port.map(|(number, protocol)| {
                (
                    "ports".to_owned(),
                    json!([{"containerPort": number, "protocol": protocol}]),
                )
            }));
            Value::Object(container)
        })
}

fn keyed(items: std::collections::BTreeMap<&str, Value>) -> Value {
    let named = items.into_iter().map(|(name, mut item)| {
        item["name"] = json!(name);
        item
    });
    named.collect()
}

/// Whether everything that `part` states is so in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part))),
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|item| contains(item, part)))
        }
        _ => whole == part,
    }
}

/// The object with its lists sorted, to compare two that differ in order only.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect(),
        ),
        scalar => scalar.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_twice_is_applying_once(other in deployments(&["a", "b", "c"]), object in deployments(&["a", "b", "c"])) {
        let mut world = World::deployment();
        world.update("other", |live| *live = other);
        world.force("moorline", &object);
        let before = world.live.clone().map(|live| live.to_string());
        world.apply("moorline", &object);
        prop_assert_eq!(world.live.map(|live| live.to_string()), before);
    }

    #[test]
    fn what_is_applied_is_there(other in deployments(&["a", "b", "c"]), object in deployments(&["a", "b", "c"])) {
        let mut world = World::deployment();
        world.apply("other", &other);
        world.force("moorline", &object);
        let live = world.live.unwrap();
        prop_assert!(contains(&live, &object), "{} lacks some of {}", live, object);
    }

    #[test]
    fn nothing_is_left_of_what_is_no_longer_applied(first in deployments(&["a", "b", "c"]), second in deployments(&["a", "b", "c"])) {
        let mut world = World::deployment();
        world.apply("moorline", &first);
        world.apply("moorline", &second);
        let mut fresh = World::deployment();
        fresh.apply("moorline", &second);
        let spec = |world: &World| sorted(&bare(world.live.as_ref().unwrap()));
        let (mut left, mut right) = (spec(&world), spec(&fresh));
        for side in [&mut left, &mut right] {
            prune_empty(side);
        }
        prop_assert_eq!(left, right);
        prop_assert_eq!(world.fields_of("moorline", "Apply"), fresh.fields_of("moorline", "Apply"));
    }

    #[test]
    fn managers_of_different_fields_never_meet(ours in deployments(&["a", "b"]), theirs in deployments(&["x", "y"])) {
        let mut world = World::deployment();
        world.apply("us", &ours);
        world.apply("them", &theirs);
        let live = world.live.clone().unwrap();
        prop_assert!(contains(&live, &ours) && contains(&live, &theirs));
        // One leaves, the other stays as it was.
        world.apply("us", &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}));
        let (mut left, mut right) = (sorted(&bare(world.live.as_ref().unwrap())), sorted(&theirs));
        for side in [&mut left, &mut right] {
            prune_empty(side);
        }
        prop_assert_eq!(left, right);
    }

    #[test]
    fn every_conflict_can_be_forced_and_then_is_none(other in deployments(&["a", "b", "c"]), object in deployments(&["a", "b", "c"])) {
        let mut world = World::deployment();
        world.apply("other", &other);
        if world.try_apply("moorline", false, None, &object).is_err() {
            world.force("moorline", &object);
            world.apply("moorline", &object);
        }
    }
}

/// Structs that hold nothing come and go with who wrote last; that is not what is asked here.
fn prune_empty(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(prune_empty);
        members.retain(|name, value| name == "emptyDir" || !value.as_object().is_some_and(Map::is_empty));
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(prune_empty);
    }
}
