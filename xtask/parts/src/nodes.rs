//! Three nodes in name only, one in each of the zones that the tutorials use.

use serde_json::{Value, json};

/// The zones, each with one node.
pub(crate) const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

const REGION: &str = "us-east-1";

/// The nodes as the EBS CSI driver and the AWS cloud controller would label them.
pub(crate) fn list() -> Value {
    let items: Vec<Value> = ZONES.iter().map(|zone| node(zone)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn node(zone: &str) -> Value {
    let letter = zone.trim_start_matches(REGION);
    let name = format!("node-{letter}");
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "2000"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "m5.16xlarge",
                "topology.ebs.csi.aws.com/zone": zone,
                "topology.kubernetes.io/region": REGION,
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": {"providerID": format!("aws:///{zone}/i-0000000000000000{letter}")},
        "status": {"allocatable": room, "capacity": room},
    })
}
