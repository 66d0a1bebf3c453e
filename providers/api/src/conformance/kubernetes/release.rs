//! What becomes of a PersistentVolume without its claim, and of a claim without its volume.

use serde_json::{Value, json};

use super::backend::{ANOTHER_UID, Backend};
use super::manifests::{claim_of, volume};
use super::release;
use crate::conformance::{Case, cases};
use crate::{Object, ObjectRef, Propagation, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        release::keeps_the_reference_to_the_former_claim,
        release::is_not_undone_by_a_claim_of_the_same_name,
        release::is_undone_by_clearing_the_uid,
        release::leaves_deletion_to_the_driver,
        release::fails_where_nobody_can_delete,
        release::of_a_reference_to_another_life_is_at_once,
        release::loses_a_claim_whose_volume_goes,
    ]
}

fn data(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::claim(), "data")
}

fn pv(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::persistent_volume(), "pv")
}

fn phase(phase: &str) -> impl Fn(&Object) -> bool {
    move |object| object.str_at(&["status", "phase"]) == Some(phase)
}

/// A claim bound to a volume made for it, which has these fields besides.
async fn bound(on: &Backend, class: &str, more: impl FnOnce(&mut Value)) -> Object {
    let mut fields = volume(class, &json!({"namespace": on.namespace, "name": "data"}));
    more(&mut fields);
    on.create(&pv(on), fields).await;
    on.until("available", &pv(on), phase("Available")).await;
    on.create(&data(on), claim_of(class, &on.own("pv"))).await;
    on.until("bound", &pv(on), phase("Bound")).await;
    on.until("bound", &data(on), phase("Bound")).await
}

async fn keeps_the_reference_to_the_former_claim(on: Backend) {
    let class = on.class("Immediate").await;
    let former = bound(&on, &class, |_| ()).await;
    on.delete(&data(&on), Propagation::Background).await;
    on.until_gone(&data(&on)).await;
    let released = on.until("released", &pv(&on), phase("Released")).await;
    assert_eq!(released.str_at(&["spec", "claimRef", "uid"]), former.uid());
    assert_eq!(released.str_at(&["spec", "claimRef", "name"]), Some("data"));
}

async fn is_not_undone_by_a_claim_of_the_same_name(on: Backend) {
    let class = on.class("Immediate").await;
    bound(&on, &class, |_| ()).await;
    on.delete(&data(&on), Propagation::Background).await;
    on.until("released", &pv(&on), phase("Released")).await;
    on.until_gone(&data(&on)).await;
    on.create(&data(&on), claim_of(&class, &on.own("pv"))).await;
    let message = format!("volume \"{}\" already bound to a different claim.", on.own("pv"));
    on.until_event(&data(&on), "FailedBinding", &message).await;
    assert!(phase("Released")(&on.get(&pv(&on)).await));
}

async fn is_undone_by_clearing_the_uid(on: Backend) {
    let class = on.class("Immediate").await;
    let former = bound(&on, &class, |_| ()).await;
    on.delete(&data(&on), Propagation::Background).await;
    on.until("released", &pv(&on), phase("Released")).await;
    on.until_gone(&data(&on)).await;
    on.merge(
        &pv(&on),
        json!({"spec": {"claimRef": {"uid": null, "resourceVersion": null}}}),
    )
    .await;
    on.until("available", &pv(&on), phase("Available")).await;
    let next = on.create(&data(&on), claim_of(&class, &on.own("pv"))).await;
    on.until("bound", &data(&on), phase("Bound")).await;
    let again = on.until("bound", &pv(&on), phase("Bound")).await;
    assert_ne!(next.uid(), former.uid());
    assert_eq!(again.str_at(&["spec", "claimRef", "uid"]), next.uid());
}

/// The binder deletes no CSI volume, and calls none failed: that is for the driver, which may not be there.
async fn leaves_deletion_to_the_driver(on: Backend) {
    let class = on.class("Immediate").await;
    bound(&on, &class, |fields| {
        fields["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
    })
    .await;
    on.delete(&data(&on), Propagation::Background).await;
    on.until("released", &pv(&on), phase("Released")).await;
    // It goes like any other once somebody says so.
    on.delete(&pv(&on), Propagation::Background).await;
    on.until_gone(&pv(&on)).await;
}

/// A volume of a kind that has no driver, and that the controller manager cannot delete itself.
async fn fails_where_nobody_can_delete(on: Backend) {
    let class = on.class("Immediate").await;
    bound(&on, &class, |fields| {
        fields["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
        fields["spec"]["csi"] = Value::Null;
        fields["spec"]["nfs"] = json!({"server": "nfs.example.com", "path": "/"});
    })
    .await;
    on.delete(&data(&on), Propagation::Background).await;
    let failed = on.until("failed", &pv(&on), phase("Failed")).await;
    let message = failed.str_at(&["status", "message"]).unwrap();
    assert!(
        message.contains("error getting deleter volume plugin for volume"),
        "{message}"
    );
}

async fn of_a_reference_to_another_life_is_at_once(on: Backend) {
    let reference = json!({"namespace": on.namespace, "name": "data", "uid": ANOTHER_UID});
    on.create(&pv(&on), volume("none", &reference)).await;
    on.until("released", &pv(&on), phase("Released")).await;
}

async fn loses_a_claim_whose_volume_goes(on: Backend) {
    let class = on.class("Immediate").await;
    bound(&on, &class, |_| ()).await;
    on.delete(&pv(&on), Propagation::Background).await;
    on.merge(&pv(&on), json!({"metadata": {"finalizers": null}})).await;
    on.until_gone(&pv(&on)).await;
    let lost = on.until("lost", &data(&on), phase("Lost")).await;
    assert_eq!(lost.at(&["status", "capacity"]), None);
    on.until_event(
        &data(&on),
        "ClaimLost",
        "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
    )
    .await;
}
