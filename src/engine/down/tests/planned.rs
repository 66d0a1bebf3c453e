//! Whose claims and volumes are, as `down` plans it.

use moorline_api::{ErrorKind, Gvk, ResourceKind, Volume, VolumeId, VolumeState};
use serde_json::{Value, json};

use super::*;
use crate::fakes::served;
use crate::names;

/// The only removal of a claim in the plan.
async fn only(stage: &Stage) -> ClaimRemoval {
    let plan = planned(stage, &web()).await;
    assert_eq!(plan.claims.len(), 1, "{plan:?}");
    plan.claims.into_iter().next().unwrap()
}

fn pod(name: &str, phase: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "uid": name, "labels": labels},
        "spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data-db-0"}}]},
        "status": {"phase": phase},
    })
}

#[tokio::test]
async fn a_claim_goes_with_what_its_reclaim_policy_says() {
    let removal = only(&stage()).await;
    let expected = (true, Some("pv-data-db-0"), Some("vol-0"), VolumeFate::Delete);
    assert_eq!(brief(&removal), expected);
    assert_eq!(removal.why, "reclaim policy Delete");
    let retained = stage();
    retained.cluster.add(with(
        pv("data-db-0"),
        "/spec/persistentVolumeReclaimPolicy",
        json!("Retain"),
    ));
    assert_eq!(only(&retained).await.fate, VolumeFate::Keep);
}

#[tokio::test]
async fn a_claim_that_a_stranger_uses_stays() {
    let stays = async |pod: Value| {
        let stage = stage();
        stage.cluster.add(pod);
        let plan = planned(&stage, &web()).await;
        let told = plan.keeps.iter().any(|keep| {
            keep.what == "persistentvolumeclaims default/data-db-0" && keep.why.contains("pod default/p, which is not")
        });
        assert_eq!(told, plan.claims.is_empty(), "{plan:?}");
        told
    };
    assert!(stays(pod("p", "Running", &json!({"app": "other"}))).await);
    assert!(stays(pod("p", "Pending", &json!({}))).await);
    assert!(!stays(pod("p", "Succeeded", &json!({"app": "other"}))).await);
    assert!(!stays(pod("p", "Failed", &json!({"app": "other"}))).await);
    assert!(
        !stays(pod("p", "Running", &json!({"app": "db"}))).await,
        "its own set's"
    );
    let elsewhere = with(
        pod("p", "Running", &json!({"app": "other"})),
        "/metadata/namespace",
        json!("other"),
    );
    assert!(!stays(elsewhere).await);
    let mut idle = pod("p", "Running", &json!({"app": "other"}));
    idle["spec"] = json!({});
    assert!(!stays(idle).await);
}

#[tokio::test]
async fn pods_of_a_set_that_stays_are_strangers() {
    let stage = stage();
    stage.cluster.add(with(
        set(1),
        "/metadata",
        json!({"namespace": "default", "name": "db", "uid": "u"}),
    ));
    stage.cluster.add(pod("p", "Running", &json!({"app": "db"})));
    let plan = planned(&stage, &web()).await;
    assert!(plan.claims.is_empty() && plan.objects.is_empty(), "{plan:?}");
}

#[tokio::test]
async fn what_stays_makes_strangers_of_its_own_pods_only() {
    let stage = stage();
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {selector: {app: db}, ports: [{port: 80}]}\n";
    stage.cluster.add(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "db", "uid": "u"},
    }));
    stage.cluster.add(pod("p", "Running", &json!({"app": "db"})));
    let plan = planned(&stage, &profile("externalClasses: [fast]\n", service)).await;
    assert_eq!(whats(&plan.keeps), ["services default/db"]);
    assert_eq!(plan.claims.len(), 1, "{plan:?}");
}

