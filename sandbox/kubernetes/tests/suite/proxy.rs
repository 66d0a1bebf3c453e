//! Calls that the server hands on to kubelets.

use std::sync::Arc;

use moorline_sandbox_kubernetes::{ApiServer, Kubelets};
use serde_json::{Value, json};

use crate::client::Client;

/// Kubelets with one page, which says whose it is.
struct OnePage;

impl Kubelets for OnePage {
    fn get(&self, _: &ApiServer, node: &Value, path: &str) -> Option<Value> {
        (path == "stats/summary").then(|| json!({"node": {"nodeName": node["metadata"]["name"]}}))
    }
}

#[tokio::test]
async fn a_kubelets_page_comes_through_the_server() {
    let client = Client::new();
    client
        .post("/api/v1/nodes", &json!({"metadata": {"name": "one"}}))
        .await;
    let page = |node: &str| format!("/api/v1/nodes/{node}/proxy/stats/summary");
    let unreached = client.get(&page("one")).await;
    assert_eq!(
        (unreached.status, &unreached.body["reason"]),
        (503, &json!("ServiceUnavailable"))
    );

    client.server.set_kubelets(Arc::new(OnePage));
    for node in ["one", "one:10250", "https:one:10250"] {
        let answer = client.get(&page(node)).await;
        assert_eq!(
            (answer.status, &answer.body["node"]["nodeName"]),
            (200, &json!("one")),
            "{node}"
        );
    }
    let missing = client.get(&page("two")).await;
    assert_eq!(
        (missing.status, &missing.body["message"]),
        (404, &json!("nodes \"two\" not found"))
    );
    let other = client.get("/api/v1/nodes/one/proxy/metrics").await;
    assert_eq!((other.status, &other.body), (404, &json!("404 page not found\n")));
    let written = client.post(&page("one"), &json!({})).await;
    assert_eq!(written.status, 405);
    let rows = client.world.audit.rows();
    let proxied = rows.iter().find(|row| row.operation == "get nodes/proxy").unwrap();
    assert_eq!((proxied.calls, proxied.failed, proxied.mutating), (6, 2, 0));
}
