//! The values that the real server fills in where a client leaves them out, so that what is stored, what an apply
//! compares with, and what `kubectl diff` shows agree.

mod pod;
mod service;
mod storage;
mod workload;

use serde_json::{Value, json};

use crate::object::{child, default_text, default_to, entries, items_mut};
use crate::registry::Kind;

/// The status that a new object starts with; what the client sent there is dropped.
pub(crate) fn reset_status(kind: &Kind, object: &mut Value) {
    let status = match &*kind.id {
        "pods" | "persistentvolumeclaims" | "persistentvolumes" => json!({"phase": "Pending"}),
        "namespaces" => json!({"phase": "Active"}),
        "services" | "ingresses.networking.k8s.io" => json!({"loadBalancer": {}}),
        "statefulsets.apps" => json!({"replicas": 0, "availableReplicas": 0}),
        "replicasets.apps" | "replicationcontrollers" => json!({"replicas": 0}),
        "deployments.apps" | "jobs.batch" | "cronjobs.batch" => json!({}),
        "daemonsets.apps" => {
            json!({"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0})
        }
        "volumeattachments.storage.k8s.io" => json!({"attached": false}),
        "poddisruptionbudgets.policy" => {
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0})
        }
        // A kubelet registers its node with a status.
        "nodes" => return,
        _ if kind.status => {
            entries(object).remove("status");
            return;
        }
        _ => return,
    };
    object["status"] = status;
}

/// Fills in the defaults of a kind.
pub(crate) fn fill(kind: &Kind, object: &mut Value) {
    match &*kind.id {
        "pods" => pod::pod(object),
        "statefulsets.apps" => workload::stateful_set(object),
        "deployments.apps" => workload::deployment(object),
        "replicasets.apps" => workload::replica_set(object),
        "replicationcontrollers" => workload::replication_controller(object),
        "daemonsets.apps" => workload::daemon_set(object),
        "jobs.batch" => workload::job(object),
        "cronjobs.batch" => workload::cron_job(object),
        "services" => service::service(object),
        "persistentvolumeclaims" => storage::claim(object),
        "persistentvolumes" => storage::volume(object),
        "storageclasses.storage.k8s.io" => storage::class(object),
        "csidrivers.storage.k8s.io" => storage::driver(object),
        // A generated name comes too late for a default.
        "namespaces" if object["metadata"].get("generateName").is_none() => {
            let name = object["metadata"]["name"].clone();
            child(child(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
        }
        "secrets" => {
            default_text(object, "type", "Opaque");
            fold_string_data(object);
        }
        "networkpolicies.networking.k8s.io" => {
            let spec = child(object, "spec");
            let egress = spec.get("egress").is_some();
            default_to(
                spec,
                "policyTypes",
                if egress {
                    json!(["Ingress", "Egress"])
                } else {
                    json!(["Ingress"])
                },
            );
        }
        "endpoints" => {
            for subset in items_mut(object, "subsets") {
                for port in items_mut(subset, "ports") {
                    default_text(port, "protocol", "TCP");
                }
            }
        }
        "endpointslices.discovery.k8s.io" => {
            for port in items_mut(object, "ports") {
                default_text(port, "protocol", "TCP");
                default_to(port, "name", "");
            }
        }
        _ => {}
    }
}

/// `stringData` is write-only: it ends up in `data`.
fn fold_string_data(secret: &mut Value) {
    use base64::Engine as _;
    let Some(Value::Object(plain)) = entries(secret).remove("stringData") else {
        return;
    };
    for (key, value) in plain {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        child(secret, "data")[key.as_str()] = Value::from(encoded);
    }
}
