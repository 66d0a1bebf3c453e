//! Claims in use and volumes that are bound are not deleted.

use serde_json::json;

use super::backend::Backend;
use super::manifests::{claim, claim_of, pod_using, volume};
use super::protection;
use crate::conformance::{Case, cases};
use crate::{Deletion, Object, Propagation, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        protection::keeps_a_claim_while_a_pod_uses_it,
        protection::lets_an_unused_claim_go,
        protection::keeps_a_volume_while_it_is_bound,
        protection::lets_a_free_volume_go,
    ]
}

fn phase(phase: &str) -> impl Fn(&Object) -> bool {
    move |object| object.str_at(&["status", "phase"]) == Some(phase)
}

async fn keeps_a_claim_while_a_pod_uses_it(on: Backend) {
    let class = on.class("WaitForFirstConsumer").await;
    let (data, pv) = (
        on.target(ResourceKind::claim(), "data"),
        on.target(ResourceKind::persistent_volume(), "pv"),
    );
    on.create(&pv, volume(&class, &json!({"namespace": on.namespace, "name": "data"})))
        .await;
    on.create(&data, claim_of(&class, &pv.name)).await;
    on.until("bound", &data, phase("Bound")).await;
    let pod = on.target(ResourceKind::pod(), "user");
    on.create(&pod, pod_using("data")).await;
    on.until("running", &pod, phase("Running")).await;
    assert_eq!(on.delete(&data, Propagation::Background).await, Deletion::Terminating);
    // The volume's own deletion waits for the claim's.
    assert_eq!(on.delete(&pv, Propagation::Background).await, Deletion::Terminating);
    let waiting = on.get(&data).await;
    assert_eq!(
        waiting.at(&["metadata", "finalizers"]),
        Some(&json!(["kubernetes.io/pvc-protection"]))
    );
    on.delete(&pod, Propagation::Background).await;
    on.until_gone(&pod).await;
    on.until_gone(&data).await;
    on.until_gone(&pv).await;
}

async fn lets_an_unused_claim_go(on: Backend) {
    let data = on.target(ResourceKind::claim(), "data");
    let made = on.create(&data, claim("none")).await;
    assert_eq!(
        made.at(&["metadata", "finalizers"]),
        Some(&json!(["kubernetes.io/pvc-protection"]))
    );
    // The finalizer is there from the first moment, so that no deletion is at once.
    assert_eq!(on.delete(&data, Propagation::Background).await, Deletion::Terminating);
    on.until_gone(&data).await;
}

async fn keeps_a_volume_while_it_is_bound(on: Backend) {
    let class = on.class("Immediate").await;
    let (data, pv) = (
        on.target(ResourceKind::claim(), "data"),
        on.target(ResourceKind::persistent_volume(), "pv"),
    );
    on.create(&pv, volume(&class, &json!({"namespace": on.namespace, "name": "data"})))
        .await;
    on.create(&data, claim_of(&class, &pv.name)).await;
    on.until("bound", &data, phase("Bound")).await;
    on.until("bound", &pv, phase("Bound")).await;
    assert_eq!(on.delete(&pv, Propagation::Background).await, Deletion::Terminating);
    let waiting = on.get(&pv).await;
    assert_eq!(
        waiting.at(&["metadata", "finalizers"]),
        Some(&json!(["kubernetes.io/pv-protection"]))
    );
    assert!(phase("Bound")(&on.get(&data).await));
    on.delete(&data, Propagation::Background).await;
    on.until_gone(&data).await;
    on.until_gone(&pv).await;
}

async fn lets_a_free_volume_go(on: Backend) {
    let pv = on.target(ResourceKind::persistent_volume(), "pv");
    on.create(&pv, volume("none", &serde_json::Value::Null)).await;
    on.until("available", &pv, phase("Available")).await;
    on.delete(&pv, Propagation::Background).await;
    on.until_gone(&pv).await;
}
