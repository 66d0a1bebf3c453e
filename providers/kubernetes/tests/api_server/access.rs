//! Kubeconfigs and credentials.

use std::fs;
use std::path::{Path, PathBuf};

use moorline_api::{Cluster, Error, ErrorKind, ObjectRef, ResourceKind};
use moorline_kubernetes::{KubeCluster, KubeSettings, contexts};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, answer, claim, failure};

fn kubeconfig(server: &str, user: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "demo"}},
            {"name": "lost", "context": {"cluster": "nowhere", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c", "user": "ghost"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    })
}

fn write(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("config");
    fs::write(&path, text).unwrap();
    path
}

async fn connect(path: &Path, context: Option<&str>) -> Result<KubeCluster, Error> {
    let settings = KubeSettings {
        kubeconfig: Some(path.to_owned()),
        context: context.map(str::to_owned),
        ..KubeSettings::default()
    };
    KubeCluster::connect(&settings).await
}

async fn connect_error(text: &str, context: Option<&str>) -> String {
    let folder = TempDir::new().unwrap();
    let error = connect(&write(&folder, text), context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn contexts_are_told_and_a_file_that_was_named_has_to_be_there() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, &kubeconfig("http://127.0.0.1:1", &json!({})).to_string());
    assert_eq!(contexts(Some(&path)).unwrap(), ["main", "lost", "nobody"]);
    let missing = contexts(Some(&folder.path().join("none"))).unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Invalid);
}

#[test]
fn outside_a_pod_there_is_no_service_account() {
    let refused = KubeCluster::in_cluster(&KubeSettings::default()).err().unwrap();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.to_string().contains("no service account"), "{refused}");
}

#[tokio::test]
async fn a_context_gives_server_namespace_and_token() {
    let server = Server::saying(200, claim()).await;
    let folder = TempDir::new().unwrap();
    let path = write(
        &folder,
        &kubeconfig(&server.address, &json!({"token": "s3cret"})).to_string(),
    );
    let cluster = connect(&path, None).await.unwrap();
    assert_eq!(
        (cluster.default_namespace(), cluster.context(), cluster.server()),
        ("demo", "main", server.address.as_str())
    );
    assert!(!format!("{cluster:?}").contains("s3cret"));
    assert!(server.lines().is_empty(), "connecting calls nobody");
    cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "data"))
        .await
        .unwrap();
    assert_eq!(server.seen()[0].header("authorization"), "Bearer s3cret");
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_told_with_its_cure() {
    let good = kubeconfig("https://example.invalid", &json!({})).to_string();
    for (text, context, expected) in [
        (
            good.as_str(),
            Some("mian"),
            "there is no context `mian`; it has `main`, `lost`, `nobody`",
        ),
        (
            good.as_str(),
            Some("lost"),
            "context `lost` names cluster `nowhere`, and there is `c`",
        ),
        (
            good.as_str(),
            Some("nobody"),
            "context `nobody` names user `ghost`, and there is `u`",
        ),
        ("", None, "it names no context; set KUBECONFIG or --kubeconfig"),
        ("{\"contexts\": null}", None, "it names no context"),
        (
            &good.replace("\"current-context\":\"main\"", "\"current-context\":\"\""),
            None,
            "no current-context is set; name one with --context: `main`",
        ),
        (
            &good.replace("https://example.invalid", "example.invalid:6443"),
            None,
            "`server` is not a URL",
        ),
        (
            &good.replace("https://example.invalid", "not a url"),
            None,
            "`server` is not a URL",
        ),
    ] {
        let error = connect_error(text, context).await;
        assert!(
            error.starts_with("read kubeconfig /") && error.contains(expected),
            "{error}"
        );
    }
    let error = connect(Path::new("/nonexistent/config"), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("read kubeconfig /nonexistent/config: No such file or directory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_broken_kubeconfig_is_not_quoted() {
    let text = "apiVersion: v1\nusers:\n- name: u\n  user:\n    token: [hunter2, hunter3]\n";
    let error = connect_error(text, None).await;
    assert!(error.contains("line ") && !error.contains("hunter"), "{error}");
    connect_error("\u{0}\u{1}\u{2}", None).await;
    connect_error("- a list", None).await;
}

#[tokio::test]
async fn files_that_are_missing_are_named_before_any_call() {
    for (user, field) in [
        (
            json!({"client-certificate": "gone.crt", "client-key": "gone.key"}),
            "client-certificate",
        ),
        (json!({"tokenFile": "gone.token"}), "tokenFile"),
    ] {
        let error = connect_error(&kubeconfig("https://example.invalid", &user).to_string(), None).await;
        assert!(
            error.contains(field) && error.contains("gone.") && error.contains("No such file"),
            "{error}"
        );
    }
    let mut config = kubeconfig("https://example.invalid", &json!({}));
    config["clusters"][0]["cluster"]["certificate-authority"] = json!("gone-ca.crt");
    let error = connect_error(&config.to_string(), None).await;
    assert!(
        error.contains("certificate-authority") && error.contains("gone-ca.crt"),
        "{error}"
    );
}

/// A credential plugin: counts its runs in a file and prints what `body` prints; `$n` is the number of the run, from 1.
#[cfg(unix)]
fn plugin(folder: &TempDir, body: &str) -> Value {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join("login");
    let script = format!(
        "#!/bin/sh\ncd '{}'\necho >> runs\nn=$(wc -l < runs)\n{body}\n",
        folder.path().display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never",
                    "installHint": "get it from example.com"}})
}

