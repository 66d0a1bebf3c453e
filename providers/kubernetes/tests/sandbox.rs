//! `KubeCluster` against the embedded sandbox's API server, which checks what it is sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use moorline_api::{
    ApplyOptions, Cluster, DeleteOptions, Deletion, ErrorKind, ListQuery, Object, ObjectRef, Page, Propagation,
    ResourceKind, WatchEvent,
};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings};
use serde_json::{Value, json};

async fn cluster() -> KubeCluster {
    cluster_with(ApiSettings::default()).await
}

async fn cluster_with(settings: ApiSettings) -> KubeCluster {
    let server = ApiServer::open(World::new(Journal::in_memory()).unwrap(), settings).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, server.router()).into_future());
    KubeCluster::at(&address, "sandbox", &KubeSettings::default()).unwrap()
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn set(replicas: u32) -> Object {
    object(
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "default"}, "spec": {
            "replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}},
        }}),
    )
}

fn web() -> ObjectRef {
    ObjectRef::new(ResourceKind::stateful_set(), "default", "web")
}

fn config_map(name: &str) -> (ObjectRef, Object) {
    let resource = ResourceKind {
        gvk: moorline_api::Gvk::new("v1", "ConfigMap"),
        plural: "configmaps".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    };
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": {"k": "v"}});
    (ObjectRef::new(resource, "default", name), object(map))
}

const BACKGROUND: DeleteOptions = DeleteOptions {
    uid: None,
    resource_version: None,
    propagation: Propagation::Background,
    dry_run: false,
};

#[tokio::test]
async fn a_cluster_says_who_it_is_and_what_it_serves() {
    let cluster = cluster().await;
    let identity = cluster.identity().await.unwrap();
    assert!(
        !identity.uid.is_empty() && identity.version.starts_with("v1."),
        "{identity:?}"
    );
    let found = cluster.kinds().await.unwrap();
    assert!(found.unanswered.is_empty());
    for built_in in [
        ResourceKind::claim(),
        ResourceKind::persistent_volume(),
        ResourceKind::pod(),
        ResourceKind::service(),
        ResourceKind::node(),
        ResourceKind::namespace(),
        ResourceKind::stateful_set(),
        ResourceKind::deployment(),
        ResourceKind::storage_class(),
    ] {
        let served = found.served.iter().find(|kind| kind.gvk == built_in.gvk).unwrap();
        assert_eq!(
            (&served.plural, served.namespaced),
            (&built_in.plural, built_in.namespaced)
        );
        assert!(
            built_in.verbs.iter().all(|verb| served.verbs.contains(verb)),
            "{served:?}"
        );
    }
}

#[tokio::test]
async fn an_object_lives_from_apply_to_delete() {
    let cluster = cluster().await;
    assert_eq!(cluster.get(&web()).await.unwrap(), None);
    let dry = cluster
        .apply(
            &web(),
            &set(3),
            ApplyOptions {
                dry_run: true,
                force: false,
            },
        )
        .await
        .unwrap();
    assert_eq!(dry.object.i64_at(&["spec", "replicas"]), Some(3));
    assert_eq!(cluster.get(&web()).await.unwrap(), None);

    let applied = cluster
        .apply(&web(), &set(3), ApplyOptions::default())
        .await
        .unwrap()
        .object;
    let again = cluster
        .apply(&web(), &set(3), ApplyOptions::default())
        .await
        .unwrap()
        .object;
    assert_eq!(
        applied.resource_version(),
        again.resource_version(),
        "an apply that changes nothing writes nothing"
    );

    cluster.scale(&web(), 5).await.unwrap();
    assert_eq!(
        cluster
            .get(&web())
            .await
            .unwrap()
            .unwrap()
            .i64_at(&["spec", "replicas"]),
        Some(5)
    );

    let stale = DeleteOptions {
        uid: Some("someone-else".to_owned()),
        ..BACKGROUND
    };
    assert_eq!(cluster.delete(&web(), &stale).await.unwrap_err().kind, ErrorKind::Stale);
    let dry = DeleteOptions {
        uid: applied.uid().map(str::to_owned),
        dry_run: true,
        ..BACKGROUND
    };
    cluster.delete(&web(), &dry).await.unwrap();
    assert!(cluster.get(&web()).await.unwrap().is_some());
    let exact = DeleteOptions {
        uid: applied.uid().map(str::to_owned),
        ..BACKGROUND
    };
    assert_eq!(cluster.delete(&web(), &exact).await.unwrap(), Deletion::Gone);
    assert_eq!(cluster.delete(&web(), &BACKGROUND).await.unwrap(), Deletion::Absent);
}

