//! What becomes of PersistentVolumes that an interrupted `down` had decided about.

use moorline_api::{Object, ReclaimPolicy, VolumeId};
use moorline_aws_rules::EbsRules;

use super::*;
use crate::fakes::{self, Stage};
use crate::scale::plan_scale;

fn profile() -> Profile {
    let folder = tempfile::tempdir().unwrap();
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], storageClassName: fast, \
        resources: {requests: {storage: 1Gi}}}\n";
    let yaml = "name: web\nprovider: {aws: {}}\nexternalClasses: [fast]\n";
    std::fs::write(folder.path().join("profile.yaml"), yaml).unwrap();
    std::fs::write(folder.path().join("claim.yaml"), claim).unwrap();
    let surroundings = moorline_profile::Surroundings {
        rules: &[&EbsRules],
        ..Default::default()
    };
    moorline_profile::load(folder.path(), &surroundings).unwrap_or_else(|problems| panic!("{problems}"))
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

/// A PersistentVolume for the claim of this UID, as a `down` that decided so leaves it.
fn pv(uid: &str, decided: &str, before: Option<&str>, phase: &str) -> PvView {
    let annotations = json!({ names::ON_DOWN: decided, names::RECLAIM_POLICY: before });
    let pv = object(json!({
        "metadata": {"name": format!("pvc-{uid}"), "uid": format!("pv-{uid}"), "annotations": annotations},
        "spec": {
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "default", "name": "data", "uid": uid},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{uid}")},
        },
        "status": {"phase": phase},
    }));
    PvView::of(&pv, &EbsRules)
}

