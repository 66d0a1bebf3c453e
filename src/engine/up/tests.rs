//! What `up` deletes: what the profile no longer names, and claims of ordinals that a set loses.

use moorline_api::ErrorKind;
use serde_json::{Value, json};

use super::*;
use crate::fakes::{Stage, applied, claim, profile, pv, set, volume};
use crate::names;
use crate::plan::{Removal, VolumeFate};

/// Set `cache` with one replica, whose lost ordinals lose their claims.
const CACHE: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache}
spec:
  serviceName: cache
  replicas: 1
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec: {containers: [{name: c, image: redis, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

fn web() -> Profile {
    profile("externalClasses: [fast]\n", CACHE)
}

fn cache(replicas: u32, when_scaled: &str) -> Value {
    let mut cache = set(replicas);
    cache["metadata"]["name"] = json!("cache");
    cache["metadata"]["uid"] = json!("uid-cache");
    cache["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenScaled": when_scaled});
    cache
}

fn add(stage: &Stage, name: &str) {
    stage.cluster.add(claim(name));
    stage.cluster.add(pv(name));
    stage.cloud.add(volume(name));
}

/// Set `db` without replicas, and set `cache` with so many replicas; all claims are Bound.
fn stage(replicas: u32, when_scaled: &str) -> Stage {
    let stage = Stage::new();
    stage.cluster.add(class());
    stage.cluster.add(set(0));
    stage.cluster.add(cache(replicas, when_scaled));
    for ordinal in 0..replicas {
        add(&stage, &format!("data-cache-{ordinal}"));
    }
    stage
}

/// Of nobody: the profile only names it.
fn class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast", "uid": "uid-fast"},
        "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    })
}

async fn planned(stage: &Stage) -> UpPlan {
    plan_up(&stage.context(), &web()).await.unwrap()
}

fn released(plan: &UpPlan) -> Vec<&str> {
    plan.releases.iter().map(|removal| &*removal.claim_name).collect()
}

fn leaving(name: &str) -> Value {
    let mut leaving = claim(name);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    leaving
}

#[tokio::test]
async fn claims_of_ordinals_that_a_manifest_takes_away_go_where_the_set_says_so() {
    let plan = planned(&stage(3, "Delete")).await;
    assert_eq!(released(&plan), ["default/data-cache-1", "default/data-cache-2"]);
    assert!(plan.releases.iter().all(|removal| removal.fate == VolumeFate::Delete));
    assert_eq!(released(&planned(&stage(1, "Delete")).await), [""; 0]);
    // The manifest's word counts, not what is there.
    assert_eq!(released(&planned(&stage(2, "Retain")).await), ["default/data-cache-1"]);
}

#[tokio::test]
async fn what_an_earlier_run_began_to_let_go_is_finished_where_the_set_says_so() {
    let with_left = |when_scaled: &str| {
        let stage = stage(1, when_scaled);
        add(&stage, "data-cache-4");
        stage.cluster.add(leaving("data-cache-4"));
        // Of the other set, whose policy is Retain.
        add(&stage, "data-db-5");
        stage.cluster.add(leaving("data-db-5"));
        stage
    };
    assert_eq!(released(&planned(&with_left("Delete")).await), ["default/data-cache-4"]);
    assert_eq!(released(&planned(&with_left("Retain")).await), [""; 0]);
    let shrinking = with_left("Delete");
    shrinking.cluster.add(cache(2, "Delete"));
    add(&shrinking, "data-cache-1");
    let expected = ["default/data-cache-1", "default/data-cache-4"];
    assert_eq!(released(&planned(&shrinking).await), expected);
}

#[tokio::test]
async fn a_set_is_made_smaller_before_its_claims_go() {
    let stage = stage(2, "Delete");
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await.unwrap();
    execute_up(&ctx, &web(), plan).await.unwrap();
    let changes = stage.script.changes();
    let at = |what: &str| changes.iter().position(|change| change == what).unwrap();
    let order = [
        at("apply statefulsets.apps default/cache"),
        at("delete persistentvolumeclaims default/data-cache-1"),
        at("delete volume vol-1"),
        at("delete persistentvolumes pv-data-cache-1"),
    ];
    assert!(order.is_sorted(), "{changes:?}");
    assert!(stage.cloud.has("vol-0") && stage.cluster.has("PersistentVolumeClaim", "data-cache-0"));
}

#[tokio::test]
async fn what_may_not_be_deleted_is_found_out_before_anything_is_changed() {
    let stage = stage(2, "Delete");
    stage
        .script
        .refuse("rehearse persistentvolumes pv-data-cache-1", ErrorKind::Forbidden);
    assert!(plan_up(&stage.context(), &web()).await.is_err());
    let absent = super::tests::stage(2, "Delete");
    absent.script.refuse("rehearse", ErrorKind::NotFound);
    assert!(
        plan_up(&absent.context(), &web()).await.is_ok(),
        "it may have gone meanwhile"
    );
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": name, "uid": name}})
}

async fn removed(objects: Vec<Value>) -> (Vec<String>, Vec<String>) {
    let stage = stage(1, "Delete");
    for object in objects {
        stage.cluster.add(object);
    }
    let plan = planned(&stage).await;
    (
        plan.removals.iter().map(|removal| removal.target.to_string()).collect(),
        plan.notices,
    )
}

#[tokio::test]
async fn what_the_profile_no_longer_names_goes_only_where_moorline_made_it_for_this_profile() {
    let mut copied = applied(config_map("copied-by-a-controller"));
    copied["metadata"]["managedFields"] = json!([]);
    let mut leaving = applied(config_map("leaving"));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    let mut anothers = applied(config_map("another-profiles"));
    anothers["metadata"]["labels"][names::PROFILE] = json!("shop");
    let mut elsewhere = applied(config_map("elsewhere"));
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    let class_of = |name: &str, home: Option<&str>| {
        let mut class = applied(class());
        class["metadata"]["name"] = json!(name);
        class["metadata"]["labels"][names::NAMESPACE] = json!(home);
        class
    };
    let (removals, _) = removed(vec![
        applied(config_map("former")),
        copied,
        leaving,
        anothers,
        elsewhere,
        class_of("ours", Some("default")),
        class_of("of-a-namesake", Some("elsewhere")),
        class_of("of-before-there-was-a-home", None),
    ])
    .await;
    let expected = [
        "configmaps default/former",
        "storageclasses.storage.k8s.io of-before-there-was-a-home",
        "storageclasses.storage.k8s.io ours",
    ];
    assert_eq!(removals, expected);
}

#[tokio::test]
async fn data_and_what_holds_that_of_others_is_never_removed_for_want_of_a_name() {
    let claim = applied(claim("former"));
    let volume = applied(pv("former"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "former", "uid": "n"}});
    let (removals, notices) = removed(vec![claim, volume, applied(namespace)]).await;
    assert_eq!(removals, [""; 0]);
    let told = |notice: &&String| notice.starts_with("namespaces former is no longer in the profile; it is left alone");
    assert_eq!(notices.iter().filter(told).count(), 1, "{notices:?}");
}