#[cfg(unix)]
fn runs(folder: &TempDir) -> usize {
    fs::read_to_string(folder.path().join("runs")).map_or(0, |text| text.lines().count())
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_runs_once_and_again_when_its_token_is_refused() {
    let server = Server::start(|_, seen| match seen.header("authorization") {
        "Bearer token-2" => answer(200, &claim()),
        _ => answer(401, &failure(401, "Unauthorized", "Unauthorized", Value::Null)),
    })
    .await;
    let folder = TempDir::new().unwrap();
    let user = plugin(
        &folder,
        r#"echo "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"token-$n\"}}""#,
    );
    let cluster = connect(&write(&folder, &kubeconfig(&server.address, &user).to_string()), None)
        .await
        .unwrap();
    assert_eq!(runs(&folder), 0, "connecting runs nothing");
    let target = ObjectRef::new(ResourceKind::claim(), "demo", "data");
    let results = futures::future::join_all((0..8).map(|_| cluster.get(&target))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(
        runs(&folder),
        2,
        "one run at first, one for the refused token, whoever noticed"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_refused_token_is_renewed_only_once() {
    let server = Server::saying(401, failure(401, "Unauthorized", "Unauthorized", Value::Null)).await;
    let folder = TempDir::new().unwrap();
    let user = plugin(&folder, r#"echo '{"status":{"token":"bad"}}'"#);
    let cluster = connect(&write(&folder, &kubeconfig(&server.address, &user).to_string()), None)
        .await
        .unwrap();
    let error = cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "data"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert_eq!((runs(&folder), server.lines().len()), (2, 2));
}

#[cfg(unix)]
#[tokio::test]
async fn a_failing_plugin_is_named_and_its_output_kept_secret() {
    for (body, expected) in [
        (
            "echo leaked-token; echo first >&2; echo 'session expired' >&2; exit 3",
            "failed (exit status: 3): session expired; log in again",
        ),
        ("echo leaked-token", "did not print an ExecCredential"),
        (
            "echo '{\"status\": [\"leaked-token\"]}'",
            "did not print an ExecCredential",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let user = plugin(&folder, body);
        let path = write(&folder, &kubeconfig("http://127.0.0.1:9", &user).to_string());
        let error = connect(&path, None).await.unwrap().identity().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error:?}").contains("leaked"), "{error:?}");
    }
    let folder = TempDir::new().unwrap();
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "installHint": "get it from example.com"}});
    let path = write(&folder, &kubeconfig("http://127.0.0.1:9", &user).to_string());
    let error = connect(&path, None)
        .await
        .unwrap()
        .identity()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`no-such-plugin` cannot be started") && error.contains("get it from example.com"),
        "{error}"
    );
}
