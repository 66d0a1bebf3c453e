//! What shrinking a set lets go of, and what saves it.

use moorline_api::{ErrorKind, VolumeId};
use serde_json::{Value, json};

use super::*;
use crate::fakes::{Stage, claim, profile, pv, set, volume};
use crate::plan::{Removal, VolumeFate};

fn web() -> Profile {
    profile("externalClasses: [fast]\n", "")
}

/// Set `db` with this many replicas and what it says of claims of ordinals that it loses.
fn stage(replicas: u32, when_scaled: &str) -> Stage {
    let stage = Stage::new();
    let mut set = set(replicas);
    set["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenScaled": when_scaled});
    stage.cluster.add(set);
    for ordinal in 0..replicas {
        add(&stage, ordinal);
    }
    stage
}

fn add(stage: &Stage, ordinal: u32) {
    let name = format!("data-db-{ordinal}");
    stage.cluster.add(claim(&name));
    stage.cluster.add(pv(&name));
    stage.cloud.add(volume(&name));
}

async fn released_by(stage: &Stage, replicas: u32) -> Vec<String> {
    let plan = plan_scale(&stage.context(), &web(), "db", replicas).await.unwrap();
    plan.releases.into_iter().map(|removal| removal.claim_name).collect()
}

#[tokio::test]
async fn the_ordinals_that_a_set_loses_go_where_it_says_so() {
    let stage = stage(4, "Delete");
    assert_eq!(released_by(&stage, 2).await, ["default/data-db-2", "default/data-db-3"]);
    assert_eq!(released_by(&stage, 4).await, Vec::<String>::new());
    for kept in ["Retain", "something-new"] {
        assert_eq!(
            released_by(&super::tests::stage(4, kept), 2).await,
            Vec::<String>::new(),
            "{kept}"
        );
    }
    let plan = plan_scale(&super::tests::stage(4, "Retain").context(), &web(), "db", 2)
        .await
        .unwrap();
    assert!(plan.notices[0].contains("of 2 ordinals are kept"), "{:?}", plan.notices);
    for (replicas, when_scaled) in [(4, "Retain"), (2, "Delete")] {
        let plan = plan_scale(&super::tests::stage(4, when_scaled).context(), &web(), "db", replicas)
            .await
            .unwrap();
        assert_eq!(plan.notices, Vec::<String>::new(), "{replicas} {when_scaled}");
    }
    let step = plan.scale.unwrap();
    assert_eq!((step.from, step.to), (4, 2));
}

const SHARED: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

#[tokio::test]
async fn a_set_that_grows_gets_its_own_claims_and_no_others() {
    let stage = stage(1, "Retain");
    stage.cluster.add(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast", "uid": "uid-fast"},
        "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    }));
    let mut profile = profile("externalClasses: [fast]\n", SHARED);
    profile.sets[0].replicas = Some(1);
    let grown = async |replicas: u32| {
        let plan = plan_scale(&stage.context(), &profile, "db", replicas).await.unwrap();
        let claims: Vec<String> = plan.claims.into_iter().map(|claim| claim.name).collect();
        (claims, plan.notices)
    };
    let (claims, notices) = grown(3).await;
    assert_eq!(claims, ["data-db-0", "data-db-1", "data-db-2"]);
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("the manifest says 1 replicas")),
        "{notices:?}"
    );
    let (_, notices) = grown(1).await;
    assert_eq!(notices, [""; 0]);
}

#[tokio::test]
async fn ordinals_count_from_the_sets_first() {
    let stage = stage(0, "Delete");
    for ordinal in 5..8 {
        add(&stage, ordinal);
    }
    let (ctx, mut profile) = (stage.context(), web());
    profile.sets[0].first_ordinal = 5;
    let site = observe::site(&ctx, &profile).await.unwrap();
    let lost = releases(&ctx, &profile, &site, &profile.sets[0], 1..3).await.unwrap();
    let names: Vec<_> = lost.iter().map(|removal| &*removal.claim_name).collect();
    assert_eq!(names, ["default/data-db-6", "default/data-db-7"]);
}