fn claim(uid: &str, leaving: bool) -> BTreeMap<Key, ClaimView> {
    let mut claim = json!({"metadata": {"namespace": "default", "name": "data", "uid": uid}});
    if leaving {
        claim["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    }
    let view = ClaimView::of(&object(claim));
    BTreeMap::from([(view.key(), view)])
}

#[test]
fn a_claim_that_is_still_there_gets_its_volume_back_as_it_was() {
    let (delete, retain) = (ReclaimPolicy::Delete, ReclaimPolicy::Retain);
    // Before there was a record of it nobody can say what it was: it stays Retain.
    for (decided, before, policy) in [
        ("snapshot", Some("Delete"), delete),
        ("keep", Some("Delete"), delete),
        ("delete", Some("Retain"), retain),
        ("snapshot", None, retain),
    ] {
        let left = sorted(&profile(), &[pv("a", decided, before, "Bound")], &claim("a", false));
        assert_eq!(left.returns.len(), 1, "{decided}");
        assert_eq!(left.returns[0].reclaim_policy, policy, "{decided}");
        assert!(left.removals.is_empty(), "{decided}");
    }
    let left = sorted(
        &profile(),
        &[pv("a", "snapshot", Some("Delete"), "Bound")],
        &claim("a", false),
    );
    let patch = as_before(&left.returns[0]);
    assert_eq!(patch["metadata"]["uid"], "pv-a");
    assert_eq!(patch["spec"]["persistentVolumeReclaimPolicy"], "Delete");
    assert_eq!(patch["metadata"]["annotations"][names::ON_DOWN], Value::Null);
    assert_eq!(patch["metadata"]["annotations"].as_object().unwrap().len(), 2);
}

#[test]
fn a_volume_whose_claim_is_gone_is_snapshotted_and_deleted_where_that_was_decided() {
    let gone = BTreeMap::new();
    for claims in [&gone, &claim("b", false)] {
        let left = sorted(&profile(), &[pv("a", "snapshot", Some("Delete"), "Released")], claims);
        assert!(left.returns.is_empty());
        let [removal] = &left.removals[..] else {
            panic!("{left:?}")
        };
        assert_eq!(removal.fate, VolumeFate::SnapshotThenDelete);
        assert_eq!(removal.volume, Some(VolumeId("vol-a".to_owned())));
        assert_eq!(removal.persistent_volume.as_ref().unwrap().uid, "pv-a");
        assert!(removal.claim.is_none() && removal.why.contains("an earlier run began it"));
    }
}

#[test]
fn what_was_to_be_kept_or_deleted_or_is_on_its_way_is_left_to_others() {
    let gone = BTreeMap::new();
    for (decided, phase, claims) in [
        ("keep", "Released", &gone),
        ("delete", "Released", &gone),
        ("something-new", "Released", &gone),
        ("snapshot", "Bound", &gone),
        ("snapshot", "Bound", &claim("a", true)),
        ("snapshot", "Released", &claim("a", true)),
    ] {
        let left = sorted(&profile(), &[pv("a", decided, Some("Delete"), phase)], claims);
        assert!(left.returns.is_empty() && left.removals.is_empty(), "{decided} {phase}");
    }
}

#[test]
fn only_what_kubernetes_would_let_go_may_be_all_that_is_left() {
    let undecided = |policy: &str, phase: &str| {
        let mut pv = pv("a", "none", Some(policy), phase);
        pv.decided = None;
        is_let_go(&pv)
    };
    assert!(undecided("Delete", "Released") && undecided("Delete", "Failed"));
    assert!(!undecided("Retain", "Released"));
    assert!(!undecided("Delete", "Bound") && !undecided("Delete", "Available") && !undecided("Delete", "Pending"));
}

#[test]
fn claims_of_other_namespaces_were_not_read_and_are_not_taken_for_gone() {
    let mut elsewhere = pv("a", "snapshot", Some("Delete"), "Released");
    elsewhere.claim = Some(("shop".to_owned(), "data".to_owned()));
    let left = sorted(&profile(), &[elsewhere], &BTreeMap::new());
    assert!(left.returns.is_empty() && left.removals.is_empty());
}

/// Profile `web` with set `db`.
fn web() -> Profile {
    fakes::profile("externalClasses: [fast]\n", "")
}

/// PersistentVolume `pv-<claim>` that Kubernetes let go.
fn released(claim: &str) -> Value {
    let mut pv = fakes::pv(claim);
    pv["status"]["phase"] = json!("Released");
    pv
}

/// PersistentVolume `pv-data-db-0`, of which an interrupted `down` had decided this.
fn decided(decision: &str) -> Value {
    let mut pv = fakes::pv("data-db-0");
    pv["metadata"]["annotations"] = json!({names::ON_DOWN: decision, names::RECLAIM_POLICY: "Delete"});
    pv["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
    pv
}

async fn found(stage: &Stage) -> Interrupted {
    interrupted(&stage.context(), &web()).await.unwrap()
}

#[tokio::test]
async fn pointers_go_whose_volumes_the_cloud_does_not_have() {
    let stage = Stage::new();
    for ordinal in 0..3 {
        stage.cluster.add(released(&format!("data-db-{ordinal}")));
    }
    stage.cluster.add(fakes::pv("data-db-3"));
    stage.cloud.add(fakes::volume("data-db-1"));
    let names = |left: &Interrupted| -> Vec<String> {
        left.pointless
            .iter()
            .map(|removal| removal.target.name.clone())
            .collect()
    };
    assert_eq!(names(&found(&stage).await), ["pv-data-db-0", "pv-data-db-2"]);
    stage.script.refuse("look at volumes", ErrorKind::Unreachable);
    let unread = found(&stage).await;
    assert!(
        names(&unread).is_empty() && unread.notices[0].contains("could not be read"),
        "{unread:?}"
    );
}

#[tokio::test]
async fn what_was_decided_is_found_though_nothing_else_is_left() {
    let stage = Stage::new();
    stage.cluster.add(decided("snapshot"));
    stage.cluster.add(fakes::claim("data-db-0"));
    let left = found(&stage).await;
    assert_eq!(
        (left.returns.len(), left.removals.len(), left.pointless.len()),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn what_may_not_be_listed_is_said_and_what_fails_stops_the_plan() {
    let stage = Stage::new();
    stage.cluster.add(decided("snapshot"));
    stage.script.fail("list persistentvolumes", ErrorKind::Forbidden);
    let left = found(&stage).await;
    assert!(
        left.returns.is_empty() && left.notices[0].contains("could not be looked for"),
        "{left:?}"
    );
    stage.script.fail("list persistentvolumes", ErrorKind::Internal);
    assert!(interrupted(&stage.context(), &web()).await.is_err());
}

#[tokio::test]
async fn claims_get_back_what_their_volumes_said_and_pointless_ones_go_by_their_uid() {
    let stage = Stage::new();
    stage.cluster.add(fakes::set(1));
    stage.cluster.add(decided("keep"));
    stage.cluster.add(fakes::claim("data-db-0"));
    stage.cluster.add(released("data-db-1"));
    stage.cluster.add(released("data-db-2"));
    let (ctx, profile) = (stage.context(), web());
    let left = found(&stage).await;
    assert_eq!((left.returns.len(), left.pointless.len()), (1, 2));
    let mut plan = plan_scale(&ctx, &profile, "db", 1).await.unwrap();
    (plan.returns, plan.pointless) = (left.returns, left.pointless);
    let mut anew = released("data-db-2");
    anew["metadata"]["uid"] = json!("a later life");
    stage.cluster.add(anew);
    let site = observe::site(&ctx, &profile).await.unwrap();
    let run = Run::begin(&ctx, &profile, &plan, site).await.unwrap();
    assert!(run.take_back().await.is_empty() && run.clear_away().await.is_empty());
    let back = stage.cluster.find("PersistentVolume", "pv-data-db-0").unwrap();
    assert_eq!(back.str_at(&["spec", "persistentVolumeReclaimPolicy"]), Some("Delete"));
    assert_eq!(back.annotation(names::ON_DOWN), None);
    assert!(!stage.cluster.has("PersistentVolume", "pv-data-db-1"));
    assert!(stage.cluster.has("PersistentVolume", "pv-data-db-2"));
    stage.stop.cancel();
    assert_eq!(
        (run.take_back().await.len(), run.clear_away().await.len()),
        (1, 2),
        "stopped"
    );
}
