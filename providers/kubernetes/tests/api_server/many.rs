//! Discovery, lists and watches.

use futures::{StreamExt, TryStreamExt};
use moorline_api::{Cluster, Error, ErrorKind, ListQuery, Object, Page, ResourceKind, WatchEvent};
use serde_json::{Value, json};

use crate::server::{Server, answer, failure, raw};

fn claims() -> ListQuery {
    ListQuery::within(ResourceKind::claim(), "demo")
}

async fn list(server: &Server, query: ListQuery) -> Result<Vec<Page>, Error> {
    server.cluster().list(query).try_collect().await
}

fn page(names: &[&str], next: &str) -> Value {
    let items: Vec<_> = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
    json!({"kind": "PersistentVolumeClaimList", "apiVersion": "v1", "metadata": {"resourceVersion": "7", "continue": next}, "items": items})
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let server = Server::start(|number, _| match number {
        0 => answer(200, &page(&["a", "b"], "to/ken=")),
        _ => answer(200, &page(&["c"], "")),
    })
    .await;
    let query = ListQuery {
        fields: Some("metadata.name!=x".to_owned()),
        ..claims().labelled("app in (a,b)")
    };
    let pages = list(&server, query).await.unwrap();
    let names: Vec<Vec<_>> = pages
        .iter()
        .map(|page| page.objects.iter().map(Object::name).collect())
        .collect();
    assert_eq!(names, [vec!["a", "b"], vec!["c"]]);
    assert!(pages.iter().all(|page| page.resource_version == "7"));
    assert_eq!(pages[0].objects[0].gvk(), ResourceKind::claim().gvk);
    let path = "GET /api/v1/namespaces/demo/persistentvolumeclaims?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=metadata.name%21%3Dx&limit=500";
    assert_eq!(
        server.lines(),
        [path.to_owned(), format!("{path}&continue=to%2Fken%3D")]
    );
}

#[tokio::test]
async fn an_empty_list_may_be_null() {
    let empty = json!({"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": null});
    let pages = list(&Server::saying(200, empty).await, claims()).await.unwrap();
    assert_eq!((pages.len(), pages[0].objects.len()), (1, 0));
}

#[tokio::test]
async fn a_list_that_cannot_be_finished_is_an_error() {
    let gone = Server::start(|number, _| match number {
        0 => answer(200, &page(&["a"], "t")),
        _ => answer(
            410,
            &failure(
                410,
                "Expired",
                "The provided continue parameter is too old",
                Value::Null,
            ),
        ),
    })
    .await;
    let cluster = gone.cluster();
    let mut pages = cluster.list(claims());
    assert!(pages.next().await.unwrap().is_ok());
    assert_eq!(pages.next().await.unwrap().unwrap_err().kind, ErrorKind::Expired);
    assert!(pages.next().await.is_none());

    let mut short = page(&["a"], "");
    short["metadata"]["remainingItemCount"] = json!(3);
    assert_eq!(
        list(&Server::saying(200, short).await, claims())
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Internal
    );

    let endless = Server::saying(200, page(&["a"], "same")).await;
    assert_eq!(list(&endless, claims()).await.unwrap_err().kind, ErrorKind::Internal);
    assert_eq!(endless.lines().len(), 2);

    let denied = Server::saying(
        403,
        failure(403, "Forbidden", "User \"b\" cannot list resource \"x\"", Value::Null),
    )
    .await;
    assert_eq!(list(&denied, claims()).await.unwrap_err().kind, ErrorKind::Forbidden);
}

async fn watch(body: impl Into<axum::body::Body> + Clone + Send + Sync + 'static) -> Vec<Result<WatchEvent, Error>> {
    let server = Server::start(move |_, _| raw(200, "application/json", body.clone())).await;
    let events = server.cluster().watch(claims(), "41".to_owned()).collect().await;
    let path = "GET /api/v1/namespaces/demo/persistentvolumeclaims?watch=1&allowWatchBookmarks=true&resourceVersion=41&timeoutSeconds=120";
    assert_eq!(server.lines(), [path]);
    events
}

fn event(kind: &str, version: &str) -> String {
    json!({"type": kind, "object": {"metadata": {"name": "a", "resourceVersion": version}}}).to_string() + "\n"
}

#[tokio::test]
async fn a_watch_tells_changes_and_ends_with_the_server() {
    let body = [
        event("ADDED", "42"),
        event("MODIFIED", "43"),
        "\n".to_owned(),
        event("BOOKMARK", "50"),
        event("DELETED", "51"),
    ]
    .concat();
    let events: Vec<_> = watch(body).await.into_iter().map(Result::unwrap).collect();
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            WatchEvent::Applied(object) => format!("applied {} {}", object.gvk(), object.resource_version().unwrap()),
            WatchEvent::Deleted(object) => format!("deleted {}", object.resource_version().unwrap()),
            WatchEvent::Bookmark(version) => format!("bookmark {version}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "applied v1 PersistentVolumeClaim 42",
            "applied v1 PersistentVolumeClaim 43",
            "bookmark 50",
            "deleted 51",
        ]
    );
}

