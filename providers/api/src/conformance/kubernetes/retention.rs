//! What a StatefulSet's retention policy makes of its claims.

use serde_json::json;

use super::backend::Backend;
use super::manifests::stateful_set_with_claims;
use super::retention;
use crate::conformance::{Case, cases};
use crate::{Object, ObjectRef, Propagation, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        retention::of_a_deleted_set_is_the_default,
        retention::may_delete_with_the_set,
        retention::may_delete_with_the_replica,
        retention::of_a_deleted_set_holds_when_only_scaling_deletes,
        retention::may_change_its_mind,
        retention::is_not_for_a_set_deleted_as_an_orphan,
    ]
}

fn web(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::stateful_set(), "web")
}

fn claim(on: &Backend, ordinal: u32) -> ObjectRef {
    on.target(ResourceKind::claim(), &format!("data-web-{ordinal}"))
}

/// The kinds and names of what owns a claim.
fn owners(claim: &Object) -> Vec<String> {
    let owners = claim.list_at(&["metadata", "ownerReferences"]).iter();
    owners
        .map(|owner| format!("{} {}", owner["kind"], owner["name"]).replace('"', ""))
        .collect()
}

/// A set of two with this policy, whose claims and pods exist. Nothing is bound: a pod that waits uses its claim too.
async fn set_of_two(on: &Backend, policy: serde_json::Value) -> Object {
    let class = on.class("Immediate").await;
    let mut set = stateful_set_with_claims(2, &class);
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    set["spec"]["persistentVolumeClaimRetentionPolicy"] = policy;
    let made = on.create(&web(on), set).await;
    on.until_names(ResourceKind::claim(), &["data-web-0", "data-web-1"])
        .await;
    on.until_names(ResourceKind::pod(), &["web-0", "web-1"]).await;
    made
}

async fn of_a_deleted_set_is_the_default(on: Backend) {
    set_of_two(&on, json!({"whenDeleted": "Retain", "whenScaled": "Retain"})).await;
    assert_eq!(owners(&on.get(&claim(&on, 0)).await), Vec::<String>::new());
    on.delete(&web(&on), Propagation::Foreground).await;
    on.until_gone(&web(&on)).await;
    on.until_names(ResourceKind::pod(), &[]).await;
    for claim in on.list(ResourceKind::claim()).await {
        assert!(!claim.is_terminating());
    }
    assert_eq!(on.names(ResourceKind::claim()).await, ["data-web-0", "data-web-1"]);
}

async fn may_delete_with_the_set(on: Backend) {
    let set = set_of_two(&on, json!({"whenDeleted": "Delete", "whenScaled": "Retain"})).await;
    let claimed = on
        .until("owned", &claim(&on, 0), |claim| !owners(claim).is_empty())
        .await;
    let owner = &claimed.list_at(&["metadata", "ownerReferences"])[0];
    assert_eq!(
        (&owner["kind"], owner["uid"].as_str()),
        (&json!("StatefulSet"), set.uid())
    );
    // Scaling down takes nothing.
    on.cluster().scale(&web(&on), 1).await.unwrap();
    on.until_names(ResourceKind::pod(), &["web-0"]).await;
    assert!(!on.get(&claim(&on, 1)).await.is_terminating());
    on.delete(&web(&on), Propagation::Background).await;
    on.until_names(ResourceKind::claim(), &[]).await;
}

async fn may_delete_with_the_replica(on: Backend) {
    set_of_two(&on, json!({"whenDeleted": "Retain", "whenScaled": "Delete"})).await;
    assert_eq!(owners(&on.get(&claim(&on, 1)).await), Vec::<String>::new());
    on.cluster().scale(&web(&on), 1).await.unwrap();
    on.until_gone(&claim(&on, 1)).await;
    assert!(!on.get(&claim(&on, 0)).await.is_terminating());
    assert_eq!(owners(&on.get(&claim(&on, 0)).await), Vec::<String>::new());
}

async fn of_a_deleted_set_holds_when_only_scaling_deletes(on: Backend) {
    set_of_two(&on, json!({"whenDeleted": "Retain", "whenScaled": "Delete"})).await;
    on.delete(&web(&on), Propagation::Background).await;
    on.until_names(ResourceKind::pod(), &[]).await;
    assert_eq!(on.names(ResourceKind::claim()).await, ["data-web-0", "data-web-1"]);
    assert!(
        on.list(ResourceKind::claim())
            .await
            .iter()
            .all(|claim| !claim.is_terminating())
    );
}

async fn may_change_its_mind(on: Backend) {
    set_of_two(&on, json!({"whenDeleted": "Delete", "whenScaled": "Retain"})).await;
    on.until("owned", &claim(&on, 1), |claim| !owners(claim).is_empty())
        .await;
    on.merge(
        &web(&on),
        json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}}}),
    )
    .await;
    for ordinal in 0..2 {
        on.until("owned by nobody", &claim(&on, ordinal), |claim| {
            owners(claim).is_empty()
        })
        .await;
    }
    on.delete(&web(&on), Propagation::Background).await;
    on.until_names(ResourceKind::pod(), &[]).await;
    assert_eq!(on.names(ResourceKind::claim()).await, ["data-web-0", "data-web-1"]);
}

async fn is_not_for_a_set_deleted_as_an_orphan(on: Backend) {
    set_of_two(&on, json!({"whenDeleted": "Delete", "whenScaled": "Retain"})).await;
    on.until("owned", &claim(&on, 1), |claim| !owners(claim).is_empty())
        .await;
    on.delete(&web(&on), Propagation::Orphan).await;
    on.until_gone(&web(&on)).await;
    let left = on.list(ResourceKind::claim()).await;
    assert_eq!(left.len(), 2);
    assert!(
        left.iter()
            .all(|claim| owners(claim).is_empty() && !claim.is_terminating()),
        "{left:?}"
    );
}
