//! Server-side apply: ownership, conflicts, merging, what is no longer applied.

use serde_json::{Value, json};

use super::apply;
use super::backend::{ANOTHER_UID, Backend, Request};
use super::manifests::{config_map, stateful_set, stateful_set_with_claims};
use crate::conformance::{Case, cases};
use crate::{ApplyOptions, ErrorKind, Object, ResourceKind};

pub(super) fn cases() -> Vec<Case<Backend>> {
    cases![
        apply::creates_and_owns,
        apply::an_unchanged_object_is_not_written,
        apply::a_conflict_names_owner_and_field,
        apply::a_conflict_with_an_update_names_its_version,
        apply::equal_values_are_shared,
        apply::force_takes_what_others_own,
        apply::what_is_no_longer_applied_goes,
        apply::what_others_apply_too_stays,
        apply::containers_merge_by_name,
        apply::ports_merge_by_port_and_protocol,
        apply::duplicate_keys_are_refused,
        apply::finalizers_merge_as_a_set,
        apply::a_selector_is_one_field,
        apply::quantities_are_normalised,
        apply::ports_may_be_numbers_or_names,
        apply::defaults_are_not_owned,
        apply::a_field_that_the_kind_lacks_is_named,
        apply::an_absent_namespace_is_named,
        apply::the_uid_of_another_life_is_refused,
        apply::what_kubectl_created_is_taken_over_where_it_agrees,
        apply::what_kubectl_created_with_claim_templates_conflicts,
    ]
}

const FORCE: ApplyOptions = ApplyOptions {
    dry_run: false,
    force: true,
};

/// The entry of a manager in `managedFields`.
fn entry<'a>(object: &'a Object, manager: &str, operation: &str) -> Option<&'a Value> {
    let entries = object.list_at(&["metadata", "managedFields"]).iter();
    entries
        .filter(|entry| entry["manager"] == manager)
        .find(|entry| entry["operation"] == operation)
}

/// What a manager applied: its `fieldsV1`.
fn applied<'a>(object: &'a Object, manager: &str) -> &'a Value {
    entry(object, manager, "Apply").map_or(&Value::Null, |entry| &entry["fieldsV1"])
}

async fn creates_and_owns(on: Backend) {
    let target = on.target(config_map(), "map");
    let made = on.apply(&target, json!({"data": {"a": "1"}})).await;
    assert!(made.uid().is_some() && made.resource_version().is_some() && made.created().is_some());
    let entry = entry(&made, "moorline", "Apply").unwrap();
    assert_eq!(
        (&entry["apiVersion"], &entry["fieldsType"]),
        (&json!("v1"), &json!("FieldsV1"))
    );
    assert_eq!(entry["fieldsV1"], json!({"f:data": {"f:a": {}}}));
    assert!(entry["time"].is_string());
    assert_eq!(on.get(&target).await, made);
}

async fn an_unchanged_object_is_not_written(on: Backend) {
    let map = on.target(config_map(), "map");
    let first = on.apply(&map, json!({"data": {"a": "1"}})).await;
    let again = on.apply(&map, json!({"data": {"a": "1"}})).await;
    assert_eq!(first, again);
    let set = on.target(ResourceKind::stateful_set(), "web");
    let class = on.class("Immediate").await;
    // No pods, so that no controller changes the status between.
    let mut manifest = stateful_set_with_claims(0, &class);
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "0.5"}});
    on.apply(&set, manifest.clone()).await;
    let before = on
        .until("seen by its controller", &set, |set| {
            set.i64_at(&["status", "observedGeneration"]) == Some(1)
        })
        .await;
    let again = on.apply(&set, manifest).await;
    assert_eq!(before.resource_version(), again.resource_version());
}