#[tokio::test]
async fn a_watch_too_old_is_expired_at_once_or_later() {
    let status = failure(410, "Expired", "too old resource version: 41 (99)", Value::Null);
    let late = event("ADDED", "42") + &json!({"type": "ERROR", "object": status}).to_string() + "\n";
    let events = watch(late).await;
    assert!(events[0].is_ok());
    assert_eq!(events[1].as_ref().unwrap_err().kind, ErrorKind::Expired);
    assert_eq!(events.len(), 2);

    let server = Server::saying(410, status).await;
    let events: Vec<_> = server.cluster().watch(claims(), "41".to_owned()).collect().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_ref().unwrap_err().kind, ErrorKind::Expired);
}

#[tokio::test]
async fn a_broken_watch_ends_with_an_error() {
    for body in [
        event("ADDED", "42") + "{\"type\":\"ADD",
        event("ADDED", "42") + &event("NEWS", "43"),
    ] {
        let events = watch(body).await;
        assert_eq!(events.len(), 2);
        assert!(events[1].as_ref().unwrap_err().is_transient());
    }
    let internal =
        json!({"type": "ERROR", "object": failure(500, "InternalError", "decoding failed", Value::Null)}).to_string();
    assert_eq!(watch(internal).await[0].as_ref().unwrap_err().kind, ErrorKind::Internal);
}

#[tokio::test]
async fn an_endless_event_is_not_swallowed() {
    let flood = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 20]));
    let flood = std::sync::Mutex::new(Some(axum::body::Body::from_stream(flood)));
    let flood = std::sync::Arc::new(flood);
    let server = Server::start(move |_, _| raw(200, "application/json", flood.lock().unwrap().take().unwrap())).await;
    let events: Vec<_> = server.cluster().watch(claims(), "41".to_owned()).collect().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_ref().unwrap_err().kind, ErrorKind::Internal);
}

#[tokio::test]
async fn discovery_is_two_calls_where_the_server_can() {
    let server = Server::start(|_, seen| {
        let (group, version, plural, kind) =
            if seen.line == "GET /api" { ("", "v1", "pods", "Pod") } else { ("apps", "v1", "deployments", "Deployment") };
        answer(200, &json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": [
            {"metadata": {"name": group}, "versions": [{"version": version, "freshness": "Current", "resources": [
                {"resource": plural, "responseKind": {"group": group, "version": version, "kind": kind}, "scope": "Namespaced", "verbs": ["get"]}
            ]}]}]}))
    })
    .await;
    let kinds = server.cluster().kinds().await.unwrap();
    assert_eq!(
        kinds.served.iter().map(|kind| kind.gvk.to_string()).collect::<Vec<_>>(),
        ["v1 Pod", "apps/v1 Deployment"]
    );
    assert!(server.seen().iter().all(|seen| {
        seen.header("accept")
            .starts_with("application/json;g=apidiscovery.k8s.io;v=v2;")
    }));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn discovery_copes_with_old_servers_and_broken_groups() {
    let server = Server::start(|_, seen| {
        if seen.header("accept").contains(";g=") {
            return answer(406, &failure(406, "NotAcceptable", "only JSON", Value::Null));
        }
        let list = |resources| json!({"kind": "APIResourceList", "groupVersion": "x", "resources": resources});
        let body = match seen.line.as_str() {
            "GET /api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
            "GET /api/v1" => list(json!([
                {"name": "pods", "namespaced": true, "kind": "Pod", "verbs": ["get"]},
                {"name": "pods/status", "namespaced": true, "kind": "Pod", "verbs": ["get"]},
            ])),
            "GET /apis" => json!({"kind": "APIGroupList", "groups": [
                {"name": "storage.k8s.io", "versions": [{"groupVersion": "storage.k8s.io/v1", "version": "v1"}]},
                {"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]},
            ]}),
            "GET /apis/storage.k8s.io/v1" => list(json!([{"name": "storageclasses", "namespaced": false, "kind": "StorageClass", "verbs": ["get"]}])),
            _ => return answer(503, &failure(503, "ServiceUnavailable", "the server is currently unable to handle the request", Value::Null)),
        };
        answer(200, &body)
    })
    .await;
    let found = server.cluster().kinds().await.unwrap();
    let names: Vec<_> = found
        .served
        .iter()
        .map(|kind| (kind.qualified(), kind.namespaced))
        .collect();
    assert_eq!(
        names,
        [
            ("pods".to_owned(), true),
            ("storageclasses.storage.k8s.io".to_owned(), false)
        ]
    );
    assert_eq!(found.unanswered, ["metrics.k8s.io/v1beta1"]);
}

#[tokio::test]
async fn discovery_that_fails_finds_nothing() {
    let server = Server::saying(
        403,
        failure(403, "Forbidden", "User \"x\" cannot get path \"/api\"", Value::Null),
    )
    .await;
    let error = server.cluster().kinds().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.to_string().contains("grant \"get\" on /api"), "{error}");
}
