//! Random sequences.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Value, json};

use crate::kinds::{self, Kind};
use crate::run::merge;
use crate::sequence::{Call, Sequence, Step};

/// A sequence of a few steps, mostly about the same few objects.
pub(crate) fn sequence() -> impl Strategy<Value = Sequence> {
    let kinds = vec(kind(), 1..3);
    kinds
        .prop_flat_map(|kinds| vec(select(kinds).prop_flat_map(steps_of), 1..9))
        .prop_map(|steps| {
            let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
            if steps.last() != Some(&Step::Settle) {
                steps.push(Step::Settle);
            }
            Sequence {
                about: String::new(),
                steps,
            }
        })
}

fn kind() -> impl Strategy<Value = &'static Kind> {
    let written: Vec<&'static Kind> = kinds::all().iter().filter(|kind| !kind.base.is_null()).collect();
    select(written)
}

/// What is done to one object; where controllers have something to do then, they get the time.
fn steps_of(kind: &'static Kind) -> impl Strategy<Value = Vec<Step>> {
    let name = prop_oneof![4 => Just("a"), 1 => Just("b")].prop_map(|name| kind.name(name));
    name.prop_flat_map(move |name| {
        prop_oneof![
            6 => create(kind, name.clone()),
            6 => apply(kind, name.clone()),
            4 => patch(kind, name.clone()),
            4 => update(kind, name.clone()),
            2 => subresource(kind, &name),
            3 => delete(kind, &name),
            1 => get(kind, &name),
            2 => list(kind),
            1 => watch(kind, &name),
        ]
    })
    .prop_map(move |call| {
        let reads = call.line.starts_with("GET");
        // The garbage collector looks at what has owners, and at what is deleted with regard to those it owns.
        let body = call.body.to_string();
        let live = kind.live
            || ["ownerReferences", "Orphan", "Foreground"]
                .iter()
                .any(|word| body.contains(word));
        let mut steps = vec![Step::Call(call)];
        if live && !reads {
            steps.push(Step::Settle);
        }
        steps
    })
}

/// Options that any write may have.
fn options() -> impl Strategy<Value = String> {
    let manager = option::weighted(0.7, select(vec!["one", "two"]));
    let validation = option::weighted(0.4, select(vec!["Strict", "Warn", "Ignore"]));
    (manager, validation, prop::bool::weighted(0.1)).prop_map(|(manager, validation, dry)| {
        let mut query = vec![format!("fieldManager={}", manager.unwrap_or("three"))];
        query.extend(validation.map(|validation| format!("fieldValidation={validation}")));
        query.extend(dry.then(|| "dryRun=All".to_owned()));
        query.join("&")
    })
}

/// Fragments of the kind, merged.
fn fragments(kind: &'static Kind, most: usize) -> impl Strategy<Value = Value> {
    let all = kind.fragments.clone();
    let most = most.min(all.len());
    subsequence(all, 0..=most).prop_map(|fragments| {
        let mut merged = json!({});
        for fragment in fragments {
            overlay(&mut merged, &fragment);
        }
        merged
    })
}

/// Like a merge patch, but nulls stay, as in a patch that is made of patches.
fn overlay(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                overlay(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// One thing wrong with a body.
#[derive(Clone, Debug)]
enum Mutation {
    Remove,
    Replace(Value),
    Unknown,
}

fn mutation() -> impl Strategy<Value = Option<(Mutation, Index)>> {
    let wrong = vec![
        json!(null),
        json!("text"),
        json!(7),
        json!(-1),
        json!(true),
        json!([]),
        json!({}),
        json!("Not A Name"),
        json!(""),
        json!(1.5),
    ];
    let what = prop_oneof![
        1 => Just(Mutation::Remove),
        3 => select(wrong).prop_map(Mutation::Replace),
        1 => Just(Mutation::Unknown),
    ];
    option::weighted(0.3, (what, any::<Index>()))
}

fn mutate(body: &mut Value, mutation: Option<(Mutation, Index)>) {
    let Some((mutation, index)) = mutation else { return };
    let mut pointers = Vec::new();
    collect(body, String::new(), &mut pointers);
    if matches!(mutation, Mutation::Unknown) {
        pointers.retain(|pointer| body.pointer(pointer).is_some_and(Value::is_object));
    } else {
        pointers.retain(|pointer| !pointer.is_empty());
    }
    if pointers.is_empty() {
        return;
    }
    let pointer = index.get(&pointers);
    match mutation {
        Mutation::Replace(value) => *body.pointer_mut(pointer).unwrap() = value,
        Mutation::Unknown => body.pointer_mut(pointer).unwrap()["unheardOf"] = json!(1),
        Mutation::Remove => {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            match body.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(&key.replace("~1", "/"))),
                Value::Array(items) => drop(items.remove(key.parse().unwrap())),
                _ => {}
            }
        }
    }
}

