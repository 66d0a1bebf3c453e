//! Many volumes at once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use moorline_sandbox::SandboxSettings;
use serde_json::{Value, json};
use support::{ask, endpoint, get, start, try_ask, until};

const CLAIMS: &str = "/api/v1/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

#[tokio::test]
async fn seeded_volumes_are_spread_over_the_clusters_and_alive() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(&["moorline-sandbox", "b"], Some(dir.path())).await;
    let seed = json!({"volumes": 25, "left_behind": 4, "orphans": 3, "per_set": 5, "age_seconds": 3600});
    ask(&sandbox.admin_endpoint(), "POST /_sandbox/seed", &seed).await;
    let state = get(&sandbox.admin_endpoint(), "/_sandbox/state").await;
    assert_eq!(state["volumes"].as_array().unwrap().len(), 32);
    for (name, claims, sets) in [("moorline-sandbox", 15, 3), ("b", 14, 3)] {
        let cluster = endpoint(&sandbox, name);
        let system = get(&cluster, "/api/v1/namespaces/kube-system").await;
        let (listed, volumes) = (get(&cluster, CLAIMS).await, get(&cluster, VOLUMES).await);
        assert_eq!(
            (items(&listed).len(), items(&volumes).len()),
            (claims, claims),
            "{name}"
        );
        let listed_sets = get(&cluster, "/apis/apps/v1/statefulsets").await;
        assert_eq!(items(&listed_sets).len(), sets);
        for volume in items(&volumes) {
            let id = &volume["spec"]["csi"]["volumeHandle"];
            let in_cloud = state["volumes"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["id"] == *id)
                .unwrap();
            assert_eq!(in_cloud["state"], "available");
            let claim = items(&listed)
                .iter()
                .find(|claim| claim["metadata"]["uid"] == volume["spec"]["claimRef"]["uid"])
                .unwrap();
            assert_eq!(claim["spec"]["volumeName"], volume["metadata"]["name"]);
            if let Some(uid) = in_cloud["tags"].get("moorline.dev/claim-uid") {
                assert_eq!(*uid, claim["metadata"]["uid"]);
                assert_eq!(in_cloud["tags"]["moorline.dev/cluster-uid"], system["metadata"]["uid"]);
            }
        }
    }
    // The next process goes on with them, and its controllers know them.
    sandbox.shutdown().await;
    let again = moorline_sandbox::Sandbox::start(moorline_sandbox::StartOptions {
        state_dir: Some(dir.path().to_owned()),
        ..moorline_sandbox::StartOptions::default()
    })
    .await
    .unwrap();
    let b = endpoint(&again, "b");
    let claims = get(&b, CLAIMS).await;
    let claim = &items(&claims)[0]["metadata"];
    let text = |key: &str| claim[key].as_str().unwrap();
    let path = format!(
        "/api/v1/namespaces/{}/persistentvolumeclaims/{}",
        text("namespace"),
        text("name")
    );
    ask(&b, &format!("DELETE {path}"), &Value::Null).await;
    until(&b, VOLUMES, |list| items(list).len() == 13).await;
    let state = get(&again.admin_endpoint(), "/_sandbox/state").await;
    assert_eq!(
        state["volumes"].as_array().unwrap().len(),
        31,
        "the driver deletes its volume"
    );
    again.shutdown().await;
}

#[tokio::test]
async fn a_claim_that_was_just_seeded_goes_with_its_volume() {
    let sandbox = start(&["moorline-sandbox"], None).await;
    ask(&sandbox.admin_endpoint(), "POST /_sandbox/seed", &json!({"volumes": 2})).await;
    ask(&sandbox.admin_endpoint(), "POST /_sandbox/seed", &json!({"volumes": 2})).await;
    let cluster = sandbox.kubernetes_endpoint();
    let claims = get(&cluster, CLAIMS).await;
    assert_eq!(items(&claims).len(), 4, "a second seed stands beside the first");
    for claim in items(&claims) {
        let text = |key: &str| claim["metadata"][key].as_str().unwrap();
        let path = format!(
            "/api/v1/namespaces/{}/persistentvolumeclaims/{}",
            text("namespace"),
            text("name")
        );
        ask(&cluster, &format!("DELETE {path}"), &Value::Null).await;
    }
    until(&cluster, VOLUMES, |list| items(list).is_empty()).await;
    let state = get(&sandbox.admin_endpoint(), "/_sandbox/state").await;
    assert_eq!(state["volumes"], json!([]));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn too_many_are_refused() {
    let sandbox = start(&["moorline-sandbox"], None).await;
    for seed in [
        json!({"volumes": 1_000_000, "orphans": 1}),
        json!({"volumes": 1, "per_set": 0}),
        json!({"sets": 1}),
    ] {
        let (status, _) = try_ask(&sandbox.admin_endpoint(), "POST /_sandbox/seed", &seed)
            .await
            .unwrap();
        assert_eq!(status, 422, "{seed}");
    }
    assert_eq!(sandbox.settings(), SandboxSettings::instant());
    sandbox.shutdown().await;
}
