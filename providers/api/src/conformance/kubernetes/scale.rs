//! The scale subresource.

use serde_json::json;

use super::backend::{Backend, Request};
use super::manifests::{stateful_set, stuck_stateful_set};
use super::scale;
use crate::conformance::{Case, cases};
use crate::{ApplyOptions, ErrorKind, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        scale::is_owned_as_a_subresource,
        scale::is_kept_by_an_apply_without_replicas,
        scale::conflicts_with_an_apply_that_names_replicas,
        scale::has_a_shape_of_its_own,
        scale::of_an_absent_set_is_refused,
    ]
}

async fn is_owned_as_a_subresource(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.apply(&target, stuck_stateful_set(0)).await;
    on.cluster().scale(&target, 2).await.unwrap();
    let scaled = on.get(&target).await;
    assert_eq!(scaled.i64_at(&["spec", "replicas"]), Some(2));
    assert_eq!(scaled.i64_at(&["metadata", "generation"]), Some(2));
    let entries = scaled.list_at(&["metadata", "managedFields"]);
    let scale = entries.iter().find(|entry| entry["subresource"] == "scale").unwrap();
    assert_eq!(
        (&scale["manager"], &scale["operation"]),
        (&json!("moorline"), &json!("Update"))
    );
    assert_eq!(scale["apiVersion"], "apps/v1");
    assert_eq!(scale["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    let apply = entries.iter().find(|entry| entry["operation"] == "Apply").unwrap();
    assert!(apply.pointer("/fieldsV1/f:spec/f:replicas").is_none(), "{apply}");
}

async fn is_kept_by_an_apply_without_replicas(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let mut manifest = stuck_stateful_set(0);
    on.apply(&target, manifest.clone()).await;
    on.cluster().scale(&target, 2).await.unwrap();
    manifest["spec"].as_object_mut().unwrap().remove("replicas");
    let applied = on.apply(&target, manifest.clone()).await;
    assert_eq!(applied.i64_at(&["spec", "replicas"]), Some(2));
    // Where an apply alone set them and then stops, they fall back to the default.
    let alone = on.target(ResourceKind::stateful_set(), "alone");
    on.apply(&alone, stuck_stateful_set(3)).await;
    let applied = on.apply(&alone, manifest).await;
    assert_eq!(applied.i64_at(&["spec", "replicas"]), Some(1));
}

async fn conflicts_with_an_apply_that_names_replicas(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.apply(&target, stateful_set(0)).await;
    let path = format!("{}/scale?fieldManager=autoscaler", Backend::path(&target));
    on.send(Request::merge(path, json!({"spec": {"replicas": 1}})))
        .await
        .done();
    let refused = on
        .try_apply(&target, stateful_set(0), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &refused.kind else {
        panic!("{refused:?}")
    };
    let found: Vec<_> = conflicts
        .iter()
        .map(|found| (&*found.manager, &*found.owner, &*found.field))
        .collect();
    let owner = "\"autoscaler\" with subresource \"scale\" using apps/v1";
    assert_eq!(found, [("autoscaler", owner, ".spec.replicas")]);
}

async fn has_a_shape_of_its_own(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let set = on.create(&target, stateful_set(0)).await;
    let path = format!("{}/scale", Backend::path(&target));
    let scale = on.send(Request::get(&*path)).await.done();
    assert_eq!(scale.gvk().to_string(), "autoscaling/v1 Scale");
    assert_eq!((scale.name(), scale.uid()), ("web", set.uid()));
    assert_eq!(scale.str_at(&["status", "selector"]), Some("app=web"));
    // A version that has passed is refused here too.
    on.merge(&target, json!({"metadata": {"labels": {"x": "1"}}})).await;
    let mut outdated = scale.into_value();
    outdated["spec"] = json!({"replicas": 1});
    on.send(Request::put(path, outdated)).await.refused(409, "Conflict");
}

async fn of_an_absent_set_is_refused(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "absent");
    let refused = on.cluster().scale(&target, 1).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    assert_eq!(refused.message, "statefulsets.apps \"absent\" not found");
}
