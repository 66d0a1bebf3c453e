//! Claims and PersistentVolumes made for each other, and the touch that binds them at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::backend::Backend;
use super::binding;
use super::manifests::{claim, claim_of, pod_using, volume};
use crate::conformance::{Case, cases, eventually};
use crate::{Object, ObjectRef, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        binding::by_a_touch_is_at_once_when_immediate,
        binding::by_a_touch_is_at_once_when_waiting_for_a_consumer,
        binding::leaves_the_marks_of_a_bound_pair,
        binding::of_a_volume_first_is_at_once,
        binding::takes_a_volume_reserved_by_name,
        binding::leaves_a_volume_reserved_for_another,
        binding::finds_a_volume_that_nobody_named,
        binding::waits_for_a_volume_that_is_named_and_absent,
        binding::waits_for_a_consumer_where_the_class_says_so,
        binding::refuses_a_volume_that_is_too_small,
        binding::of_a_pair_ignores_its_sizes,
        binding::refuses_a_volume_of_another_class,
        binding::does_not_share_a_volume,
        binding::of_a_reserved_volume_ignores_its_class,
        binding::lets_a_pod_run_where_its_volume_is,
    ]
}

/// The binder looks again at what waits every 15 s; what takes less was woken.
const AT_ONCE: Duration = Duration::from_secs(5);

fn data(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::claim(), "data")
}

fn pv(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::persistent_volume(), "pv")
}

fn is_bound(object: &Object) -> bool {
    object.str_at(&["status", "phase"]) == Some("Bound")
}

fn phase(phase: &str) -> impl Fn(&Object) -> bool {
    move |object| object.str_at(&["status", "phase"]) == Some(phase)
}

/// A reference to a claim, UID included.
fn reference(claim: &Object) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(), "name": claim.name(), "uid": claim.uid(),
    })
}

/// moorline's own order: the claim that names its volume, the volume with the claim's UID, the touch. The binder may hear of
/// the touch before it hears of the volume, so a touch that has no effect is repeated.
async fn pre_bind(on: &Backend, mode: &str) -> (Object, Object) {
    let class = on.class(mode).await;
    let first = on.apply(&data(on), claim_of(&class, &on.own("pv"))).await;
    on.until("seen by the binder", &data(on), phase("Pending")).await;
    on.apply(&pv(on), volume(&class, &reference(&first))).await;
    let mut touches = 0;
    let claim = eventually("bound", AT_ONCE, async || {
        let touch = json!({"metadata": {"annotations": {"example.com/touched": touches.to_string()}}});
        touches += 1;
        on.merge(&data(on), touch).await;
        on.settled(Duration::from_millis(250), &data(on), is_bound).await
    })
    .await;
    let volume = on.within(AT_ONCE, "bound", &pv(on), is_bound).await;
    assert_eq!(claim.uid(), first.uid());
    (claim, volume)
}

async fn by_a_touch_is_at_once_when_immediate(on: Backend) {
    pre_bind(&on, "Immediate").await;
}

async fn by_a_touch_is_at_once_when_waiting_for_a_consumer(on: Backend) {
    pre_bind(&on, "WaitForFirstConsumer").await;
}

async fn leaves_the_marks_of_a_bound_pair(on: Backend) {
    let (claim, volume) = pre_bind(&on, "Immediate").await;
    assert_eq!(claim.annotation("pv.kubernetes.io/bind-completed"), Some("yes"));
    // We named the volume, and it the claim: the binder claims to have set neither.
    assert_eq!(claim.annotation("pv.kubernetes.io/bound-by-controller"), None);
    assert_eq!(volume.annotation("pv.kubernetes.io/bound-by-controller"), None);
    assert_eq!(claim.str_at(&["spec", "volumeName"]), Some(volume.name()));
    assert_eq!(
        claim.at(&["status"]),
        Some(&json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}))
    );
    assert_eq!(volume.str_at(&["spec", "claimRef", "uid"]), claim.uid());
    assert_eq!(
        claim.at(&["metadata", "finalizers"]),
        Some(&json!(["kubernetes.io/pvc-protection"]))
    );
    assert_eq!(
        volume.at(&["metadata", "finalizers"]),
        Some(&json!(["kubernetes.io/pv-protection"]))
    );
    // Applying the same again takes nothing of it back.
    let again = on
        .apply(
            &data(&on),
            claim_of(claim.str_at(&["spec", "storageClassName"]).unwrap(), volume.name()),
        )
        .await;
    assert_eq!(again.resource_version(), claim.resource_version());
}

