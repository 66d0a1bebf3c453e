//! What is sent, and what success comes to.

use moorline_api::{ApplyOptions, Cluster, DeleteOptions, Deletion, ErrorKind, ObjectRef, Propagation, ResourceKind};
use serde_json::{Value, json};

use crate::server::{Server, answer, claim, failure, object, raw};

fn data() -> ObjectRef {
    ObjectRef::new(ResourceKind::claim(), "demo", "data")
}

#[tokio::test]
async fn an_apply_names_its_manager_and_collects_warnings() {
    let server = Server::start(|_, _| {
        let mut response = answer(200, &claim());
        for warning in [r#"299 - "first""#, r#"299 - "the \"second\"""#] {
            response.headers_mut().append("Warning", warning.parse().unwrap());
        }
        response
    })
    .await;
    let cluster = server.cluster();
    let applied = cluster
        .apply(&data(), &object(claim()), ApplyOptions::default())
        .await
        .unwrap();
    assert_eq!(applied.object.uid(), Some("u-1"));
    assert_eq!(applied.warnings, ["first", "the \"second\""]);
    cluster
        .apply(
            &data(),
            &object(claim()),
            ApplyOptions {
                dry_run: true,
                force: true,
            },
        )
        .await
        .unwrap();

    let path = "PATCH /api/v1/namespaces/demo/persistentvolumeclaims/data?fieldManager=moorline&fieldValidation=Strict";
    assert_eq!(
        server.lines(),
        [path.to_owned(), format!("{path}&force=true&dryRun=All")]
    );
    let seen = server.seen();
    assert_eq!(seen[0].header("content-type"), "application/apply-patch+yaml");
    assert_eq!(seen[0].json(), claim());
}

#[tokio::test]
async fn creating_posts_to_the_collection() {
    let server = Server::saying(201, claim()).await;
    let created = server.cluster().create(&data(), &object(claim())).await.unwrap();
    assert_eq!(created.name(), "data");
    let path = "POST /api/v1/namespaces/demo/persistentvolumeclaims?fieldManager=moorline&fieldValidation=Strict";
    assert_eq!(server.lines(), [path]);
}

#[tokio::test]
async fn merge_and_scale_are_merge_patches() {
    let server = Server::saying(200, claim()).await;
    let cluster = server.cluster();
    let set = ObjectRef::new(ResourceKind::stateful_set(), "demo", "web");
    cluster
        .merge(&set, &json!({"metadata": {"annotations": {"a": "b"}}}))
        .await
        .unwrap();
    cluster.scale(&set, 5).await.unwrap();
    assert_eq!(
        server.lines(),
        [
            "PATCH /apis/apps/v1/namespaces/demo/statefulsets/web?fieldManager=moorline",
            "PATCH /apis/apps/v1/namespaces/demo/statefulsets/web/scale?fieldManager=moorline",
        ]
    );
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.header("content-type") == "application/merge-patch+json")
    );
    assert_eq!(seen[1].json(), json!({"spec": {"replicas": 5}}));
}

#[tokio::test]
async fn only_the_objects_own_404_is_absence() {
    let own = failure(
        404,
        "NotFound",
        "persistentvolumeclaims \"data\" not found",
        json!({"name": "data", "kind": "persistentvolumeclaims"}),
    );
    assert_eq!(
        Server::saying(404, own).await.cluster().get(&data()).await.unwrap(),
        None
    );

    let namespace = failure(
        404,
        "NotFound",
        "namespaces \"demo\" not found",
        json!({"name": "demo", "kind": "namespaces"}),
    );
    let error = Server::saying(404, namespace)
        .await
        .cluster()
        .get(&data())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);

    // A namespace and an object in it may have the same name.
    let namesake = failure(
        404,
        "NotFound",
        "namespaces \"data\" not found",
        json!({"name": "data", "kind": "namespaces"}),
    );
    Server::saying(404, namesake)
        .await
        .cluster()
        .get(&data())
        .await
        .unwrap_err();

    let path = failure(
        404,
        "NotFound",
        "the server could not find the requested resource",
        json!({}),
    );
    let error = Server::saying(404, path)
        .await
        .cluster()
        .get(&data())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("the server has no persistentvolumeclaims"),
        "{error}"
    );

    for page in ["404 page not found\n", "<html>nginx</html>", ""] {
        let server = Server::start(move |_, _| raw(404, "text/plain", page)).await;
        let error = server.cluster().get(&data()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.to_string().contains("is http://127.0.0.1"), "{error}");
        server.cluster().delete(&data(), &options()).await.unwrap_err();
    }
}

#[tokio::test]
async fn success_that_is_no_object_is_an_error() {
    for body in [
        "<html>log in</html>",
        "[]",
        "{}",
        "null",
        "{\"kind\":\"Status\"",
        "\u{1f}\u{8b}",
    ] {
        let server = Server::start(move |_, _| raw(200, "text/html", body)).await;
        assert_eq!(
            server.cluster().get(&data()).await.unwrap_err().kind,
            ErrorKind::Internal,
            "{body}"
        );
    }
}

