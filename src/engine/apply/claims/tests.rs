//! How a claim gets its volume, and what of others it does not take for its own.

use moorline_profile::Profile;
use serde_json::{Value, json};

use super::*;
use crate::error::EngineError;
use crate::fakes::{Stage, claim, profile, pv, volume};
use crate::{execute_up, plan_up};

const SHARED: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

fn web() -> Profile {
    profile("externalClasses: [fast]\n", SHARED)
}

fn stage() -> Stage {
    let stage = Stage::new();
    stage.cluster.add(crate::fakes::set(0));
    stage.cluster.add(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast", "uid": "uid-fast"},
        "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
    }));
    stage
}

/// Claim `shared` as a run leaves it that was cut short just after it had made it.
fn begun() -> Value {
    let mut begun = claim("shared");
    begun["spec"]["resources"] = json!({"requests": {"storage": "1Gi"}});
    begun["spec"]["accessModes"] = json!(["ReadWriteOnce"]);
    begun["status"]["phase"] = json!("Pending");
    begun
}

/// The same, and its volume is there.
fn with_volume(change: impl FnOnce(&mut Volume)) -> Stage {
    let stage = stage();
    stage.cluster.add(begun());
    let mut made = volume("shared");
    change(&mut made);
    stage.cloud.add(made);
    stage
}

async fn up(stage: &Stage) -> Result<(), EngineError> {
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await?;
    execute_up(&ctx, &web(), plan).await.map(drop)
}

