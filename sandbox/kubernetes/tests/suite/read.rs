//! Discovery, lists, watches, tables.

use crate::client::{CLAIMS, Client, MAPS, SETS, config_map, stateful_set};
use moorline_sandbox_kubernetes::ApiSettings;
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn discovery_in_both_forms() {
    let client = Client::new();
    assert_eq!(client.get("/version").await.body["gitVersion"], "v1.36.3");
    assert_eq!(client.get("/readyz").await.body, "ok");
    let apps = client.get("/apis/apps/v1").await.body;
    let scale = apps["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == "statefulsets/scale")
        .unwrap();
    assert_eq!(
        (&scale["kind"], &scale["group"]),
        (&json!("Scale"), &json!("autoscaling"))
    );
    let aggregated = client
        .get_as(
            "/apis",
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
        )
        .await;
    assert_eq!(aggregated.body["kind"], "APIGroupDiscoveryList");
    assert!(
        aggregated.headers["content-type"]
            .to_str()
            .unwrap()
            .contains("as=APIGroupDiscoveryList")
    );
    assert_eq!(client.get("/apis").await.body["kind"], "APIGroupList");
    assert_eq!(client.get("/apis/nothing/v1").await.status, 404);
    assert_eq!(client.get("/api/v1/nothing").await.status, 404);
}

#[tokio::test]
async fn openapi_tells_kubectl_that_the_server_validates() {
    let client = Client::new();
    let index = client.get("/openapi/v3").await.body;
    let place = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let document = client.get(&place).await.body;
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"]["patch"];
    assert!(
        patch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["name"] == "fieldValidation" && p["in"] == "query")
    );
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "StatefulSet");
    let schema = &document["components"]["schemas"]["io.k8s.api.apps.v1.StatefulSet"];
    assert_eq!(schema["x-kubernetes-group-version-kind"][0]["group"], "apps");
    assert_eq!(
        client
            .get_as(
                "/openapi/v2",
                "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
            )
            .await
            .status,
        406
    );
    assert_eq!(client.get("/openapi/v2").await.body["swagger"], "2.0");
}

#[tokio::test]
async fn pages_show_one_moment() {
    let client = Client::new();
    for name in ["a", "b", "c", "d", "e"] {
        client.post(MAPS, &config_map(name, json!({}))).await;
    }
    let first = client.get(&format!("{MAPS}?limit=2")).await.body;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    client.delete(&format!("{MAPS}/d")).await;
    client.post(MAPS, &config_map("cc", json!({}))).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = client.get(&format!("{MAPS}?limit=10&continue={token}")).await.body;
    assert_eq!(names(&rest), ["c", "d", "e"]);
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert!(rest["metadata"].get("continue").is_none());
    assert_eq!(client.get(&format!("{MAPS}?continue=nonsense")).await.status, 400);
    assert_eq!(client.get(&format!("{MAPS}?limit=x")).await.status, 400);
}

#[tokio::test]
async fn a_page_token_expires_with_the_history() {
    let client = Client::with(ApiSettings {
        history: 3,
        ..ApiSettings::default()
    });
    for name in ["a", "b", "c"] {
        client.post(MAPS, &config_map(name, json!({}))).await;
    }
    let first = client.get(&format!("{MAPS}?limit=1")).await.body;
    for name in ["d", "e", "f", "g"] {
        client.post(MAPS, &config_map(name, json!({}))).await;
    }
    let token = first["metadata"]["continue"].as_str().unwrap();
    let reply = client.get(&format!("{MAPS}?limit=1&continue={token}")).await;
    assert_eq!((reply.status, &reply.body["reason"]), (410, &json!("Expired")));
}