async fn of_a_volume_first_is_at_once(on: Backend) {
    let class = on.class("WaitForFirstConsumer").await;
    let reserved = json!({"namespace": on.namespace, "name": "data"});
    on.create(&pv(&on), volume(&class, &reserved)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), claim_of(&class, &on.own("pv"))).await;
    on.within(AT_ONCE, "bound", &data(&on), is_bound).await;
}

async fn takes_a_volume_reserved_by_name(on: Backend) {
    for mode in ["Immediate", "WaitForFirstConsumer"] {
        let class = on.class(mode).await;
        let (name, pv) = (
            format!("data-{}", mode.to_lowercase()),
            on.target(
                ResourceKind::persistent_volume(),
                &format!("pv-{}", mode.to_lowercase()),
            ),
        );
        let reserved = json!({"namespace": on.namespace, "name": name});
        on.create(&pv, volume(&class, &reserved)).await;
        on.until("available", &pv, phase("Available")).await;
        let target = on.target(ResourceKind::claim(), &name);
        let made = on.create(&target, claim(&class)).await;
        let bound = on.within(AT_ONCE, "bound", &target, is_bound).await;
        assert_eq!(bound.str_at(&["spec", "volumeName"]), Some(&*pv.name));
        assert_eq!(bound.annotation("pv.kubernetes.io/bound-by-controller"), Some("yes"));
        let volume = on.until("bound", &pv, is_bound).await;
        assert_eq!(volume.str_at(&["spec", "claimRef", "uid"]), made.uid());
        // A person reserved it, so that the binder does not say it did.
        assert_eq!(volume.annotation("pv.kubernetes.io/bound-by-controller"), None);
    }
}

async fn leaves_a_volume_reserved_for_another(on: Backend) {
    let class = on.class("Immediate").await;
    let reserved = json!({"namespace": on.namespace, "name": "another"});
    on.create(&pv(&on), volume(&class, &reserved)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), claim(&class)).await;
    on.until_event(&data(&on), "ProvisioningFailed", "no volume plugin matched name")
        .await;
    assert_eq!(on.get(&data(&on)).await.str_at(&["spec", "volumeName"]), None);
    assert_eq!(on.get(&pv(&on)).await.str_at(&["spec", "claimRef", "uid"]), None);
}

async fn finds_a_volume_that_nobody_named(on: Backend) {
    let class = on.class("Immediate").await;
    on.create(&pv(&on), volume(&class, &Value::Null)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    let made = on.create(&data(&on), claim(&class)).await;
    let bound = on.within(AT_ONCE, "bound", &data(&on), is_bound).await;
    let volume = on.until("bound", &pv(&on), is_bound).await;
    assert_eq!(
        (bound.uid(), volume.str_at(&["spec", "claimRef", "uid"])),
        (made.uid(), made.uid())
    );
    assert_eq!(volume.annotation("pv.kubernetes.io/bound-by-controller"), Some("yes"));
}

async fn waits_for_a_volume_that_is_named_and_absent(on: Backend) {
    for mode in ["Immediate", "WaitForFirstConsumer"] {
        let class = on.class(mode).await;
        let target = on.target(ResourceKind::claim(), &mode.to_lowercase());
        on.create(&target, claim_of(&class, &on.own("absent"))).await;
        let waiting = on.until("pending", &target, phase("Pending")).await;
        // Nobody is asked to make one.
        assert_eq!(waiting.annotation("volume.kubernetes.io/storage-provisioner"), None);
        assert_eq!(
            waiting.annotation("volume.beta.kubernetes.io/storage-provisioner"),
            None
        );
    }
}

async fn waits_for_a_consumer_where_the_class_says_so(on: Backend) {
    let class = on.class("WaitForFirstConsumer").await;
    on.create(&pv(&on), volume(&class, &Value::Null)).await;
    on.create(&data(&on), claim(&class)).await;
    on.until_event(
        &data(&on),
        "WaitForFirstConsumer",
        "waiting for first consumer to be created before binding",
    )
    .await;
    assert!(!is_bound(&on.get(&data(&on)).await));
    on.create(&on.target(ResourceKind::pod(), "consumer"), pod_using("data"))
        .await;
    let bound = on.until("bound", &data(&on), is_bound).await;
    assert_eq!(bound.str_at(&["spec", "volumeName"]), Some(&*on.own("pv")));
}

async fn refuses_a_volume_that_is_too_small(on: Backend) {
    let class = on.class("Immediate").await;
    on.create(&pv(&on), volume(&class, &Value::Null)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), twice_the_size(&class, &on.own("pv"))).await;
    let message = format!(
        "Cannot bind to requested volume \"{}\": requested PV is too small",
        on.own("pv")
    );
    on.until_event(&data(&on), "VolumeMismatch", &message).await;
    assert!(phase("Pending")(&on.get(&data(&on)).await));
}