/// What was written of claim, volume and PersistentVolume, by verb and kind.
fn steps(stage: &Stage) -> Vec<String> {
    let changes = stage.script.changes();
    let steps = changes.iter().filter(|change| !change.starts_with("apply"));
    steps
        .map(|change| change.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn claim_volume_persistent_volume_and_touch_follow_each_other() {
    let stage = stage();
    up(&stage).await.unwrap();
    let order = [
        "create persistentvolumeclaims",
        "create volume",
        "create persistentvolumes",
        "merge persistentvolumeclaims",
    ];
    assert_eq!(steps(&stage), order);
    let is_applied = |change: &String| change.starts_with("apply persistentvolumeclaims");
    assert!(
        !stage.script.changes().iter().any(is_applied),
        "a claim has a way of its own"
    );
    let claim = stage.cluster.find("PersistentVolumeClaim", "shared").unwrap();
    let uid = claim.uid().unwrap();
    let name = claim.str_at(&["spec", "volumeName"]).unwrap();
    let pv = stage.cluster.find("PersistentVolume", name).unwrap();
    let id = format!("vol-of-{uid}");
    assert_eq!(pv.str_at(&["spec", "claimRef", "uid"]), Some(uid));
    assert_eq!(pv.str_at(&["spec", "csi", "volumeHandle"]), Some(&*id));
    assert_eq!(pv.str_at(&["spec", "persistentVolumeReclaimPolicy"]), Some("Retain"));
    assert_eq!(claim.annotation(names::VOLUME), Some(&*id));
    let made = stage.cloud.with(|cloud| cloud.volumes[&VolumeId(id)].clone());
    let expected = [
        (names::CLUSTER_UID, "cluster-uid"),
        (names::NAMESPACE, "default"),
        (names::CLAIM, "shared"),
        (names::CLAIM_UID, uid),
        (names::PROFILE, "web"),
        (tags::STORAGE_CLASS, "fast"),
        (tags::ACCESS_MODES, "ReadWriteOnce"),
    ];
    for (key, value) in expected {
        assert_eq!(made.tags.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[tokio::test]
async fn a_volume_that_an_earlier_run_made_is_used_where_it_is_what_is_asked_for() {
    let stage = with_volume(|_| {});
    up(&stage).await.unwrap();
    assert_eq!(
        steps(&stage),
        ["create persistentvolumes", "merge persistentvolumeclaims"]
    );
    let pv = stage.cluster.find("PersistentVolume", "pv-shared").unwrap();
    assert_eq!(pv.str_at(&["spec", "csi", "volumeHandle"]), Some("vol-shared"));
    let another_type = |made: &mut Volume| made.spec.config = moorline_api::VolumeConfig::ebs("gp2");
    for other in [with_volume(|made| made.spec.size_gib = 2), with_volume(another_type)] {
        let refused = up(&other).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(steps(&other), [""; 0]);
    }
}

#[tokio::test]
async fn a_persistent_volume_of_that_name_is_ours_only_where_it_joins_the_same_two() {
    let taken = async |change: fn(&mut Value)| {
        let stage = with_volume(|_| {});
        let cluster = stage.cluster.clone();
        let mut there = pv("shared");
        change(&mut there);
        stage
            .script
            .before("!create persistentvolumes", move || cluster.add(there));
        up(&stage).await.is_ok()
    };
    assert!(taken(|_| {}).await);
    assert!(!taken(|there| there["spec"]["claimRef"]["uid"] = json!("another")).await);
    assert!(!taken(|there| there["spec"]["csi"]["volumeHandle"] = json!("vol-7")).await);
}

#[tokio::test]
async fn a_claim_that_somebody_else_makes_meanwhile_is_not_taken() {
    let meanwhile = async |change: fn(&mut Value)| {
        let stage = stage();
        let cluster = stage.cluster.clone();
        let mut there = begun();
        change(&mut there);
        stage
            .script
            .before("!create persistentvolumeclaims", move || cluster.add(there));
        let is_taken = up(&stage).await.is_ok();
        assert_eq!(stage.cloud.has("vol-of-uid-shared"), is_taken);
        is_taken
    };
    assert!(meanwhile(|_| {}).await, "another run of ours");
    assert!(!meanwhile(|there| there["metadata"]["labels"] = json!({})).await);
    assert!(!meanwhile(|there| there["status"]["phase"] = json!("Bound")).await);
    assert!(!meanwhile(|there| there["spec"]["volumeName"] = json!("")).await);
    assert!(!meanwhile(|there| there["metadata"]["annotations"] = json!({tags::RESTORED_FROM: "snap-1"})).await);
}

#[tokio::test]
async fn a_token_that_is_burnt_by_a_living_volume_leads_to_that_one() {
    for kind in [ErrorKind::TokenBurnt, ErrorKind::LimitExceeded] {
        let stage = stage();
        stage.cluster.add(begun());
        let mut ctx = stage.context();
        ctx.limits.wait = false;
        let plan = plan_up(&ctx, &web()).await.unwrap();
        // Listings lag: the plan did not see it.
        stage.cloud.add(volume("shared"));
        stage.script.fail("!create volume", kind);
        execute_up(&ctx, &web(), plan).await.unwrap();
        assert_eq!(
            steps(&stage),
            ["create persistentvolumes", "merge persistentvolumeclaims"]
        );
        let pv = stage.cluster.find("PersistentVolume", "pv-shared").unwrap();
        assert_eq!(pv.str_at(&["spec", "csi", "volumeHandle"]), Some("vol-shared"));
    }
}

#[tokio::test]
async fn a_set_is_not_applied_before_its_claims_are_bound() {
    let mut stage = stage();
    stage.cluster.add(crate::fakes::set(1));
    stage.timeout = std::time::Duration::from_millis(500);
    let ended = up(&stage).await;
    assert!(matches!(ended, Err(EngineError::TimedOut { .. })), "{ended:?}");
    let changes = stage.script.changes();
    assert!(
        changes
            .iter()
            .any(|change| change == "create persistentvolumeclaims default/data-db-0")
    );
    assert!(
        !changes.iter().any(|change| change.starts_with("apply statefulsets")),
        "{changes:?}"
    );
}

#[tokio::test]
async fn a_burnt_token_is_followed_by_the_next_and_a_limit_ends_it() {
    let stage = stage();
    stage.script.fail("!create volume", ErrorKind::TokenBurnt);
    up(&stage).await.unwrap();
    assert_eq!(steps(&stage).len(), 4);
    for kind in [ErrorKind::LimitExceeded, ErrorKind::TokenBurnt] {
        let stage = super::tests::stage();
        stage.script.refuse("!create volume", kind);
        assert!(up(&stage).await.is_err());
        assert_eq!(steps(&stage), ["create persistentvolumeclaims"]);
    }
}
