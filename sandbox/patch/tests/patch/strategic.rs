//! Strategic merge patch, directive by directive.

use moorline_sandbox_patch::{PatchError, Schema, strategic_merge};
use serde_json::{Value, json};

use crate::world::{deployment, pods};

fn patch(live: &Value, patch: &Value) -> Result<Value, PatchError> {
    strategic_merge(Schema::for_kind("apps/v1", "Deployment"), live, patch)
}

fn pod_patch(spec: Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

/// The part of the pod's spec that a patch leaves.
fn patched(live: Value, change: Value) -> Value {
    patch(&pods(live), &pod_patch(change)).unwrap()["spec"]["template"]["spec"].clone()
}

#[test]
fn maps_merge_and_null_deletes() {
    let live = deployment(json!({"replicas": 1, "paused": true, "selector": {"matchLabels": {"a": "1"}}}));
    let result = patch(
        &live,
        &json!({"spec": {"paused": null, "minReadySeconds": 5, "selector": {"matchLabels": {"b": "2"}}, "absent": null}}),
    );
    assert_eq!(
        result.unwrap()["spec"],
        json!({"replicas": 1, "minReadySeconds": 5, "selector": {"matchLabels": {"a": "1", "b": "2"}}})
    );
}

#[test]
fn items_merge_by_key_and_new_ones_are_added() {
    let live = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]});
    let change = json!({"containers": [{"name": "b", "image": "z", "tty": null}, {"name": "c", "stdin": null}]});
    assert_eq!(
        patched(live, change)["containers"],
        json!([{"name": "a", "image": "x"}, {"name": "b", "image": "z"}, {"name": "c"}])
    );
}

#[test]
fn other_lists_are_replaced() {
    let live = json!({"tolerations": [{"key": "a"}, {"key": "b"}]});
    assert_eq!(
        patched(live, json!({"tolerations": [{"key": "c"}]}))["tolerations"],
        json!([{"key": "c"}])
    );
}

#[test]
fn items_are_deleted_and_lists_replaced_by_directive() {
    let live = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    let deleted = patched(
        live.clone(),
        json!({"containers": [{"name": "b", "$patch": "delete"}, {"name": "d"}]}),
    );
    assert_eq!(
        deleted["containers"],
        json!([{"name": "d"}, {"name": "a"}, {"name": "c"}])
    );
    let replaced = patched(live, json!({"containers": [{"name": "x"}, {"$patch": "replace"}]}));
    assert_eq!(replaced["containers"], json!([{"name": "x"}]));
}

#[test]
fn maps_are_replaced_and_emptied_by_directive() {
    let live = deployment(json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}));
    let replaced = patch(
        &live,
        &json!({"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}),
    )
    .unwrap();
    assert_eq!(replaced["spec"]["strategy"], json!({"type": "Recreate"}));
    let deleted = patch(&live, &json!({"spec": {"strategy": {"$patch": "delete"}}})).unwrap();
    assert_eq!(deleted["spec"]["strategy"], json!({}));
    let absent = patch(&live, &json!({"spec": {"template": {"$patch": "delete"}}})).unwrap();
    assert_eq!(absent["spec"].get("template"), None);
}

#[test]
fn retained_keys_clear_the_others() {
    let live = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let change = json!({"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/x"}}]});
    assert_eq!(
        patched(live, change)["volumes"],
        json!([{"name": "v", "hostPath": {"path": "/x"}}])
    );

    let live = deployment(json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}));
    let kept = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(
        patch(&live, &kept).unwrap()["spec"]["strategy"],
        json!({"type": "Recreate"})
    );
    let odd = json!({"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}});
    assert!(matches!(patch(&live, &odd), Err(PatchError::Malformed(_))));
}

#[test]
fn the_order_of_items_can_be_set() {
    let live = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    let change = json!({
        "$setElementOrder/containers": [{"name": "c"}, {"name": "d"}, {"name": "a"}],
        "containers": [{"name": "d", "image": "x"}],
    });
    assert_eq!(
        patched(live.clone(), change)["containers"],
        json!([{"name": "b"}, {"name": "c"}, {"name": "d", "image": "x"}, {"name": "a"}])
    );
    // What kubectl sends to remove the first: an order without it, and its deletion.
    let change = json!({
        "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}],
        "containers": [{"$patch": "delete", "name": "a"}],
    });
    assert_eq!(
        patched(live.clone(), change)["containers"],
        json!([{"name": "b"}, {"name": "c"}])
    );
    let only_order = json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}]});
    assert_eq!(
        patched(live.clone(), only_order)["containers"],
        json!([{"name": "c"}, {"name": "b"}, {"name": "a"}])
    );
    let absent = json!({"$setElementOrder/volumes": [{"name": "v"}], "volumes": [{"name": "v", "emptyDir": {}}]});
    assert_eq!(patched(live, absent)["volumes"], json!([{"name": "v", "emptyDir": {}}]));
}

