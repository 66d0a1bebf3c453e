//! Credential plugins run as kubectl runs them (client-go credential plugins, `client.authentication.k8s.io/v1`).
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use moorline_api::conformance::eventually;
use moorline_api::{Cluster, ErrorKind, ObjectRef, ResourceKind};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, answer, claim, failure};

/// A plugin that notes what it was given, and hands out a token with its number.
fn plugin(path: &Path, notes: &Path, status: &str) {
    let notes = notes.display();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{notes}/arguments'\nprintenv KUBERNETES_EXEC_INFO >> '{notes}/info'\nprintenv STAGE >> '{notes}/stage'\n\
         cat > '{notes}/stdin'\nn=$(wc -l < '{notes}/arguments')\nn=$((n))\n\
         echo \"{{\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\",\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{status}}}\"\n"
    );
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

fn kubeconfig(folder: &TempDir, server: &str, exec: &Value) -> PathBuf {
    let path = folder.path().join("config");
    let config = json!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": "Y2E="}}],
        "users": [{"name": "u", "user": {"exec": exec}}],
    });
    fs::write(&path, config.to_string()).unwrap();
    path
}

async fn connect(folder: &TempDir, server: &str, exec: &Value) -> KubeCluster {
    let settings = KubeSettings {
        kubeconfig: Some(kubeconfig(folder, server, exec)),
        ..KubeSettings::default()
    };
    KubeCluster::connect(&settings).await.unwrap()
}

fn noted(folder: &TempDir, what: &str) -> String {
    fs::read_to_string(folder.path().join(what)).unwrap()
}

#[tokio::test]
async fn a_plugin_gets_what_the_kubeconfig_says() {
    let server = Server::saying(200, claim()).await;
    let folder = TempDir::new().unwrap();
    // A path with a slash is looked for beside the kubeconfig, and not in the working folder.
    plugin(
        &folder.path().join("bin/login"),
        folder.path(),
        r#"{\"token\":\"token-$n\"}"#,
    );
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "bin/login", "args": ["--for", "a cluster"],
        "env": [{"name": "STAGE", "value": "test"}], "provideClusterInfo": true, "interactiveMode": "IfAvailable",
    });
    let cluster = connect(&folder, &server.address, &exec).await;
    cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "data"))
        .await
        .unwrap();
    assert_eq!(server.seen()[0].header("authorization"), "Bearer token-1");
    assert_eq!(noted(&folder, "arguments"), "--for a cluster\n");
    assert_eq!(noted(&folder, "stage"), "test\n");
    assert_eq!(noted(&folder, "stdin"), "", "nobody types here");
    let info: Value = serde_json::from_str(&noted(&folder, "info")).unwrap();
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(info["kind"], "ExecCredential");
    assert_eq!(info["spec"]["interactive"], false, "tests have no terminal: {info}");
    assert_eq!(info["spec"]["cluster"]["server"], server.address);
    // The client library ends the bundle with a line break, which no reader of PEM minds: `ca` and `ca` with one.
    let authority = info["spec"]["cluster"]["certificate-authority-data"].as_str().unwrap();
    assert!(["Y2E=", "Y2EK"].contains(&authority), "{info}");
}

#[tokio::test]
async fn a_plugin_is_told_of_no_cluster_unless_it_asked() {
    let server = Server::saying(200, claim()).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("login");
    plugin(&path, folder.path(), r#"{\"token\":\"t\"}"#);
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1beta1", "command": path});
    let cluster = connect(&folder, &server.address, &exec).await;
    cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "data"))
        .await
        .unwrap();
    let info: Value = serde_json::from_str(&noted(&folder, "info")).unwrap();
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1beta1");
    assert_eq!(
        info["spec"].get("cluster").filter(|cluster| !cluster.is_null()),
        None,
        "{info}"
    );
}

#[tokio::test]
async fn a_token_that_has_expired_is_asked_for_again() {
    let server = Server::start(|_, seen| match seen.header("authorization") {
        "Bearer token-1" | "Bearer token-2" => answer(200, &claim()),
        _ => answer(401, &failure(401, "Unauthorized", "Unauthorized", Value::Null)),
    })
    .await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("login");
    plugin(
        &path,
        folder.path(),
        r#"{\"token\":\"token-$n\",\"expirationTimestamp\":\"2026-01-01T00:00:0${n}Z\"}"#,
    );
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"});
    let cluster = connect(&folder, &server.address, &exec).await;
    let target = ObjectRef::new(ResourceKind::claim(), "demo", "data");
    for _ in 0..2 {
        cluster.get(&target).await.unwrap();
    }
    let seen: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    assert_eq!(seen, ["Bearer token-1", "Bearer token-2"], "the first had expired");
}

#[tokio::test]
async fn a_token_that_is_good_is_kept() {
    let server = Server::saying(200, claim()).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("login");
    plugin(
        &path,
        folder.path(),
        r#"{\"token\":\"token-$n\",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\"}"#,
    );
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"});
    let cluster = connect(&folder, &server.address, &exec).await;
    let target = ObjectRef::new(ResourceKind::claim(), "demo", "data");
    for _ in 0..2 {
        cluster.get(&target).await.unwrap();
    }
    assert_eq!(noted(&folder, "arguments").lines().count(), 1);
}

#[tokio::test]
async fn a_plugin_that_hangs_is_named_and_ended_with_what_it_started() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("login");
    let notes = folder.path().display();
    let script = format!("#!/bin/sh\nsleep 300 &\necho $$ $! > {notes}/new\nmv {notes}/new {notes}/pids\nwait\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"});
    let config = kubeconfig(&folder, "http://127.0.0.1:9", &exec);
    let settings = KubeSettings {
        kubeconfig: Some(config),
        login_timeout: Duration::from_secs(2),
        ..KubeSettings::default()
    };
    let cluster = KubeCluster::connect(&settings).await.unwrap();
    let error = cluster.identity().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    let told = error.to_string();
    assert!(told.contains("login` within 2 s, and it was ended"), "{told}");
    let processes = noted(&folder, "pids");
    let processes: Vec<_> = processes.split_whitespace().collect();
    assert_eq!(processes.len(), 2);
    eventually("gone", Duration::from_secs(20), async || {
        let left: Vec<_> = processes.iter().filter(|process| !is_gone(process)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

/// What has ended may stay as an entry until its parent asks for it.
fn is_gone(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| {
        stat.rsplit(')').next().unwrap().trim().starts_with(['Z', 'X'])
    })
}
