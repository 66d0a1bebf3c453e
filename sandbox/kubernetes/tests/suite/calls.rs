//! Authentication, faults, the audit, latency.

use crate::client::{Client, MAPS, config_map};
use axum::body::Body;
use axum::http::Request;
use moorline_sandbox_core::{AuditRow, Effect, Fault, Moment};
use moorline_sandbox_kubernetes::ApiSettings;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn fault(operation: &str, moment: Moment, effect: Effect) -> Fault {
    Fault {
        service: "kubernetes".to_owned(),
        operation: operation.to_owned(),
        moment,
        skip: 0,
        times: Some(1),
        effect,
    }
}

fn row(client: &Client, operation: &str) -> AuditRow {
    client
        .world
        .audit
        .rows()
        .into_iter()
        .find(|row| row.operation == operation)
        .unwrap_or_default()
}

fn forbidden() -> Effect {
    Effect::Error {
        status: 403,
        code: "Forbidden".to_owned(),
        message: "configmaps is forbidden: no".to_owned(),
        retry_after: None,
    }
}

#[tokio::test]
async fn faults_strike_before_and_after_the_effect() {
    let client = Client::new();
    client
        .world
        .faults
        .add(fault("create configmaps", Moment::Before, forbidden()));
    let refused = client.post(MAPS, &config_map("a", json!({}))).await;
    assert_eq!(
        (refused.status, &refused.body["reason"], &refused.body["kind"]),
        (403, &json!("Forbidden"), &json!("Status"))
    );
    assert_eq!(client.get(&format!("{MAPS}/a")).await.status, 404);
    let busy = Effect::Error {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "busy".to_owned(),
        retry_after: Some(2),
    };
    client.world.faults.add(fault("create configmaps", Moment::After, busy));
    let lost = client.post(MAPS, &config_map("a", json!({}))).await;
    assert_eq!(
        (lost.status, &lost.headers["retry-after"]),
        (503, &"2".parse().unwrap())
    );
    assert_eq!(
        client.get(&format!("{MAPS}/a")).await.status,
        200,
        "only the answer was lost"
    );
    let counted = row(&client, "create configmaps");
    assert_eq!(
        (counted.calls, counted.mutating, counted.changed, counted.failed),
        (2, 2, 1, 1)
    );
}

#[tokio::test]
async fn a_reset_cuts_the_connection_without_an_answer() {
    let client = Client::new();
    client
        .world
        .faults
        .add(fault("list configmaps", Moment::Before, Effect::Reset));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = client.server.router();
    let serving =
        tokio::spawn(async move { moorline_sandbox_core::serve(listener, router, std::future::pending()).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {MAPS} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    serving.abort();
}

#[tokio::test]
async fn the_audit_tells_changes_from_calls() {
    let client = Client::new();
    client
        .post(&format!("{MAPS}?dryRun=All"), &config_map("a", json!({})))
        .await;
    client.post(MAPS, &config_map("a", json!({}))).await;
    client.merge(&format!("{MAPS}/a"), &json!({"data": {"k": "v"}})).await;
    client.get(MAPS).await;
    client.watch(&format!("{MAPS}?watch=1"), 1).await;
    client.delete(MAPS).await;
    let counts = |operation: &str| {
        let row = row(&client, operation);
        (row.calls, row.mutating, row.changed, row.failed)
    };
    assert_eq!(counts("create configmaps"), (2, 1, 1, 0));
    assert_eq!(counts("patch configmaps"), (1, 1, 0, 0));
    assert_eq!(counts("list configmaps"), (1, 0, 0, 0));
    assert_eq!(counts("watch configmaps"), (1, 0, 0, 0));
    assert_eq!(counts("deletecollection configmaps"), (1, 1, 1, 0));
}

#[tokio::test]
async fn tokens() {
    let settings = ApiSettings {
        token: Some("secret".to_owned()),
        ..ApiSettings::default()
    };
    let client = Client::with(settings);
    let with = |token: &str| {
        Request::get("/api")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(client.send(with("secret")).await.status, 200);
    let refused = client.send(with("wrong")).await;
    assert_eq!((refused.status, &refused.body["reason"]), (401, &json!("Unauthorized")));
    assert_eq!(client.get("/api").await.status, 401);
    client.server.set_settings(ApiSettings::default());
    assert_eq!(client.get("/api").await.status, 200);
    assert_eq!(client.send(with("EXPIRED")).await.status, 401);
}