#[tokio::test]
async fn what_takes_its_claims_with_it_is_said_before_it_goes() {
    let mut former = cache(1, "Delete");
    former["metadata"]["name"] = json!("former");
    let told = |notices: &[String]| notices.iter().any(|notice| notice.contains("deletes its claims too"));
    for policy in ["Delete", "Retain"] {
        former["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": policy});
        let (removals, notices) = removed(vec![former.clone()]).await;
        assert_eq!(removals, ["statefulsets.apps default/former"]);
        assert_eq!(told(&notices), policy == "Delete", "{notices:?}");
    }
}

#[tokio::test]
async fn where_not_all_can_be_listed_the_rest_is_removed_and_that_is_said() {
    let stage = stage(1, "Delete");
    stage.cluster.add(applied(config_map("former")));
    stage.script.refuse("list configmaps", ErrorKind::Forbidden);
    let plan = planned(&stage).await;
    assert!(
        plan.removals.is_empty() && plan.notices[0].contains("among configmaps"),
        "{:?}",
        plan.notices
    );
    let broken = super::tests::stage(1, "Delete");
    broken.script.refuse("list configmaps", ErrorKind::Internal);
    assert!(plan_up(&broken.context(), &web()).await.is_err());
}

#[tokio::test]
async fn only_the_object_that_was_planned_is_removed() {
    let stage = stage(1, "Delete");
    stage.cluster.add(applied(config_map("former")));
    stage.cluster.add(applied(config_map("made-anew")));
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await.unwrap();
    let uids: Vec<&Removal> = plan.removals.iter().collect();
    assert_eq!(uids.len(), 2);
    let mut anew = config_map("made-anew");
    anew["metadata"]["uid"] = json!("a later life");
    stage.cluster.add(anew);
    execute_up(&ctx, &web(), plan).await.unwrap();
    assert!(!stage.cluster.has("ConfigMap", "former") && stage.cluster.has("ConfigMap", "made-anew"));
}