#[tokio::test]
async fn resource_versions_of_lists() {
    let client = Client::new();
    client.post(MAPS, &config_map("a", json!({}))).await;
    let version = client.get(MAPS).await.body["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    client.post(MAPS, &config_map("b", json!({}))).await;
    let exact = client
        .get(&format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact"))
        .await
        .body;
    assert_eq!(names(&exact), ["a"]);
    let fresh = client
        .get(&format!(
            "{MAPS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan"
        ))
        .await
        .body;
    assert_eq!(names(&fresh), ["a", "b"]);
    let future = client.get(&format!("{MAPS}?resourceVersion=999999")).await;
    assert_eq!((future.status, &future.body["reason"]), (504, &json!("Timeout")));
    assert_eq!(
        client.get(&format!("{MAPS}?resourceVersionMatch=Exact")).await.status,
        422
    );
}

#[tokio::test]
async fn selectors() {
    let client = Client::new();
    client
        .post(MAPS, &config_map("a", json!({"app": "web", "tier": "x"})))
        .await;
    client.post(MAPS, &config_map("b", json!({"app": "db"}))).await;
    for (query, expected) in [
        ("labelSelector=app%3Dweb", vec!["a"]),
        ("labelSelector=app%20in%20(web,db),!tier", vec!["b"]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        (
            "fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault",
            vec!["a"],
        ),
    ] {
        assert_eq!(
            names(&client.get(&format!("{MAPS}?{query}")).await.body),
            expected,
            "{query}"
        );
    }
    let refused = client.get(&format!("{MAPS}?fieldSelector=data.k%3Dv")).await;
    assert_eq!((refused.status, &refused.body["reason"]), (400, &json!("BadRequest")));
}

#[tokio::test]
async fn a_watch_follows_a_selection() {
    let client = Client::new();
    client.post(MAPS, &config_map("in", json!({"app": "web"}))).await;
    client.post(MAPS, &config_map("out", json!({"app": "db"}))).await;
    let version = client.get(MAPS).await.body["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    client
        .merge(&format!("{MAPS}/out"), &json!({"metadata": {"labels": {"app": "web"}}}))
        .await;
    client.merge(&format!("{MAPS}/out"), &json!({"data": {"k": "w"}})).await;
    client
        .merge(&format!("{MAPS}/in"), &json!({"metadata": {"labels": {"app": "db"}}}))
        .await;
    client.delete(&format!("{MAPS}/out")).await;
    let events = client
        .watch(
            &format!("{MAPS}?watch=true&labelSelector=app%3Dweb&resourceVersion={version}"),
            4,
        )
        .await;
    let seen: Vec<(&str, &str)> = events
        .iter()
        .map(|e| {
            (
                e["type"].as_str().unwrap(),
                e["object"]["metadata"]["name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("ADDED", "out"),
            ("MODIFIED", "out"),
            ("DELETED", "in"),
            ("DELETED", "out")
        ]
    );
    let versions: Vec<u64> = events
        .iter()
        .map(|e| {
            e["object"]["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(versions.is_sorted(), "{versions:?}");
}

#[tokio::test]
async fn a_watch_that_starts_with_everything_ends_it_with_a_bookmark() {
    let client = Client::new();
    client.post(MAPS, &config_map("a", json!({}))).await;
    let path = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion="
    );
    let events = client.watch(&path, 2).await;
    assert_eq!(events[0]["type"], "ADDED");
    assert_eq!(events[1]["type"], "BOOKMARK");
    assert_eq!(
        events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(
        client
            .get(&format!("{MAPS}?watch=1&sendInitialEvents=true"))
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn a_watch_from_too_long_ago_is_told_so() {
    let client = Client::with(ApiSettings {
        history: 2,
        ..ApiSettings::default()
    });
    for name in ["a", "b", "c", "d"] {
        client.post(MAPS, &config_map(name, json!({}))).await;
    }
    let events = client.watch(&format!("{MAPS}?watch=1&resourceVersion=1"), 1).await;
    assert_eq!(
        (&events[0]["type"], &events[0]["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert_eq!(events[0]["object"]["reason"], "Expired");
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_over() {
    let client = Client::new();
    let events = client
        .watch(&format!("{MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true"), 9)
        .await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "BOOKMARK");
}

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn tables_have_the_columns_of_kubectl() {
    let client = Client::new();
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "storageClassName": "gp2",
        "volumeName": "pv-1", "resources": {"requests": {"storage": "10Gi"}}}});
    client.post(CLAIMS, &claim).await;
    let status =
        json!({"status": {"phase": "Bound", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]}});
    assert_eq!(client.merge(&format!("{CLAIMS}/c/status"), &status).await.status, 200);
    let table = client.get_as(CLAIMS, TABLE).await.body;
    assert_eq!(table["kind"], "Table");
    let columns: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        columns,
        [
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "VolumeMode"
        ]
    );
    let cells = &table["rows"][0]["cells"];
    assert_eq!(
        (&cells[0], &cells[1], &cells[2], &cells[3], &cells[4]),
        (
            &json!("c"),
            &json!("Bound"),
            &json!("pv-1"),
            &json!("10Gi"),
            &json!("RWO")
        )
    );
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let none = client.get_as(&format!("{CLAIMS}?includeObject=None"), TABLE).await.body;
    assert!(none["rows"][0].get("object").is_none());
    let empty = client.get_as("/api/v1/pods", TABLE).await.body;
    assert_eq!(
        (&empty["rows"], empty["columnDefinitions"].as_array().unwrap().len()),
        (&json!([]), 9)
    );
}

#[tokio::test]
async fn metadata_alone() {
    let client = Client::new();
    client.post(SETS, &stateful_set("web")).await;
    let list = client
        .get_as(SETS, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
        .await
        .body;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
    assert!(list["items"][0].get("spec").is_none());
    assert_eq!(
        client.get_as(MAPS, "application/vnd.kubernetes.protobuf").await.status,
        406
    );
}

#[tokio::test]
async fn pages_of_many_namespaces_leave_nothing_out_and_count_what_is_left() {
    let client = Client::new();
    let object = |namespace: &str, name: &str| json!({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"namespace": namespace, "name": name}});
    let spaces = ["a", "b", "c"];
    let names = ["one", "three", "two"];
    let all = spaces.iter().flat_map(|space| names.map(|name| object(space, name)));
    client.server.seed("leases.coordination.k8s.io", all).unwrap();
    for limit in 1..=9 {
        let mut seen = Vec::new();
        let mut path = format!("/apis/coordination.k8s.io/v1/leases?limit={limit}");
        loop {
            let page = client.get(&path).await.body;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|item| {
                let text = |key: &str| item["metadata"][key].as_str().unwrap().to_owned();
                (text("namespace"), text("name"))
            }));
            let remaining = page["metadata"]["remainingItemCount"].as_u64();
            let left = 9 - seen.len() as u64;
            assert_eq!(remaining, (left > 0).then_some(left), "limit {limit}");
            let Some(token) = page["metadata"]["continue"].as_str() else {
                break;
            };
            path = format!("/apis/coordination.k8s.io/v1/leases?limit={limit}&continue={token}");
        }
        let expected = spaces
            .iter()
            .flat_map(|space| names.map(|name| ((*space).to_owned(), name.to_owned())));
        assert_eq!(seen, expected.collect::<Vec<_>>(), "limit {limit}");
    }
    let one = client
        .get("/apis/coordination.k8s.io/v1/namespaces/b/leases?limit=2")
        .await
        .body;
    let token = one["metadata"]["continue"].as_str().unwrap();
    let rest = client
        .get(&format!(
            "/apis/coordination.k8s.io/v1/namespaces/b/leases?limit=2&continue={token}"
        ))
        .await
        .body;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["metadata"]["name"], "two");
}

#[tokio::test]
async fn what_is_seeded_sends_watches_to_list_anew() {
    let client = Client::new();
    let list = client.get("/api/v1/configmaps").await.body;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let object =
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"namespace": "a", "name": "seeded", "uid": "1"}});
    client.server.seed("configmaps", [object]).unwrap();
    let watched = client
        .get(&format!("/api/v1/configmaps?watch=1&resourceVersion={version}"))
        .await;
    assert_eq!((watched.status, &watched.body["object"]["code"]), (200, &json!(410)));
    let read = client.get("/api/v1/namespaces/a/configmaps/seeded").await.body;
    assert_eq!(read["metadata"]["uid"], "1");
    assert!(read["metadata"]["resourceVersion"].as_str().unwrap() > version);
}

#[tokio::test]
async fn reads_can_be_behind_what_was_written() {
    let client = Client::new();
    let lag = |read_lag_millis| {
        client.server.set_settings(ApiSettings {
            read_lag_millis,
            ..ApiSettings::default()
        });
    };
    let before = client.get(MAPS).await.body["metadata"]["resourceVersion"].clone();
    lag(3_600_000);
    assert_eq!(client.post(MAPS, &config_map("a", json!({}))).await.status, 201);
    assert_eq!(client.get(&format!("{MAPS}/a")).await.status, 404);
    assert_eq!(names(&client.get(MAPS).await.body), [""; 0]);
    // A write is of what is there.
    assert_eq!(client.post(MAPS, &config_map("a", json!({}))).await.status, 409);

    lag(200);
    let started = std::time::Instant::now();
    let path = format!("{MAPS}?watch=1&resourceVersion={}", before.as_str().unwrap());
    client.merge(&format!("{MAPS}/a"), &json!({"data": {"k": "w"}})).await;
    let events = client.watch(&path, 2).await;
    assert_eq!(
        (&events[0]["type"], &events[1]["type"]),
        (&json!("ADDED"), &json!("MODIFIED"))
    );
    assert!(started.elapsed().as_millis() >= 200);
    assert_eq!(client.get(&format!("{MAPS}/a")).await.body["data"]["k"], "w");
    assert_eq!(names(&client.get(MAPS).await.body), ["a"]);
}
