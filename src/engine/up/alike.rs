//! New objects that are alike: the server is asked about one of them for all.
//!
//! A hundred `ConfigMap`s cost a hundred dry runs, as much as making them, and ninety-nine of the answers are known. Two new
//! objects of one kind and namespace are alike where they differ in nothing but names, which were checked when the profile was
//! read: every number, quantity, enumeration and field is the same. Rights and quotas, admission and validation then
//! answer alike, too.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{StreamExt, stream};
use moorline_api::{ListQuery, ManagedFields, Object, ResourceKind};
use serde_json::Value;

use super::objects::LiveObjects;
use crate::context::Context;
use crate::observe;

/// Fewer new objects of a kind than this are asked about one by one: that costs no one any time.
const MANY: usize = 32;
/// Names are no longer than this. A longer string may itself be what is refused.
const LONGEST_NAME: usize = 63;
/// What a `ConfigMap` holds is not looked into by the server, but in all it may be a MiB at most.
const SMALL: usize = 1024;

/// For each object, by its place among the targets, the one that is asked about in its stead: itself, or one like it.
pub(super) async fn spokesmen(ctx: &Context, live: &LiveObjects) -> Vec<usize> {
    let mut kinds: BTreeMap<(&ResourceKind, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (place, (target, _)) in live.targets.iter().enumerate() {
        // A listing of Secrets would fetch all that they hold.
        if live.is_unread(target) && !live.comes_later(target) && !target.resource.gvk.is("", "Secret") {
            let group = kinds
                .entry((&target.resource, target.namespace.as_deref()))
                .or_default();
            group.push(place);
        }
    }
    let many = kinds.into_iter().filter(|(_, places)| places.len() >= MANY);
    let absent = many.map(|((kind, namespace), places)| absent(ctx, live, kind, namespace, places));
    let absent: Vec<Vec<usize>> = stream::iter(absent)
        .buffer_unordered(ctx.limits.concurrency.max(1))
        .collect()
        .await;
    let mut spokesmen: Vec<usize> = (0..live.targets.len()).collect();
    for places in absent {
        let mut first: HashMap<String, usize> = HashMap::new();
        for place in places {
            spokesmen[place] = *first.entry(shape(&live.targets[place].1)).or_insert(place);
        }
    }
    spokesmen
}

/// Those of these objects that are certain not to be there.
async fn absent(
    ctx: &Context,
    live: &LiveObjects,
    kind: &ResourceKind,
    namespace: Option<&str>,
    places: Vec<usize>,
) -> Vec<usize> {
    let query = ListQuery {
        resource: kind.clone(),
        namespace: namespace.map(str::to_owned),
        labels: None,
        fields: None,
        managed_fields: ManagedFields::All,
        unwanted: &[],
    };
    let name = |place: &usize| &*live.targets[*place].0.name;
    let wanted: HashSet<&str> = places.iter().map(name).collect();
    let keep = |object: Object| wanted.contains(object.name()).then(|| object.name().to_owned());
    match observe::list(ctx, query, keep).await {
        Ok((there, _)) => {
            let there: HashSet<String> = there.into_iter().collect();
            places
                .into_iter()
                .filter(|place| !there.contains(name(place)))
                .collect()
        }
        Err(error) => {
            tracing::debug!(%error, "what is there is unknown; the server is asked about each");
            Vec::new()
        }
    }
}

/// What two objects have in common that are alike.
fn shape(object: &Object) -> String {
    let mut object = object.clone();
    if object.gvk().is("", "ConfigMap") {
        let data = object.fields_mut().get_mut("data").and_then(Value::as_object_mut);
        for value in data.into_iter().flat_map(serde_json::Map::values_mut) {
            if value.as_str().is_some_and(|text| text.len() <= SMALL) {
                *value = Value::from("");
            }
        }
    }
    let mut value = object.into_value();
    without_numbers_in_names(&mut value);
    value.to_string()
}

/// `web-17` and `web-18` become `web-#`, wherever they stand. Only what can be a name is changed: quantities, addresses, dates and
/// versions begin with digits, and enumerations with capitals.
fn without_numbers_in_names(value: &mut Value) {
    match value {
        Value::String(text) if is_name(text) => {
            let mut numberless = String::with_capacity(text.len());
            for letter in text.chars() {
                if !letter.is_ascii_digit() {
                    numberless.push(letter);
                } else if !numberless.ends_with('#') {
                    numberless.push('#');
                }
            }
            *text = numberless;
        }
        Value::Array(items) => items.iter_mut().for_each(without_numbers_in_names),
        Value::Object(fields) => fields.values_mut().for_each(without_numbers_in_names),
        _ => {}
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(number: u32, port: u32, kind: &str) -> String {
        let name = format!("web-{number}");
        let spec = json!({"type": kind, "selector": {"app": name}, "ports": [{"name": "http", "port": port}]});
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "demo"}, "spec": spec});
        shape(&Object::from_value(object).unwrap())
    }

    fn config_map(number: u32, data: &Value) -> String {
        let metadata = json!({"name": format!("settings-{number}")});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        shape(&Object::from_value(object).unwrap())
    }

    #[test]
    fn what_differs_in_names_only_is_alike() {
        assert_eq!(service(1, 80, "ClusterIP"), service(240, 80, "ClusterIP"));
        assert_eq!(
            config_map(1, &json!({"a": "1 one"})),
            config_map(2, &json!({"a": "2 two"}))
        );
    }

    #[test]
    fn what_differs_in_anything_that_may_be_refused_is_not() {
        let one = service(1, 80, "ClusterIP");
        assert_ne!(one, service(2, 81, "ClusterIP"));
        assert_ne!(one, service(2, 80, "Clusterip"));
        assert_ne!(one, service(2, 80, "NodePort"));
        assert_ne!(config_map(1, &json!({"a": ""})), config_map(2, &json!({"b": ""})));
        assert_ne!(config_map(1, &json!({"a": 1})), config_map(2, &json!({"a": "1"})));
        assert_ne!(
            config_map(1, &json!({"a": ""})),
            config_map(2, &json!({"a": "x".repeat(SMALL + 1)}))
        );
    }

    #[test]
    fn quantities_addresses_and_long_strings_are_no_names() {
        let alike = |a: Value, b: Value| {
            let (mut a, mut b) = (a, b);
            without_numbers_in_names(&mut a);
            without_numbers_in_names(&mut b);
            a == b
        };
        assert!(alike(json!("web-1"), json!("web-22")));
        for (a, b) in [
            ("1Gi", "2Gi"),
            ("10.0.0.1", "10.0.0.2"),
            ("*/5 * * * *", "*/99 * * * *"),
            ("Web-1", "Web-2"),
        ] {
            assert!(!alike(json!(a), json!(b)), "{a} and {b}");
        }
        let long = |number: u32| json!(format!("{}-{number}", "a".repeat(LONGEST_NAME)));
        assert!(!alike(long(1), long(2)));
    }
}
