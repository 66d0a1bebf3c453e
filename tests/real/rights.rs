//! A user who lacks a right is told which before anything is changed.

use crate::clouds::Cloud;
use crate::stage::Stage;

const STATEFUL: &str = "profiles/aws-nginx-stateful";

/// The role of `docs/real-cluster.md`, which `documents` shows to be enough.
fn role() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/real-cluster.md");
    let text = std::fs::read_to_string(path).unwrap();
    let block = text
        .split("```yaml\n")
        .find(|block| block.contains("kind: ClusterRole\n"));
    block.unwrap().split("```").next().unwrap().to_owned()
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_missing_right_is_told_before_anything_is_changed() {
    let stage = Stage::shared(Cloud::Moto);
    for (rule, without, missing) in [
        (
            "resources: [persistentvolumes]\n    verbs: [get, list, create, patch, delete]",
            "resources: [persistentvolumes]\n    verbs: [get, list, patch, delete]",
            "create",
        ),
        (
            "resources: [persistentvolumeclaims, services]\n    verbs: [get, list, watch, create, patch, delete]",
            "resources: [persistentvolumeclaims, services]\n    verbs: [get, list, watch]",
            "patch",
        ),
        (
            "resources: [deployments, statefulsets]\n    verbs: [get, list, watch, create, patch, delete]",
            "resources: [deployments]\n    verbs: [get]",
            "statefulsets",
        ),
        (
            "resources: [leases]\n    verbs: [get, watch, create, patch, delete]",
            "resources: [leases]\n    verbs: [get, watch]",
            "create",
        ),
    ] {
        assert!(role().contains(rule), "the document has changed: {rule}");
        let role = role().replace(rule, without);
        let kubeconfig = stage.restricted(&role, "moorline");
        let mut up = stage.moorline(&format!("up {STATEFUL}"));
        let up = crate::support::Run::of("up", &up.env("KUBECONFIG", kubeconfig).output().unwrap()).exits(3);
        assert!(
            up.errors().iter().all(|error| error.contains("moorline")),
            "{}",
            up.stderr
        );
        assert!(up.stderr.contains(missing), "{}", up.stderr);
        assert_eq!(stage.names("pvc,pv,statefulset,storageclass"), [""; 0], "{missing}");
        assert!(stage.account.volumes("aws-nginx-stateful").is_empty());
        stage.remove(&role);
    }
}