/// Pointers to everything in a value.
fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                collect(
                    item,
                    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    pointers,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(at);
}

/// A whole object, now and then a bad one.
fn body(kind: &'static Kind, name: String) -> impl Strategy<Value = Value> {
    (fragments(kind, 4), mutation()).prop_map(move |(fragment, mutation)| {
        let mut body = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}});
        merge(&mut body, &kind.base);
        merge(&mut body, &fragment);
        mutate(&mut body, mutation);
        body
    })
}

fn create(kind: &'static Kind, name: String) -> BoxedStrategy<Call> {
    (body(kind, name), options(), prop::bool::weighted(0.08))
        .prop_map(move |(mut body, options, generate)| {
            if generate && let Some(metadata) = body["metadata"].as_object_mut() {
                metadata.remove("name");
                metadata.insert("generateName".to_owned(), json!("some-"));
            }
            // The names of cluster-scoped objects tell whose they are.
            let options = if generate && !kind.namespaced {
                format!("{options}&dryRun=All")
            } else {
                options
            };
            call(format!("POST {}?{options}", kind.collection("${ns}")), "json", body)
        })
        .boxed()
}

fn apply(kind: &'static Kind, name: String) -> BoxedStrategy<Call> {
    let path = format!("{}/{name}", kind.collection("${ns}"));
    let whole = body(kind, name.clone());
    let part = (fragments(kind, 2), mutation()).prop_map(move |(mut body, mutation)| {
        merge(
            &mut body,
            &json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}),
        );
        mutate(&mut body, mutation);
        body
    });
    (prop_oneof![3 => whole, 1 => part], options(), any::<bool>())
        .prop_map(move |(body, options, force)| {
            let force = if force { "&force=true" } else { "" };
            call(format!("PATCH {path}?{options}{force}"), "apply-patch+yaml", body)
        })
        .boxed()
}

fn patch(kind: &'static Kind, name: String) -> BoxedStrategy<Call> {
    let path = format!("{}/{name}", kind.collection("${ns}"));
    let content = select(vec!["merge-patch+json", "strategic-merge-patch+json"]);
    let merged = (fragments(kind, 2), mutation(), content).prop_map(|(mut body, mutation, content)| {
        mutate(&mut body, mutation);
        (body, content)
    });
    let operation = select(vec!["add", "replace", "remove", "test"]);
    let listed = (vec((operation, any::<Index>()), 1..3), body(kind, name)).prop_map(|(operations, body)| {
        let mut pointers = Vec::new();
        collect(&body, String::new(), &mut pointers);
        let operation = |(op, index): (&str, Index)| {
            let pointer = index.get(&pointers);
            let value = body.pointer(pointer).unwrap();
            if op == "remove" {
                json!({"op": op, "path": pointer})
            } else {
                json!({"op": op, "path": pointer, "value": value})
            }
        };
        (operations.into_iter().map(operation).collect(), "json-patch+json")
    });
    (prop_oneof![3 => merged, 1 => listed], options())
        .prop_map(move |((body, content), options)| call(format!("PATCH {path}?{options}"), content, body))
        .boxed()
}

fn update(kind: &'static Kind, name: String) -> BoxedStrategy<Call> {
    let path = format!("{}/{name}", kind.collection("${ns}"));
    let key = key(kind, &name);
    let edit = (fragments(kind, 2), mutation()).prop_map({
        let key = key.clone();
        move |(mut with, mutation)| {
            mutate(&mut with, mutation);
            json!({"$edit": key, "with": with})
        }
    });
    let whole = (body(kind, name), select(vec!["", "rv", "old-rv"])).prop_map(move |(mut body, version)| {
        if !version.is_empty() && body["metadata"].is_object() {
            body["metadata"]["resourceVersion"] = json!(format!("${{{version} {key}}}"));
        }
        body
    });
    (prop_oneof![edit, whole], options())
        .prop_map(move |(body, options)| call(format!("PUT {path}?{options}"), "json", body))
        .boxed()
}

