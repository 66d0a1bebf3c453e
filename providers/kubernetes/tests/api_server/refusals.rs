//! What refusals come to.

use moorline_api::{ApplyOptions, Cluster, Error, ErrorKind, FieldConflict, ObjectRef, ResourceKind};
use serde_json::{Value, json};

use crate::server::{Server, claim, failure, object, raw};

async fn apply_error(code: u16, body: Value) -> Error {
    let server = Server::saying(code, body).await;
    let set = ObjectRef::new(ResourceKind::stateful_set(), "demo", "web");
    server
        .cluster()
        .apply(&set, &object(claim()), ApplyOptions::default())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn field_conflicts_name_owner_and_field() {
    let causes = json!([
        {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-client-side-apply\" using apps/v1", "field": ".spec.replicas"},
        {"reason": "FieldManagerConflict",
         "message": "conflict with \"odd \\\"name\\\"\" with subresource \"scale\" using apps/v1 at 2026-11-21T09:00:00Z",
         "field": ".spec.template.spec.containers[name=\"nginx\"].image"},
    ]);
    let error = apply_error(
        409,
        failure(
            409,
            "Conflict",
            "Apply failed with 2 conflicts",
            json!({"causes": causes}),
        ),
    )
    .await;
    let ErrorKind::FieldConflicts(conflicts) = &error.kind else {
        panic!("{error:?}")
    };
    assert_eq!(
        conflicts[0],
        FieldConflict {
            owner: "\"kubectl-client-side-apply\" using apps/v1".to_owned(),
            manager: "kubectl-client-side-apply".to_owned(),
            field: ".spec.replicas".to_owned(),
        }
    );
    assert_eq!(conflicts[1].manager, "odd \"name\"");
    assert_eq!(
        conflicts[1].owner,
        "\"odd \\\"name\\\"\" with subresource \"scale\" using apps/v1 at 2026-11-21T09:00:00Z"
    );
    assert!(
        error
            .to_string()
            .starts_with("patch statefulsets.apps demo/web: .spec.replicas is owned by \"kubectl"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn other_conflicts_are_told_apart() {
    let changed = "Operation cannot be fulfilled on statefulsets.apps \"web\": the object has been modified";
    assert_eq!(
        apply_error(409, failure(409, "Conflict", changed, json!({"name": "web"})))
            .await
            .kind,
        ErrorKind::Stale
    );
    let taken = "statefulsets.apps \"web\" already exists";
    assert_eq!(
        apply_error(409, failure(409, "AlreadyExists", taken, json!({})))
            .await
            .kind,
        ErrorKind::AlreadyExists
    );
}

#[tokio::test]
async fn an_invalid_object_names_every_cause() {
    let causes = json!([
        {"reason": "FieldValueInvalid", "message": "Invalid value: -1: must be greater than or equal to 0", "field": "spec.replicas"},
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.serviceName"},
        {"message": "no field here"},
    ]);
    let error = apply_error(
        422,
        failure(
            422,
            "Invalid",
            "StatefulSet is invalid: [...]",
            json!({"causes": causes}),
        ),
    )
    .await;
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(
        error.message,
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0; spec.serviceName: Required value; no field here"
    );
    let strict = "failed to create typed patch object: .spec.replica: field not declared in schema";
    assert_eq!(
        apply_error(400, failure(400, "BadRequest", strict, Value::Null))
            .await
            .kind,
        ErrorKind::Invalid
    );
    // This is what API servers say instead of 400.
    let server = Server::saying(500, failure(500, "", strict, Value::Null)).await;
    let set = ObjectRef::new(ResourceKind::stateful_set(), "demo", "web");
    let error = server
        .cluster()
        .apply(&set, &object(claim()), ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!((error.kind, server.lines().len()), (ErrorKind::Invalid, 1));
}

#[tokio::test]
async fn a_missing_right_is_named_with_its_cure() {
    let denial = r#"statefulsets.apps "web" is forbidden: User "ann" cannot patch resource "statefulsets" in API group "apps" in the namespace "demo""#;
    let error = apply_error(403, failure(403, "Forbidden", denial, json!({}))).await;
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert_eq!(
        error.to_string(),
        "patch statefulsets.apps demo/web: \"ann\" may not patch statefulsets.apps in namespace demo; \
         grant \"patch\" on statefulsets.apps in namespace demo to \"ann\""
    );
}

#[tokio::test]
async fn not_every_403_is_a_missing_right() {
    let dying = failure(
        403,
        "Forbidden",
        "unable to create new content in namespace demo because it is being terminated",
        json!({"causes": [{"reason": "NamespaceTerminating", "message": "namespace demo is being terminated", "field": "metadata.namespace"}]}),
    );
    assert_eq!(apply_error(403, dying).await.kind, ErrorKind::Stale);
    let quota = r#"persistentvolumeclaims "x" is forbidden: exceeded quota: q, requested: requests.storage=10Gi, used: 0, limited: 5Gi"#;
    assert_eq!(
        apply_error(403, failure(403, "Forbidden", quota, json!({}))).await.kind,
        ErrorKind::LimitExceeded
    );
    let policy = r#"admission webhook "p.example.com" denied the request: no"#;
    let error = apply_error(403, failure(403, "Forbidden", policy, json!({}))).await;
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Forbidden, policy));
}

#[tokio::test]
async fn the_rest_have_their_kinds() {
    for (code, expected) in [
        (401, ErrorKind::Unauthenticated),
        (405, ErrorKind::Unsupported),
        (410, ErrorKind::Expired),
        (413, ErrorKind::Invalid),
        (415, ErrorKind::Unsupported),
        (302, ErrorKind::Invalid),
        (418, ErrorKind::Internal),
    ] {
        assert_eq!(
            apply_error(code, failure(code, "", "x", Value::Null)).await.kind,
            expected,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_servers_words_cannot_play_tricks() {
    let error = apply_error(
        422,
        failure(422, "Invalid", "bad\u{1b}[2J\u{7}\r\nok\u{202e}", Value::Null),
    )
    .await;
    assert_eq!(error.message, "bad [2J   ok ");

    let server = Server::start(|_, _| raw(403, "text/html", "<h1>\u{1b}Corp proxy</h1>".repeat(100_000))).await;
    let error = server
        .cluster()
        .get(&ObjectRef::new(ResourceKind::pod(), "demo", "x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error.message.len() < 400 && error.message.contains("Corp proxy"),
        "{error}"
    );
    assert!(error.message.contains("is not an API server's"), "{error}");
}
