//! The StatefulSet controller: names, order, claims by ordinal.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::backend::Backend;
use super::manifests::{claim_of, stateful_set, stateful_set_with_claims, stuck_stateful_set, volume};
use super::stateful_set;
use crate::conformance::{Case, cases};
use crate::{Object, ObjectRef, Propagation, ResourceKind, WatchEvent};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        stateful_set::starts_its_pods_in_order,
        stateful_set::starts_no_pod_before_the_last_is_ready,
        stateful_set::starts_all_pods_at_once_when_parallel,
        stateful_set::stops_the_highest_ordinal_first,
        stateful_set::counts_from_its_start,
        stateful_set::marks_its_pods,
        stateful_set::makes_a_claim_for_each_ordinal,
        stateful_set::takes_the_claim_that_is_there,
        stateful_set::takes_claims_bound_before_it_came,
        stateful_set::keeps_claims_when_scaled_down,
        stateful_set::replaces_its_pods_from_the_highest,
        stateful_set::says_where_it_stands,
        stateful_set::makes_a_lost_pod_again,
    ]
}

fn web(on: &Backend) -> ObjectRef {
    on.target(ResourceKind::stateful_set(), "web")
}

fn ready(replicas: i64) -> impl Fn(&Object) -> bool {
    move |set| {
        set.i64_at(&["status", "readyReplicas"]).unwrap_or_default() == replicas
            && set.i64_at(&["status", "replicas"]) == Some(replicas)
            && set.i64_at(&["status", "observedGeneration"]) == set.i64_at(&["metadata", "generation"])
    }
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.list_at(&["status", "conditions"]);
    conditions
        .iter()
        .any(|found| found["type"] == "Ready" && found["status"] == "True")
}

/// Volumes for the claims `data-web-<ordinal>`, reserved by name.
async fn volumes(on: &Backend, class: &str, ordinals: std::ops::Range<u32>) {
    for ordinal in ordinals {
        let name = format!("data-web-{ordinal}");
        let mut fields = volume(class, &json!({"namespace": on.namespace, "name": name}));
        fields["spec"]["csi"]["volumeHandle"] = json!(format!("disk-{ordinal}"));
        on.create(&on.target(ResourceKind::persistent_volume(), &name), fields)
            .await;
    }
}

async fn starts_its_pods_in_order(on: Backend) {
    let from = on.version(ResourceKind::pod()).await;
    on.create(&web(&on), stateful_set(3)).await;
    let mut pods = on.watch(ResourceKind::pod(), &from);
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    while seen.len() < 3 || !seen.values().all(|ready| *ready) {
        let WatchEvent::Applied(pod) = pods.next().await else {
            panic!("a pod went")
        };
        if !seen.contains_key(pod.name()) {
            assert_eq!(pod.name(), format!("web-{}", seen.len()));
            assert!(seen.values().all(|ready| *ready), "{} came before {seen:?}", pod.name());
        }
        seen.insert(pod.name().to_owned(), is_ready(&pod));
    }
}

async fn starts_no_pod_before_the_last_is_ready(on: Backend) {
    on.create(&web(&on), stuck_stateful_set(3)).await;
    on.until("one pod", &web(&on), |set| {
        set.i64_at(&["status", "replicas"]) == Some(1)
    })
    .await;
    let pod = on.target(ResourceKind::pod(), "web-0");
    let stuck = on.until("unschedulable", &pod, |pod| {
        let conditions = pod.list_at(&["status", "conditions"]);
        conditions
            .iter()
            .any(|found| found["type"] == "PodScheduled" && found["reason"] == "Unschedulable")
    });
    stuck.await;
    assert_eq!(on.names(ResourceKind::pod()).await, ["web-0"]);
}

async fn starts_all_pods_at_once_when_parallel(on: Backend) {
    let mut parallel = stuck_stateful_set(3);
    parallel["spec"]["podManagementPolicy"] = json!("Parallel");
    on.create(&web(&on), parallel).await;
    on.until_names(ResourceKind::pod(), &["web-0", "web-1", "web-2"]).await;
}

