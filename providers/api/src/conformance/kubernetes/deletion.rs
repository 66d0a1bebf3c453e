//! Finalizers, preconditions, and what becomes of dependents.

use serde_json::{Value, json};

use super::backend::{ANOTHER_UID, BACKGROUND, Backend, Request};
use super::deletion;
use super::manifests::{config_map, stateful_set};
use crate::conformance::{Case, cases};
use crate::{DeleteOptions, Deletion, ErrorKind, Object, ObjectRef, Propagation, ResourceKind, WatchEvent};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        deletion::is_at_once_where_nothing_holds,
        deletion::waits_for_finalizers,
        deletion::takes_no_new_finalizers,
        deletion::holds_to_the_uid,
        deletion::holds_to_the_version,
        deletion::in_the_background_takes_dependents_afterwards,
        deletion::in_the_foreground_takes_dependents_first,
        deletion::may_orphan_dependents,
        deletion::of_a_set_in_the_foreground_waits_for_its_pods,
        deletion::of_a_set_may_keep_its_pods,
        deletion::leaves_what_has_another_owner,
        deletion::takes_what_names_an_owner_of_another_life,
        deletion::of_many_follows_a_selector,
    ]
}

const HOLD: &str = "example.com/hold";

fn owned_by(owner: &Object, blocks: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name(), "uid": owner.uid(), "blockOwnerDeletion": blocks,
    })
}

/// An owner, and something that it owns.
async fn family(on: &Backend, finalizers: &[&str]) -> (ObjectRef, ObjectRef) {
    let (parent, child) = (on.target(config_map(), "parent"), on.target(config_map(), "child"));
    let owner = on.create(&parent, json!({})).await;
    let metadata = json!({"ownerReferences": [owned_by(&owner, true)], "finalizers": finalizers});
    on.create(&child, json!({"metadata": metadata})).await;
    (parent, child)
}

async fn release(on: &Backend, target: &ObjectRef) {
    on.merge(target, json!({"metadata": {"finalizers": null}})).await;
}

async fn is_at_once_where_nothing_holds(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(&target, json!({})).await;
    assert_eq!(on.delete(&target, Propagation::Background).await, Deletion::Gone);
    assert_eq!(on.delete(&target, Propagation::Background).await, Deletion::Absent);
    let made = on.create(&target, json!({})).await;
    let answer = on.send(Request::delete(Backend::path(&target), json!({}))).await;
    assert_eq!((answer.code, &answer.body["status"]), (200, &json!("Success")));
    assert_eq!(
        answer.body["details"],
        json!({"name": "map", "kind": "configmaps", "uid": made.uid()})
    );
}

async fn waits_for_finalizers(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(
        &target,
        json!({"metadata": {"finalizers": [HOLD, "example.com/other"]}}),
    )
    .await;
    assert_eq!(on.delete(&target, Propagation::Background).await, Deletion::Terminating);
    let going = on.get(&target).await;
    assert!(going.is_terminating());
    assert_eq!(going.i64_at(&["metadata", "deletionGracePeriodSeconds"]), Some(0));
    // Asked again, nothing changes.
    assert_eq!(on.delete(&target, Propagation::Background).await, Deletion::Terminating);
    assert_eq!(on.get(&target).await, going);
    on.merge(&target, json!({"metadata": {"finalizers": [HOLD]}})).await;
    assert!(on.exists(&target).await);
    release(&on, &target).await;
    assert!(!on.exists(&target).await);
}

async fn takes_no_new_finalizers(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(&target, json!({"metadata": {"finalizers": [HOLD]}})).await;
    on.delete(&target, Propagation::Background).await;
    let more = json!({"metadata": {"finalizers": [HOLD, "example.com/more"]}});
    let refused = on.cluster().merge(&target, &more).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    assert!(
        refused
            .message
            .contains("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted"),
        "{refused}"
    );
    // Other fields may still be written.
    on.merge(&target, json!({"data": {"a": "1"}})).await;
    release(&on, &target).await;
}

async fn holds_to_the_uid(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.create(&target, json!({})).await;
    let of = |uid: &str| DeleteOptions {
        uid: Some(uid.to_owned()),
        ..BACKGROUND
    };
    let other = ANOTHER_UID;
    let refused = on.cluster().delete(&target, &of(other)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale);
    let uid = made.uid().unwrap();
    let why = format!("the UID in the precondition ({other}) does not match the UID in record ({uid})");
    assert!(refused.message.contains(&why), "{refused}");
    assert_eq!(on.cluster().delete(&target, &of(uid)).await.unwrap(), Deletion::Gone);
}

