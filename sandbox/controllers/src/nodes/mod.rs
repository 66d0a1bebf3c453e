//! The simulated nodes: one in each zone, always ready.

mod furnishings;
mod machines;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CSI_NODES, KUBELET, NODES};
use crate::object::{label, list, name, text, time};
use crate::storage::driver::Driver;
use machines::Machine;

/// The label of the zone, on nodes and in the affinity of volumes.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
/// The same in the own words of the driver of EBS.
pub(crate) const EBS_ZONE: &str = "topology.ebs.csi.aws.com/zone";
/// The same in the own words of the driver of Azure's disks.
pub(crate) const DISK_ZONE: &str = "topology.disk.csi.azure.com/zone";

/// Makes the nodes, what their drivers say of them, and what a fresh cluster comes with, where they are missing.
pub(crate) fn ensure(cluster: &Cluster) -> Outcome {
    for (index, machine) in machines::all(cluster).iter().enumerate() {
        if cluster.get(NODES, "", &machine.node).is_none() {
            let made = cluster.api.create(NODES, machine.node(index), KUBELET)?;
            let status = status(machine, &time(cluster.now()));
            cluster.change_status(NODES, &made, KUBELET, |live| live["status"] = status)?;
        }
        if cluster.get(CSI_NODES, "", &machine.node).is_none() {
            let drivers = Driver::of_cloud(cluster.settings.cloud).iter();
            let drivers: Vec<Value> = drivers.map(|driver| machine.registration(*driver)).collect();
            let object = json!({"metadata": {"name": machine.node}, "spec": {"drivers": drivers}});
            cluster.api.create(CSI_NODES, object, KUBELET)?;
        }
    }
    furnishings::ensure(cluster)
}

/// The EC2 instance behind a node object, from its provider id `aws:///<zone>/<instance>`.
pub(crate) fn instance_of(node: &Value) -> &str {
    text(node, "/spec/providerID").rsplit('/').next().unwrap_or_default()
}

/// The id of the virtual machine behind a node object, from its provider id `azure://<id>`; made up for other nodes.
pub(crate) fn machine_of(node: &Value) -> String {
    match text(node, "/spec/providerID").strip_prefix("azure://") {
        Some(id) => id.to_owned(),
        None => format!("/virtualMachines/{}", name(node)),
    }
}

pub(crate) fn zone_of(node: &Value) -> &str {
    label(node, ZONE)
}

/// The node's own address.
pub(crate) fn address_of(node: &Value) -> &str {
    let addresses = list(node, "/status/addresses").iter();
    let mut internal = addresses.filter(|address| address["type"] == "InternalIP");
    internal
        .next()
        .map(|address| text(address, "/address"))
        .unwrap_or_default()
}

fn status(machine: &Machine, now: &Value) -> Value {
    let resources = json!({"cpu": "32", "memory": "128Gi", "ephemeral-storage": "120Gi", "pods": "1000"});
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    json!({
        "addresses": [
            {"type": "InternalIP", "address": machine.address},
            {"type": "InternalDNS", "address": machine.host_name}, {"type": "Hostname", "address": machine.node},
        ],
        "capacity": resources, "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "sandbox://1", "kernelVersion": "6.12.0",
            "kubeProxyVersion": "", "kubeletVersion": "v1.36.3", "machineID": "", "operatingSystem": "linux",
            "osImage": "moorline sandbox", "systemUUID": "",
        },
    })
}

/// Whether a node fits one term of a node selector: labels by `matchExpressions`, the name by `matchFields`.
pub(crate) fn fits_term(node: &Value, term: &Value) -> bool {
    let labels = list(term, "/matchExpressions").iter().all(|wanted| {
        let labels = node.pointer("/metadata/labels");
        fits(
            labels
                .and_then(|labels| labels.get(text(wanted, "/key")))
                .and_then(Value::as_str),
            wanted,
        )
    });
    let fields = list(term, "/matchFields").iter();
    let mut fields = fields.map(|wanted| text(wanted, "/key") == "metadata.name" && fits(Some(name(node)), wanted));
    labels && fields.all(|fits| fits)
}

fn fits(value: Option<&str>, wanted: &Value) -> bool {
    let values = list(wanted, "/values");
    let among = || values.iter().any(|one| one.as_str() == value);
    let bound = || {
        Some((
            value?.parse::<i64>().ok()?,
            values.first()?.as_str()?.parse::<i64>().ok()?,
        ))
    };
    match text(wanted, "/operator") {
        "In" => value.is_some() && among(),
        "NotIn" => value.is_none() || !among(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => bound().is_some_and(|(value, bound)| value > bound),
        "Lt" => bound().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// Whether a node fits a `nodeSelectorTerms` list; no terms at all means every node.
pub(crate) fn fits_selector(node: &Value, selector: Option<&Value>) -> bool {
    selector.is_none_or(|selector| {
        list(selector, "/nodeSelectorTerms")
            .iter()
            .any(|term| fits_term(node, term))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_every_operator() {
        let node = json!({"metadata": {"name": "node-a", "labels": {"zone": "us-east-1a", "slots": "5"}}});
        for (operator, key, values, expected) in [
            ("In", "zone", json!(["us-east-1a", "us-east-1b"]), true),
            ("In", "zone", json!(["us-east-1c"]), false),
            ("NotIn", "zone", json!(["us-east-1a"]), false),
            ("NotIn", "disk", json!(["ssd"]), true),
            ("Exists", "zone", json!([]), true),
            ("DoesNotExist", "zone", json!([]), false),
            ("Gt", "slots", json!(["4"]), true),
            ("Lt", "slots", json!(["4"]), false),
        ] {
            let term = json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
            assert_eq!(fits_term(&node, &term), expected, "{operator} {key}");
        }
        assert!(fits_term(
            &node,
            &json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-a"]}]})
        ));
        assert!(fits_selector(&node, None));
        assert!(!fits_selector(&node, Some(&json!({"nodeSelectorTerms": []}))));
    }
}