async fn a_conflict_names_owner_and_field(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply_as("other", &target, json!({"data": {"a": "1", "b": "1"}}), "")
        .await
        .done();
    let refused = on
        .try_apply(&target, json!({"data": {"a": "2", "b": "1"}}), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &refused.kind else {
        panic!("{refused:?}")
    };
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(
        (&*conflicts[0].manager, &*conflicts[0].owner, &*conflicts[0].field),
        ("other", "\"other\"", ".data.a")
    );

    let raw = on
        .apply_as("moorline", &target, json!({"data": {"a": "2", "b": "2"}}), "")
        .await;
    let status = raw.refused(409, "Conflict");
    assert_eq!(
        status["details"]["causes"],
        json!([
            {"reason": "FieldManagerConflict", "message": "conflict with \"other\"", "field": ".data.a"},
            {"reason": "FieldManagerConflict", "message": "conflict with \"other\"", "field": ".data.b"},
        ])
    );
    assert_eq!(
        status["message"],
        "Apply failed with 2 conflicts: conflicts with \"other\":\n- .data.a\n- .data.b"
    );
}

async fn a_conflict_with_an_update_names_its_version(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply(&target, json!({"data": {"a": "1"}})).await;
    let patch = Request::merge(
        format!("{}?fieldManager=editor", Backend::path(&target)),
        json!({"data": {"a": "2"}}),
    );
    on.send(patch).await.done();
    let refused = on
        .try_apply(&target, json!({"data": {"a": "1"}}), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &refused.kind else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (&*conflicts[0].manager, &*conflicts[0].owner),
        ("editor", "\"editor\" using v1")
    );
}

async fn equal_values_are_shared(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply(&target, json!({"data": {"a": "1"}})).await;
    let both = on
        .apply_as("other", &target, json!({"data": {"a": "1"}}), "")
        .await
        .done();
    assert_eq!(applied(&both, "moorline"), &json!({"f:data": {"f:a": {}}}));
    assert_eq!(applied(&both, "other"), &json!({"f:data": {"f:a": {}}}));
    // Neither may change it alone any more.
    on.apply_as("other", &target, json!({"data": {"a": "2"}}), "")
        .await
        .refused(409, "Conflict");
}

async fn force_takes_what_others_own(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply_as("other", &target, json!({"data": {"a": "1", "b": "1"}}), "")
        .await
        .done();
    let taken = on
        .try_apply(&target, json!({"data": {"a": "2"}}), FORCE)
        .await
        .unwrap()
        .object;
    assert_eq!(taken.at(&["data"]), Some(&json!({"a": "2", "b": "1"})));
    assert_eq!(applied(&taken, "moorline"), &json!({"f:data": {"f:a": {}}}));
    assert_eq!(applied(&taken, "other"), &json!({"f:data": {"f:b": {}}}));
}

async fn what_is_no_longer_applied_goes(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply(
        &target,
        json!({"metadata": {"labels": {"x": "1", "y": "1"}}, "data": {"a": "1", "b": "1"}}),
    )
    .await;
    let less = on
        .apply(&target, json!({"metadata": {"labels": {"x": "1"}}, "data": {"a": "1"}}))
        .await;
    assert_eq!(less.at(&["data"]), Some(&json!({"a": "1"})));
    assert_eq!((less.label("x"), less.label("y")), (Some("1"), None));
    let none = on.apply(&target, json!({})).await;
    assert_eq!(none.at(&["data"]), None);
    assert_eq!(none.at(&["metadata", "labels"]), None);
}

async fn what_others_apply_too_stays(on: Backend) {
    let target = on.target(config_map(), "map");
    on.apply(&target, json!({"data": {"a": "1", "b": "1"}})).await;
    on.apply_as("other", &target, json!({"data": {"b": "1", "c": "1"}}), "")
        .await
        .done();
    let less = on.apply(&target, json!({"data": {"a": "1"}})).await;
    assert_eq!(less.at(&["data"]), Some(&json!({"a": "1", "b": "1", "c": "1"})));
    assert_eq!(applied(&less, "other"), &json!({"f:data": {"f:b": {}, "f:c": {}}}));
}

async fn containers_merge_by_name(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.apply(&target, stateful_set(0)).await;
    let injected = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "sidecar", "image": "proxy"},
        {"name": "main", "env": [{"name": "MODE", "value": "fast"}]},
    ]}}}});
    on.apply_as("injector", &target, injected, "").await.done();
    // Ours says nothing of the other's, and takes nothing away.
    let both = on.apply(&target, stateful_set(0)).await;
    let containers = both.list_at(&["spec", "template", "spec", "containers"]);
    let named = |name: &str| containers.iter().find(|container| container["name"] == name).unwrap();
    assert_eq!(containers.len(), 2);
    assert_eq!(
        (&named("main")["image"], &named("main")["env"][0]["value"]),
        (&json!("nginx"), &json!("fast"))
    );
    assert_eq!(named("sidecar")["image"], "proxy");
    let ours = applied(&both, "moorline")
        .pointer("/f:spec/f:template/f:spec/f:containers")
        .unwrap();
    assert_eq!(
        ours,
        &json!({"k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}}})
    );
    // Without the injector's wish, only its own goes.
    let bare = json!({"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "proxy"}]}}}});
    let left = on.apply_as("injector", &target, bare, "").await.done();
    let containers = left.list_at(&["spec", "template", "spec", "containers"]);
    assert_eq!(containers.len(), 2);
    assert!(containers.iter().all(|container| container.get("env").is_none()));
}

async fn ports_merge_by_port_and_protocol(on: Backend) {
    let target = on.target(ResourceKind::service(), "web");
    let ports = |ports: Value| json!({"spec": {"selector": {"app": "web"}, "ports": ports}});
    on.apply(&target, ports(json!([{"name": "dns", "port": 53, "protocol": "UDP"}])))
        .await;
    let other = json!({"spec": {"ports": [{"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}});
    let both = on.apply_as("other", &target, other, "").await.done();
    let found: Vec<_> = both
        .list_at(&["spec", "ports"])
        .iter()
        .map(|port| port["protocol"].clone())
        .collect();
    assert_eq!(found, ["UDP", "TCP"]);
    let ours = applied(&both, "moorline").pointer("/f:spec/f:ports").unwrap();
    let key = "k:{\"port\":53,\"protocol\":\"UDP\"}";
    assert_eq!(
        ours,
        &json!({key: {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}})
    );
}

async fn duplicate_keys_are_refused(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let mut twice = stateful_set(0);
    twice["spec"]["template"]["spec"]["containers"] =
        json!([{"name": "main", "image": "a"}, {"name": "main", "image": "b"}]);
    let refused = on.try_apply(&target, twice, ApplyOptions::default()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    assert!(
        refused.message.contains("duplicate entries for key [name=\"main\"]"),
        "{refused}"
    );
}

async fn finalizers_merge_as_a_set(on: Backend) {
    let target = on.target(config_map(), "map");
    let finalizer = |name: &str| json!({"metadata": {"finalizers": [name]}});
    on.apply(&target, finalizer("example.com/a")).await;
    let both = on
        .apply_as("other", &target, finalizer("example.com/b"), "")
        .await
        .done();
    assert_eq!(
        both.at(&["metadata", "finalizers"]),
        Some(&json!(["example.com/a", "example.com/b"]))
    );
    let ours = applied(&both, "moorline");
    assert_eq!(
        ours,
        &json!({"f:metadata": {"f:finalizers": {"v:\"example.com/a\"": {}}}})
    );
    on.apply_as("other", &target, json!({}), "").await.done();
    let none = on.apply(&target, json!({})).await;
    assert_eq!(none.at(&["metadata", "finalizers"]), None);
}

async fn a_selector_is_one_field(on: Backend) {
    let target = on.target(ResourceKind::service(), "web");
    let service = |selector: Value| json!({"spec": {"selector": selector, "ports": [{"port": 80}]}});
    on.apply(&target, service(json!({"app": "web"}))).await;
    let refused = on
        .apply_as("other", &target, json!({"spec": {"selector": {"tier": "front"}}}), "")
        .await;
    let status = refused.refused(409, "Conflict");
    assert_eq!(status["details"]["causes"][0]["field"], ".spec.selector");
}

async fn quantities_are_normalised(on: Backend) {
    let target = on.target(ResourceKind::claim(), "data");
    let claim = |size: &str| {
        json!({"spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": size}},
        }})
    };
    let path = ["spec", "resources", "requests", "storage"];
    let made = on.apply(&target, claim("2048Mi")).await;
    assert_eq!(made.str_at(&path), Some("2Gi"));
    // The same amount in other words is the same, and conflicts with nobody.
    let again = on.apply(&target, claim("2097152Ki")).await;
    assert_eq!(again.str_at(&path), Some("2Gi"));
    let other = on
        .apply_as(
            "other",
            &target,
            json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
            "",
        )
        .await;
    assert_eq!(other.done().str_at(&path), Some("2Gi"));
    for (given, expected) in [("0.5", "500m"), ("1500m", "1500m"), ("1000m", "1"), ("1e3", "1e3")] {
        let target = on.target(ResourceKind::stateful_set(), "web");
        let mut set = stateful_set(0);
        set["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": given}});
        let set = on.apply(&target, set).await;
        let container = &set.list_at(&["spec", "template", "spec", "containers"])[0];
        assert_eq!(container["resources"]["requests"]["cpu"], expected, "{given}");
    }
}

async fn ports_may_be_numbers_or_names(on: Backend) {
    let target = on.target(ResourceKind::service(), "web");
    let service =
        |port: Value| json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": port}]}});
    for port in [json!(8080), json!("http"), json!(80)] {
        let made = on.apply(&target, service(port.clone())).await;
        assert_eq!(made.list_at(&["spec", "ports"])[0]["targetPort"], port);
        let again = on.apply(&target, service(port)).await;
        assert_eq!(made.resource_version(), again.resource_version());
    }
    let port = json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let defaulted = on.apply(&target, port).await;
    assert_eq!(defaulted.list_at(&["spec", "ports"])[0]["targetPort"], 80);
}

async fn defaults_are_not_owned(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let set = on.apply(&target, stateful_set(0)).await;
    assert_eq!(set.str_at(&["spec", "podManagementPolicy"]), Some("OrderedReady"));
    assert_eq!(set.str_at(&["spec", "updateStrategy", "type"]), Some("RollingUpdate"));
    assert_eq!(
        set.at(&["spec", "persistentVolumeClaimRetentionPolicy"]),
        Some(&json!({"whenDeleted": "Retain", "whenScaled": "Retain"}))
    );
    let ours = applied(&set, "moorline");
    assert!(ours.pointer("/f:spec/f:podManagementPolicy").is_none(), "{ours}");
    // So another may set one without a conflict.
    let other = json!({"spec": {"minReadySeconds": 3}});
    on.apply_as("other", &target, other, "").await.done();
}

async fn a_field_that_the_kind_lacks_is_named(on: Backend) {
    let target = on.target(ResourceKind::stateful_set(), "web");
    let mut typo = stateful_set(0);
    typo["spec"]["replica"] = json!(3);
    let refused = on.try_apply(&target, typo, ApplyOptions::default()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    assert!(
        refused.message.contains(".spec.replica: field not declared in schema"),
        "{refused}"
    );
}

async fn an_absent_namespace_is_named(on: Backend) {
    let mut target = on.target(config_map(), "map");
    target.namespace = Some(on.own("absent"));
    let refused = on
        .try_apply(&target, json!({}), ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    assert_eq!(
        refused.message,
        format!("namespaces \"{}\" not found", on.own("absent"))
    );
}

async fn the_uid_of_another_life_is_refused(on: Backend) {
    let target = on.target(config_map(), "map");
    let with_uid = json!({"metadata": {"uid": ANOTHER_UID}});
    let refused = on
        .try_apply(&target, with_uid.clone(), ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
    assert!(!on.exists(&target).await);
    on.apply(&target, json!({})).await;
    let refused = on
        .try_apply(&target, with_uid, ApplyOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Stale, "{refused}");
}

/// Creates as `kubectl apply` without `--server-side` does: a plain creation, and the manifest in an annotation.
async fn create_as_kubectl(on: &Backend, resource: ResourceKind, name: &str, fields: &Value) {
    let target = on.target(resource, name);
    let mut object = on.manifest(&target, fields.clone());
    let text = object.clone().into_value().to_string();
    object.set(
        &[
            "metadata",
            "annotations",
            "kubectl.kubernetes.io/last-applied-configuration",
        ],
        json!(text),
    );
    let path = format!("{}?fieldManager=kubectl-client-side-apply", on.here(&target.resource));
    on.send(Request::post(path, object.into_value())).await.done();
}

async fn what_kubectl_created_is_taken_over_where_it_agrees(on: Backend) {
    create_as_kubectl(&on, ResourceKind::stateful_set(), "web", &stateful_set(0)).await;
    let target = on.target(ResourceKind::stateful_set(), "web");
    on.apply(&target, stateful_set(0)).await;
    // A value of ours that is not kubectl's is a conflict.
    let refused = on
        .try_apply(&target, stateful_set(1), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &refused.kind else {
        panic!("{refused:?}")
    };
    let found: Vec<_> = conflicts.iter().map(|found| (&*found.owner, &*found.field)).collect();
    assert_eq!(
        found,
        [("\"kubectl-client-side-apply\" using apps/v1", ".spec.replicas")]
    );
}

/// `volumeClaimTemplates` is one field, and what the server added to it by default is not in the manifest.
async fn what_kubectl_created_with_claim_templates_conflicts(on: Backend) {
    let class = on.class("Immediate").await;
    let set = stateful_set_with_claims(0, &class);
    create_as_kubectl(&on, ResourceKind::stateful_set(), "web", &set).await;
    let target = on.target(ResourceKind::stateful_set(), "web");
    let refused = on
        .try_apply(&target, set.clone(), ApplyOptions::default())
        .await
        .unwrap_err();
    let ErrorKind::FieldConflicts(conflicts) = &refused.kind else {
        panic!("{refused:?}")
    };
    let found: Vec<_> = conflicts.iter().map(|found| (&*found.owner, &*found.field)).collect();
    assert_eq!(
        found,
        [(
            "\"kubectl-client-side-apply\" using apps/v1",
            ".spec.volumeClaimTemplates"
        )]
    );
    // Nothing is changed by taking it: what is immutable is the same after defaulting.
    let taken = on.try_apply(&target, set, FORCE).await.unwrap().object;
    assert_eq!(taken.i64_at(&["metadata", "generation"]), Some(1));
}
