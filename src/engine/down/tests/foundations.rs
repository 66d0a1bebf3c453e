//! Objects, load balancers and namespaces: what goes when, and what stays because something lives in it.

use std::time::Duration;

use moorline_api::{ErrorKind, Gvk, LoadBalancer, LoadBalancerKind, ResourceKind, Swept};
use serde_json::{Value, json};

use super::*;
use crate::fakes::{applied, served};
use crate::names;

const MANIFESTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: ebs.csi.aws.com
parameters: {type: gp3}
";

fn shop() -> Profile {
    profile("", MANIFESTS)
}

fn namespace() -> Value {
    applied(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "uid-shop"}}))
}

fn service() -> Value {
    applied(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": "front", "uid": "uid-front"},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"hostname": "Front-1.eu-west-1.elb.amazonaws.com"}]}},
    }))
}

fn class() -> Value {
    applied(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast", "uid": "uid-fast"},
        "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Delete",
    }))
}

fn balancer(hostname: &str, name: &str) -> LoadBalancer {
    LoadBalancer {
        id: name.to_owned(),
        name: name.to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: hostname.to_owned(),
        scheme: "internet-facing".to_owned(),
        state: String::new(),
        created: None,
        tags: moorline_api::Tags::new(),
    }
}

fn whole() -> Stage {
    let stage = stage();
    for object in [namespace(), service(), class()] {
        stage.cluster.add(object);
    }
    stage.cloud.with(|cloud| {
        let host = "front-1.eu-west-1.elb.amazonaws.com";
        cloud.balancers = vec![balancer(host, "front"), balancer("other.elb.amazonaws.com", "other")];
    });
    stage
}

/// Where in the order of changes something was deleted.
fn at(stage: &Stage, what: &str) -> usize {
    let changes = stage.script.changes();
    let found = changes
        .iter()
        .position(|call| call.starts_with(&format!("delete {what}")));
    found.unwrap_or_else(|| panic!("{what} is not among {changes:?}"))
}

#[tokio::test]
async fn workloads_go_first_then_volumes_then_objects_and_foundations_last() {
    let stage = whole();
    let cloud = stage.cloud.clone();
    stage.script.before("!delete services", move || {
        cloud.with(|cloud| cloud.balancers.retain(|balancer| balancer.name != "front"));
    });
    let outcome = down(&stage, &shop()).await.unwrap();
    assert!(outcome.remaining.is_empty() && outcome.kept.is_empty(), "{outcome:?}");
    let order = [
        "services",
        "persistentvolumeclaims",
        "volume",
        "persistentvolumes",
        "storageclasses",
        "namespaces",
    ];
    let places: Vec<usize> = order.iter().map(|what| at(&stage, what)).collect();
    assert!(places.is_sorted(), "{:?}", stage.script.changes());
    assert!(at(&stage, "statefulsets") < at(&stage, "persistentvolumeclaims"));
    assert!(whats(&outcome.gone).contains(&"load balancer front"));
}

#[tokio::test]
async fn a_load_balancer_that_stays_is_said_and_only_the_services_own_is_waited_for() {
    let mut stage = whole();
    stage.timeout = Duration::from_millis(100);
    let plan = planned(&stage, &shop()).await;
    let named: Vec<&str> = plan.load_balancers.iter().map(|balancer| &*balancer.name).collect();
    assert_eq!(named, ["front"]);
    let outcome = execute_down(&stage.context(), &shop(), plan).await.unwrap();
    assert_eq!(whats(&outcome.remaining), ["load balancer front"]);
    assert_eq!(outcome.remaining[0].why, "still listed by the cloud");
}

#[tokio::test]
async fn a_load_balancer_whose_service_stays_is_not_waited_for() {
    let stage = whole();
    stage.script.refuse("!delete services", ErrorKind::Internal);
    let outcome = down(&stage, &shop()).await.unwrap();
    let balancer = outcome.remaining.iter().find(|fate| fate.what == "load balancer front");
    assert_eq!(balancer.unwrap().why, "services default/front is still there");
}

#[tokio::test]
async fn while_a_workload_stays_nothing_that_its_pods_may_use_goes() {
    let stage = whole();
    let cloud = stage.cloud.clone();
    stage.script.before("!delete services", move || {
        cloud.with(|cloud| cloud.balancers.retain(|balancer| balancer.name != "front"));
    });
    stage.script.refuse("!delete statefulsets.apps", ErrorKind::Internal);
    let outcome = down(&stage, &shop()).await.unwrap();
    let mut deleted = stage.script.changes();
    deleted.retain(|change| change.starts_with("delete"));
    assert_eq!(deleted, ["delete services default/front"]);
    assert_eq!(
        whats(&outcome.remaining),
        [
            "namespaces shop",
            "persistentvolumeclaims default/data-db-0",
            "statefulsets.apps default/db",
            "storageclasses.storage.k8s.io fast",
        ]
    );
    let why = "statefulsets.apps default/db is still there, and may use it";
    assert_eq!(outcome.remaining[1].why, why);
    assert!(whats(&outcome.gone).contains(&"load balancer front"));
    assert!(stage.cloud.has("vol-0") && stage.cluster.has("PersistentVolumeClaim", "data-db-0"));
}