const APP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}}, spec: {containers: [{name: a, image: nginx}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: second}
spec: {selector: {matchLabels: {app: second}}, template: {metadata: {labels: {app: second}}, spec: {containers: [{name: a, image: nginx}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: elsewhere}
spec: {selector: {matchLabels: {app: third}}, template: {metadata: {labels: {app: third}}, spec: {containers: [{name: a, image: nginx}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
";

/// Whether the claim stays because someone else made this object, of all that the profile names.
async fn stays_for(kind: &str, namespace: &str, name: &str) -> bool {
    let stage = stage();
    stage.cluster.remove("StatefulSet", "db");
    let deployments = ResourceKind {
        gvk: Gvk::new("apps/v1", "Deployment"),
        plural: "deployments".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    };
    stage.cluster.with(|state| state.custom.push(served(deployments)));
    let version = if kind == "Service" { "v1" } else { "apps/v1" };
    stage.cluster.add(json!({
        "apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name, "uid": "by-hand"},
    }));
    stage.cluster.add(pod("p", "Running", &json!({"app": "app"})));
    let plan = planned(&stage, &profile("externalClasses: [fast]\n", APP)).await;
    assert_eq!(
        plan.keeps.iter().filter(|keep| keep.what.ends_with(name)).count(),
        1,
        "{plan:?}"
    );
    let told = |keep: &&Fate| keep.why.contains("pod default/p, which is not");
    assert_eq!(
        plan.keeps.iter().find(told).is_some(),
        plan.claims.is_empty(),
        "{plan:?}"
    );
    plan.claims.is_empty()
}

#[tokio::test]
async fn pods_are_strangers_where_someone_else_made_just_what_runs_them() {
    assert!(stays_for("Deployment", "default", "app").await);
    assert!(!stays_for("Deployment", "default", "second").await);
    assert!(!stays_for("Deployment", "elsewhere", "app").await);
    assert!(!stays_for("Service", "default", "app").await);
}

#[tokio::test]
async fn a_persistent_volume_that_is_anothers_is_not_this_claims() {
    for claim_ref in [
        json!({"namespace": "default", "name": "data-db-0", "uid": "another-life"}),
        json!({"namespace": "default", "name": "another", "uid": "uid-data-db-0"}),
        json!({"namespace": "other", "name": "data-db-0"}),
    ] {
        let stage = stage();
        let other = with(pv("data-db-0"), "/spec/claimRef", claim_ref.clone());
        stage.cluster.add(with(other, "/spec/csi/volumeHandle", json!("vol-9")));
        let removal = only(&stage).await;
        let (_, pv, volume, _) = brief(&removal);
        assert_eq!((pv, volume), (None, Some("vol-0")), "{claim_ref}");
    }
    let by_name = stage();
    let reference = json!({"namespace": "default", "name": "data-db-0"});
    by_name.cluster.add(with(pv("data-db-0"), "/spec/claimRef", reference));
    assert_eq!(brief(&only(&by_name).await).1, Some("pv-data-db-0"));
}

#[tokio::test]
async fn a_volume_that_is_not_the_claims_own_is_kept() {
    let tagged = stage();
    let mut strange = volume("data-db-0");
    strange.tags.insert(names::CLUSTER_UID.to_owned(), "another".to_owned());
    tagged.cloud.add(strange);
    let shared = stage();
    shared
        .cluster
        .add(with(pv("data-db-0"), "/metadata/name", json!("twin")));
    for (stage, why) in [
        (tagged, "belongs to cluster another"),
        (shared, "PersistentVolume twin"),
    ] {
        let removal = only(&stage).await;
        assert!(
            removal.fate == VolumeFate::Keep && removal.why.contains(why),
            "{removal:?}"
        );
    }
}

#[tokio::test]
async fn a_lost_claims_volume_is_kept_unless_the_profile_says_otherwise() {
    let stage = stage();
    stage.cluster.remove("PersistentVolume", "pv-data-db-0");
    stage
        .cluster
        .add(with(claim("data-db-0"), "/status/phase", json!("Lost")));
    let class = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: ebs.csi.aws.com
parameters: {type: gp3}
reclaimPolicy: Delete
";
    let plan = planned(&stage, &profile("", class)).await;
    assert_eq!(plan.claims[0].fate, VolumeFate::Keep);
    let told = planned(&stage, &profile("onDown: delete\n", class)).await;
    assert_eq!(told.claims[0].fate, VolumeFate::Delete);
    // One that never had a volume goes by its class.
    stage
        .cluster
        .add(with(claim("data-db-0"), "/status/phase", json!("Pending")));
    let pending = planned(&stage, &profile("", class)).await;
    assert_eq!(pending.claims[0].fate, VolumeFate::Delete);
}

#[tokio::test]
async fn what_was_made_for_the_claim_twice_goes_with_it_and_nothing_else() {
    let spare = |name: &str, change: fn(&mut Volume)| {
        let mut spare = volume("data-db-0");
        spare.id = VolumeId(name.to_owned());
        change(&mut spare);
        spare
    };
    let stage = stage();
    stage.cloud.add(spare("vol-spare", |_| {}));
    stage
        .cloud
        .add(spare("vol-going", |spare| spare.state = VolumeState::Deleting));
    stage
        .cloud
        .add(spare("vol-gone", |spare| spare.state = VolumeState::Deleted));
    stage.cloud.add(spare("vol-adopted", |spare| {
        spare.tags.insert(names::ADOPTED.to_owned(), "true".to_owned());
    }));
    stage.cloud.add(spare("vol-8", |_| {}));
    let named = with(pv("data-db-0"), "/metadata/name", json!("by-hand"));
    stage.cluster.add(with(named, "/spec/csi/volumeHandle", json!("vol-8")));
    let plan = planned(&stage, &web()).await;
    let removals: Vec<_> = plan.claims.iter().map(brief).collect();
    let own = (true, Some("pv-data-db-0"), Some("vol-0"), VolumeFate::Delete);
    assert_eq!(removals, [own, (false, None, Some("vol-spare"), VolumeFate::Delete)]);
    assert_eq!(
        plan.claims[1].why,
        "made for it too, and not used; reclaim policy Delete"
    );
    execute_down(&stage.context(), &web(), plan).await.unwrap();
    let left = stage
        .cloud
        .with(|cloud| cloud.volumes.keys().map(|id| id.0.clone()).collect::<Vec<_>>());
    assert_eq!(left, ["vol-8", "vol-adopted", "vol-going", "vol-gone"]);
}

#[tokio::test]
async fn of_several_volumes_the_first_that_is_alive_is_the_claims() {
    let stage = stage();
    stage.cluster.remove("PersistentVolume", "pv-data-db-0");
    stage.cloud.add(Volume {
        id: VolumeId("vol-a".to_owned()),
        state: VolumeState::Error,
        ..volume("data-db-0")
    });
    let plan = planned(&stage, &web()).await;
    assert_eq!(brief(&plan.claims[0]).2, Some("vol-0"));
    stage.cloud.with(|cloud| cloud.volumes.retain(|id, _| id.0 == "vol-a"));
    assert_eq!(brief(&only(&stage).await).2, Some("vol-a"));
}

/// A PersistentVolume that an interrupted `down` left.
async fn left(pv: Value) -> DownPlan {
    let stage = Stage::new();
    stage.cloud.add(volume("data-db-0"));
    stage.cluster.add(pv);
    planned(&stage, &web()).await
}

fn released() -> Value {
    with(pv("data-db-0"), "/status/phase", json!("Released"))
}

#[tokio::test]
async fn what_an_interrupted_down_left_is_finished() {
    let plan = left(released()).await;
    let expected = (false, Some("pv-data-db-0"), Some("vol-0"), VolumeFate::Delete);
    assert_eq!(plan.claims.iter().map(brief).collect::<Vec<_>>(), [expected]);
    assert_eq!(plan.claims[0].why, "reclaim policy Delete; an earlier run began it");
    let retained = with(released(), "/spec/persistentVolumeReclaimPolicy", json!("Retain"));
    let plan = left(retained).await;
    assert!(plan.claims.is_empty(), "{plan:?}");
    assert_eq!(
        whats(&plan.keeps),
        ["persistentvolumes pv-data-db-0 (volume vol-0 of default/data-db-0)"]
    );
}

#[tokio::test]
async fn what_only_looks_left_is_let_alone() {
    let other = json!({names::PROFILE: "shop"});
    for stays in [
        pv("data-db-0"),
        with(released(), "/metadata/labels", other),
        with(released(), "/spec/claimRef/namespace", json!("not-this-profiles")),
        with(released(), "/spec/claimRef", Value::Null),
    ] {
        let plan = left(stays.clone()).await;
        assert!(plan.claims.is_empty() && plan.keeps.is_empty(), "{stays}");
    }
    // Its claim is alive, whatever its phase says yet.
    let stage = Stage::new();
    stage.cluster.add(released());
    let labels = json!({"app": "another"});
    stage.cluster.add(with(claim("data-db-0"), "/metadata/labels", labels));
    let plan = planned(&stage, &web()).await;
    assert!(plan.claims.is_empty() && plan.keeps.is_empty(), "{plan:?}");
    // That of a later life is not its claim.
    stage.cluster.add(with(
        claim("data-db-0"),
        "/metadata",
        json!({
            "namespace": "default", "name": "data-db-0", "uid": "a-later-life", "labels": {"app": "another"},
        }),
    ));
    let plan = planned(&stage, &web()).await;
    assert_eq!(plan.claims.len(), 1, "{plan:?}");
}

#[tokio::test]
async fn a_claims_own_persistent_volume_is_planned_once() {
    let stage = stage();
    stage.cluster.add(released());
    assert_eq!(planned(&stage, &web()).await.claims.len(), 1);
    // One that is reserved by name only, and not bound yet.
    let reference = json!({"namespace": "default", "name": "data-db-0"});
    let reserved = with(pv("data-db-0"), "/spec/claimRef", reference);
    stage.cluster.add(with(reserved, "/status/phase", json!("Available")));
    assert_eq!(planned(&stage, &web()).await.claims.len(), 1);
}

#[tokio::test]
async fn what_may_not_be_read_makes_the_plan_incomplete_or_none() {
    let stage = stage();
    stage.script.fail("list persistentvolumes", ErrorKind::Unreachable);
    assert!(plan_down(&stage.context(), &web()).await.is_err());
    let stage = Stage::new();
    stage.script.fail("list persistentvolumes", ErrorKind::Forbidden);
    let plan = planned(&stage, &web()).await;
    assert!(
        plan.incomplete && plan.notices[0].contains("could not be looked for"),
        "{plan:?}"
    );
    let stage = Stage::new();
    stage.script.fail("list persistentvolumes", ErrorKind::Internal);
    assert!(plan_down(&stage.context(), &web()).await.is_err());
}

#[tokio::test]
async fn what_may_not_be_deleted_or_kept_is_found_out_before_anything_is_changed() {
    let refused = async |what: &str, kind: ErrorKind, on_down: &str| {
        let stage = stage();
        stage.script.refuse(&format!("rehearse {what}"), kind);
        let profile = profile(&format!("externalClasses: [fast]\nonDown: {on_down}\n"), "");
        plan_down(&stage.context(), &profile).await.is_err()
    };
    for what in [
        "persistentvolumes pv-data-db-0",
        "persistentvolumeclaims",
        "statefulsets",
    ] {
        for on_down in ["delete", "keep", "snapshot"] {
            assert!(refused(what, ErrorKind::Forbidden, on_down).await, "{what} {on_down}");
        }
        for kind in [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::Stale] {
            assert!(
                !refused(what, kind, "delete").await,
                "the run itself handles it: {what}"
            );
        }
    }
}