/// The set as its controller shows it when all its pods are Ready.
fn settle(stage: &Stage, name: &str, replicas: u32) {
    let mut set = stage.cluster.find("StatefulSet", name).unwrap().into_value();
    set["status"] = json!({"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas});
    stage.cluster.add(set);
}

#[tokio::test]
async fn a_run_with_nothing_to_do_is_done_only_when_all_is_ready() {
    let mut stage = stage(1, "Delete");
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await.unwrap();
    execute_up(&ctx, &web(), plan).await.unwrap();
    stage.timeout = Duration::from_millis(200);
    let short = stage.context();
    let nothing = plan_up(&ctx, &web()).await.unwrap();
    assert_eq!(nothing.changes(), 0, "{nothing:?}");
    let waited = execute_up(&short, &web(), nothing).await;
    assert!(matches!(waited, Err(EngineError::TimedOut { .. })), "{waited:?}");
    settle(&stage, "cache", 1);
    let nothing = plan_up(&ctx, &web()).await.unwrap();
    let writes = stage.script.changes().len();
    let outcome = execute_up(&short, &web(), nothing).await.unwrap();
    assert!(outcome.status.ready && outcome.changed == 0, "{outcome:?}");
    assert_eq!(stage.script.changes().len(), writes);
    // Claims that may not be read may be missing.
    let nothing = plan_up(&ctx, &web()).await.unwrap();
    stage.script.refuse("list persistentvolumeclaims", ErrorKind::Forbidden);
    assert!(execute_up(&short, &web(), nothing).await.is_err());
}

#[tokio::test]
async fn what_waiting_cannot_mend_ends_a_run() {
    let stage = stage(1, "Delete");
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await.unwrap();
    execute_up(&ctx, &web(), plan).await.unwrap();
    let mut failed = stage.cluster.find("StatefulSet", "cache").unwrap().into_value();
    failed["status"] =
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "Broken", "message": "m"}]});
    stage.cluster.add(failed);
    ctx.limits.wait = true;
    let nothing = plan_up(&ctx, &web()).await.unwrap();
    let ended = execute_up(&ctx, &web(), nothing).await;
    let Err(EngineError::NeverReady(causes)) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(causes[0].why, "Broken: m");
}

#[tokio::test]
async fn nodes_that_may_not_be_listed_are_done_without_and_that_is_said() {
    let stage = stage(1, "Delete");
    stage.script.refuse("list nodes", ErrorKind::Forbidden);
    let notices = planned(&stage).await.notices;
    let is_told = notices.iter().any(|notice| notice.contains("nodes may not be listed"));
    assert!(is_told, "{notices:?}");
    let broken = super::tests::stage(1, "Delete");
    broken.script.refuse("list nodes", ErrorKind::Internal);
    assert!(plan_up(&broken.context(), &web()).await.is_err());
}