#[tokio::test]
async fn a_load_balancer_that_cannot_be_looked_at_is_not_called_gone() {
    let stage = whole();
    let plan = planned(&stage, &shop()).await;
    stage.script.refuse("list load balancers", ErrorKind::Unreachable);
    let outcome = execute_down(&stage.context(), &shop(), plan).await.unwrap();
    assert!(outcome.remaining[0].why.contains("its state is unknown"), "{outcome:?}");
    assert!(
        plan_down(&stage.context(), &shop()).await.is_ok(),
        "its Service is gone"
    );
}

#[tokio::test]
async fn load_balancers_that_cannot_be_listed_stop_the_plan() {
    let stage = whole();
    stage.script.refuse("list load balancers", ErrorKind::Forbidden);
    assert!(plan_down(&stage.context(), &shop()).await.is_err());
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": name, "uid": name}})
}

/// What becomes of namespace `shop` when this is in it.
async fn emptied(inside: Vec<Value>) -> (bool, String) {
    let stage = Stage::new();
    let measured = ResourceKind {
        verbs: vec!["list".to_owned()],
        ..custom("PodMetrics", "podmetrics", "metrics.k8s.io/v1", true)
    };
    stage.cluster.with(|state| state.custom.push(measured));
    stage.cluster.add(namespace());
    for object in inside {
        stage.cluster.add(object);
    }
    let outcome = down(&stage, &shop()).await.unwrap();
    let why = outcome
        .kept
        .iter()
        .chain(&outcome.remaining)
        .map(|fate| fate.why.clone());
    (
        !stage.cluster.has("Namespace", "shop"),
        why.collect::<Vec<_>>().join("; "),
    )
}

#[tokio::test]
async fn a_namespace_goes_only_when_nothing_of_others_would_go_with_it() {
    assert!(emptied(vec![]).await.0);
    let mut event = config_map("e");
    event["kind"] = json!("Event");
    assert!(emptied(vec![config_map("kube-root-ca.crt"), event]).await.0);
    let mut elsewhere = config_map("settings");
    elsewhere["metadata"]["namespace"] = json!("other");
    assert!(emptied(vec![elsewhere]).await.0);
    let (gone, why) = emptied(["a", "b", "c", "d"].map(config_map).into()).await;
    assert!(!gone);
    assert_eq!(why, "it still holds configmaps a, configmaps b, configmaps c");
    let of_kind = |kind: &str, name: &str| {
        let mut object = config_map(name);
        object["kind"] = json!(kind);
        object
    };
    assert!(emptied(vec![of_kind("ServiceAccount", "default")]).await.0);
    assert!(!emptied(vec![of_kind("ServiceAccount", "builder")]).await.0);
    assert!(!emptied(vec![config_map("default")]).await.0);
    // Measured, and not kept by anybody.
    assert!(emptied(vec![of_kind("PodMetrics", "p")]).await.0);
    // Of the name of what every namespace has, and of another kind.
    let mut secret = config_map("kube-root-ca.crt");
    secret["kind"] = json!("Secret");
    assert!(!emptied(vec![secret]).await.0);
}

#[tokio::test]
async fn a_namespace_stays_while_what_it_holds_is_not_known() {
    let stage = Stage::new();
    stage.cluster.add(namespace());
    let plan = planned(&stage, &shop()).await;
    stage
        .cluster
        .with(|state| state.unanswered = vec!["metrics.k8s.io/v1".to_owned()]);
    let outcome = execute_down(&stage.context(), &shop(), plan).await.unwrap();
    assert!(
        outcome.remaining[0].why.contains("metrics.k8s.io/v1 does not answer"),
        "{outcome:?}"
    );
    let stage = Stage::new();
    stage.cluster.add(namespace());
    let plan = planned(&stage, &shop()).await;
    stage.script.refuse("list configmaps shop", ErrorKind::Forbidden);
    let outcome = execute_down(&stage.context(), &shop(), plan).await.unwrap();
    assert!(outcome.remaining[0].why.contains("could not be read"), "{outcome:?}");
    assert!(stage.cluster.has("Namespace", "shop"));
}

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kites.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: kites, singular: kite, kind: Kite}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

