//! What is kept of objects.

use super::*;

#[test]
fn only_zones_that_a_persistent_volume_asks_for_are_its_zones() {
    let zones = |key: &str, operator: &str| {
        let mut pv = pv("a");
        let expression = json!({"key": key, "operator": operator, "values": ["us-east-1a"]});
        pv["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"] = json!([expression]);
        let rules: Vec<Arc<dyn moorline_api::StorageRules>> = vec![Arc::new(EbsRules)];
        Pv::of(&object(pv), &rules).zones
    };
    assert_eq!(zones("topology.kubernetes.io/zone", "In"), ["us-east-1a"]);
    assert_eq!(zones("topology.kubernetes.io/zone", "NotIn"), [""; 0]);
    assert_eq!(zones("kubernetes.io/hostname", "In"), [""; 0]);
}

#[test]
fn a_pod_waits_until_it_runs_or_is_ready() {
    let waits = |phase: &str, ready: &str| {
        let mut pod = pod("a");
        let conditions = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}]);
        pod["status"] = json!({"phase": phase, "conditions": conditions});
        Pod::of(&object(pod)).unwrap().waits.is_some()
    };
    assert!(waits("Pending", "False"));
    assert!(!waits("Pending", "True") && !waits("Running", "False") && !waits("Running", "True"));
}

#[test]
fn a_pod_uses_the_claims_that_it_names_and_those_that_are_made_for_it() {
    let mut pod = pod("a");
    let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
    volumes.push(json!({"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}));
    volumes.push(json!({"name": "config", "configMap": {"name": "c"}}));
    assert_eq!(Pod::of(&object(pod)).unwrap().claims, ["a", "p-scratch"]);
}

#[test]
fn a_set_that_is_deleted_or_has_no_claims_wants_none() {
    let set = |metadata: Value, templates: Value| {
        let spec = json!({"replicas": 1, "volumeClaimTemplates": templates});
        Set::of(&object(json!({"metadata": metadata, "spec": spec}))).is_some()
    };
    let (alive, data) = (json!({"name": "web"}), json!([{"metadata": {"name": "data"}}]));
    let leaving = json!({"name": "web", "deletionTimestamp": "2026-11-22T00:00:00Z"});
    assert!(set(alive.clone(), data.clone()));
    assert!(!set(alive, json!([])) && !set(leaving, data));
}
