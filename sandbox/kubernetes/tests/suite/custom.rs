//! Custom resource definitions and the kinds they add.

use crate::client::Client;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const BOATS: &str = "/apis/sea.dev/v1/namespaces/default/boats";

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "boats.sea.dev"}, "spec": {
        "group": "sea.dev", "scope": "Namespaced", "names": {"plural": "boats", "kind": "Boat", "shortNames": ["bo"]},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "additionalPrinterColumns": [{"name": "Masts", "type": "integer", "jsonPath": ".spec.masts"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": ["masts"], "properties": {
                    "masts": {"type": "integer", "minimum": 1}, "flag": {"type": "string", "default": "none"}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}],
    }})
}

#[tokio::test]
async fn a_definition_serves_its_kind_at_once() {
    let client = Client::new();
    assert_eq!(client.get(BOATS).await.status, 404);
    let made = client.post(DEFINITIONS, &definition()).await;
    assert_eq!(made.status, 201);
    let conditions: Vec<&Value> = made.body["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["type"])
        .collect();
    assert_eq!(conditions, ["NamesAccepted", "Established"]);
    let served = client.get("/apis/sea.dev/v1").await.body;
    assert_eq!(served["resources"][0]["shortNames"], json!(["bo"]));
    assert!(
        client.get("/openapi/v3").await.body["paths"]
            .get("apis/sea.dev/v1")
            .is_some()
    );

    let boat = json!({"apiVersion": "sea.dev/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"masts": 2}, "status": {"x": 1}});
    let applied = client.apply(&format!("{BOATS}/b"), "m", &boat).await;
    assert_eq!((applied.status, &applied.body["spec"]["flag"]), (201, &json!("none")));
    assert!(applied.body.get("status").is_none());
    let status = client
        .merge(
            &format!("{BOATS}/b/status"),
            &json!({"spec": {"masts": 9}, "status": {"afloat": true}}),
        )
        .await
        .body;
    assert_eq!(
        (
            &status["spec"]["masts"],
            &status["status"]["afloat"],
            &status["metadata"]["generation"]
        ),
        (&json!(2), &json!(true), &json!(1))
    );
    let table = client
        .get_as(BOATS, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await
        .body;
    assert_eq!(table["rows"][0]["cells"], json!(["b", 2]));
}

#[tokio::test]
async fn its_schema_is_held_to() {
    let client = Client::new();
    client.post(DEFINITIONS, &definition()).await;
    let boat =
        |spec: Value| json!({"apiVersion": "sea.dev/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": spec});
    for (spec, field) in [
        (json!({}), "spec.masts"),
        (json!({"masts": 0}), "spec.masts"),
        (json!({"masts": "two"}), "spec.masts"),
    ] {
        let refused = client.post(BOATS, &boat(spec)).await;
        assert_eq!(
            (refused.status, &refused.body["details"]["causes"][0]["field"]),
            (422, &json!(field))
        );
    }
    let pruned = client.post(BOATS, &boat(json!({"masts": 1, "sail": true}))).await;
    assert!(
        pruned.status == 201 && pruned.body["spec"].get("sail").is_none() && pruned.headers.contains_key("warning")
    );
}

#[tokio::test]
async fn objects_go_with_their_definition() {
    let client = Client::new();
    client.post(DEFINITIONS, &definition()).await;
    client
        .post(
            BOATS,
            &json!({"apiVersion": "sea.dev/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"masts": 2}}),
        )
        .await;
    assert_eq!(client.server.list("boats.sea.dev", None).len(), 1);
    assert_eq!(client.delete(&format!("{DEFINITIONS}/boats.sea.dev")).await.status, 200);
    assert!(client.server.list("boats.sea.dev", None).is_empty());
    assert_eq!(client.get(BOATS).await.status, 404);
}