#[tokio::test]
async fn a_held_object_is_terminating() {
    let cluster = cluster().await;
    let (target, mut map) = config_map("held");
    map.set(&["metadata", "finalizers"], json!(["example.com/hold"]));
    let made = cluster.create(&target, &map).await.unwrap();
    assert_eq!(
        cluster.create(&target, &map).await.unwrap_err().kind,
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        cluster.delete(&target, &BACKGROUND).await.unwrap(),
        Deletion::Terminating
    );
    assert!(cluster.get(&target).await.unwrap().unwrap().is_terminating());
    let wrong = json!({"metadata": {"uid": "someone-else", "finalizers": null}});
    assert_eq!(cluster.merge(&target, &wrong).await.unwrap_err().kind, ErrorKind::Stale);
    cluster
        .merge(&target, &json!({"metadata": {"uid": made.uid(), "finalizers": null}}))
        .await
        .unwrap();
    assert_eq!(cluster.get(&target).await.unwrap(), None);
}

#[tokio::test]
async fn fields_of_others_are_conflicts_until_forced() {
    let cluster = cluster().await;
    cluster.apply(&web(), &set(3), ApplyOptions::default()).await.unwrap();
    cluster.scale(&web(), 5).await.unwrap();
    // The scale was ours too, but as an update: the server tells the two apart.
    let error = cluster
        .apply(&web(), &set(3), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &error.kind else {
        panic!("{error:?}")
    };
    assert_eq!(
        (conflicts[0].field.as_str(), conflicts[0].manager.as_str()),
        (".spec.replicas", "moorline")
    );
    let forced = cluster
        .apply(
            &web(),
            &set(3),
            ApplyOptions {
                dry_run: false,
                force: true,
            },
        )
        .await
        .unwrap();
    assert_eq!(forced.object.i64_at(&["spec", "replicas"]), Some(3));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let cluster = cluster().await;
    let mut typo = set(3);
    typo.set(&["spec", "replica"], json!(3));
    let error = cluster.apply(&web(), &typo, ApplyOptions::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("replica"), "{error}");

    let mut negative = set(3);
    negative.set(&["spec", "replicas"], json!(-1));
    let error = cluster
        .apply(&web(), &negative, ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("spec.replicas"), "{error}");

    let elsewhere = ObjectRef::new(ResourceKind::stateful_set(), "nowhere", "web");
    let mut lost = set(3);
    lost.set(&["metadata", "namespace"], json!("nowhere"));
    let error = cluster
        .apply(&elsewhere, &lost, ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.to_string().contains("namespaces \"nowhere\" not found"),
        "{error}"
    );

    let mut unknown = web();
    unknown.resource.plural = "unheardof".to_owned();
    assert_eq!(cluster.get(&unknown).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_expired_login_is_said() {
    let cluster = cluster_with(ApiSettings {
        token: Some("right".to_owned()),
        ..ApiSettings::default()
    })
    .await;
    let error = cluster.get(&web()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert!(
        error.to_string().contains("does not accept these credentials"),
        "{error}"
    );
}

#[tokio::test]
async fn many_at_once_then_lists_and_watches() {
    let cluster = cluster().await;
    let started = Instant::now();
    let maps: Vec<_> = (0..600).map(|number| config_map(&format!("m-{number:03}"))).collect();
    let applied = futures::future::join_all(
        maps.iter()
            .map(|(target, map)| cluster.apply(target, map, ApplyOptions::default())),
    )
    .await;
    assert!(applied.iter().all(Result::is_ok));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

    let resource = maps[0].0.resource.clone();
    let pages: Vec<Page> = cluster
        .list(ListQuery::everywhere(resource.clone()))
        .try_collect()
        .await
        .unwrap();
    assert!(pages.len() > 1);
    let names: std::collections::BTreeSet<_> = pages
        .iter()
        .flat_map(|page| &page.objects)
        .map(|object| object.name().to_owned())
        .collect();
    assert!(maps.iter().all(|(target, _)| names.contains(&target.name)));
    assert!(
        pages
            .iter()
            .all(|page| page.resource_version == pages[0].resource_version)
    );

    let from = pages[0].resource_version.clone();
    let mut events = cluster.watch(ListQuery::within(resource, "default"), from);
    let (target, _) = &maps[7];
    cluster.merge(target, &json!({"data": {"k": "w"}})).await.unwrap();
    cluster.delete(target, &BACKGROUND).await.unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(5), events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let WatchEvent::Applied(changed) = changed else {
        panic!("{changed:?}")
    };
    assert_eq!((changed.name(), changed.str_at(&["data", "k"])), ("m-007", Some("w")));
    let gone = tokio::time::timeout(Duration::from_secs(5), events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        matches!(&gone, WatchEvent::Deleted(object) if object.name() == "m-007"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn a_watch_from_long_ago_is_expired() {
    let cluster = cluster_with(ApiSettings {
        history: 5,
        ..ApiSettings::default()
    })
    .await;
    let maps: Vec<_> = (0..20).map(|number| config_map(&format!("m-{number}"))).collect();
    for (target, map) in &maps {
        cluster.apply(target, map, ApplyOptions::default()).await.unwrap();
    }
    let mut events = cluster.watch(ListQuery::within(maps[0].0.resource.clone(), "default"), "1".to_owned());
    let error = tokio::time::timeout(Duration::from_secs(5), events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Expired);
}
