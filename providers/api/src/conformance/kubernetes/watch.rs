//! Objects as they change.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

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

/// Opens a watch of the case's config maps, and waits for its first line. A server whose cache lags behind its store says so, and is asked again as
/// client-go asks: it ends the watch at once, or tells of an error after which it may be tried again.
async fn begun(on: &Backend, query: &str) -> (Value, BoxStream<'static, Value>) {
    let deadline = Instant::now() + on.patience();
    loop {
        let mut lines = on.watch_raw(format!("{}?{query}", on.here(&config_map()))).await;
        let first = line(on, &mut lines).await;
        match first {
            Some(first) if !is_too_early(&first) => return (first, lines),
            first => assert!(Instant::now() < deadline, "{first:?}"),
        }
    }
}

/// Whether it is a `Status`, or an event with one, that says when to try again.
fn is_too_early(line: &Value) -> bool {
    let status = if line["type"] == "ERROR" { &line["object"] } else { line };
    status["details"]["retryAfterSeconds"].is_u64()
}

/// The type and the name of what an event tells.
fn told(event: &Value) -> (&str, &str) {
    let name = &event["object"]["metadata"]["name"];
    (
        event["type"].as_str().unwrap_or_default(),
        name.as_str().unwrap_or_default(),
    )
}

async fn from_any_version_begins_with_what_is_there(on: Backend) {
    on.create(&on.target(config_map(), "map"), json!({})).await;
    for version in ["", "&resourceVersion=0"] {
        let query = format!("watch=1&fieldSelector=metadata.name%3Dmap{version}");
        let (first, _) = begun(&on, &query).await;
        assert_eq!(told(&first), ("ADDED", "map"), "{first}");
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
    let (first, mut lines) = begun(&on, query).await;
    assert_eq!(told(&first), ("ADDED", "a"), "{first}");
    let second = line(&on, &mut lines).await.unwrap();
    assert_eq!(told(&second), ("ADDED", "b"), "{second}");
    let mark = line(&on, &mut lines).await.unwrap();
    assert_eq!(
        (&mark["type"], &mark["object"]["metadata"]["annotations"]),
        (&json!("BOOKMARK"), &json!({"k8s.io/initial-events-end": "true"})),
        "{mark}"
    );
    on.create(
        &on.target(config_map(), "c"),
        json!({"metadata": {"labels": {"x": "1"}}}),
    )
    .await;
    let added = line(&on, &mut lines).await.unwrap();
    assert_eq!(told(&added), ("ADDED", "c"), "{added}");
}

async fn ends_in_time_and_with_a_bookmark(on: Backend) {
    let from = on.version(config_map()).await;
    on.create(&on.target(config_map(), "map"), json!({})).await;
    let query = format!("watch=1&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion={from}");
    let deadline = Instant::now() + on.patience();
    let mut seen = BTreeMap::new();
    // A server that was held up for long may end a watch without one: bookmarks are not promised.
    while !seen.contains_key("BOOKMARK") {
        assert!(Instant::now() < deadline, "{seen:?}");
        let mut lines = on.watch_raw(format!("{}?{query}", on.here(&config_map()))).await;
        while let Some(next) = line(&on, &mut lines).await {
            let version = next["object"]["metadata"]["resourceVersion"].as_str();
            assert_eq!(next["object"]["kind"], "ConfigMap", "{next}");
            seen.insert(next["type"].as_str().unwrap().to_owned(), version.unwrap().to_owned());
        }
    }
    assert!(seen.contains_key("ADDED"), "{seen:?}");
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
