//! Several clusters over the same clouds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use serde_json::{Value, json};
use support::{ask, endpoint, get, start, try_ask, until};

const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

/// Makes the claim `data`, has the cluster's driver bind it, and gives it.
async fn bind_a_claim(endpoint: &str) -> Value {
    let class = json!({"metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com"});
    ask(endpoint, &format!("POST {CLASSES}"), &class).await;
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}},
    }});
    ask(endpoint, &format!("POST {CLAIMS}"), &claim).await;
    until(endpoint, &format!("{CLAIMS}/data"), |claim| {
        claim["status"]["phase"] == "Bound"
    })
    .await
}

async fn volumes(sandbox: &Sandbox) -> usize {
    let state = get(&sandbox.admin_endpoint(), "/_sandbox/state").await;
    state["volumes"].as_array().unwrap().len()
}

async fn change_settings(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) {
    let admin = sandbox.admin_endpoint();
    let mut settings = get(&admin, "/_sandbox/settings").await;
    change(&mut settings);
    let now = ask(&admin, "PUT /_sandbox/settings", &settings).await;
    assert_eq!(now, settings);
}

#[tokio::test]
async fn two_clusters_share_an_account_and_nothing_else() {
    let sandbox = start(&["moorline-sandbox", "b"], None).await;
    let (a, b) = (endpoint(&sandbox, "moorline-sandbox"), endpoint(&sandbox, "b"));
    assert_eq!(a, sandbox.kubernetes_endpoint());
    let mut uids = Vec::new();
    for cluster in [&a, &b] {
        let system = get(cluster, "/api/v1/namespaces/kube-system").await;
        uids.push(system["metadata"]["uid"].as_str().unwrap().to_owned());
    }
    assert_ne!(uids[0], uids[1]);

    let mut claims = Vec::new();
    for cluster in [&a, &b] {
        let claim = bind_a_claim(cluster).await;
        claims.push(claim["spec"]["volumeName"].as_str().unwrap().to_owned());
    }
    assert_ne!(claims[0], claims[1]);
    assert_eq!(volumes(&sandbox).await, 2);
    // Each driver deletes what its own cluster's volume object names.
    ask(&b, &format!("DELETE {CLAIMS}/data"), &Value::Null).await;
    until(&b, "/api/v1/persistentvolumes", |list| list["items"] == json!([])).await;
    assert_eq!(volumes(&sandbox).await, 1);
    assert_eq!(
        get(&a, &format!("{CLAIMS}/data")).await["status"]["phase"],
        "Bound",
        "the other cluster's claim stays"
    );

    let state = get(&sandbox.admin_endpoint(), "/_sandbox/state").await;
    assert_eq!(state["objects"]["persistentvolumeclaims"], 1);
    assert_eq!(state["clusters"]["b"]["objects"]["persistentvolumeclaims"], Value::Null);
    ask(&sandbox.admin_endpoint(), "POST /_sandbox/reset", &Value::Null).await;
    for (cluster, old) in [&a, &b].into_iter().zip(&uids) {
        let system = get(cluster, "/api/v1/namespaces/kube-system").await;
        assert_ne!(system["metadata"]["uid"], old.as_str(), "a fresh cluster is another");
        assert_eq!(get(cluster, CLAIMS).await["items"], json!([]));
        assert_eq!(
            get(cluster, "/api/v1/nodes").await["items"].as_array().unwrap().len(),
            3
        );
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn faults_and_audit_tell_the_clusters_apart() {
    let sandbox = start(&["moorline-sandbox", "b"], None).await;
    let (a, b) = (endpoint(&sandbox, "moorline-sandbox"), endpoint(&sandbox, "b"));
    let admin = sandbox.admin_endpoint();
    for service in ["kubernetes", "kubernetes/b"] {
        ask(&admin, "DELETE /_sandbox/faults", &Value::Null).await;
        ask(&admin, "DELETE /_sandbox/audit", &Value::Null).await;
        let fault = json!({"service": service, "operation": "list pods", "moment": "before", "effect": {
            "error": {"status": 403, "code": "Forbidden", "message": "no", "retry_after": null}}});
        ask(&admin, "POST /_sandbox/faults", &fault).await;
        for (cluster, name) in [(&a, "kubernetes"), (&b, "kubernetes/b")] {
            let expected = if name == service { 403 } else { 200 };
            let (status, _) = try_ask(cluster, "GET /api/v1/pods", &Value::Null).await.unwrap();
            assert_eq!(status, expected, "{name} with a fault of {service}");
        }
        let audit = get(&admin, "/_sandbox/audit").await;
        let calls = |name: &str| {
            let rows = audit.as_array().unwrap().iter();
            let rows = rows.filter(|row| row["service"] == name && row["operation"] == "list pods");
            rows.map(|row| row["calls"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((calls("kubernetes"), calls("kubernetes/b")), (1, 1));
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_cluster_that_is_unreachable_refuses_connections_and_goes_on() {
    let sandbox = start(&["moorline-sandbox", "b"], None).await;
    let (a, b) = (endpoint(&sandbox, "moorline-sandbox"), endpoint(&sandbox, "b"));
    let before = get(&b, "/api/v1/namespaces/kube-system").await;
    change_settings(&sandbox, |settings| settings["unreachable"] = json!(["b"])).await;
    let refused = try_ask(&b, "GET /version", &Value::Null).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    get(&a, "/version").await;
    change_settings(&sandbox, |settings| settings["unreachable"] = json!([])).await;
    assert_eq!(get(&b, "/api/v1/namespaces/kube-system").await, before);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn clusters_come_go_and_come_back_with_what_they_held() {
    let dir = tempfile::tempdir().unwrap();
    // A folder of before there were several.
    let alone = start(&["moorline-sandbox"], Some(dir.path())).await;
    let claim = bind_a_claim(&alone.kubernetes_endpoint()).await;
    change_settings(&alone, |settings| {
        settings["clusters"] = json!(["moorline-sandbox", "b", "c"]);
    })
    .await;
    let of_b = bind_a_claim(&endpoint(&alone, "b")).await;
    alone.shutdown().await;

    let three = Sandbox::start(StartOptions {
        state_dir: Some(dir.path().to_owned()),
        ..StartOptions::default()
    })
    .await
    .unwrap();
    let path = format!("{CLAIMS}/data");
    assert_eq!(get(&three.kubernetes_endpoint(), &path).await, claim);
    assert_eq!(get(&endpoint(&three, "b"), &path).await, of_b);
    assert_eq!(get(&endpoint(&three, "c"), CLAIMS).await["items"], json!([]));
    let old = endpoint(&three, "b");
    change_settings(&three, |settings| {
        settings["clusters"] = json!(["moorline-sandbox", "c"]);
    })
    .await;
    assert!(try_ask(&old, "GET /version", &Value::Null).await.is_err());
    change_settings(&three, |settings| {
        settings["clusters"] = json!(["moorline-sandbox", "c", "b"]);
    })
    .await;
    assert_eq!(get(&endpoint(&three, "b"), &path).await, of_b);
    three.shutdown().await;
}

#[tokio::test]
async fn wrong_names_are_refused_and_change_nothing() {
    let sandbox = start(&["moorline-sandbox"], None).await;
    let admin = sandbox.admin_endpoint();
    let before = get(&admin, "/_sandbox/settings").await;
    for clusters in [json!(["b"]), json!([]), json!(["moorline-sandbox", "B"])] {
        let mut settings = before.clone();
        settings["clusters"] = clusters;
        let (status, _) = try_ask(&admin, "PUT /_sandbox/settings", &settings).await.unwrap();
        assert_eq!(status, 422);
    }
    assert_eq!(get(&admin, "/_sandbox/settings").await, before);
    assert_eq!(sandbox.clusters().len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_a_served_sandbox_finds_every_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = SandboxSettings::instant();
    settings.clusters = vec!["moorline-sandbox".to_owned(), "b".to_owned()].try_into().unwrap();
    let sandbox = Sandbox::serve(StartOptions {
        state_dir: Some(dir.path().to_owned()),
        settings: Some(settings),
        ..StartOptions::default()
    })
    .await
    .unwrap();
    let kubeconfig = || std::fs::read_to_string(dir.path().join("kubeconfig")).unwrap();
    assert_eq!(Sandbox::running(dir.path()).unwrap().clusters, sandbox.clusters());
    change_settings(&sandbox, |settings| {
        settings["clusters"] = json!(["moorline-sandbox", "c"]);
    })
    .await;
    let running = Sandbox::running(dir.path()).unwrap();
    let contexts: Vec<&str> = running.clusters.iter().map(|one| one.context.as_str()).collect();
    assert_eq!(contexts, ["moorline-sandbox", "c"]);
    for cluster in &running.clusters {
        assert!(kubeconfig().contains(&cluster.endpoint), "{}", kubeconfig());
    }
    assert!(kubeconfig().contains("current-context: moorline-sandbox\n"));
    sandbox.shutdown().await;
}
