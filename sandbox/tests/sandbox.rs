//! A whole sandbox, as another process sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use moorline_sandbox::{Running, Sandbox, SandboxError, SandboxSettings, StartOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn options(state_dir: Option<&Path>) -> StartOptions {
    StartOptions {
        state_dir: state_dir.map(Path::to_owned),
        settings: Some(SandboxSettings::instant()),
        ..StartOptions::default()
    }
}

/// One request on a connection of its own; an empty body is null.
async fn ask(endpoint: &str, request: &str, body: &Value) -> (u16, Value) {
    let address = endpoint.strip_prefix("http://").unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn create(sandbox: &Sandbox, path: &str, object: &Value) -> Value {
    let (status, made) = ask(&sandbox.kubernetes_endpoint(), &format!("POST {path}"), object).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn state(sandbox: &Sandbox) -> Value {
    ask(&sandbox.admin_endpoint(), "GET /_sandbox/state", &Value::Null)
        .await
        .1
}

/// Asks until the answer holds; the wait is for another task of this process.
async fn until(sandbox: &Sandbox, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let (_, object) = ask(&sandbox.kubernetes_endpoint(), &format!("GET {path}"), &Value::Null).await;
            if holds(&object) {
                return object;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

async fn bind_a_claim(sandbox: &Sandbox) {
    create(
        sandbox,
        CLASSES,
        &json!({"metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com"}),
    )
    .await;
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}},
    }});
    create(sandbox, CLAIMS, &claim).await;
    until(sandbox, &format!("{CLAIMS}/data"), |claim| {
        claim["status"]["phase"] == "Bound"
    })
    .await;
}

#[tokio::test]
async fn state_and_settings_survive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = Sandbox::start(options(Some(dir.path()))).await.unwrap();
    bind_a_claim(&first).await;
    let before = state(&first).await;
    first.shutdown().await;
    let second = Sandbox::start(StartOptions {
        settings: None,
        ..options(Some(dir.path()))
    })
    .await
    .unwrap();
    assert_eq!(second.settings(), SandboxSettings::instant());
    let after = state(&second).await;
    assert_eq!(before["volumes"], after["volumes"]);
    assert_eq!(after["objects"]["persistentvolumeclaims"], 1);
    second.shutdown().await;
}

/// Whether any file below `folder` holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn secrets_survive_and_are_not_seen_in_the_folder() {
    const SECRETS: &str = "/api/v1/namespaces/default/secrets";
    let dir = tempfile::tempdir().unwrap();
    let first = Sandbox::start(options(Some(dir.path()))).await.unwrap();
    let made = create(
        &first,
        SECRETS,
        &json!({"metadata": {"name": "key"}, "stringData": {"password": "swordfish-of-1932"}}),
    )
    .await;
    let encoded = made["data"]["password"].as_str().unwrap();
    create(
        &first,
        "/api/v1/namespaces/default/configmaps",
        &json!({"metadata": {"name": "map"}, "data": {"fish": "catfish-of-1932"}}),
    )
    .await;
    first.shutdown().await;
    assert!(holds(dir.path(), "catfish-of-1932"), "the search finds what is there");
    for text in ["swordfish-of-1932", encoded] {
        assert!(!holds(dir.path(), text), "{text}");
    }
    let second = Sandbox::start(options(Some(dir.path()))).await.unwrap();
    let read = until(&second, &format!("{SECRETS}/key"), |_| true).await;
    assert_eq!(read, made);
    second.shutdown().await;
}

#[tokio::test]
async fn one_process_at_a_time_has_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = Sandbox::start(options(Some(dir.path()))).await.unwrap();
    let second = Sandbox::start(options(Some(dir.path()))).await;
    assert!(matches!(second, Err(SandboxError::Journal(_))));
    assert!(matches!(Sandbox::reset(dir.path()), Err(SandboxError::Journal(_))));
    first.shutdown().await;
    Sandbox::reset(dir.path()).unwrap();
    let third = Sandbox::start(options(Some(dir.path()))).await.unwrap();
    assert_eq!(state(&third).await["volumes"], json!([]));
    third.shutdown().await;
}