async fn stops_the_highest_ordinal_first(on: Backend) {
    on.create(&web(&on), stateful_set(3)).await;
    on.until("ready", &web(&on), ready(3)).await;
    let from = on.version(ResourceKind::pod()).await;
    on.cluster().scale(&web(&on), 0).await.unwrap();
    let mut pods = on.watch(ResourceKind::pod(), &from);
    let mut gone = Vec::new();
    while gone.len() < 3 {
        match pods.next().await {
            WatchEvent::Deleted(pod) => gone.push(pod.name().to_owned()),
            WatchEvent::Applied(pod) => {
                let first = gone.len() == 2 - pod.name().trim_start_matches("web-").parse::<usize>().unwrap();
                assert!(first || !pod.is_terminating(), "{} goes after {gone:?}", pod.name());
            }
            WatchEvent::Bookmark(_) => {}
        }
    }
    assert_eq!(gone, ["web-2", "web-1", "web-0"]);
    on.until("empty", &web(&on), ready(0)).await;
}

async fn counts_from_its_start(on: Backend) {
    let class = on.class("Immediate").await;
    let mut set = stateful_set_with_claims(2, &class);
    set["spec"]["ordinals"] = json!({"start": 5});
    volumes(&on, &class, 5..7).await;
    on.create(&web(&on), set).await;
    on.until("ready", &web(&on), ready(2)).await;
    assert_eq!(on.names(ResourceKind::pod()).await, ["web-5", "web-6"]);
    assert_eq!(on.names(ResourceKind::claim()).await, ["data-web-5", "data-web-6"]);
}

async fn marks_its_pods(on: Backend) {
    let class = on.class("Immediate").await;
    volumes(&on, &class, 0..1).await;
    let made = on.create(&web(&on), stateful_set_with_claims(1, &class)).await;
    let set = on.until("ready", &web(&on), ready(1)).await;
    let pod = on.get(&on.target(ResourceKind::pod(), "web-0")).await;
    assert_eq!(pod.label("app"), Some("web"));
    assert_eq!(pod.label("statefulset.kubernetes.io/pod-name"), Some("web-0"));
    assert_eq!(pod.label("apps.kubernetes.io/pod-index"), Some("0"));
    assert_eq!(
        pod.label("controller-revision-hash"),
        set.str_at(&["status", "currentRevision"])
    );
    assert_eq!(
        (pod.str_at(&["spec", "hostname"]), pod.str_at(&["spec", "subdomain"])),
        (Some("web-0"), Some("web"))
    );
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": made.uid(), "controller": true, "blockOwnerDeletion": true,
    });
    assert_eq!(pod.at(&["metadata", "ownerReferences"]), Some(&json!([owner])));
    let volume = pod
        .list_at(&["spec", "volumes"])
        .iter()
        .find(|volume| volume["name"] == "data")
        .unwrap();
    assert_eq!(volume["persistentVolumeClaim"]["claimName"], "data-web-0");
}

