//! What is proved unchanged a dry run leaves unchanged: held against an API server, with random manifests, random changes
//! of them and random drift.

use moorline_api::{ApplyOptions, Cluster, DeleteOptions, Gvk, Object, ObjectRef, Propagation, ResourceKind};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::object;
use crate::plan::ObjectAction;
use crate::plan::objects::difference;
use crate::plan::unchanged::is_proved;

const DRY: ApplyOptions = ApplyOptions {
    dry_run: true,
    force: false,
};

const BACKGROUND: DeleteOptions = DeleteOptions {
    uid: None,
    resource_version: None,
    propagation: Propagation::Background,
    dry_run: false,
};

/// One story: a manifest is applied, someone edits the object, the manifest is edited, and applying it again is rehearsed.
#[derive(Clone, Debug)]
struct Story {
    manifest: Value,
    drift: Vec<Edit>,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Remove(usize),
    Change(usize),
    Empty(usize),
    Reverse(usize),
    Add(usize),
}

impl Edit {
    fn apply(&self, value: &mut Value) {
        let (Self::Remove(nth) | Self::Change(nth) | Self::Empty(nth) | Self::Reverse(nth) | Self::Add(nth)) = self;
        let mut paths = Vec::new();
        for part in ["metadata", "spec", "data", "rules"] {
            collect(&value[part], &format!("/{part}"), &mut paths);
        }
        // Another name or namespace would be another object.
        paths.retain(|path| path != "/metadata/name" && path != "/metadata/namespace" && path != "/metadata");
        // The edits before may have left nothing to edit.
        let Some(path) = nth.checked_rem(paths.len()).and_then(|nth| paths.get(nth)) else {
            return;
        };
        let (parent, member) = path.rsplit_once('/').unwrap();
        let at = value.pointer_mut(path).unwrap();
        match self {
            Self::Change(_) => match at {
                Value::String(text) => text.push('x'),
                Value::Number(number) => *at = json!(number.as_i64().unwrap() + 1),
                Value::Bool(flag) => *flag = !*flag,
                _ => {}
            },
            Self::Empty(_) => match at {
                Value::Object(map) => map.clear(),
                Value::Array(list) => list.clear(),
                _ => *at = Value::Null,
            },
            Self::Reverse(_) => at.as_array_mut().into_iter().for_each(|list| list.reverse()),
            Self::Add(_) => match at {
                Value::Object(map) => drop(map.insert("extra".to_owned(), json!("1"))),
                Value::Array(list) => list.extend(list.last().cloned()),
                _ => {}
            },
            Self::Remove(_) => match value.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(&member.replace("~1", "/"))),
                Value::Array(list) => drop(list.remove(member.parse().unwrap())),
                _ => {}
            },
        }
    }
}

/// The JSON pointers of a value and all below it.
fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Null => return,
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            collect(value, &format!("{path}/{}", key.replace('/', "~1")), paths);
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
            collect(value, &format!("{path}/{index}"), paths);
        }),
        _ => {}
    }
    paths.push(path.to_owned());
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let nth = 0_usize..1000;
    let edit = prop_oneof![
        nth.clone().prop_map(Edit::Remove),
        nth.clone().prop_map(Edit::Change),
        nth.clone().prop_map(Edit::Empty),
        nth.clone().prop_map(Edit::Reverse),
        nth.prop_map(Edit::Add),
    ];
    proptest::collection::vec(edit, 0..=most)
}

/// The members of `all` that are drawn.
fn some(all: Value) -> impl Strategy<Value = Value> {
    let Value::Object(all) = all else {
        unreachable!("members are given")
    };
    let names: Vec<String> = all.keys().cloned().collect();
    let count = names.len();
    proptest::sample::subsequence(names, 0..=count).prop_map(move |names| {
        Value::Object(
            names
                .into_iter()
                .map(|name| (name.clone(), all[&name].clone()))
                .collect(),
        )
    })
}

fn joined(mut base: Value, more: Value) -> Value {
    let (Value::Object(map), Value::Object(more)) = (&mut base, more) else {
        unreachable!("both are objects")
    };
    map.extend(more);
    base
}

fn metadata() -> impl Strategy<Value = Value> {
    some(json!({
        "annotations": {"note": "text", "a.b/c": ""},
        "finalizers": ["example.com/hold"],
    }))
    .prop_map(|parts| joined(json!({"labels": {"moorline.dev/profile": "p", "tier/one": "a"}}), parts))
}

fn container() -> impl Strategy<Value = Value> {
    let parts = json!({
        "args": ["-g", "daemon off;"],
        "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}, {"name": "C",
            "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "c"}}}],
        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": {},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "settings", "mountPath": "/etc/x", "readOnly": true}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
        "imagePullPolicy": "IfNotPresent",
    });
    some(parts).prop_map(|parts| joined(json!({"name": "web", "image": "nginx:1.27"}), parts))
}

fn deployment() -> impl Strategy<Value = Value> {
    let of_spec = some(json!({
        "replicas": 0, "strategy": {}, "minReadySeconds": 3, "paused": true, "revisionHistoryLimit": 2,
    }));
    let of_pod = some(json!({
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Equal", "value": "c"}],
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsUser": 1000},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}}],
    }));
    (container(), of_spec, of_pod).prop_map(|(container, of_spec, of_pod)| {
        let volumes = json!([{"name": "tmp", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings",
            "defaultMode": 420, "items": [{"key": "c", "path": "c"}]}}]);
        let pod = joined(json!({"containers": [container], "volumes": volumes}), of_pod);
        let spec = json!({
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
        });
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": joined(spec, of_spec)})
    })
}

