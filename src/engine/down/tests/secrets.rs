//! The Secrets with which nodes mount volumes: which of them go with the profile.

use moorline_api::ErrorKind;
use serde_json::{Value, json};

use super::*;
use crate::names;

fn secret(namespace: &str, name: &str, profile: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name, "uid": name, "labels": {names::MOUNTS_FOR: profile}},
    })
}

/// PersistentVolume `pv-<claim>`, which nodes mount with this Secret.
fn mounted(claim: &str, namespace: &str, secret: &str) -> Value {
    let mut pv = pv(claim);
    pv["spec"]["csi"]["nodeStageSecretRef"] = json!({"namespace": namespace, "name": secret});
    pv
}

/// The stage's volume is mounted with Secret `mount`.
fn with_secret() -> Stage {
    let stage = stage();
    stage.cluster.add(mounted("data-db-0", "default", "mount"));
    stage.cluster.add(secret("default", "mount", "web"));
    stage
}

#[tokio::test]
async fn a_secret_goes_when_the_last_volume_that_is_mounted_with_it_is_gone() {
    let stage = with_secret();
    stage.cluster.add(secret("default", "of-another-profile", "shop"));
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(whats(&outcome.gone).contains(&"secrets default/mount"), "{outcome:?}");
    assert!(!stage.cluster.has("Secret", "mount") && stage.cluster.has("Secret", "of-another-profile"));
    let changes = stage.script.changes();
    let at = |what: &str| changes.iter().position(|change| change == what).unwrap();
    assert!(at("delete persistentvolumes pv-data-db-0") < at("delete secrets default/mount"));
}

#[tokio::test]
async fn a_secret_that_another_volume_is_mounted_with_stays() {
    let stage = with_secret();
    let mut others = mounted("data-other-7", "default", "mount");
    others["metadata"]["labels"] = json!({});
    stage.cluster.add(others);
    let outcome = down(&stage, &web()).await.unwrap();
    assert_eq!(whats(&outcome.kept), ["secrets default/mount"]);
    assert_eq!(
        outcome.kept[0].why,
        "nodes mount PersistentVolume pv-data-other-7 with it"
    );
    assert!(stage.cluster.has("Secret", "mount"));
}

#[tokio::test]
async fn a_secret_of_which_nobody_knows_who_uses_it_stays() {
    let stage = with_secret();
    let plan = planned(&stage, &web()).await;
    let script = stage.script.clone();
    stage.script.before("!delete persistentvolumes", move || {
        script.refuse("list persistentvolumes", ErrorKind::Unreachable);
    });
    let outcome = execute_down(&stage.context(), &web(), plan).await.unwrap();
    assert!(stage.cluster.has("Secret", "mount"));
    let left = outcome
        .remaining
        .iter()
        .find(|fate| fate.what == "secrets default/mount");
    assert!(left.unwrap().why.contains("is not known"), "{outcome:?}");
}

#[tokio::test]
async fn secrets_are_looked_for_where_volumes_name_them_and_have_to_be_readable_only_then() {
    let stage = with_secret();
    stage.cluster.add(mounted("data-db-0", "mounts", "far"));
    stage.cluster.add(secret("mounts", "far", "web"));
    let plan = planned(&stage, &web()).await;
    let found: Vec<String> = plan.secrets.iter().map(|secret| secret.target.to_string()).collect();
    assert_eq!(found, ["secrets default/mount", "secrets mounts/far"]);
    stage.script.refuse("list secrets", ErrorKind::Forbidden);
    assert!(plan_down(&stage.context(), &web()).await.is_err());
    let unnamed = super::stage();
    unnamed.script.refuse("list secrets", ErrorKind::Forbidden);
    assert!(planned(&unnamed, &web()).await.secrets.is_empty());
}