#[test]
fn an_order_must_name_the_items_of_the_patch_in_their_order() {
    let live = pods(json!({"containers": [{"name": "a"}]}));
    for order in [json!([{"name": "a"}]), json!([{"name": "c"}, {"name": "b"}])] {
        let change = json!({"$setElementOrder/containers": order, "containers": [{"name": "b"}, {"name": "c"}]});
        let error = patch(&live, &pod_patch(change)).unwrap_err();
        assert!(
            error.to_string().contains("doesn't match $setElementOrder list"),
            "{error}"
        );
    }
}

#[test]
fn scalars_are_added_to_sets_and_deleted_from_lists() {
    let mut live = deployment(json!({}));
    live["metadata"]["finalizers"] = json!(["a", "b"]);
    let added = patch(&live, &json!({"metadata": {"finalizers": ["c", "a"]}})).unwrap();
    // New ones come where the patch has them, before the live ones that followed.
    assert_eq!(added["metadata"]["finalizers"], json!(["c", "a", "b"]));
    let deleted = patch(
        &live,
        &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}}),
    );
    assert_eq!(deleted.unwrap()["metadata"]["finalizers"], json!(["b"]));
}

#[test]
fn ports_merge_by_number_alone() {
    // Server-side apply would keep both.
    let live = json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}]}]});
    let change = json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "TCP"}]}]});
    assert_eq!(
        patched(live, change)["containers"][0]["ports"],
        json!([{"containerPort": 53, "protocol": "TCP"}])
    );
}

#[test]
fn conditions_merge_by_type() {
    let schema = Schema::for_kind("v1", "PersistentVolumeClaim");
    let live = json!({"status": {"phase": "Bound", "conditions": [{"type": "Resizing", "status": "True"}]}});
    let change = json!({"status": {"conditions": [{"type": "Unused", "status": "True"}, {"type": "Resizing", "status": "False"}]}});
    let conditions = strategic_merge(schema, &live, &change).unwrap()["status"]["conditions"].clone();
    assert_eq!(
        conditions,
        json!([{"type": "Unused", "status": "True"}, {"type": "Resizing", "status": "False"}])
    );
}

#[test]
fn a_replaced_selector_loses_what_it_had() {
    let schema = Schema::for_kind("policy/v1", "PodDisruptionBudget");
    let live = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}});
    let change = json!({"spec": {"selector": {"matchLabels": {"b": "2"}}}});
    let result = strategic_merge(schema, &live, &change).unwrap();
    assert_eq!(result["spec"]["selector"], json!({"matchLabels": {"b": "2"}}));
}

#[test]
fn malformed_patches_are_refused() {
    let live = pods(json!({"containers": [{"name": "a"}]}));
    let malformed = [
        json!([1]),
        pod_patch(json!({"containers": [{"image": "x"}]})),
        pod_patch(json!({"$setElementOrder/containers": "a"})),
        pod_patch(json!({"$retainKeys": "a"})),
    ];
    for change in malformed {
        assert!(
            matches!(patch(&live, &change), Err(PatchError::Malformed(_))),
            "{change}"
        );
    }
    let unusable = [
        pod_patch(json!({"containers": [{"name": "a", "$patch": "merge"}]})),
        pod_patch(json!({"containers": [{"name": "a", "$patch": "unheard"}]})),
        pod_patch(json!({"$patch": "merge"})),
    ];
    for change in unusable {
        assert!(
            matches!(patch(&live, &change), Err(PatchError::DoesNotApply(_))),
            "{change}"
        );
    }
}