async fn makes_a_claim_for_each_ordinal(on: Backend) {
    let class = on.class("Immediate").await;
    let mut set = stateful_set_with_claims(2, &class);
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    set["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] = json!({"tier": "disk"});
    set["spec"]["volumeClaimTemplates"][0]["metadata"]["annotations"] = json!({"example.com/note": "mine"});
    on.create(&web(&on), set).await;
    on.until_names(ResourceKind::claim(), &["data-web-0", "data-web-1"])
        .await;
    let claim = on.get(&on.target(ResourceKind::claim(), "data-web-0")).await;
    // The set's selector joins the template's labels.
    assert_eq!((claim.label("app"), claim.label("tier")), (Some("web"), Some("disk")));
    assert_eq!(claim.annotation("example.com/note"), Some("mine"));
    assert_eq!(claim.at(&["metadata", "ownerReferences"]), None);
    assert_eq!(
        claim.at(&["spec"]),
        Some(&json!({
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": class,
            "volumeMode": "Filesystem",
        }))
    );
}

async fn takes_the_claim_that_is_there(on: Backend) {
    let class = on.class("WaitForFirstConsumer").await;
    let first = on.target(ResourceKind::claim(), "data-web-0");
    let made = on.create(&first, claim_of(&class, &on.own("data-web-0"))).await;
    volumes(&on, &class, 0..1).await;
    on.create(&web(&on), stateful_set_with_claims(1, &class)).await;
    on.until("ready", &web(&on), ready(1)).await;
    let taken = on.get(&first).await;
    assert_eq!(taken.uid(), made.uid());
    assert_eq!(taken.str_at(&["spec", "volumeName"]), Some(&*on.own("data-web-0")));
}

async fn takes_claims_bound_before_it_came(on: Backend) {
    let class = on.class("Immediate").await;
    volumes(&on, &class, 0..3).await;
    let mut made = Vec::new();
    for ordinal in 0..3 {
        let target = on.target(ResourceKind::claim(), &format!("data-web-{ordinal}"));
        on.create(&target, claim_of(&class, &on.own(&target.name))).await;
        let bound = on
            .until("bound", &target, |claim| {
                claim.str_at(&["status", "phase"]) == Some("Bound")
            })
            .await;
        made.push(bound.uid().unwrap().to_owned());
    }
    on.apply(&web(&on), stateful_set_with_claims(3, &class)).await;
    on.until("ready", &web(&on), ready(3)).await;
    let claims = on.list(ResourceKind::claim()).await;
    assert_eq!(
        claims
            .iter()
            .map(|claim| claim.uid().unwrap().to_owned())
            .collect::<Vec<_>>(),
        made
    );
}

async fn keeps_claims_when_scaled_down(on: Backend) {
    let class = on.class("Immediate").await;
    volumes(&on, &class, 0..2).await;
    on.create(&web(&on), stateful_set_with_claims(2, &class)).await;
    on.until("ready", &web(&on), ready(2)).await;
    let before = on.list(ResourceKind::claim()).await;
    on.cluster().scale(&web(&on), 0).await.unwrap();
    on.until("empty", &web(&on), ready(0)).await;
    on.until_names(ResourceKind::pod(), &[]).await;
    on.cluster().scale(&web(&on), 2).await.unwrap();
    on.until("ready", &web(&on), ready(2)).await;
    let after = on.list(ResourceKind::claim()).await;
    let facts = |claims: &[Object]| -> Vec<(Option<String>, Option<Value>)> {
        claims
            .iter()
            .map(|claim| (claim.uid().map(str::to_owned), claim.at(&["spec"]).cloned()))
            .collect()
    };
    assert_eq!(facts(&before), facts(&after));
}

async fn replaces_its_pods_from_the_highest(on: Backend) {
    on.create(&web(&on), stateful_set(2)).await;
    let before = on.until("ready", &web(&on), ready(2)).await;
    let from = on.version(ResourceKind::pod()).await;
    let mut changed = stateful_set(2);
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:2");
    on.merge(&web(&on), json!({"spec": {"template": changed["spec"]["template"]}}))
        .await;
    let mut pods = on.watch(ResourceKind::pod(), &from);
    let mut gone = Vec::new();
    while gone.len() < 2 {
        if let WatchEvent::Deleted(pod) = pods.next().await {
            gone.push(pod.name().to_owned());
        }
    }
    assert_eq!(gone, ["web-1", "web-0"]);
    let is_updated = |set: &Object| {
        ready(2)(set) && set.str_at(&["status", "currentRevision"]) == set.str_at(&["status", "updateRevision"])
    };
    let after = on.until("updated", &web(&on), is_updated).await;
    assert_ne!(
        after.at(&["status", "currentRevision"]),
        before.at(&["status", "currentRevision"])
    );
    for pod in on.list(ResourceKind::pod()).await {
        assert_eq!(pod.list_at(&["spec", "containers"])[0]["image"], "nginx:2");
    }
}

async fn says_where_it_stands(on: Backend) {
    on.create(&web(&on), stateful_set(2)).await;
    let set = on
        .until("ready", &web(&on), |set| {
            ready(2)(set) && set.i64_at(&["status", "availableReplicas"]) == Some(2)
        })
        .await;
    let revision = set.str_at(&["status", "updateRevision"]).unwrap();
    assert!(revision.starts_with("web-"), "{revision}");
    assert_eq!(
        set.at(&["status"]),
        Some(&json!({
            "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "currentReplicas": 2,
            "updatedReplicas": 2, "collisionCount": 0, "currentRevision": revision, "updateRevision": revision,
        }))
    );
}

async fn makes_a_lost_pod_again(on: Backend) {
    on.create(&web(&on), stateful_set(1)).await;
    on.until("ready", &web(&on), ready(1)).await;
    let pod = on.target(ResourceKind::pod(), "web-0");
    let first = on.get(&pod).await;
    on.delete(&pod, Propagation::Background).await;
    let second = on.until("another", &pod, |pod| pod.uid() != first.uid()).await;
    assert_eq!(second.label("apps.kubernetes.io/pod-index"), Some("0"));
}
