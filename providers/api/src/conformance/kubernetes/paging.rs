//! Listing page by page.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::future::join_all;
use serde_json::{Value, json};

use super::backend::{BACKGROUND, Backend, Request};
use super::manifests::{claim, config_map};
use super::paging;
use crate::conformance::{Case, cases};
use crate::{ListQuery, ObjectRef, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        paging::pages_are_of_one_moment,
        paging::a_page_says_how_many_are_left,
        paging::the_provider_reads_all_pages,
        paging::selectors_hold_on_every_page,
        paging::a_token_of_no_meaning_is_refused,
        paging::a_list_of_nothing_is_empty,
    ]
}

/// Creates `count` maps `m-000`, `m-001` …, every third labelled `third=yes`.
async fn many(on: &Backend, count: usize) -> Vec<ObjectRef> {
    let targets: Vec<_> = (0..count)
        .map(|number| on.target(config_map(), &format!("m-{number:03}")))
        .collect();
    let creations = targets.iter().enumerate().map(|(number, target)| {
        let labels = if number % 3 == 0 {
            json!({"third": "yes"})
        } else {
            json!({})
        };
        on.create(target, json!({"metadata": {"labels": labels}}))
    });
    join_all(creations).await;
    targets
}

/// One page, by name, and its `metadata`. The cluster puts a map of its own into every namespace; it is not among these.
async fn page(on: &Backend, query: &str) -> (Vec<String>, Value) {
    let path = format!("{}?{query}", on.here(&config_map()));
    let mut page = on.send(Request::get(path)).await.done().into_value();
    let items = page["items"].as_array().unwrap();
    let names = items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
    (
        names.filter(|name| name.starts_with("m-")).collect(),
        page["metadata"].take(),
    )
}

fn token(metadata: &Value) -> String {
    metadata["continue"].as_str().unwrap_or_default().replace('=', "%3D")
}

async fn pages_are_of_one_moment(on: Backend) {
    let targets = many(&on, 6).await;
    // Sorted by name, so that ours come in pairs whatever else is in the namespace.
    let selector = "fieldSelector=metadata.name%21%3Dkube-root-ca.crt";
    let (first, one) = page(&on, &format!("limit=2&{selector}")).await;
    assert_eq!(first, ["m-000", "m-001"]);
    on.cluster().delete(&targets[2], &BACKGROUND).await.unwrap();
    on.merge(&targets[3], json!({"data": {"changed": "yes"}})).await;
    on.create(&on.target(config_map(), "m-0025"), json!({})).await;
    let (second, two) = page(&on, &format!("limit=2&{selector}&continue={}", token(&one))).await;
    assert_eq!(second, ["m-002", "m-003"]);
    let (third, three) = page(&on, &format!("limit=2&{selector}&continue={}", token(&two))).await;
    assert_eq!(third, ["m-004", "m-005"]);
    assert_eq!(token(&three), "");
    assert_eq!(
        (&one["resourceVersion"], &one["resourceVersion"]),
        (&two["resourceVersion"], &three["resourceVersion"])
    );
    let (now, _) = page(&on, selector).await;
    assert_eq!(now, ["m-000", "m-001", "m-0025", "m-003", "m-004", "m-005"]);
}

async fn a_page_says_how_many_are_left(on: Backend) {
    // Of a kind that the cluster puts nothing into a namespace of.
    for name in ["a", "b", "c", "d", "e"] {
        on.create(&on.target(ResourceKind::claim(), name), claim("none")).await;
    }
    let path = format!("{}?limit=2", on.here(&ResourceKind::claim()));
    let list = on.send(Request::get(path)).await.done();
    assert_eq!(list.i64_at(&["metadata", "remainingItemCount"]), Some(3));
    many(&on, 5).await;
    // It is not counted where a selector would have to be tried on each.
    let (_, metadata) = page(&on, "limit=1&labelSelector=third%3Dyes").await;
    assert_eq!(metadata["remainingItemCount"], Value::Null);
    assert_ne!(token(&metadata), "");
}

/// Three pages and a bit of the provider's 500, while others create, change and delete.
async fn the_provider_reads_all_pages(on: Backend) {
    many(&on, 1_500).await;
    let churn = async {
        for round in 0.. {
            let passing = on.target(config_map(), &format!("passing-{round}"));
            on.create(&passing, json!({})).await;
            let changed = on.target(config_map(), &format!("m-{:03}", round * 37 % 1_500));
            on.merge(&changed, json!({"data": {"round": round.to_string()}})).await;
            on.cluster().delete(&passing, &BACKGROUND).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..3 {
            let query = ListQuery::within(config_map(), &on.namespace);
            let pages: Vec<_> = on.cluster().list(query).try_collect().await.unwrap();
            assert_eq!(pages.len(), 4);
            assert!(
                pages
                    .iter()
                    .all(|page| page.resource_version == pages[0].resource_version)
            );
            let objects: Vec<_> = pages.iter().flat_map(|page| &page.objects).collect();
            assert!(objects.iter().all(|object| object.gvk().to_string() == "v1 ConfigMap"));
            let names: BTreeSet<_> = objects.iter().map(|object| object.name()).collect();
            assert_eq!(names.len(), objects.len());
            assert_eq!(names.iter().filter(|name| name.starts_with("m-")).count(), 1_500);
        }
    };
    tokio::select! {
        () = read => {}
        () = churn => {}
    }
}

async fn selectors_hold_on_every_page(on: Backend) {
    many(&on, 9).await;
    let (first, one) = page(&on, "limit=2&labelSelector=third%3Dyes").await;
    assert_eq!(first, ["m-000", "m-003"]);
    let (rest, _) = page(
        &on,
        &format!("limit=2&labelSelector=third%3Dyes&continue={}", token(&one)),
    )
    .await;
    assert_eq!(rest, ["m-006"]);
    let query = ListQuery::within(config_map(), &on.namespace);
    for (labels, expected) in [
        ("third=yes", 3),
        ("third in (yes,no)", 3),
        ("third", 3),
        ("third!=yes,!other", 6),
    ] {
        let pages: Vec<_> = on
            .cluster()
            .list(query.clone().labelled(labels))
            .try_collect()
            .await
            .unwrap();
        let names = pages
            .iter()
            .flat_map(|page| &page.objects)
            .filter(|object| object.name().starts_with("m-"));
        assert_eq!(names.count(), expected, "{labels}");
    }
}

async fn a_token_of_no_meaning_is_refused(on: Backend) {
    let path = format!("{}?limit=2&continue=nonsense", on.here(&config_map()));
    let status = on.send(Request::get(path)).await.refused(400, "BadRequest");
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("continue key is not valid"),
        "{status}"
    );
}

async fn a_list_of_nothing_is_empty(on: Backend) {
    let path = on.here(&ResourceKind::stateful_set());
    let list = on.send(Request::get(path)).await.done();
    assert_eq!(
        (list.gvk().to_string(), list.at(&["items"])),
        ("apps/v1 StatefulSetList".to_owned(), Some(&json!([])))
    );
    assert!(list.resource_version().is_some());
    assert_eq!(on.list(ResourceKind::stateful_set()).await, []);
}
