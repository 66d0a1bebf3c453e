//! Who may run: a Lease is taken by one.

use futures::future::join_all;
use serde_json::{Value, json};

use super::backend::{BACKGROUND, Backend};
use super::lease;
use super::manifests;
use crate::conformance::{Case, cases};
use crate::{DeleteOptions, ErrorKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        lease::is_created_by_one,
        lease::is_renewed_from_the_version_that_was_read,
        lease::keeps_its_times_to_the_microsecond,
        lease::of_a_former_holder_is_not_deleted,
    ]
}

fn held_by(holder: &str) -> Value {
    json!({"spec": {
        "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-11-21T12:00:00.123456Z", "leaseTransitions": 0,
    }})
}

async fn is_created_by_one(on: Backend) {
    let target = on.target(manifests::lease(), "lock");
    let objects: Vec<_> = (0..8)
        .map(|number| on.manifest(&target, held_by(&format!("runner-{number}"))))
        .collect();
    let races = join_all(objects.iter().map(|object| on.cluster().create(&target, object))).await;
    let (won, lost): (Vec<_>, Vec<_>) = races.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|lost| lost.as_ref().unwrap_err().kind == ErrorKind::AlreadyExists),
        "{lost:?}"
    );
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(on.get(&target).await, winner);
}

async fn is_renewed_from_the_version_that_was_read(on: Backend) {
    let target = on.target(manifests::lease(), "lock");
    let read = on.create(&target, held_by("gone")).await;
    let patches: Vec<_> = (0..8)
        .map(|number| {
            let metadata = json!({"uid": read.uid(), "resourceVersion": read.resource_version()});
            json!({"metadata": metadata, "spec": {"holderIdentity": format!("runner-{number}"), "leaseTransitions": 1}})
        })
        .collect();
    let races = join_all(patches.iter().map(|patch| on.cluster().merge(&target, patch))).await;
    let (won, lost): (Vec<_>, Vec<_>) = races.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|lost| lost.as_ref().unwrap_err().kind == ErrorKind::Stale),
        "{lost:?}"
    );
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(on.get(&target).await.at(&["spec"]), winner.at(&["spec"]));
}

async fn keeps_its_times_to_the_microsecond(on: Backend) {
    let target = on.target(manifests::lease(), "lock");
    let made = on.create(&target, held_by("me")).await;
    assert_eq!(made.str_at(&["spec", "renewTime"]), Some("2026-11-21T12:00:00.123456Z"));
    let refused = on
        .cluster()
        .merge(&target, &json!({"spec": {"renewTime": "2026-11-21T12:00:01Z"}}))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    let merged = on
        .merge(&target, json!({"spec": {"renewTime": "2026-11-21T12:00:01.000000Z"}}))
        .await;
    assert_eq!(
        merged.str_at(&["spec", "renewTime"]),
        Some("2026-11-21T12:00:01.000000Z")
    );
}

async fn of_a_former_holder_is_not_deleted(on: Backend) {
    let target = on.target(manifests::lease(), "lock");
    let former = on.create(&target, held_by("former")).await;
    let options = DeleteOptions {
        uid: former.uid().map(str::to_owned),
        ..BACKGROUND
    };
    on.cluster().delete(&target, &options).await.unwrap();
    on.create(&target, held_by("next")).await;
    let refused = on.cluster().delete(&target, &options).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert_eq!(on.get(&target).await.str_at(&["spec", "holderIdentity"]), Some("next"));
}