/// Where each names the other, nobody compares.
async fn of_a_pair_ignores_its_sizes(on: Backend) {
    let class = on.class("Immediate").await;
    let reserved = json!({"namespace": on.namespace, "name": "data"});
    on.create(&pv(&on), volume(&class, &reserved)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), twice_the_size(&class, &on.own("pv"))).await;
    let bound = on.within(AT_ONCE, "bound", &data(&on), is_bound).await;
    assert_eq!(bound.str_at(&["status", "capacity", "storage"]), Some("1Gi"));
}

fn twice_the_size(class: &str, volume: &str) -> Value {
    let mut claim = claim_of(class, volume);
    claim["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
    claim
}

async fn refuses_a_volume_of_another_class(on: Backend) {
    let class = on.class("Immediate").await;
    on.create(&pv(&on), volume("another", &Value::Null)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), claim_of(&class, &on.own("pv"))).await;
    let message = format!(
        "Cannot bind to requested volume \"{}\": storageClassName does not match",
        on.own("pv")
    );
    on.until_event(&data(&on), "VolumeMismatch", &message).await;
}

async fn does_not_share_a_volume(on: Backend) {
    let (claim, volume) = pre_bind(&on, "Immediate").await;
    let class = claim.str_at(&["spec", "storageClassName"]).unwrap();
    let second = on.target(ResourceKind::claim(), "second");
    on.create(&second, claim_of(class, volume.name())).await;
    on.until_event(
        &second,
        "FailedBinding",
        &format!("volume \"{}\" already bound to a different claim.", volume.name()),
    )
    .await;
    assert!(phase("Pending")(&on.get(&second).await));
    assert!(is_bound(&on.get(&data(&on)).await));
}

async fn of_a_reserved_volume_ignores_its_class(on: Backend) {
    let class = on.class("Immediate").await;
    let reserved = json!({"namespace": on.namespace, "name": "data"});
    on.create(&pv(&on), volume("another", &reserved)).await;
    on.until("available", &pv(&on), phase("Available")).await;
    on.create(&data(&on), claim(&class)).await;
    on.within(AT_ONCE, "bound", &data(&on), is_bound).await;
}

async fn lets_a_pod_run_where_its_volume_is(on: Backend) {
    pre_bind(&on, "WaitForFirstConsumer").await;
    let pod = on.target(ResourceKind::pod(), "consumer");
    on.create(&pod, pod_using("data")).await;
    let running = on
        .until("running", &pod, |pod| {
            pod.str_at(&["status", "phase"]) == Some("Running")
        })
        .await;
    let node = ObjectRef::new(ResourceKind::node(), "", running.str_at(&["spec", "nodeName"]).unwrap());
    eventually("in the zone", on.patience(), async || {
        let node = on.get(&node).await;
        match node.label("topology.kubernetes.io/zone") {
            Some("us-east-1a") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
