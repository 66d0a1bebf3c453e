//! What kubelets say, and what is made of it where they say nothing.

use axum::response::Response;
use moorline_api::{Cluster, Error, ErrorKind};
use serde_json::json;

use crate::server::{Server, answer, failure, raw};

/// The error of a node whose kubelet, or whose way to it, answers so.
async fn refused(response: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Error {
    let server = Server::start(move |_, _| response()).await;
    server.cluster().mount_statistics("n").await.unwrap_err()
}

#[tokio::test]
async fn one_call_goes_through_the_api_server_and_names_are_encoded() {
    let volume =
        json!({"name": "v", "capacityBytes": 10, "usedBytes": 3, "pvcRef": {"name": "data", "namespace": "demo"}});
    let pod = json!({"podRef": {"name": "web-0", "namespace": "demo", "uid": "u"}, "volume": [volume]});
    let server = Server::saying(200, json!({"node": {}, "pods": [pod]})).await;
    let cluster = server.cluster();
    let mounts = cluster.mount_statistics("node-1").await.unwrap();
    assert_eq!(
        (mounts.len(), &*mounts[0].claim, mounts[0].used_bytes),
        (1, "data", Some(3))
    );
    cluster.mount_statistics("a/../b?c").await.unwrap();
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/nodes/node-1/proxy/stats/summary",
            "GET /api/v1/nodes/a%2F..%2Fb%3Fc/proxy/stats/summary"
        ]
    );
    for nowhere in ["", "..", "."] {
        assert_eq!(
            cluster.mount_statistics(nowhere).await.unwrap_err().kind,
            ErrorKind::Invalid
        );
    }
    assert_eq!(server.lines().len(), 2, "a name that is none is not asked for");
}

#[tokio::test]
async fn each_reason_is_told_for_what_it_is() {
    let status = |code: u16, reason: &str, message: &str| {
        let body = failure(code, reason, message, json!({"name": "n", "kind": "nodes"}));
        move || answer(code, &body)
    };
    let denied =
        r#"nodes "n" is forbidden: User "ann" cannot get resource "nodes/proxy" in API group "" at the cluster scope"#;
    let error = refused(status(403, "Forbidden", denied)).await;
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error.to_string().contains(r#"grant "get" on nodes/proxy to "ann""#),
        "{error}"
    );

    let error = refused(status(404, "NotFound", r#"nodes "n" not found"#)).await;
    assert_eq!(error.kind, ErrorKind::NotFound);

    let dead = "error trying to reach service: dial tcp 10.0.0.1:10250: connect: connection refused";
    let error = refused(status(503, "ServiceUnavailable", dead)).await;
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error.to_string().contains("cannot reach the kubelet (error trying"),
        "{error}"
    );

    let error = refused(|| raw(404, "text/plain", "404 page not found\n")).await;
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().contains("keeps no statistics"), "{error}");

    let error = refused(|| {
        raw(
            403,
            "text/plain",
            "Forbidden (user=kube-apiserver, verb=get, resource=nodes)",
        )
    })
    .await;
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.to_string().contains("does not let the API server ask"), "{error}");
}

#[tokio::test]
async fn what_is_no_summary_or_has_no_end_is_an_error() {
    let html = refused(|| raw(200, "text/html", "<html>log in</html>")).await;
    assert!(html.to_string().contains("is no whole object"), "{html}");
    for page in ["{}", r#"{"kind": "PodList", "items": []}"#] {
        let error = refused(move || raw(200, "text/html", page)).await;
        assert!(error.to_string().contains("is not a summary"), "{error}");
    }
    let error = refused(|| raw(200, "application/json", " ".repeat(33 << 20))).await;
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.to_string().contains("more than 32 MiB"), "{error}");
}