fn subresource(kind: &'static Kind, name: &str) -> BoxedStrategy<Call> {
    let path = format!("{}/{name}", kind.collection("${ns}"));
    let namespace = kind.namespaced.then_some("${ns}");
    let scale = (option::weighted(0.9, -1..4), any::<bool>()).prop_map({
        let (name, path) = (name.to_owned(), path.clone());
        move |(replicas, put)| {
            if put {
                let body = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": name, "namespace": namespace}, "spec": {"replicas": replicas}});
                call(format!("PUT {path}/scale?fieldManager=one"), "json", body)
            } else {
                call(format!("PATCH {path}/scale?fieldManager=one"), "merge-patch+json", json!({"spec": {"replicas": replicas}}))
            }
        }
    });
    let read = Just(call(format!("GET {path}/scale"), "", Value::Null));
    let phase = json!({"status": {"phase": "Failed", "replicas": 1}, "metadata": {"labels": {"from": "status"}}});
    let conditions = json!({"status": {"conditions": [{"type": "Own", "status": "True"}]}, "spec": {"replicas": 2}});
    let status = (select(vec![phase, conditions, json!({"status": null})]), options())
        .prop_map(move |(body, options)| call(format!("PATCH {path}/status?{options}"), "merge-patch+json", body));
    prop_oneof![3 => scale, 1 => read, 2 => status].boxed()
}

fn delete(kind: &'static Kind, name: &str) -> BoxedStrategy<Call> {
    let path = format!("{}/{name}", kind.collection("${ns}"));
    let key = key(kind, name);
    let policy = option::of(select(vec!["Background", "Foreground", "Orphan", "Sideways"]));
    let precondition = option::weighted(0.3, select(vec!["rv", "old-rv", "uid"]));
    let grace = option::weighted(0.2, select(vec![0, 1, -1]));
    (policy, precondition, grace, prop::bool::weighted(0.1))
        .prop_map(move |(policy, precondition, grace, dry)| {
            let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
            if let Some(policy) = policy {
                body["propagationPolicy"] = json!(policy);
            }
            if let Some(of) = precondition {
                let field = if of == "uid" { "uid" } else { "resourceVersion" };
                body["preconditions"][field] = json!(format!("${{{of} {key}}}"));
            }
            if let Some(grace) = grace {
                body["gracePeriodSeconds"] = json!(grace);
            }
            if dry {
                body["dryRun"] = json!(["All"]);
            }
            call(format!("DELETE {path}"), "json", body)
        })
        .boxed()
}

fn get(kind: &'static Kind, name: &str) -> BoxedStrategy<Call> {
    Just(call(
        format!("GET {}/{name}", kind.collection("${ns}")),
        "",
        Value::Null,
    ))
    .boxed()
}

fn list(kind: &'static Kind) -> BoxedStrategy<Call> {
    // Other sequences run at the same time: of cluster-scoped kinds only one's own may be listed.
    let labels = if kind.namespaced {
        vec![
            "",
            "labelSelector=tier%3Dfront",
            "labelSelector=tier+notin+%28back%29",
            "labelSelector=%21tier",
            "labelSelector=a+b",
        ]
    } else {
        vec!["labelSelector=token%3D${u}", "labelSelector=token%3D${u},tier"]
    };
    let fields = vec![
        "",
        "",
        "fieldSelector=metadata.name%3Da",
        "fieldSelector=metadata.name%21%3Da",
        "fieldSelector=spec.nothing%3Da",
    ];
    let pages = vec!["", "", "limit=1", "limit=1&continue=${continue}", "limit=x"];
    (select(labels), select(fields), select(pages))
        .prop_map(|(labels, fields, page)| {
            let query: Vec<&str> = [labels, fields, page]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            call(
                format!("GET {}?{}", kind.collection("${ns}"), query.join("&")),
                "",
                Value::Null,
            )
        })
        .boxed()
}

/// What happened to an object since it was first seen.
fn watch(kind: &'static Kind, name: &str) -> BoxedStrategy<Call> {
    if kind.live {
        return get(kind, name);
    }
    let key = key(kind, name);
    let query =
        format!("watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3D{name}&resourceVersion=${{old-rv {key}}}");
    let read = call(format!("GET {}/{name}", kind.collection("${ns}")), "", Value::Null);
    let watch = call(format!("GET {}?{query}", kind.collection("${ns}")), "", Value::Null);
    prop_oneof![Just(read), Just(watch)].boxed()
}

fn key(kind: &Kind, name: &str) -> String {
    format!("{}/{}", kind.plural, name.strip_suffix("-${u}").unwrap_or(name))
}

fn call(line: String, content: &str, body: Value) -> Call {
    Call {
        line,
        content: content.to_owned(),
        body,
    }
}
