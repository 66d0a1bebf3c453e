//! Objects as they change.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::backend::{BACKGROUND, Backend, Request};
use super::manifests::config_map;
use super::watch;
use crate::conformance::{Case, cases};
use crate::{ListQuery, ResourceKind, WatchEvent};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        watch::tells_each_change_after_a_version,
        watch::of_a_selection_tells_who_enters_and_leaves,
        watch::of_one_name_tells_of_it_alone,
        watch::from_any_version_begins_with_what_is_there,
        watch::lists_first_where_asked_to,
        watch::ends_in_time_and_with_a_bookmark,
        watch::from_no_version_at_all_is_refused,
    ]
}

async fn tells_each_change_after_a_version(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(&on.target(config_map(), "earlier"), json!({})).await;
    let from = on.version(config_map()).await;
    let made = on.create(&target, json!({"data": {"a": "1"}})).await;
    let mut changes = on.watch(config_map(), &from);
    let WatchEvent::Applied(seen) = changes.next().await else {
        panic!("not a creation")
    };
    assert_eq!(seen, made);
    let altered = on.merge(&target, json!({"data": {"a": "2"}})).await;
    let WatchEvent::Applied(seen) = changes.next().await else {
        panic!("not a change")
    };
    assert_eq!(seen, altered);
    // What changes nothing is no change.
    on.merge(&target, json!({"data": {"a": "2"}})).await;
    on.cluster().delete(&target, &BACKGROUND).await.unwrap();
    let WatchEvent::Deleted(seen) = changes.next().await else {
        panic!("not a deletion")
    };
    assert_eq!(
        (seen.uid(), seen.at(&["data"])),
        (altered.uid(), Some(&json!({"a": "2"})))
    );
    assert_ne!(seen.resource_version(), altered.resource_version());
    // Each event's version is one to go on from.
    let mut rest = on.watch(config_map(), made.resource_version().unwrap());
    assert_eq!(rest.next_name().await, "+map");
    assert_eq!(rest.next_name().await, "-map");
}

async fn of_a_selection_tells_who_enters_and_leaves(on: Backend) {
    let target = on.target(config_map(), "map");
    let from = on.version(config_map()).await;
    let query = ListQuery::within(config_map(), &on.namespace).labelled("app=web");
    let mut changes = on.watch_query(query, &from);
    on.create(&target, json!({"metadata": {"labels": {"app": "db"}}})).await;
    on.merge(&target, json!({"metadata": {"labels": {"app": "web"}}})).await;
    assert_eq!(changes.next_name().await, "+map");
    let left = on.merge(&target, json!({"metadata": {"labels": {"app": "db"}}})).await;
    let WatchEvent::Deleted(seen) = changes.next().await else {
        panic!("not a departure")
    };
    // Its last state in the selection, at the version in which it left.
    assert_eq!(
        (seen.label("app"), seen.resource_version()),
        (Some("web"), left.resource_version())
    );
}

async fn of_one_name_tells_of_it_alone(on: Backend) {
    let from = on.version(config_map()).await;
    let mut query = ListQuery::within(config_map(), &on.namespace);
    query.fields = Some("metadata.name=b".to_owned());
    let mut changes = on.watch_query(query, &from);
    for name in ["a", "b", "c"] {
        on.create(&on.target(config_map(), name), json!({})).await;
    }
    assert_eq!(changes.next_name().await, "+b");
    on.cluster()
        .delete(&on.target(config_map(), "a"), &BACKGROUND)
        .await
        .unwrap();
    on.cluster()
        .delete(&on.target(config_map(), "b"), &BACKGROUND)
        .await
        .unwrap();
    assert_eq!(changes.next_name().await, "-b");
}

/// The next line of a watch.
async fn line(on: &Backend, lines: &mut (impl StreamExt<Item = Value> + Unpin)) -> Option<Value> {
    timeout(on.patience(), lines.next()).await.unwrap()
}

async fn from_any_version_begins_with_what_is_there(on: Backend) {
    on.create(&on.target(config_map(), "map"), json!({})).await;
    for version in ["", "&resourceVersion=0"] {
        let path = format!(
            "{}?watch=1&fieldSelector=metadata.name%3Dmap{version}",
            on.here(&config_map())
        );
        let mut lines = on.watch_raw(path).await;
        let first = line(&on, &mut lines).await.unwrap();
        assert_eq!(
            (&first["type"], &first["object"]["metadata"]["name"]),
            (&json!("ADDED"), &json!("map"))
        );
    }
}

/// What client-go and kube-rs do in place of a list.
async fn lists_first_where_asked_to(on: Backend) {
    for name in ["a", "b"] {
        on.create(
            &on.target(config_map(), name),
            json!({"metadata": {"labels": {"x": "1"}}}),
        )
        .await;
    }
    let query =
        "watch=1&labelSelector=x&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut lines = on.watch_raw(format!("{}?{query}", on.here(&config_map()))).await;
    for name in ["a", "b"] {
        let added = line(&on, &mut lines).await.unwrap();
        assert_eq!(
            (&added["type"], &added["object"]["metadata"]["name"]),
            (&json!("ADDED"), &json!(name))
        );
    }
    let mark = line(&on, &mut lines).await.unwrap();
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(
        mark["object"]["metadata"]["annotations"],
        json!({"k8s.io/initial-events-end": "true"})
    );
    on.create(
        &on.target(config_map(), "c"),
        json!({"metadata": {"labels": {"x": "1"}}}),
    )
    .await;
    let added = line(&on, &mut lines).await.unwrap();
    assert_eq!(added["object"]["metadata"]["name"], "c");
}

async fn ends_in_time_and_with_a_bookmark(on: Backend) {
    let from = on.version(config_map()).await;
    let query = format!("watch=1&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion={from}");
    let mut lines = on.watch_raw(format!("{}?{query}", on.here(&config_map()))).await;
    on.create(&on.target(config_map(), "map"), json!({})).await;
    let mut seen = BTreeMap::new();
    while let Some(next) = line(&on, &mut lines).await {
        let version = next["object"]["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(next["object"]["kind"], "ConfigMap");
        seen.insert(next["type"].as_str().unwrap().to_owned(), version);
    }
    assert!(seen.contains_key("BOOKMARK") && seen.contains_key("ADDED"), "{seen:?}");
    // From the bookmark on there is nothing more of what was told before it.
    let mut changes = on.watch(config_map(), &seen["BOOKMARK"]);
    on.create(&on.target(config_map(), "later"), json!({})).await;
    assert_eq!(changes.next_name().await, "+later");
}

async fn from_no_version_at_all_is_refused(on: Backend) {
    let path = format!("{}?watch=1&resourceVersion=soon", on.here(&ResourceKind::claim()));
    let answer = on.send(Request::get(path)).await;
    assert!(answer.code >= 400, "{}", answer.body);
    assert!(answer.message().contains("soon"), "{}", answer.body);
}