fn custom(kind: &str, plural: &str, version: &str, namespaced: bool) -> ResourceKind {
    served(ResourceKind {
        gvk: Gvk::new(version, kind),
        plural: plural.to_owned(),
        namespaced,
        verbs: Vec::new(),
    })
}

fn definition() -> Stage {
    let stage = Stage::new();
    let kind = custom(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io/v1",
        false,
    );
    stage.cluster.with(|state| state.custom.push(kind));
    stage.cluster.add(applied(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "kites.example.com", "uid": "uid-kites"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "kites", "kind": "Kite"},
                 "versions": [{"name": "v0", "served": false}, {"name": "v1", "served": true}]},
    })));
    stage
}

#[tokio::test]
async fn a_definition_goes_only_when_nobody_has_objects_of_it() {
    let profile = || profile("externalClasses: [fast]\n", DEFINITION);
    let used = definition();
    used.cluster.add(json!({
        "apiVersion": "example.com/v1", "kind": "Kite", "metadata": {"namespace": "other", "name": "k", "uid": "k"},
    }));
    let outcome = down(&used, &profile()).await.unwrap();
    assert_eq!(outcome.kept[0].why, "it still holds kites.example.com k");
    assert!(used.cluster.has("CustomResourceDefinition", "kites.example.com"));
    let unused = definition();
    let outcome = down(&unused, &profile()).await.unwrap();
    assert!(outcome.kept.is_empty() && !unused.cluster.has("CustomResourceDefinition", "kites.example.com"));
    let crd = used
        .cluster
        .find("CustomResourceDefinition", "kites.example.com")
        .unwrap();
    let served = crate::down::served_by(&crd).unwrap();
    assert_eq!((&*served.gvk.version, served.namespaced), ("v1", true));
}

#[tokio::test]
async fn what_the_plan_keeps_and_notes_is_in_the_outcome() {
    let stage = whole();
    stage.cloud.with(|cloud| cloud.balancers.clear());
    let mut by_hand = service();
    by_hand["metadata"]["labels"] = json!({});
    by_hand["metadata"]["managedFields"] = json!([]);
    stage.cluster.add(by_hand);
    let mut plan = planned(&stage, &shop()).await;
    plan.notices.push("worth knowing".to_owned());
    let outcome = execute_down(&stage.context(), &shop(), plan).await.unwrap();
    assert_eq!(whats(&outcome.kept), ["services default/front"]);
    assert_eq!(outcome.notices, ["worth knowing"]);
}

#[tokio::test]
async fn a_profile_without_volumes_sweeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    std::fs::write(folder.path().join("profile.yaml"), "name: web\nprovider: {aws: {}}\n").unwrap();
    std::fs::write(folder.path().join("map.yaml"), map).unwrap();
    let profile = moorline_profile::load(folder.path(), &moorline_profile::Surroundings::default());
    let profile = profile.unwrap_or_else(|problems| panic!("{problems}"));
    let stage = Stage::new();
    down(&stage, &profile).await.unwrap();
    assert_eq!(stage.script.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_someone_else_made_or_another_profile_has_stays() {
    let stage = whole();
    let mut by_hand = service();
    by_hand["metadata"]["labels"] = json!({});
    by_hand["metadata"]["managedFields"] = json!([]);
    stage.cluster.add(by_hand);
    let mut anothers = namespace();
    anothers["metadata"]["labels"][names::PROFILE] = json!("other");
    stage.cluster.add(anothers);
    let plan = planned(&stage, &shop()).await;
    assert_eq!(whats(&plan.keeps), ["namespaces shop", "services default/front"]);
    assert!(plan.keeps[0].why.contains("belongs to profile other") && plan.keeps[1].why.contains("did not make it"));
    assert!(plan.load_balancers.is_empty(), "{plan:?}");
}

#[tokio::test]
async fn what_the_profile_no_longer_names_goes_too() {
    let stage = Stage::new();
    let made = |name: &str| {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": "default", "name": name, "uid": name},
        });
        applied(map)
    };
    stage.cluster.add(made("former"));
    // Beside what the profile names: one of the same kind, and one of the same name.
    let mut old_set = set(1);
    old_set["metadata"]["name"] = json!("old");
    stage.cluster.add(old_set);
    stage.cluster.add(made("db"));
    let mut copied = made("copied-by-a-controller");
    copied["metadata"]["managedFields"] = json!([]);
    stage.cluster.add(copied);
    stage.cluster.add(set(1));
    let plan = planned(&stage, &web()).await;
    let targets: Vec<String> = plan.objects.iter().map(|removal| removal.target.to_string()).collect();
    let expected = [
        "statefulsets.apps default/db",
        "statefulsets.apps default/old",
        "configmaps default/db",
        "configmaps default/former",
    ];
    assert_eq!(targets, expected);
    stage.script.refuse("list configmaps", ErrorKind::Forbidden);
    let plan = planned(&stage, &web()).await;
    assert!(
        plan.notices[0].starts_with("configmaps that the profile no longer names"),
        "{plan:?}"
    );
    let stage = Stage::new();
    stage.script.refuse("list configmaps", ErrorKind::Unreachable);
    assert!(plan_down(&stage.context(), &web()).await.is_err());
}