fn others() -> impl Strategy<Value = Value> {
    let service = some(json!({
        "selector": {"app": "web"}, "type": "ClusterIP", "sessionAffinity": "ClientIP", "publishNotReadyAddresses": true,
    }));
    let service = service.prop_map(|spec| {
        let ports =
            json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
        json!({"apiVersion": "v1", "kind": "Service", "spec": joined(json!({"ports": ports}), spec)})
    });
    let map = some(json!({"data": {"a": "1", "b": "two"}, "binaryData": {"c": "AAEC"}, "immutable": false}));
    let map = map.prop_map(|parts| joined(json!({"apiVersion": "v1", "kind": "ConfigMap"}), parts));
    let named = some(json!({"resourceNames": ["a", "b"]}));
    let role = named.prop_map(|more| {
        let rule = joined(
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}),
            more,
        );
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [rule]})
    });
    prop_oneof![service, map, role]
}

fn stories() -> impl Strategy<Value = Story> {
    (prop_oneof![deployment(), others()], metadata(), edits(1), edits(2)).prop_map(
        |(manifest, metadata, drift, edits)| Story {
            manifest: joined(manifest, json!({"metadata": metadata})),
            drift,
            edits,
        },
    )
}

fn target(manifest: &Value, name: &str) -> ObjectRef {
    let gvk = Gvk::new(
        manifest["apiVersion"].as_str().unwrap(),
        manifest["kind"].as_str().unwrap(),
    );
    let plural = format!("{}s", gvk.kind.to_lowercase());
    let resource = ResourceKind {
        gvk,
        plural,
        ..ResourceKind::service()
    };
    ObjectRef::new(resource, "default", name)
}

/// Plays a story and says whether the outcome was proved; fails where a dry run contradicts.
async fn play(cluster: &KubeCluster, name: &str, story: Story) -> bool {
    let Story {
        mut manifest,
        drift,
        edits,
    } = story;
    manifest["metadata"]["name"] = json!(name);
    manifest["metadata"]["namespace"] = json!("default");
    let target = target(&manifest, name);
    cluster
        .apply(&target, &object(manifest.clone()), ApplyOptions::default())
        .await
        .unwrap();
    for edit in drift {
        let mut drifted = cluster.get(&target).await.unwrap().unwrap().into_value();
        // The server's own books: whoever rewrites them by hand can make them say anything, and changes no value by it.
        drifted["metadata"].as_object_mut().unwrap().remove("managedFields");
        edit.apply(&mut drifted);
        // What a server refuses has not happened.
        drop(cluster.merge(&target, &drifted).await);
    }
    for edit in edits {
        edit.apply(&mut manifest);
    }
    let manifest = object(manifest);
    let (live, rehearsed) = rehearse(cluster, &target, &manifest).await;
    let proved = is_proved(&live, &manifest);
    if proved {
        assert_eq!(
            rehearsed,
            Ok(ObjectAction::Unchanged),
            "proved unchanged: {manifest:?}\nlive: {live:?}"
        );
    }
    cluster
        .merge(&target, &json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    cluster.delete(&target, &BACKGROUND).await.unwrap();
    proved
}

/// The object as it is, and what a dry run says to the manifest; again where a controller wrote between the two.
async fn rehearse(
    cluster: &KubeCluster,
    target: &ObjectRef,
    manifest: &Object,
) -> (Object, Result<ObjectAction, String>) {
    loop {
        let live = cluster.get(target).await.unwrap().unwrap();
        let applied = cluster.apply(target, manifest, DRY).await;
        let after = cluster.get(target).await.unwrap().unwrap();
        if live.resource_version() == after.resource_version() {
            let action = applied.map(|applied| difference(&live, &applied.object));
            return (live, action.map_err(|error| error.to_string()));
        }
    }
}

/// Plays random stories; those in which nothing happens must all be proved, or the proof is good for nothing.
fn hold(cluster: &KubeCluster, runtime: &tokio::runtime::Runtime, cases: u32, run: &str) {
    let count = std::cell::Cell::new(0);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&stories(), |story| {
        count.set(count.get() + 1);
        // What is stated empty and filled in by the server cannot be told from what was replaced.
        let doubtful = story.manifest.pointer("/spec/strategy").is_some();
        let eventless = story.drift.is_empty() && story.edits.is_empty() && !doubtful;
        let name = format!("story-{run}-{}", count.get());
        let proved = runtime.block_on(play(cluster, &name, story));
        prop_assert!(proved || !eventless, "nothing happened, and it was not proved");
        Ok(())
    });
    outcome.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn what_is_proved_a_dry_run_of_the_sandbox_confirms() {
    let runtime = runtime();
    let cluster = runtime.block_on(async {
        let server = ApiServer::open(World::new(Journal::in_memory()).unwrap(), ApiSettings::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, server.router()).into_future());
        KubeCluster::at(&address, "sandbox", &KubeSettings::default()).unwrap()
    });
    hold(&cluster, &runtime, 300, "s");
}

mod real {
    use std::path::PathBuf;

    use super::*;

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn what_is_proved_a_dry_run_of_the_real_api_server_confirms() {
        let parts =
            std::env::var("MOORLINE_TEST_PARTS").expect("MOORLINE_TEST_PARTS names the file of the running parts");
        let parts: Value = serde_json::from_slice(&std::fs::read(parts).unwrap()).unwrap();
        let kubeconfig = parts["kubernetes"]["kubeconfig"]
            .as_str()
            .expect("a control plane is running");
        let settings = KubeSettings {
            kubeconfig: Some(PathBuf::from(kubeconfig)),
            ..KubeSettings::default()
        };
        let runtime = runtime();
        let cluster = runtime.block_on(KubeCluster::connect(&settings)).unwrap();
        let run = std::process::id().to_string();
        hold(&cluster, &runtime, 150, &run);
    }
}
