//! What a run that made a set smaller left when it was killed.

use serde_json::{Value, json};

use super::*;
use crate::down::unfinished;
use crate::observe;

/// What is unfinished of set `db` at one replica.
async fn left(stage: &Stage) -> Vec<ClaimRemoval> {
    let (ctx, profile) = (stage.context(), web());
    let site = observe::site(&ctx, &profile).await.unwrap();
    unfinished(&ctx, &profile, &site, &profile.sets[0], 1).await.unwrap()
}

fn pod(owner: &str, kind: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "default", "name": "db-1", "uid": "p", "labels": {"app": "db"},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "u"}]},
        "spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data-db-1"}}]},
    })
}

#[tokio::test]
async fn claims_beyond_the_replicas_are_unfinished_only_where_something_says_so() {
    let stage = stage();
    add(&stage, "data-db-1");
    assert!(left(&stage).await.is_empty(), "kept on purpose");
    for (owner, kind) in [("other", "StatefulSet"), ("db", "ReplicaSet")] {
        stage.cluster.add(pod(owner, kind));
        assert!(left(&stage).await.is_empty(), "{kind} {owner}");
    }
    stage.cluster.add(pod("db", "StatefulSet"));
    let mounted = left(&stage).await;
    assert_eq!(
        mounted.iter().map(|removal| &*removal.claim_name).collect::<Vec<_>>(),
        ["default/data-db-1"]
    );
    stage.cluster.remove("Pod", "db-1");
    let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "db-1", "uid": "p"}]);
    for going in [
        with(
            claim("data-db-1"),
            "/metadata/deletionTimestamp",
            json!("2026-11-22T00:00:00Z"),
        ),
        with(claim("data-db-1"), "/metadata/ownerReferences", owner),
    ] {
        stage.cluster.add(going);
        let left = left(&stage).await;
        let expected = (true, Some("pv-data-db-1"), Some("vol-1"), VolumeFate::Delete);
        assert_eq!(left.iter().map(brief).collect::<Vec<_>>(), [expected]);
    }
}

#[tokio::test]
async fn claims_that_the_set_still_has_are_never_unfinished() {
    let stage = stage();
    stage.cluster.add(with(
        claim("data-db-0"),
        "/metadata/deletionTimestamp",
        json!("2026-11-22T00:00:00Z"),
    ));
    assert!(left(&stage).await.is_empty());
}

const CACHE: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache}
spec:
  serviceName: cache
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec: {containers: [{name: c, image: redis, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

#[tokio::test]
async fn what_another_set_leaves_is_its_own_business() {
    let stage = stage();
    add(&stage, "data-cache-1");
    let going = json!("2026-11-22T00:00:00Z");
    let leaving = with(claim("data-cache-1"), "/metadata/deletionTimestamp", going);
    stage.cluster.add(leaving);
    let (ctx, profile) = (stage.context(), profile("externalClasses: [fast]\n", CACHE));
    let site = observe::site(&ctx, &profile).await.unwrap();
    for (set, expected) in [("db", 0), ("cache", 1)] {
        let set = profile.sets.iter().find(|known| known.name == set).unwrap();
        let left = unfinished(&ctx, &profile, &site, set, 1).await.unwrap();
        assert_eq!(left.len(), expected, "{left:?}");
    }
}

#[tokio::test]
async fn volumes_whose_claims_are_gone_are_unfinished_under_delete() {
    let stage = stage();
    stage.cloud.add(volume("data-db-1"));
    let released = || with(pv("data-db-1"), "/status/phase", json!("Released"));
    stage.cluster.add(released());
    let finish = left(&stage).await;
    let expected = (false, Some("pv-data-db-1"), Some("vol-1"), VolumeFate::Delete);
    assert_eq!(finish.iter().map(brief).collect::<Vec<_>>(), [expected]);
    assert_eq!(finish[0].claim_name, "default/data-db-1");
    for stays in [
        pv("data-db-1"),
        with(released(), "/spec/persistentVolumeReclaimPolicy", json!("Retain")),
        with(released(), "/spec/claimRef/name", json!("data-other-1")),
        with(released(), "/spec/claimRef/name", json!("data-db-0")),
        with(released(), "/spec/claimRef/namespace", json!("other")),
        with(released(), "/spec/claimRef", Value::Null),
    ] {
        stage.cluster.add(stays.clone());
        assert!(left(&stage).await.is_empty(), "{stays}");
    }
    // The claim of that UID is there after all; one of a later life is another.
    stage.cluster.add(released());
    stage.cluster.add(claim("data-db-1"));
    assert!(left(&stage).await.is_empty());
    stage
        .cluster
        .add(with(claim("data-db-1"), "/metadata/uid", json!("a-later-life")));
    assert_eq!(left(&stage).await.len(), 1);
}

#[tokio::test]
async fn claims_that_were_never_bound_go_where_none_are_to_stay() {
    let stage = stage();
    add(&stage, "data-db-1");
    stage.cluster.remove("PersistentVolume", "pv-data-db-1");
    stage
        .cluster
        .add(with(claim("data-db-1"), "/status/phase", json!("Pending")));
    assert!(left(&stage).await.is_empty(), "whenScaled: Retain");
    let (ctx, mut profile) = (stage.context(), web());
    profile.sets[0].when_scaled = moorline_profile::Retention::Delete;
    let site = observe::site(&ctx, &profile).await.unwrap();
    let left = unfinished(&ctx, &profile, &site, &profile.sets[0], 1).await.unwrap();
    let names: Vec<&str> = left.iter().map(|removal| &*removal.claim_name).collect();
    assert_eq!(names, ["default/data-db-1"]);
}