async fn holds_to_the_version(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.create(&target, json!({})).await;
    let changed = on.merge(&target, json!({"data": {"a": "1"}})).await;
    let at = |object: &Object| DeleteOptions {
        resource_version: object.resource_version().map(str::to_owned),
        ..BACKGROUND
    };
    let refused = on.cluster().delete(&target, &at(&made)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert_eq!(
        on.cluster().delete(&target, &at(&changed)).await.unwrap(),
        Deletion::Gone
    );
}

async fn in_the_background_takes_dependents_afterwards(on: Backend) {
    let (parent, child) = family(&on, &[HOLD]).await;
    assert_eq!(on.delete(&parent, Propagation::Background).await, Deletion::Gone);
    on.until("on its way", &child, Object::is_terminating).await;
    release(&on, &child).await;
    assert!(!on.exists(&child).await);
}

async fn in_the_foreground_takes_dependents_first(on: Backend) {
    let (parent, child) = family(&on, &[HOLD]).await;
    assert_eq!(on.delete(&parent, Propagation::Foreground).await, Deletion::Terminating);
    on.until("on its way", &child, Object::is_terminating).await;
    let waiting = on.get(&parent).await;
    assert_eq!(
        waiting.at(&["metadata", "finalizers"]),
        Some(&json!(["foregroundDeletion"]))
    );
    release(&on, &child).await;
    on.until_gone(&parent).await;
}

async fn may_orphan_dependents(on: Backend) {
    let (parent, child) = family(&on, &[]).await;
    on.delete(&parent, Propagation::Orphan).await;
    on.until_gone(&parent).await;
    let left = on.get(&child).await;
    assert_eq!(
        (left.at(&["metadata", "ownerReferences"]), left.is_terminating()),
        (None, false)
    );
}

async fn of_a_set_in_the_foreground_waits_for_its_pods(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.create(&target, stateful_set(2)).await;
    on.until("ready", &target, |set| {
        set.i64_at(&["status", "readyReplicas"]) == Some(2)
    })
    .await;
    let from = on.version(ResourceKind::stateful_set()).await;
    assert_eq!(on.delete(&target, Propagation::Foreground).await, Deletion::Terminating);
    let mut changes = on.watch(ResourceKind::stateful_set(), &from);
    while let WatchEvent::Applied(_) = changes.next().await {}
    assert_eq!(on.names(ResourceKind::pod()).await, Vec::<String>::new());
}

async fn of_a_set_may_keep_its_pods(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.create(&target, stateful_set(1)).await;
    on.until("ready", &target, |set| {
        set.i64_at(&["status", "readyReplicas"]) == Some(1)
    })
    .await;
    on.delete(&target, Propagation::Orphan).await;
    on.until_gone(&target).await;
    let pod = on.get(&on.target(ResourceKind::pod(), "web-0")).await;
    assert_eq!(
        (pod.at(&["metadata", "ownerReferences"]), pod.is_terminating()),
        (None, false)
    );
    // A set of the same selector takes it up again.
    let again = on.create(&target, stateful_set(1)).await;
    let is_adopted = |pod: &Object| {
        let mut owners = pod.list_at(&["metadata", "ownerReferences"]).iter();
        owners.any(|owner| owner["uid"].as_str() == again.uid())
    };
    let adopted = on
        .until("adopted", &on.target(ResourceKind::pod(), "web-0"), is_adopted)
        .await;
    assert_eq!(adopted.uid(), pod.uid());
}

async fn leaves_what_has_another_owner(on: Backend) {
    let (one, two) = (on.target(config_map(), "one"), on.target(config_map(), "two"));
    let owners = [on.create(&one, json!({})).await, on.create(&two, json!({})).await];
    let child = on.target(config_map(), "child");
    let references: Vec<_> = owners.iter().map(|owner| owned_by(owner, false)).collect();
    on.create(&child, json!({"metadata": {"ownerReferences": references}}))
        .await;
    on.delete(&one, Propagation::Background).await;
    let left = on
        .until("of one owner", &child, |child| {
            child.list_at(&["metadata", "ownerReferences"]).len() == 1
        })
        .await;
    assert_eq!(left.list_at(&["metadata", "ownerReferences"])[0]["name"], "two");
    on.delete(&two, Propagation::Background).await;
    on.until_gone(&child).await;
}

async fn takes_what_names_an_owner_of_another_life(on: Backend) {
    let (parent, child) = (on.target(config_map(), "parent"), on.target(config_map(), "child"));
    let mut owner = on.create(&parent, json!({})).await;
    owner.set(&["metadata", "uid"], json!(ANOTHER_UID));
    on.create(
        &child,
        json!({"metadata": {"ownerReferences": [owned_by(&owner, false)]}}),
    )
    .await;
    on.until_gone(&child).await;
    assert!(on.exists(&parent).await);
}

async fn of_many_follows_a_selector(on: Backend) {
    for (name, app) in [("a", "web"), ("b", "web"), ("c", "db")] {
        on.create(
            &on.target(config_map(), name),
            json!({"metadata": {"labels": {"app": app}}}),
        )
        .await;
    }
    let path = format!("{}?labelSelector=app%3Dweb", on.here(&config_map()));
    on.send(Request::delete(path, json!({}))).await.done();
    for (name, is_left) in [("a", false), ("b", false), ("c", true)] {
        assert_eq!(on.exists(&on.target(config_map(), name)).await, is_left, "{name}");
    }
}
