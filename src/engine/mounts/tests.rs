//! Which Secrets are made, and whose are left alone.

use serde_json::{Value, json};

use super::*;
use crate::fakes::{Stage, object, profile, pv};

fn mount() -> SecretRef {
    SecretRef {
        namespace: "default".to_owned(),
        name: "mount".to_owned(),
    }
}

fn secret(labels: &Value, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "data": data,
        "metadata": {"namespace": "default", "name": "mount", "uid": "u", "labels": labels},
    })
}

/// What comes of making the Secret where this one is there, and whether that one was written to.
async fn made(before: Option<Value>) -> (Option<Change>, bool) {
    let stage = Stage::new();
    if let Some(secret) = before {
        stage.cluster.add(secret);
    }
    let change = ensure(&stage.context(), "web", &mount(), &VolumeId("share".to_owned())).await;
    let changes = stage.script.changes();
    (
        change.unwrap(),
        changes.iter().any(|change| change.starts_with("merge")),
    )
}

#[tokio::test]
async fn a_secret_is_made_or_renewed_and_one_of_somebody_else_is_left_alone() {
    assert_eq!(made(None).await, (Some(Change::Created), false));
    let ours = json!({names::MOUNTS_FOR: "web"});
    let (fresh, stale) = (
        json!({"key": STANDARD.encode("new")}),
        json!({"key": STANDARD.encode("old")}),
    );
    assert_eq!(made(Some(secret(&ours, &fresh))).await, (None, false));
    assert_eq!(
        made(Some(secret(&ours, &stale))).await,
        (Some(Change::Configured), true)
    );
    assert_eq!(made(Some(secret(&json!({}), &stale))).await, (None, false));
}

#[tokio::test]
async fn a_secret_that_a_volume_of_ours_names_and_that_is_gone_is_missing() {
    let stage = Stage::new();
    let shop = profile("externalClasses: [fast]\n", "");
    let view = |profile: &str| {
        let mut pv = pv("data-db-0");
        pv["spec"]["csi"]["nodeStageSecretRef"] = json!({"namespace": "default", "name": "mount"});
        pv["metadata"]["labels"][names::PROFILE] = json!(profile);
        PvView::of(&object(pv), &moorline_aws_rules::EbsRules)
    };
    let lacking = async |profile: &str| {
        let missing = missing(&stage.context(), &shop, [view(profile)].iter()).await;
        missing.map(|plans| {
            plans
                .into_iter()
                .map(|plan| (plan.secret, plan.volume.0))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(lacking("web").await.unwrap(), [(mount(), "vol-0".to_owned())]);
    assert_eq!(lacking("another").await.unwrap(), []);
    stage.script.fail("get secrets", ErrorKind::Forbidden);
    assert_eq!(lacking("web").await.unwrap(), []);
    stage.script.fail("get secrets", ErrorKind::Internal);
    assert!(lacking("web").await.is_err());
    stage.cluster.add(secret(&json!({}), &json!({})));
    assert_eq!(lacking("web").await.unwrap(), []);
}
