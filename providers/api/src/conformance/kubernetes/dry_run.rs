//! A rehearsal tells the truth and stores nothing.

use serde_json::{Value, json};

use super::backend::{ANOTHER_UID, BACKGROUND, Backend};
use super::dry_run;
use super::manifests::{claim_of, config_map, stateful_set, stateful_set_with_claims, volume};
use crate::conformance::{Case, cases};
use crate::{ApplyOptions, DeleteOptions, ErrorKind, Object, ResourceKind, Write};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        dry_run::of_a_creation_equals_it,
        dry_run::of_a_change_equals_it,
        dry_run::of_no_change_equals_what_is_there,
        dry_run::refuses_what_an_apply_would,
        dry_run::of_the_other_writes_changes_nothing,
        dry_run::of_the_other_writes_refuses_what_they_would,
    ]
}

const DRY: ApplyOptions = ApplyOptions {
    dry_run: true,
    force: false,
};

/// Without what the server makes up anew for each write.
fn lasting(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(status) = object.fields_mut().get_mut("status").and_then(Value::as_object_mut) {
        status.remove("lastPhaseTransitionTime");
    }
    let Some(metadata) = object.fields_mut().get_mut("metadata").and_then(Value::as_object_mut) else {
        return object;
    };
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        metadata.remove(field);
    }
    for entry in metadata
        .get_mut("managedFields")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        entry.as_object_mut().unwrap().remove("time");
    }
    object
}

async fn of_a_creation_equals_it(on: Backend) {
    let class = on.class("WaitForFirstConsumer").await;
    let reference = json!({"namespace": on.namespace, "name": "data"});
    for (resource, name, fields) in [
        (config_map(), "map", json!({"data": {"a": "1"}})),
        (ResourceKind::claim(), "data", claim_of(&class, &on.own("pv"))),
        (ResourceKind::persistent_volume(), "pv", volume(&class, &reference)),
        (ResourceKind::stateful_set(), "web", stateful_set_with_claims(0, &class)),
    ] {
        let target = on.target(resource, name);
        let rehearsed = on.try_apply(&target, fields.clone(), DRY).await.unwrap().object;
        assert!(!on.exists(&target).await, "{target} was stored");
        assert_eq!(rehearsed.resource_version(), None);
        assert!(rehearsed.uid().is_some() && rehearsed.created().is_some());
        let done = on.apply(&target, fields).await;
        assert_eq!(lasting(&rehearsed), lasting(&done));
    }
}

async fn of_a_change_equals_it(on: Backend) {
    let target = on.target(config_map(), "map");
    let before = on
        .apply(
            &target,
            json!({"metadata": {"labels": {"x": "1"}}, "data": {"a": "1", "b": "1"}}),
        )
        .await;
    let after = json!({"metadata": {"labels": {"y": "1"}}, "data": {"a": "2"}});
    let rehearsed = on.try_apply(&target, after.clone(), DRY).await.unwrap().object;
    assert_eq!(on.get(&target).await, before);
    assert_eq!(rehearsed.uid(), before.uid());
    let done = on.apply(&target, after).await;
    assert_eq!(lasting(&rehearsed), lasting(&done));

    let set = on.target(ResourceKind::stateful_set(), "web");
    on.apply(&set, stateful_set(0)).await;
    on.until("seen by its controller", &set, |set| {
        set.i64_at(&["status", "observedGeneration"]) == Some(1)
    })
    .await;
    let mut other = stateful_set(0);
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:2");
    let rehearsed = on.try_apply(&set, other.clone(), DRY).await.unwrap().object;
    assert_eq!(rehearsed.i64_at(&["metadata", "generation"]), Some(2));
    let done = on.apply(&set, other).await;
    assert_eq!(lasting(&rehearsed), lasting(&done));
}

async fn of_no_change_equals_what_is_there(on: Backend) {
    let target = on.target(config_map(), "map");
    let there = on.apply(&target, json!({"data": {"a": "1"}})).await;
    let rehearsed = on
        .try_apply(&target, json!({"data": {"a": "1"}}), DRY)
        .await
        .unwrap()
        .object;
    assert_eq!(rehearsed, there);
}

async fn refuses_what_an_apply_would(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply_as("other", &target, json!({"data": {"a": "1"}}), "")
        .await
        .done();
    let refused = on
        .try_apply(&target, json!({"data": {"a": "2"}}), DRY)
        .await
        .unwrap_err();
    assert!(matches!(refused.kind, ErrorKind::FieldConflicts(_)), "{refused}");
    let set = on.target(ResourceKind::stateful_set(), "web");
    let mut wrong = stateful_set(1);
    wrong["spec"]["selector"] = json!({"matchLabels": {"app": "another"}});
    let refused = on.try_apply(&set, wrong, DRY).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
}

async fn of_the_other_writes_changes_nothing(on: Backend) {
    let set = on.target(ResourceKind::stateful_set(), "web");
    let manifest = on.manifest(&set, stateful_set(0));
    on.cluster().rehearse(&set, &Write::Create(&manifest)).await.unwrap();
    assert!(!on.exists(&set).await);
    on.create(&set, stateful_set(0)).await;
    let before = on
        .until("seen by its controller", &set, |set| {
            set.i64_at(&["status", "observedGeneration"]) == Some(1)
        })
        .await;
    let patch = json!({"metadata": {"labels": {"x": "1"}}});
    for write in [Write::Merge(&patch), Write::Scale(3), Write::Delete(&BACKGROUND)] {
        on.cluster().rehearse(&set, &write).await.unwrap();
        assert_eq!(on.get(&set).await, before, "{write:?}");
    }
}

async fn of_the_other_writes_refuses_what_they_would(on: Backend) {
    let target = on.target(config_map(), "map");
    let manifest = on.manifest(&target, json!({}));
    on.create(&target, json!({})).await;
    let refused = on
        .cluster()
        .rehearse(&target, &Write::Create(&manifest))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists, "{refused}");
    let stale = json!({"metadata": {"uid": ANOTHER_UID}});
    let refused = on.cluster().rehearse(&target, &Write::Merge(&stale)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    let other_life = DeleteOptions {
        uid: Some(ANOTHER_UID.to_owned()),
        ..BACKGROUND
    };
    let refused = on
        .cluster()
        .rehearse(&target, &Write::Delete(&other_life))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    let absent = on.target(ResourceKind::stateful_set(), "absent");
    let refused = on.cluster().rehearse(&absent, &Write::Scale(1)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
}
