//! In which order things are applied, and what waits for which claims.

use moorline_api::{Gvk, ObjectRef, ResourceKind};
use serde_json::{Value, json};

use super::*;
use crate::fakes::object;

fn plan(api_version: &str, kind: &str, name: &str, spec: &Value) -> ObjectPlan {
    let kind = ResourceKind {
        gvk: Gvk::new(api_version, kind),
        plural: format!("{}s", kind.to_lowercase()),
        ..ResourceKind::stateful_set()
    };
    let object = object(json!({"apiVersion": api_version, "kind": kind.gvk.kind, "spec": spec}));
    ObjectPlan {
        target: ObjectRef::new(kind, "default", name),
        action: ObjectAction::Create,
        object,
        force: false,
        live: None,
    }
}

fn claim(namespace: &str, name: &str, set: Option<&str>) -> ClaimPlan {
    ClaimPlan {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        set: set.map(str::to_owned),
        action: ClaimAction::Create,
        persistent_volume: String::new(),
        class: String::new(),
        volume: None,
        monthly_usd: None,
        object: None,
        storage: None,
    }
}

#[test]
fn a_set_waits_for_its_own_claims_only() {
    let db = |kind: &str, name: &str| plan("apps/v1", kind, name, &json!({}));
    let of_db = claim("default", "data-db-0", Some("db"));
    assert!(needs(&db("StatefulSet", "db"), &of_db));
    assert!(!needs(&db("StatefulSet", "cache"), &of_db));
    assert!(!needs(&db("Deployment", "db"), &of_db));
    assert!(!needs(
        &db("StatefulSet", "db"),
        &claim("other", "data-db-0", Some("db"))
    ));
}

#[test]
fn whatever_makes_pods_waits_for_the_claims_that_they_mount() {
    let pod = |claim: &str| json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]});
    let template = |claim: &str| json!({"template": {"spec": pod(claim)}});
    let shared = claim("default", "shared", None);
    for (api_version, kind, spec) in [
        ("apps/v1", "Deployment", template("shared")),
        ("apps/v1", "StatefulSet", template("shared")),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": template("shared")}}),
        ),
        ("v1", "Pod", pod("shared")),
    ] {
        let workload = plan(api_version, kind, "w", &spec);
        assert!(needs(&workload, &shared), "{kind}");
        assert!(!needs(&workload, &claim("other", "shared", None)), "{kind}");
    }
    assert!(!needs(
        &plan("apps/v1", "Deployment", "w", &template("another")),
        &shared
    ));
}

#[test]
fn workloads_come_last_and_what_others_live_in_first() {
    let of = |kind: &str| wave(&plan("v1", kind, "x", &json!({})));
    assert!(of("Namespace") == Wave::Foundation && of("CustomResourceDefinition") == Wave::Foundation);
    assert!(of("ConfigMap") == Wave::Object && of("Service") == Wave::Object);
    assert!(of("RoleBinding") == Wave::Binding && of("ClusterRoleBinding") == Wave::Binding);
    for kind in [
        "Pod",
        "StatefulSet",
        "Deployment",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "CronJob",
    ] {
        assert!(of(kind) == Wave::Workload, "{kind}");
    }
}
