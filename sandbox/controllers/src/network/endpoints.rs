//! The addresses behind a Service, as Endpoints and as endpoint slices.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{ENDPOINTS, MANAGER, NODES, PODS, SERVICES, SLICES};
use crate::nodes::zone_of;
use crate::object::{controlled_by, is_deleting, labels_match, list, name, namespace, text, uid};
use crate::queue::Key;
use crate::workload::{has_ended, is_ready};

/// How many addresses a slice holds, and how many Endpoints list at all: the real controllers' limits.
const SLICE: usize = 100;
const MOST: usize = 1_000;

/// Whether a Service's selector selects a pod.
pub(crate) fn is_selected(service: &Value, pod: &Value) -> bool {
    labels_match(service.pointer("/spec/selector").and_then(Value::as_object), pod)
}

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(service) = cluster.get(SERVICES, &key.namespace, &key.name) else {
        return remove_endpoints(cluster, key);
    };
    if is_deleting(&service) || service.pointer("/spec/selector").is_none() {
        return Ok(());
    }
    let pods = cluster.api.scan(PODS, Some(&key.namespace));
    let pods: Vec<_> = pods
        .filter(|pod| is_selected(&service, pod) && !text(pod, "/status/podIP").is_empty() && !has_ended(pod))
        .collect();
    write_endpoints(cluster, &service, &pods)?;
    write_slices(cluster, &service, &pods)
}

/// Endpoints have no owner: they go when the Service of their name does.
fn remove_endpoints(cluster: &Cluster, key: &Key) -> Outcome {
    match cluster.get(ENDPOINTS, &key.namespace, &key.name) {
        Some(endpoints) => cluster.delete(ENDPOINTS, &endpoints),
        None => Ok(()),
    }
}

fn write_endpoints(cluster: &Cluster, service: &Value, pods: &[Arc<Value>]) -> Outcome {
    let address = |pod: &Arc<Value>| {
        let mut address =
            json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)});
        if let Some(hostname) = pod["spec"]
            .get("hostname")
            .filter(|_| pod["spec"]["subdomain"] == *name(service))
        {
            address["hostname"] = hostname.clone();
        }
        address
    };
    let published = |pod: &&Arc<Value>| is_published(service, pod);
    let ready: Vec<Value> = pods.iter().filter(published).take(MOST).map(address).collect();
    let others: Vec<Value> = pods
        .iter()
        .filter(|pod| !is_published(service, pod) && !is_deleting(pod))
        .take(MOST)
        .map(address)
        .collect();
    let mut subset = json!({});
    for (key, addresses) in [("addresses", ready), ("notReadyAddresses", others)] {
        if !addresses.is_empty() {
            subset[key] = addresses.into();
        }
    }
    let mut subsets = json!([]);
    if subset.as_object().is_some_and(|subset| !subset.is_empty()) {
        subset["ports"] = ports(service, pods);
        subsets = json!([subset]);
    }
    put(
        cluster,
        ENDPOINTS,
        &json!({
            "metadata": {"name": name(service), "namespace": namespace(service), "labels": labels(service)}, "subsets": subsets,
        }),
    )
}

fn write_slices(cluster: &Cluster, service: &Value, pods: &[Arc<Value>]) -> Outcome {
    let endpoint = |pod: &Arc<Value>| {
        let ready = is_published(service, pod);
        let node = cluster.get(NODES, "", text(pod, "/spec/nodeName"));
        let mut endpoint = json!({
            "addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod),
            "conditions": {"ready": ready, "serving": is_ready(pod), "terminating": is_deleting(pod)},
        });
        if let Some(node) = node {
            endpoint["zone"] = zone_of(&node).into();
        }
        if let Some(hostname) = pod["spec"]
            .get("hostname")
            .filter(|_| pod["spec"]["subdomain"] == *name(service))
        {
            endpoint["hostname"] = hostname.clone();
        }
        endpoint
    };
    let mut labels = labels(service);
    labels["kubernetes.io/service-name"] = name(service).into();
    labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io".into();
    let prefix: String = uid(service).chars().filter(char::is_ascii_hexdigit).take(5).collect();
    let chunks = pods.len().div_ceil(SLICE).max(1);
    for chunk in 0..chunks {
        let endpoints: Vec<Value> = pods.iter().skip(chunk * SLICE).take(SLICE).map(endpoint).collect();
        put(
            cluster,
            SLICES,
            &json!({
                "metadata": {
                    "name": slice_name(service, &prefix, chunk), "namespace": namespace(service), "labels": labels,
                    "ownerReferences": [controlled_by(service)],
                },
                "addressType": "IPv4", "endpoints": endpoints, "ports": ports(service, pods),
            }),
        )?;
    }
    let surplus: Vec<_> = cluster
        .index
        .owned_of(uid(service), SLICES)
        .filter_map(|place| cluster.at(place))
        .collect();
    let wanted: Vec<String> = (0..chunks).map(|chunk| slice_name(service, &prefix, chunk)).collect();
    for slice in surplus
        .iter()
        .filter(|slice| !wanted.iter().any(|wanted| wanted == name(slice)))
    {
        cluster.delete(SLICES, slice)?;
    }
    Ok(())
}

fn slice_name(service: &Value, prefix: &str, chunk: usize) -> String {
    if chunk == 0 {
        format!("{}-{prefix}", name(service))
    } else {
        format!("{}-{prefix}-{chunk}", name(service))
    }
}

fn labels(service: &Value) -> Value {
    service
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}))
}

fn is_published(service: &Value, pod: &Value) -> bool {
    service["spec"]["publishNotReadyAddresses"] == true || (is_ready(pod) && !is_deleting(pod))
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)})
}

/// The Service's ports as its pods serve them; a named target port is looked up in the pods.
fn ports(service: &Value, pods: &[Arc<Value>]) -> Value {
    let number = |target: &Value| match target.as_str() {
        None => target.clone(),
        Some(wanted) => {
            let containers = pods.iter().flat_map(|pod| list(pod, "/spec/containers"));
            let mut named = containers
                .flat_map(|container| list(container, "/ports"))
                .filter(|port| port["name"] == wanted);
            named.next().map_or(Value::Null, |port| port["containerPort"].clone())
        }
    };
    let ports = list(service, "/spec/ports").iter().filter_map(|port| {
        let target = number(&port["targetPort"]);
        let mut shown = json!({"port": target, "protocol": port["protocol"]});
        if let Some(port_name) = port.get("name") {
            shown["name"] = port_name.clone();
        }
        (!target.is_null()).then_some(shown)
    });
    ports.collect()
}

/// Creates the object, or makes what is there equal to it.
fn put(cluster: &Cluster, resource: &str, wanted: &Value) -> Outcome {
    let Some(present) = cluster.get(resource, namespace(wanted), name(wanted)) else {
        cluster.api.create(resource, wanted.clone(), MANAGER)?;
        return Ok(());
    };
    cluster.change(resource, &present, MANAGER, |live| {
        for key in ["subsets", "endpoints", "ports"] {
            if let Some(value) = wanted.get(key) {
                live[key] = value.clone();
            }
        }
        live["metadata"]["labels"] = wanted["metadata"]["labels"].clone();
    })
}
