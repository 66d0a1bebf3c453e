//! JSON merge patches, with their preconditions.

use serde_json::json;

use super::backend::{ANOTHER_UID, Backend, Request};
use super::manifests::config_map;
use super::merge;
use crate::ErrorKind;
use crate::conformance::{Case, cases};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        merge::changes_adds_and_removes,
        merge::of_no_change_writes_nothing,
        merge::holds_to_the_uid,
        merge::holds_to_the_version,
        merge::of_an_absent_object_is_refused,
        merge::may_not_rename,
    ]
}

async fn changes_adds_and_removes(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(
        &target,
        json!({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}, "data": {"a": "1", "b": "1"}}),
    )
    .await;
    let patch = json!({"metadata": {"finalizers": ["example.com/c"]}, "data": {"a": null, "b": "2", "c": "3"}});
    let merged = on.merge(&target, patch).await;
    assert_eq!(merged.at(&["data"]), Some(&json!({"b": "2", "c": "3"})));
    // A list is replaced as a whole.
    assert_eq!(merged.at(&["metadata", "finalizers"]), Some(&json!(["example.com/c"])));
    let entries = merged.list_at(&["metadata", "managedFields"]);
    assert!(
        entries
            .iter()
            .all(|entry| entry["manager"] == "moorline" && entry["operation"] == "Update"),
        "{entries:?}"
    );
    on.merge(&target, json!({"metadata": {"finalizers": null}})).await;
}

async fn of_no_change_writes_nothing(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.create(&target, json!({"data": {"a": "1"}})).await;
    let same = on.merge(&target, json!({"data": {"a": "1", "b": null}})).await;
    assert_eq!(same.resource_version(), made.resource_version());
}

async fn holds_to_the_uid(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.create(&target, json!({})).await;
    let wrong = json!({"metadata": {"uid": ANOTHER_UID}, "data": {"a": "1"}});
    let refused = on.cluster().merge(&target, &wrong).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert_eq!(on.get(&target).await, made);
    // In the server's own words it is an attempt to change what may not be changed.
    let status = on
        .send(Request::merge(Backend::path(&target), wrong))
        .await
        .refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "metadata.uid");
    on.merge(&target, json!({"metadata": {"uid": made.uid()}, "data": {"a": "1"}}))
        .await;
}

async fn holds_to_the_version(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.create(&target, json!({})).await;
    let patch = |value: &str| json!({"metadata": {"resourceVersion": made.resource_version()}, "data": {"a": value}});
    on.merge(&target, patch("1")).await;
    let refused = on.cluster().merge(&target, &patch("2")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert_eq!(on.get(&target).await.str_at(&["data", "a"]), Some("1"));
}

async fn of_an_absent_object_is_refused(on: Backend) {
    let refused = on
        .cluster()
        .merge(&on.target(config_map(), "absent"), &json!({"data": {"a": "1"}}))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    assert_eq!(refused.message, "configmaps \"absent\" not found");
}

async fn may_not_rename(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(&target, json!({})).await;
    let refused = on
        .cluster()
        .merge(&target, &json!({"metadata": {"name": "another"}}))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
}
