//! Versions that the server has forgotten.

use futures::TryStreamExt;
use serde_json::json;

use super::backend::{Backend, Request};
use super::expiry;
use super::manifests::config_map;
use crate::conformance::{Case, cases};
use crate::{ErrorKind, ListQuery};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        expiry::a_forgotten_continuation_says_how_to_go_on,
        expiry::a_forgotten_version_cannot_be_listed,
        expiry::a_listing_begun_anew_succeeds,
    ]
}

async fn some(on: &Backend) {
    for name in ["a", "b", "c", "d"] {
        on.create(&on.target(config_map(), name), json!({})).await;
    }
}

async fn a_forgotten_continuation_says_how_to_go_on(on: Backend) {
    some(&on).await;
    let path = on.here(&config_map());
    let first = on.send(Request::get(format!("{path}?limit=2"))).await.done();
    let token = first.str_at(&["metadata", "continue"]).unwrap().replace('=', "%3D");
    on.merge(&on.target(config_map(), "d"), json!({"data": {"x": "1"}}))
        .await;
    on.forget().await;
    let status = on
        .send(Request::get(format!("{path}?limit=2&continue={token}")))
        .await
        .refused(410, "Expired");
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .starts_with("The provided continue parameter is too old to display a consistent list result."),
        "{status}"
    );
    // The token inside goes on from the same name, at the present.
    let token = status["metadata"]["continue"].as_str().unwrap().replace('=', "%3D");
    let rest = on
        .send(Request::get(format!("{path}?limit=9&continue={token}")))
        .await
        .done();
    let names: Vec<_> = rest
        .list_at(&["items"])
        .iter()
        .map(|item| item["metadata"]["name"].clone())
        .collect();
    assert_eq!(names[..2], ["c", "d"]);
    assert_ne!(rest.resource_version(), first.resource_version());
}

async fn a_forgotten_version_cannot_be_listed(on: Backend) {
    some(&on).await;
    let from = on.version(config_map()).await;
    on.merge(&on.target(config_map(), "d"), json!({"data": {"x": "1"}}))
        .await;
    on.forget().await;
    let path = format!(
        "{}?limit=2&resourceVersionMatch=Exact&resourceVersion={from}",
        on.here(&config_map())
    );
    on.send(Request::get(path)).await.refused(410, "Expired");
    // What was forgotten since does not end a watch whose version is not.
    let now = on.version(config_map()).await;
    let mut changes = on.watch(config_map(), &now);
    on.merge(&on.target(config_map(), "d"), json!({"data": {"x": "2"}}))
        .await;
    assert_eq!(changes.next_name().await, "+d");
}

async fn a_listing_begun_anew_succeeds(on: Backend) {
    some(&on).await;
    on.forget().await;
    let query = ListQuery::within(config_map(), &on.namespace);
    let pages: Vec<_> = on.cluster().list(query.clone()).try_collect().await.unwrap();
    assert!(pages[0].objects.len() >= 4);
    let mut changes = on.cluster().watch(query, "1".to_owned());
    let refused = changes.try_next().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Expired, "{refused}");
    assert!(refused.message.contains("too old resource version: 1 ("), "{refused}");
}
