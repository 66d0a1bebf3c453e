//! What a refused call says.

use serde_json::json;

use super::backend::{ANOTHER_UID, BACKGROUND, Backend, Request};
use super::manifests::{claim, config_map, stateful_set, stateful_set_with_claims};
use super::refusals;
use crate::conformance::{Case, cases, eventually};
use crate::{ApplyOptions, DeleteOptions, Deletion, ErrorKind, ObjectRef, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        refusals::a_name_that_is_taken,
        refusals::a_name_that_is_no_name,
        refusals::a_wrong_value_has_its_path,
        refusals::each_of_several_wrong_values_has_its_path,
        refusals::what_a_set_may_not_change,
        refusals::what_a_claim_may_not_change,
        refusals::what_is_not_there,
        refusals::a_kind_that_is_not_served,
        refusals::a_body_that_is_no_object,
        refusals::an_update_of_a_version_that_has_passed,
        refusals::a_namespace_that_is_going,
    ]
}

async fn a_name_that_is_taken(on: Backend) {
    let target = on.target(config_map(), "map");
    on.create(&target, json!({})).await;
    let refused = on
        .cluster()
        .create(&target, &on.manifest(&target, json!({})))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
    assert_eq!(refused.message, "configmaps \"map\" already exists");
    let raw = Request::post(on.here(&target.resource), on.manifest(&target, json!({})).into_value());
    let status = on.send(raw).await.refused(409, "AlreadyExists");
    assert_eq!(status["details"], json!({"name": "map", "kind": "configmaps"}));
}

async fn a_name_that_is_no_name(on: Backend) {
    let target = on.target(config_map(), "Not_A_Name");
    let refused = on
        .try_apply(&target, json!({}), ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(
        refused.message.starts_with("metadata.name: Invalid value: "),
        "{refused}"
    );
    assert!(
        refused
            .message
            .contains("a lowercase RFC 1123 subdomain must consist of"),
        "{refused}"
    );
}

async fn a_wrong_value_has_its_path(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let mut set = stateful_set(0);
    set["spec"]["replicas"] = json!(-1);
    let refused = on.try_apply(&target, set, ApplyOptions::default()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert_eq!(
        refused.message,
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
}

async fn each_of_several_wrong_values_has_its_path(on: Backend) {
    let target = on.target(ResourceKind::claim(), "data");
    let mut wrong = claim("");
    wrong["spec"]["accessModes"] = json!([]);
    wrong["spec"]["resources"] = json!({});
    let path = format!("{}?fieldManager=x", Backend::path(&target));
    let manifest = on.manifest(&target, wrong).into_value();
    let status = on.send(Request::apply(path, manifest)).await.refused(422, "Invalid");
    let causes = status["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes.iter().map(|cause| (&cause["reason"], &cause["field"])).collect();
    assert_eq!(
        fields,
        [
            (&json!("FieldValueRequired"), &json!("spec.accessModes")),
            (&json!("FieldValueRequired"), &json!("spec.resources[storage]")),
        ]
    );
    assert_eq!(
        (&status["details"]["name"], &status["details"]["kind"]),
        (&json!("data"), &json!("PersistentVolumeClaim"))
    );
}

async fn what_a_set_may_not_change(on: Backend) {
    let class = on.class("Immediate").await;
    let target = on.target(ResourceKind::stateful_set(), "web");
    let set = stateful_set_with_claims(0, &class);
    on.apply(&target, set.clone()).await;
    let mut grown = set.clone();
    grown["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
    let mut moved = set;
    moved["spec"]["serviceName"] = json!("another");
    for changed in [grown, moved] {
        let refused = on
            .try_apply(&target, changed, ApplyOptions::default())
            .await
            .unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert_eq!(
            refused.message,
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        );
    }
}

async fn what_a_claim_may_not_change(on: Backend) {
    let class = on.class("Immediate").await;
    let target = on.target(ResourceKind::claim(), "data");
    on.create(&target, claim(&class)).await;
    for changes in [
        json!({"spec": {"storageClassName": "another"}}),
        json!({"spec": {"accessModes": ["ReadOnlyMany"]}}),
        json!({"spec": {"resources": {"requests": {"storage": "512Mi"}}}}),
    ] {
        let refused = on.cluster().merge(&target, &changes).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{changes}: {refused}");
        assert!(refused.message.starts_with("spec"), "{changes}: {refused}");
        assert!(refused.message.contains("Forbidden: "), "{changes}: {refused}");
    }
    // The volume may be named once, while there is none.
    on.merge(&target, json!({"spec": {"volumeName": "first"}})).await;
    let refused = on
        .cluster()
        .merge(&target, &json!({"spec": {"volumeName": "second"}}))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
}

async fn what_is_not_there(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "absent");
    assert_eq!(on.cluster().get(&target).await.unwrap(), None);
    assert_eq!(
        on.cluster().delete(&target, &BACKGROUND).await.unwrap(),
        Deletion::Absent
    );
    let status = on
        .send(Request::get(Backend::path(&target)))
        .await
        .refused(404, "NotFound");
    assert_eq!(status["message"], "statefulsets.apps \"absent\" not found");
    assert_eq!(
        status["details"],
        json!({"name": "absent", "group": "apps", "kind": "statefulsets"})
    );
    // In a namespace that is not there it is the object that is missing.
    let mut elsewhere = target;
    elsewhere.namespace = Some(on.own("absent"));
    assert_eq!(on.cluster().get(&elsewhere).await.unwrap(), None);
    assert_eq!(
        on.cluster().delete(&elsewhere, &BACKGROUND).await.unwrap(),
        Deletion::Absent
    );
}

async fn a_kind_that_is_not_served(on: Backend) {
    let unknown = ResourceKind {
        plural: "unheardof".to_owned(),
        ..config_map()
    };
    let target = on.target(unknown, "map");
    let refused = on.cluster().get(&target).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unsupported, "{refused}");
    let answer = on
        .send(Request::get(format!(
            "/apis/unheard.example.com/v1/namespaces/{}/things",
            on.namespace
        )))
        .await;
    assert_eq!(
        (
            answer.code,
            answer.body.is_null() || answer.body["details"].get("name").is_none()
        ),
        (404, true)
    );
}

async fn a_body_that_is_no_object(on: Backend) {
    let path = on.here(&config_map());
    on.send(Request::post(
        &*path,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}),
    ))
    .await
    .refused(400, "BadRequest");
    let nameless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}});
    let status = on.send(Request::post(&*path, nameless)).await.refused(422, "Invalid");
    assert_eq!(
        status["details"]["causes"][0]["message"],
        "Required value: name or generateName is required"
    );
    let typed = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": 1}});
    let status = on.send(Request::post(&*path, typed)).await.refused(400, "BadRequest");
    assert!(status["message"].as_str().unwrap().contains("data"), "{status}");
}