#[tokio::test]
async fn what_moorline_applied_is_its_own_though_somebody_took_the_label_off() {
    let stage = Stage::new();
    let mut unlabelled = set(1);
    unlabelled["metadata"]["labels"] = json!({});
    stage.cluster.add(unlabelled);
    let plan = planned(&stage, &web()).await;
    assert!(plan.keeps.is_empty() && plan.objects.len() == 1, "{plan:?}");
}

#[tokio::test]
async fn kinds_whose_server_does_not_answer_make_the_plan_incomplete() {
    let stage = Stage::new();
    let profile = profile(
        "externalClasses: [fast]\n",
        "apiVersion: example.com/v1\nkind: Kite\nmetadata: {name: k}\n",
    );
    let plan = planned(&stage, &profile).await;
    assert!(!plan.incomplete && plan.notices.is_empty(), "{plan:?}");
    stage
        .cluster
        .with(|state| state.unanswered = vec!["other.com/v1".to_owned()]);
    assert!(!planned(&stage, &profile).await.incomplete);
    stage
        .cluster
        .with(|state| state.unanswered = vec!["example.com/v1".to_owned()]);
    let plan = planned(&stage, &profile).await;
    assert!(
        plan.incomplete && plan.notices[0].contains("Kite k exists is unknown"),
        "{plan:?}"
    );
    assert!(plan.notices[1].contains("example.com/v1"));
}

#[tokio::test]
async fn a_class_that_other_claims_name_stays() {
    let stage = whole();
    let kept = async |stage: &Stage| {
        let plan = planned(stage, &shop()).await;
        let is_class = |what: &str| what == "storageclasses.storage.k8s.io fast";
        let goes = plan.objects.iter().any(|removal| is_class(&removal.target.to_string()));
        let keep = plan.keeps.into_iter().find(|keep| is_class(&keep.what));
        assert_ne!(goes, keep.is_some());
        assert!(
            plan.objects.iter().any(|removal| removal.target.name == "front"),
            "what is no class goes"
        );
        keep.map(|keep| keep.why)
    };
    assert_eq!(kept(&stage).await, None);
    let mut other = claim("other");
    other["metadata"]["labels"] = json!({});
    other["spec"]["storageClassName"] = json!("slow");
    stage.cluster.add(other.clone());
    assert_eq!(kept(&stage).await, None);
    other["spec"]["storageClassName"] = json!("fast");
    stage.cluster.add(other);
    assert_eq!(kept(&stage).await.as_deref(), Some("claim default/other uses it"));
    stage
        .script
        .refuse("list persistentvolumeclaims *", ErrorKind::Forbidden);
    assert!(kept(&stage).await.unwrap().contains("could not be read"));
    let stage = whole();
    stage
        .script
        .refuse("list persistentvolumeclaims *", ErrorKind::Internal);
    assert!(plan_down(&stage.context(), &shop()).await.is_err());
}

#[tokio::test]
async fn a_class_that_other_claims_name_stays_though_nothing_else_is_left() {
    let stage = Stage::new();
    stage.cluster.add(class());
    let mut other = claim("other");
    other["metadata"]["labels"] = json!({});
    stage.cluster.add(other);
    let plan = planned(&stage, &shop()).await;
    assert!(plan.objects.is_empty(), "{plan:?}");
    assert_eq!(plan.keeps[0].why, "claim default/other uses it");
}

#[tokio::test]
async fn what_held_the_volumes_is_swept_and_named() {
    let stage = stage();
    let swept = |what: &str, gone| Swept {
        what: what.to_owned(),
        gone,
        why: "said so".to_owned(),
    };
    stage
        .cloud
        .with(|cloud| cloud.swept = vec![swept("account a", true), swept("account b", false)]);
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(whats(&outcome.gone).contains(&"account a"));
    assert_eq!(whats(&outcome.kept), ["account b"]);
    stage.script.refuse("!sweep", ErrorKind::Unreachable);
    let outcome = down(&stage, &web()).await.unwrap();
    assert_eq!(whats(&outcome.remaining), ["what held the volumes"]);
}