fn options() -> DeleteOptions {
    DeleteOptions {
        uid: Some("u-1".to_owned()),
        resource_version: None,
        propagation: Propagation::Background,
        dry_run: false,
    }
}

#[tokio::test]
async fn a_deletion_says_how_far_it_got() {
    let success = json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "details": {"name": "data"}});
    let mut held = claim();
    held["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    held["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    let missing = failure(
        404,
        "NotFound",
        "persistentvolumeclaims \"data\" not found",
        json!({"name": "data"}),
    );
    for (code, body, expected) in [
        (200, success.clone(), Deletion::Gone),
        (202, success, Deletion::Terminating),
        (200, claim(), Deletion::Gone),
        (200, held, Deletion::Terminating),
        (404, missing, Deletion::Absent),
    ] {
        let server = Server::saying(code, body).await;
        assert_eq!(server.cluster().delete(&data(), &options()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_deletion_carries_its_conditions() {
    let server = Server::saying(200, claim()).await;
    let cluster = server.cluster();
    cluster.delete(&data(), &options()).await.unwrap();
    let careful = DeleteOptions {
        uid: None,
        resource_version: Some("7".to_owned()),
        propagation: Propagation::Orphan,
        dry_run: true,
    };
    cluster.delete(&data(), &careful).await.unwrap();
    let bodies: Vec<Value> = server.seen().iter().map(crate::server::Seen::json).collect();
    let head = |propagation| json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
    let mut expected = [head("Background"), head("Orphan")];
    expected[0]["preconditions"] = json!({"uid": "u-1"});
    expected[1]["preconditions"] = json!({"resourceVersion": "7"});
    expected[1]["dryRun"] = json!(["All"]);
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_name_never_reaches_beyond_its_object() {
    let server = Server::saying(200, claim()).await;
    let cluster = server.cluster();
    for name in ["", ".", ".."] {
        let target = ObjectRef::new(ResourceKind::claim(), "demo", name);
        assert_eq!(
            cluster.delete(&target, &options()).await.unwrap_err().kind,
            ErrorKind::Invalid
        );
        assert_eq!(
            cluster.create(&target, &object(claim())).await.unwrap_err().kind,
            ErrorKind::Invalid
        );
    }
    let nowhere = ObjectRef::new(ResourceKind::claim(), "", "data");
    cluster.get(&nowhere).await.unwrap_err();
    assert!(server.lines().is_empty());
    cluster
        .get(&ObjectRef::new(ResourceKind::claim(), "demo", "a/../b?x#y"))
        .await
        .unwrap();
    assert_eq!(
        server.lines(),
        ["GET /api/v1/namespaces/demo/persistentvolumeclaims/a%2F..%2Fb%3Fx%23y"]
    );
}

#[tokio::test]
async fn identity_is_asked_once() {
    let server = Server::start(|_, seen| {
        if seen.line.ends_with("/version") {
            return answer(200, &json!({"gitVersion": "v1.36.3"}));
        }
        answer(
            200,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "c-1"}}),
        )
    })
    .await;
    let cluster = server.cluster();
    let (first, second) = futures::future::join(cluster.identity(), cluster.identity()).await;
    let identity = first.unwrap();
    assert_eq!(identity, second.unwrap());
    assert_eq!((identity.uid.as_str(), identity.version.as_str()), ("c-1", "v1.36.3"));
    assert_eq!((identity.context.as_str(), &identity.server), ("test", &server.address));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn identity_needs_kube_system_and_not_the_version() {
    let denial = r#"namespaces "kube-system" is forbidden: User "bot" cannot get resource "namespaces" in API group "" in the namespace "kube-system""#;
    let server = Server::saying(403, failure(403, "Forbidden", denial, json!({}))).await;
    let error = server.cluster().identity().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error
            .to_string()
            .contains(r#"grant "get" on namespaces in namespace kube-system to "bot""#),
        "{error}"
    );

    let server = Server::start(|_, seen| match seen.line.as_str() {
        "GET /version" => answer(403, &failure(403, "Forbidden", "no", json!({}))),
        _ => answer(200, &json!({"metadata": {"name": "kube-system", "uid": "c-1"}})),
    })
    .await;
    assert_eq!(server.cluster().identity().await.unwrap().version, "unknown");
}

#[tokio::test]
async fn what_is_printed_of_a_cluster_has_no_secrets() {
    let server = Server::saying(200, claim()).await;
    assert_eq!(
        format!("{:?}", server.cluster()),
        format!(
            "KubeCluster {{ context: \"test\", server: \"{}\", .. }}",
            server.address
        )
    );
}