async fn an_update_of_a_version_that_has_passed(on: Backend) {
    let target = on.target(config_map(), "map");
    let first = on.create(&target, json!({})).await;
    on.merge(&target, json!({"data": {"a": "1"}})).await;
    let status = on
        .send(Request::put(Backend::path(&target), first.into_value()))
        .await
        .refused(409, "Conflict");
    assert_eq!(
        status["message"],
        "Operation cannot be fulfilled on configmaps \"map\": the object has been modified; please apply your changes to the \
         latest version and try again"
    );
}

async fn a_namespace_that_is_going(on: Backend) {
    let space = ObjectRef::new(ResourceKind::namespace(), "", on.own("going"));
    on.create(&space, json!({})).await;
    let mut held = on.target(config_map(), "held");
    held.namespace = Some(space.name.clone());
    on.create(&held, json!({"metadata": {"finalizers": ["example.com/hold"]}}))
        .await;
    assert_eq!(
        on.cluster().delete(&space, &BACKGROUND).await.unwrap(),
        Deletion::Terminating
    );
    on.until("on its way", &held, crate::Object::is_terminating).await;
    let mut late = on.target(config_map(), "late");
    late.namespace = Some(space.name.clone());
    let refused = on
        .cluster()
        .create(&late, &on.manifest(&late, json!({})))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert!(refused.message.contains("because it is being terminated"), "{refused}");
    // What is left, and why, is said while it lasts.
    on.until("said what holds it", &space, |space| {
        let conditions = space.list_at(&["status", "conditions"]);
        let holds = |name: &str| {
            conditions
                .iter()
                .any(|found| found["type"] == name && found["status"] == "True")
        };
        holds("NamespaceFinalizersRemaining") && holds("NamespaceContentRemaining")
    })
    .await;
    on.merge(&held, json!({"metadata": {"finalizers": null}})).await;
    on.until_gone(&space).await;
    // Its name is free again, and a deletion meant for the former one is refused.
    let again = on.create(&space, json!({})).await;
    let former = DeleteOptions {
        uid: Some(ANOTHER_UID.to_owned()),
        ..BACKGROUND
    };
    let refused = on.cluster().delete(&space, &former).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert_eq!(on.get(&space).await.uid(), again.uid());
    on.cluster().delete(&space, &BACKGROUND).await.unwrap();
    eventually("gone again", on.patience(), async || {
        if on.exists(&space).await {
            Err("still there")
        } else {
            Ok(())
        }
    })
    .await;
}
