//! What a network load balancer leaves behind goes with it: its target groups.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::{World, eventually};

const SERVICES: &str = "/api/v1/namespaces/default/services/web";
const NAME: &str = "k8s-default-web-";

impl Stage {
    /// A Service with a network load balancer of two ports, whose controller never heard of its deletion.
    fn forgotten_balancer() -> Self {
        let world = World::instant();
        let stage = Self {
            sandbox: world.serve(),
            world,
        };
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "web", "namespace": "default",
                "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "external"},
            },
            "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}]},
        });
        stage.sandbox.apply("kubectl", SERVICES, &service);
        eventually("it has an address", || {
            !stage.sandbox.get(SERVICES)["status"]["loadBalancer"]["ingress"].is_null()
        });
        // The controller would come to it in a while, if somebody did not take its finalizer off.
        let in_a_while = |settings: &mut Value| settings["controllers"]["load_balancer_millis"] = json!(600_000);
        stage.world.configure(in_a_while);
        stage.sandbox.delete(SERVICES);
        stage
            .sandbox
            .merge(SERVICES, &json!({"metadata": {"finalizers": null}}));
        stage
    }
}

/// The leftovers of a report whose names begin so, by what they are: each with its action.
fn actions(report: &Value, sort: &str) -> Vec<Value> {
    let all = report["leftovers"].as_array().unwrap();
    let of_sort = all.iter().filter(|one| one["resource"].get(sort).is_some());
    of_sort.map(|one| one["action"].clone()).collect()
}

#[test]
fn target_groups_of_a_deleted_load_balancer_go_with_it() {
    let stage = Stage::forgotten_balancer();
    let gc = |line: &str| stage.gc(line).succeeds();
    let dry = gc("-o json").json();
    assert_eq!(actions(&dry, "load-balancer"), [json!("mark")], "{dry}");
    assert_eq!(actions(&dry, "target-group"), [json!("mark"), json!("mark")], "{dry}");
    stage.apply();
    stage.grace_passes();
    let dry = gc("").stdout;
    assert_eq!(dry.matches("target group k8s-").count(), 2, "{dry}");
    assert!(dry.contains(&format!("load balancer {NAME}")), "{dry}");
    let report = stage.apply();
    assert_eq!(actions(&report, "load-balancer"), [json!("gone")], "{report}");
    assert_eq!(
        actions(&report, "target-group"),
        [json!("gone"), json!("gone")],
        "{report}"
    );
    assert_eq!(report["saved"]["count"], 3, "{report}");
    let audit = stage.world.audit();
    assert_eq!(
        audit.count("DeleteTargetGroup", "changed"),
        2,
        "{}",
        audit.with("calls")
    );
    let after = gc("-o json").json();
    assert_eq!(after["leftovers"], json!([]), "{after}");
}