#[tokio::test]
async fn kubelets_say_how_full_the_volumes_of_running_pods_are() {
    let sandbox = Sandbox::start(options(None)).await.unwrap();
    bind_a_claim(&sandbox).await;
    let pod = json!({"metadata": {"name": "one"}, "spec": {
        "containers": [{"name": "main", "image": "nginx"}],
        "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": "data"}}],
    }});
    create(&sandbox, "/api/v1/namespaces/default/pods", &pod).await;
    let pod = until(&sandbox, "/api/v1/namespaces/default/pods/one", |pod| {
        pod["status"]["phase"] == "Running"
    })
    .await;
    let node = pod["spec"]["nodeName"].as_str().unwrap();
    let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
    let summary = until(&sandbox, &path, |summary| !summary["pods"].is_null()).await;
    assert_eq!(summary["node"]["nodeName"], node);
    let of_pod = &summary["pods"][0];
    assert_eq!(of_pod["podRef"]["uid"], pod["metadata"]["uid"]);
    let volume = &of_pod["volume"][0];
    assert_eq!(
        (&volume["name"], &volume["pvcRef"]),
        (&json!("files"), &json!({"name": "data", "namespace": "default"}))
    );
    let bytes =
        |volume: &Value| ["capacityBytes", "usedBytes", "availableBytes"].map(|key| volume[key].as_u64().unwrap());
    assert_eq!(bytes(volume), [1 << 30, 24 << 10, (1 << 30) - (24 << 10)]);

    let claim = until(&sandbox, &format!("{CLAIMS}/data"), |_| true).await;
    let usage = |volume: &Value, bytes: u64| json!({"persistent_volume": volume, "used_bytes": bytes});
    let set = "POST /_sandbox/usage";
    let volume = &claim["spec"]["volumeName"];
    for (body, status) in [
        (usage(volume, 5 << 20), 204),
        (usage(volume, 2 << 30), 422),
        (usage(&json!("none"), 1), 404),
    ] {
        assert_eq!(ask(&sandbox.admin_endpoint(), set, &body).await.0, status, "{body}");
    }
    let summary = until(&sandbox, &path, |_| true).await;
    assert_eq!(bytes(&summary["pods"][0]["volume"][0])[1], 5 << 20);
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_sandbox_is_found_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Sandbox::running(dir.path()), None);
    let sandbox = Sandbox::serve(options(Some(dir.path()))).await.unwrap();
    let Running {
        pid,
        admin_endpoint,
        azure_endpoint,
        azure_certificate,
        environment,
        ..
    } = Sandbox::running(dir.path()).unwrap();
    assert_eq!((pid, admin_endpoint), (std::process::id(), sandbox.admin_endpoint()));
    let kubeconfig = environment.iter().find(|(name, _)| name == "KUBECONFIG").unwrap();
    let text = std::fs::read_to_string(&kubeconfig.1).unwrap();
    assert_eq!(text, sandbox.kubeconfig());
    assert!(text.contains(&sandbox.kubernetes_endpoint()));
    let find = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).unwrap();
    assert_eq!(find("AZURE_RESOURCE_MANAGER_ENDPOINT").1, azure_endpoint);
    assert_eq!(azure_endpoint, sandbox.azure_endpoint());
    let certificate = std::fs::read_to_string(&find("REQUESTS_CA_BUNDLE").1).unwrap();
    assert_eq!(
        (certificate.as_str(), azure_certificate.as_str()),
        (sandbox.azure_certificate(), sandbox.azure_certificate())
    );
    // The metadata service hands out tokens over plain HTTP.
    let metadata = &find("AZURE_POD_IDENTITY_AUTHORITY_HOST").1;
    let asked = "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=x";
    assert_eq!(ask(metadata, asked, &Value::Null).await.0, 400);
    assert!(matches!(Sandbox::reset(dir.path()), Err(SandboxError::Served { .. })));
    sandbox.shutdown().await;
    assert_eq!(Sandbox::running(dir.path()), None);
}

#[tokio::test]
async fn its_own_interface_sets_counts_and_forgets() {
    let sandbox = Sandbox::start(options(None)).await.unwrap();
    let endpoint = sandbox.admin_endpoint();
    let (_, mut settings) = ask(&endpoint, "GET /_sandbox/settings", &Value::Null).await;
    assert_eq!(settings["aws"]["throttle"], false);
    settings["controllers"]["csi"] = false.into();
    assert_eq!(
        ask(&endpoint, "PUT /_sandbox/settings", &settings).await,
        (200, settings.clone())
    );
    assert_eq!(
        ask(&endpoint, "PUT /_sandbox/settings", &json!({"colour": "red"}))
            .await
            .0,
        422
    );
    settings["controllers"]["csi"] = true.into();
    ask(&endpoint, "PUT /_sandbox/settings", &settings).await;

    let now = sandbox.world().clock.now();
    let (_, clock) = ask(&endpoint, "POST /_sandbox/clock", &json!({"advance_seconds": 3600})).await;
    let moved: String = clock["now"].as_str().unwrap().chars().take(13).collect();
    assert_ne!(now.to_string().chars().take(13).collect::<String>(), moved);

    bind_a_claim(&sandbox).await;
    let (_, audit) = ask(&endpoint, "GET /_sandbox/audit", &Value::Null).await;
    let row = audit
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["operation"] == "create persistentvolumeclaims")
        .unwrap();
    assert_eq!(
        (&row["calls"], &row["mutating"], &row["changed"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(ask(&endpoint, "DELETE /_sandbox/audit", &Value::Null).await.0, 204);
    assert_eq!(ask(&endpoint, "GET /_sandbox/audit", &Value::Null).await.1, json!([]));

    let fault = json!({"service": "kubernetes", "operation": "create configmaps", "moment": "before", "times": 1, "effect": {
        "error": {"status": 403, "code": "Forbidden", "message": "no", "retry_after": null}}});
    assert_eq!(ask(&endpoint, "POST /_sandbox/faults", &fault).await.0, 200);
    let map = json!({"metadata": {"name": "settings"}});
    let path = "POST /api/v1/namespaces/default/configmaps";
    assert_eq!(ask(&sandbox.kubernetes_endpoint(), path, &map).await.0, 403);
    assert_eq!(ask(&sandbox.kubernetes_endpoint(), path, &map).await.0, 201);
    assert_eq!(ask(&endpoint, "DELETE /_sandbox/faults", &Value::Null).await.0, 204);

    assert_eq!(ask(&endpoint, "POST /_sandbox/reset", &Value::Null).await.0, 204);
    let after = state(&sandbox).await;
    assert_eq!(
        (&after["volumes"], &after["objects"]["persistentvolumeclaims"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!((&after["storage_accounts"], &after["shares"]), (&json!([]), &json!([])));
    let furniture = ["nodes", "storageclasses.storage.k8s.io"].map(|kind| after["objects"][kind].as_u64());
    assert_eq!(furniture, [Some(3), Some(2)], "the cluster is fresh, not bare");
    assert_eq!(
        ask(&endpoint, "POST /_sandbox/stop", &Value::Null).await.0,
        409,
        "nobody but its owner ends it"
    );
    sandbox.shutdown().await;
}
