//! What is proved, and what is left to the server.

mod rehearsed;

use serde_json::json;

use super::*;

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn manifest() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "ns", "labels": {"moorline.dev/profile": "p"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": "nginx", "args": ["-g", "daemon off;"], "ports": [{"containerPort": 80}]},
            ], "volumes": [{"name": "tmp", "emptyDir": {}}]}},
        },
    })
}

/// What a server makes of the manifest: defaults, status, and who owns what.
fn live() -> Value {
    let container = json!({
        ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
    });
    let owned = json!({
        "f:metadata": {"f:labels": {"f:moorline.dev/profile": {}}},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"web\"}": container},
                "f:volumes": {"k:{\"name\":\"tmp\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}},
            },
        }},
    });
    let mut live = manifest();
    live["metadata"]["uid"] = json!("u");
    live["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
    live["metadata"]["managedFields"] = json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
         "subresource": "status",
         "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}}}, "f:status": {"f:replicas": {}}}},
        {"manager": "moorline", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": owned},
    ]);
    live["spec"]["strategy"] = json!({"type": "RollingUpdate"});
    live["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = json!("TCP");
    live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Always");
    live["status"] = json!({"replicas": 2});
    live
}

/// Whether it is proved after changes to the manifest and to the live object.
fn proved(change: impl FnOnce(&mut Value), drift: impl FnOnce(&mut Value)) -> bool {
    let (mut manifest, mut live) = (manifest(), live());
    change(&mut manifest);
    drift(&mut live);
    is_proved(&object(live), &object(manifest))
}

fn same(_: &mut Value) {}

#[test]
fn the_same_manifest_is_proved_unchanged() {
    assert!(proved(same, same));
}

#[test]
fn any_change_of_the_manifest_is_for_the_server() {
    let container = "/spec/template/spec/containers/0";
    let changes: [(&str, Value); 9] = [
        ("/spec/replicas", json!(3)),
        ("/spec/selector/matchLabels/app", json!("other")),
        ("/metadata/labels", json!({"moorline.dev/profile": "p", "more": "1"})),
        ("/metadata/labels", json!({})),
        ("/spec/template/spec/volumes", json!([])),
        (&format!("{container}/args"), json!(["daemon off;", "-g"])),
        (&format!("{container}/ports"), json!([{"containerPort": 81}])),
        (&format!("{container}/image"), Value::Null),
        ("/apiVersion", json!("apps/v1beta1")),
    ];
    for (path, value) in changes {
        assert!(
            !proved(|manifest| *manifest.pointer_mut(path).unwrap() = value, same),
            "{path}"
        );
    }
    assert!(!proved(
        |manifest| manifest["spec"]["strategy"] = json!({"type": "RollingUpdate"}),
        same
    ));
    assert!(!proved(
        |manifest| drop(manifest["spec"].as_object_mut().unwrap().remove("replicas")),
        same
    ));
    assert!(!proved(
        |manifest| manifest["metadata"]["resourceVersion"] = json!("1"),
        same
    ));
}

#[test]
fn drift_in_what_we_own_is_for_the_server() {
    assert!(!proved(same, |live| live["spec"]["replicas"] = json!(5)));
    assert!(!proved(same, |live| live["spec"]["template"]["spec"]["containers"]
        [0]["args"] = json!([])));
    let sidecar = json!({"name": "sidecar", "image": "envoy"});
    assert!(!proved(same, |live| {
        live["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .insert(0, sidecar);
    }));
    assert!(proved(same, |live| live["spec"]["paused"] = json!(true)));
}

#[test]
fn without_our_own_entry_nothing_is_proved() {
    assert!(!proved(same, |live| live["metadata"]["managedFields"] = json!([])));
    for (field, value) in [
        ("manager", "kubectl"),
        ("operation", "Update"),
        ("subresource", "scale"),
        ("apiVersion", "apps/v1beta2"),
    ] {
        assert!(
            !proved(same, |live| live["metadata"]["managedFields"][1][field] = json!(value)),
            "{field}"
        );
    }
}

#[test]
fn an_object_that_may_have_been_empty_is_for_the_server() {
    // Applied as `strategy: {}`, it is owned without members; stated in full now, its members become ours.
    let was_empty = |live: &mut Value| {
        live["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"]["f:strategy"] = json!({});
    };
    assert!(!proved(
        |manifest| manifest["spec"]["strategy"] = json!({"type": "RollingUpdate"}),
        was_empty
    ));
    // A selector is owned as one, unless someone else owns parts of it.
    let in_parts = json!({"f:spec": {"f:selector": {"f:matchLabels": {"f:app": {}}}}});
    assert!(!proved(same, |live| live["metadata"]["managedFields"][0]["fieldsV1"] = in_parts));
}

#[test]
fn pods_and_custom_resources_are_for_the_server() {
    let proved = |api_version: &str, kind: &str| {
        let object = object(json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": "x", "managedFields": [
                {"manager": "moorline", "operation": "Apply", "apiVersion": api_version, "fieldsType": "FieldsV1", "fieldsV1": {}}]},
        }));
        let mut manifest = object.clone();
        manifest.fields_mut()["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("managedFields");
        is_proved(&object, &manifest)
    };
    assert!(proved("v1", "ConfigMap"));
    assert!(!proved("v1", "Pod"));
    assert!(!proved("example.com/v1", "ConfigMap"));
}