#[tokio::test]
async fn what_an_earlier_run_left_goes_too_and_only_once() {
    let stage = stage(2, "Delete");
    add(&stage, 3);
    let mut going = claim("data-db-3");
    going["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    stage.cluster.add(going);
    let mut lost = claim("data-db-1");
    lost["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    stage.cluster.add(lost);
    assert_eq!(released_by(&stage, 1).await, ["default/data-db-1", "default/data-db-3"]);
    assert_eq!(released_by(&stage, 2).await, ["default/data-db-3"]);
}

/// Carries out what is released at one replica, after this has happened.
async fn let_go(stage: &Stage, happening: impl FnOnce(&Stage)) -> Result<(), EngineError> {
    let (ctx, profile) = (stage.context(), web());
    let plan = plan_scale(&ctx, &profile, "db", 1).await.unwrap();
    assert_eq!(plan.releases[0].fate, VolumeFate::Delete);
    stage.cluster.add({
        let mut shrunk = set(1);
        shrunk["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenScaled": "Delete"});
        shrunk
    });
    happening(stage);
    let site = observe::site(&ctx, &profile).await?;
    let run = Run::begin(&ctx, &profile, &plan, site).await?;
    release(&run).await
}

#[tokio::test]
async fn claims_of_lost_ordinals_go_with_their_volumes() {
    let stage = stage(2, "Delete");
    let_go(&stage, |_| {}).await.unwrap();
    assert!(!stage.cloud.has("vol-1") && !stage.cluster.has("PersistentVolumeClaim", "data-db-1"));
    assert!(stage.cloud.has("vol-0") && stage.cluster.has("PersistentVolumeClaim", "data-db-0"));
}

#[tokio::test]
async fn a_set_that_was_scaled_up_meanwhile_keeps_its_claims() {
    let stage = stage(2, "Delete");
    let refused = let_go(&stage, |stage| stage.cluster.add(set(2))).await.unwrap_err();
    assert!(
        refused.to_string().contains("was scaled to 2 replicas meanwhile"),
        "{refused}"
    );
    assert_eq!(stage.script.changes(), Vec::<String>::new());
    let gone = super::tests::stage(2, "Delete");
    let_go(&gone, |stage| stage.cluster.remove("StatefulSet", "db"))
        .await
        .unwrap();
    assert!(!gone.cloud.has("vol-1"), "a set that is gone wants nothing back");
}

#[tokio::test]
async fn where_the_set_cannot_be_read_nothing_goes() {
    let stage = stage(2, "Delete");
    let unread = let_go(&stage, |stage| {
        stage.script.refuse("get statefulsets", ErrorKind::Unreachable);
    })
    .await;
    assert!(unread.is_err());
    assert_eq!(stage.script.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_could_not_be_let_go_fails_the_run() {
    let stage = stage(2, "Delete");
    stage.script.refuse("!delete volume", ErrorKind::Forbidden);
    let failed = let_go(&stage, |_| {}).await.unwrap_err();
    assert!(failed.to_string().contains("volume vol-1"), "{failed}");
}

#[tokio::test]
async fn only_a_set_of_the_profile_that_is_there_and_ours_is_scaled() {
    let why = async |set: Option<Value>, name: &str| {
        let stage = Stage::new();
        if let Some(set) = set {
            stage.cluster.add(set);
        }
        let plan = plan_scale(&stage.context(), &web(), name, 1).await;
        plan.unwrap_err().to_string()
    };
    assert!(why(Some(set(1)), "other").await.contains("no such StatefulSet"));
    assert!(why(None, "db").await.contains("not in the cluster"));
    let mut going = set(1);
    going["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    assert!(why(Some(going), "db").await.contains("being deleted"));
    let mut by_hand = set(1);
    by_hand["metadata"]["labels"] = json!({});
    by_hand["metadata"]["managedFields"] = json!([]);
    assert!(why(Some(by_hand), "db").await.contains("did not make it"));
}

#[tokio::test]
async fn what_may_not_be_done_is_found_out_before_anything_is_changed() {
    for (what, replicas, refused) in [
        ("statefulsets", 1, true),
        ("statefulsets", 2, false),
        ("persistentvolumeclaims", 1, true),
        ("persistentvolumes", 1, true),
    ] {
        let stage = stage(2, "Delete");
        stage.script.refuse(&format!("rehearse {what}"), ErrorKind::Forbidden);
        let plan = plan_scale(&stage.context(), &web(), "db", replicas).await;
        assert_eq!(plan.is_err(), refused, "{what} {replicas}");
    }
}

#[test]
fn only_the_very_same_removal_is_the_same() {
    let removal = |claim: &str, pv: Option<&str>, volume: Option<&str>| ClaimRemoval {
        claim: None,
        claim_name: claim.to_owned(),
        persistent_volume: pv.map(|name| Removal {
            target: ObjectRef::new(ResourceKind::persistent_volume(), "", name),
            uid: name.to_owned(),
        }),
        reclaim_policy: None,
        volume: volume.map(|id| VolumeId(id.to_owned())),
        fate: VolumeFate::Delete,
        why: String::new(),
    };
    let known = || vec![removal("a", Some("pv"), Some("vol")), removal("b", None, None)];
    assert_eq!(with_new(known(), known()).len(), 2);
    let others = [
        removal("c", Some("pv"), Some("vol")),
        removal("a", Some("pv of another life"), Some("vol")),
        removal("a", Some("pv"), Some("vol-2")),
        removal("c", None, None),
    ];
    assert_eq!(with_new(known(), others.to_vec()).len(), 6);
}
