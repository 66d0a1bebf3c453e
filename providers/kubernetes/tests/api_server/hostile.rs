//! Answers that would lead us elsewhere, keep us for ever, or fill our memory.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::TryStreamExt;
use moorline_api::{Cluster, Error, ErrorKind, ListQuery, ObjectRef, ResourceKind};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, answer, claim, failure, raw};

async fn list(cluster: &KubeCluster) -> Result<usize, Error> {
    let pages: Vec<_> = cluster
        .list(ListQuery::everywhere(ResourceKind::claim()))
        .try_collect()
        .await?;
    Ok(pages.iter().map(|page| page.objects.len()).sum())
}

fn with_token(folder: &TempDir, server: &str) -> KubeSettings {
    let path = folder.path().join("config");
    let config = json!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "hush"}}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    KubeSettings {
        kubeconfig: Some(path),
        call_timeout: Duration::from_secs(5),
        ..KubeSettings::default()
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::saying(200, claim()).await;
    for code in [301, 302, 303, 307, 308] {
        let to = format!(
            "{}/api/v1/namespaces/demo/persistentvolumeclaims/data",
            elsewhere.address
        );
        let server = Server::start(move |_, _| {
            let mut response = raw(code, "text/plain", "this way");
            response.headers_mut().insert("location", to.parse().unwrap());
            response
        })
        .await;
        let folder = TempDir::new().unwrap();
        let cluster = KubeCluster::connect(&with_token(&folder, &server.address))
            .await
            .unwrap();
        let target = ObjectRef::new(ResourceKind::claim(), "demo", "data");
        let error = cluster.get(&target).await.unwrap_err();
        assert!(error.message.contains("sends us elsewhere"), "{code}: {error}");
        assert_eq!(server.seen()[0].header("authorization"), "Bearer hush");
    }
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.lines());
}

#[tokio::test]
async fn pages_that_lead_back_end_the_listing() {
    let server = Server::start(|number, _| {
        let token = ["a", "b", "c"][number % 3];
        let page = json!({"metadata": {"resourceVersion": "1", "continue": token}, "items": [claim()]});
        answer(200, &page)
    })
    .await;
    let error = list(&server.cluster()).await.unwrap_err();
    assert!(error.message.contains("the same page again"), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn what_is_nested_without_end_is_refused() {
    for body in [
        format!(r#"{{"metadata": {{}}, "items": {}"#, "[".repeat(100_000)),
        format!(
            r#"{{"metadata": {{}}, "items": [{{"spec": {}"#,
            r#"{"a":"#.repeat(100_000)
        ),
        format!(r#"{{"metadata": {{}}, "other": {}"#, "[".repeat(100_000)),
        format!(
            r#"{{"metadata": {{}}, "items": [{{"metadata": {{"managedFields": {}"#,
            "[".repeat(100_000)
        ),
    ] {
        let server = Server::start(move |_, _| raw(200, "application/json", body.clone())).await;
        let error = list(&server.cluster()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal, "{error}");
        let server = Server::saying(500, json!({"kind": "Status", "details": deep(100)})).await;
        assert_eq!(list(&server.cluster()).await.unwrap_err().kind, ErrorKind::Internal);
    }
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| json!([inner]))
}

#[tokio::test]
async fn an_answer_without_end_is_left_in_time() {
    // A space at a time, for ever: of no size to speak of, and never whole.
    let drip = || {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        Body::from_stream(drops)
    };
    for code in [200, 500] {
        let server = Server::start(move |_, _| Response::builder().status(code).body(drip()).unwrap()).await;
        let settings = KubeSettings {
            call_timeout: Duration::from_millis(600),
            ..KubeSettings::default()
        };
        let cluster = KubeCluster::at(&server.address, "test", &settings).unwrap();
        let start = Instant::now();
        assert_eq!(list(&cluster).await.unwrap_err().kind, ErrorKind::Unreachable);
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_because_a_server_says_so() {
    for wait in ["18446744073709551615", "9223372036854775807", "86400000"] {
        let server = Server::start(move |_, _| {
            let mut response = answer(429, &failure(429, "TooManyRequests", "later", Value::Null));
            response.headers_mut().insert("retry-after", wait.parse().unwrap());
            response
        })
        .await;
        let error = list(&server.cluster()).await.unwrap_err();
        let ErrorKind::Throttled { retry_after } = error.kind else {
            panic!("{error}")
        };
        assert_eq!(retry_after, Some(Duration::from_hours(24)));
    }
}
