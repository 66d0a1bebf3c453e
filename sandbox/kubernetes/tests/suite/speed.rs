//! Rough bounds on speed in a debug build: what 300 replicas and 1,000 claims cost must stay far from seconds.

use std::time::Instant;

use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings};
use serde_json::json;

#[test]
fn a_thousand_claims_are_made_and_bound_quickly() {
    let server = ApiServer::open(World::new(Journal::in_memory()).unwrap(), ApiSettings::default()).unwrap();
    let start = Instant::now();
    for index in 0..1000 {
        let claim = json!({"metadata": {"name": format!("data-web-{index}"), "namespace": "default", "labels": {"app": "web"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "10Gi"}}}});
        server.create("persistentvolumeclaims", claim, "moorline").unwrap();
    }
    let created = start.elapsed();
    for index in 0..1000 {
        let name = format!("data-web-{index}");
        server
            .modify(
                "persistentvolumeclaims",
                Some("default"),
                &name,
                Some("status"),
                "binder",
                |claim| {
                    claim["status"] =
                        json!({"phase": "Bound", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]});
                },
            )
            .unwrap();
    }
    let bound = start.elapsed();
    assert_eq!(server.list("persistentvolumeclaims", Some("default")).len(), 1000);
    assert!(bound.as_secs() < 20, "created in {created:?}, bound after {bound:?}");
}
