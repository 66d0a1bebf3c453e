//! What the real server's admission plugins and allocators add or refuse.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::error::{ApiError, Cause, Named};
use crate::object::{self, child, default_text, default_to, entries, items_mut};
use crate::quantity::Quantity;
use crate::registry::Kind;
use crate::store::Store;
use crate::write::{Part, State};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// Whether objects may be created in `namespace`.
pub(crate) fn namespace_accepts(store: &Store, kind: &Kind, namespace: &str, name: &str) -> Result<(), ApiError> {
    let Some(found) = store.get("namespaces", "", namespace) else {
        return Err(ApiError::not_found(
            Named {
                plural: "namespaces",
                group: "",
            },
            namespace,
        ));
    };
    if !object::is_deleting(&found) {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = ApiError::forbidden(kind.named(), name, &why);
    error.details.causes.push(Cause {
        reason: "NamespaceTerminating",
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    });
    Err(error)
}

/// Admits a new object.
pub(crate) fn create(state: &State, kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    match &*kind.id {
        "persistentvolumeclaims" => {
            if object.pointer("/spec/storageClassName").is_none()
                && let Some(class) = default_class(&state.store)
            {
                child(object, "spec")["storageClassName"] = Value::from(class);
            }
            let spec = child(object, "spec");
            for (from, to) in [("dataSource", "dataSourceRef"), ("dataSourceRef", "dataSource")] {
                let crosses = spec[from].get("namespace").is_some();
                if spec.get(from).is_some() && spec.get(to).is_none() && !crosses {
                    spec[to] = spec[from].clone();
                }
            }
            add_finalizer(object, "kubernetes.io/pvc-protection");
        }
        "persistentvolumes" => add_finalizer(object, "kubernetes.io/pv-protection"),
        "namespaces" => {
            child(object, "spec")["finalizers"] = json!(["kubernetes"]);
            let name = object["metadata"]["name"].clone();
            child(child(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
        }
        "pods" => admit_pod(&state.store, kind, object)?,
        "services" => allocate_service(&state.store, object)?,
        _ => {}
    }
    Ok(())
}

/// Admits a changed object.
pub(crate) fn update(state: &State, kind: &Kind, live: &Value, new: &mut Value, part: Part) -> Result<(), ApiError> {
    match &*kind.id {
        "namespaces" if part != Part::Finalize => {
            object::copy_key(child(new, "spec"), &live["spec"], "finalizers");
            Ok(())
        }
        "services" => {
            keep_allocations(live, new);
            drop_what_the_type_has_no_use_for(live, new);
            allocate_service(&state.store, new)
        }
        "persistentvolumeclaims" => admit_resize(&state.store, kind, live, new),
        _ => Ok(()),
    }
}

/// The newest of the classes marked as default.
fn default_class(store: &Store) -> Option<String> {
    let marked = store
        .values("storageclasses.storage.k8s.io", None)
        .filter(|class| object::annotation(class, DEFAULT_CLASS) == "true");
    let newest = marked.max_by_key(|class| {
        (
            object::text(class, "/metadata/creationTimestamp").to_owned(),
            std::cmp::Reverse(object::name(class).to_owned()),
        )
    });
    newest.map(|class| object::name(&class).to_owned())
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let metadata = child(object, "metadata");
    default_to(metadata, "finalizers", json!([]));
    if let Some(finalizers) = metadata["finalizers"].as_array_mut()
        && !finalizers.iter().any(|present| present == finalizer)
    {
        finalizers.push(Value::from(finalizer));
    }
}

fn admit_pod(store: &Store, kind: &Kind, pod: &mut Value) -> Result<(), ApiError> {
    let (namespace, name) = (object::namespace(pod).to_owned(), object::name(pod).to_owned());
    let spec = child(pod, "spec");
    default_text(spec, "serviceAccountName", "default");
    default_to(spec, "serviceAccount", spec["serviceAccountName"].clone());
    let account = object::text(spec, "/serviceAccountName").to_owned();
    if !store.contains("serviceaccounts", &namespace, &account) {
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found");
        return Err(ApiError::forbidden(kind.named(), &name, &why));
    }
    default_to(spec, "priority", 0);
    default_to(spec, "preemptionPolicy", "PreemptLowerPriority");
    default_to(spec, "tolerations", json!([]));
    if let Some(tolerations) = spec["tolerations"].as_array_mut() {
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let tolerated = |toleration: &Value| {
                let effect = object::text(toleration, "/effect");
                let given = object::text(toleration, "/key");
                (given == key || (given.is_empty() && toleration["operator"] == "Exists"))
                    && (effect.is_empty() || effect == "NoExecute")
            };
            if !tolerations.iter().any(tolerated) {
                tolerations
                    .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
            }
        }
    }
    Ok(())
}

fn admit_resize(store: &Store, kind: &Kind, live: &Value, new: &Value) -> Result<(), ApiError> {
    const STORAGE: &str = "/spec/resources/requests/storage";
    let size = |object: &Value| Quantity::parse(object::text(object, STORAGE));
    if object::text(live, "/status/phase") != "Bound" || size(new) <= size(live) {
        return Ok(());
    }
    let class = object::text(live, "/spec/storageClassName");
    let class = store.get("storageclasses.storage.k8s.io", "", class);
    if class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(ApiError::forbidden(kind.named(), object::name(live), why))
}

/// A client that does not send the allocated fields keeps them.
fn keep_allocations(live: &Value, new: &mut Value) {
    let external = |service: &Value| service.pointer("/spec/type").is_some_and(|kind| kind == "ExternalName");
    if external(live) || external(new) {
        return;
    }
    let (was, spec) = (&live["spec"], child(new, "spec"));
    for key in [
        "clusterIP",
        "clusterIPs",
        "healthCheckNodePort",
        "ipFamilies",
        "ipFamilyPolicy",
    ] {
        if spec.get(key).is_none_or(|value| value == "" || value.is_null()) {
            object::copy_key(spec, was, key);
        }
    }
    let keeps_ports = matches!(object::text(spec, "/type"), "NodePort" | "LoadBalancer");
    let before = object::list(was, "/ports").to_vec();
    for port in items_mut(spec, "ports") {
        let same = before
            .iter()
            .find(|b| b["port"] == port["port"] && b["protocol"] == port["protocol"]);
        match same.and_then(|same| same.get("nodePort")) {
            Some(node_port) if keeps_ports => default_to(port, "nodePort", node_port.clone()),
            Some(node_port) if port.get("nodePort") == Some(node_port) => {
                entries(port).remove("nodePort");
            }
            _ => {}
        }
    }
}

/// What a Service had by its former type and its client did not touch goes where the new type has no use for it.
fn drop_what_the_type_has_no_use_for(live: &Value, new: &mut Value) {
    let kind = |service: &Value| object::text(service, "/spec/type").to_owned();
    let (was, now) = (kind(live), kind(new));
    let has_ports = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    let mut useless: Vec<&str> = Vec::new();
    if was != "ExternalName" && now == "ExternalName" {
        useless.extend([
            "clusterIP",
            "clusterIPs",
            "ipFamilies",
            "ipFamilyPolicy",
            "internalTrafficPolicy",
        ]);
    }
    if was == "LoadBalancer" && now != "LoadBalancer" {
        useless.extend([
            "allocateLoadBalancerNodePorts",
            "loadBalancerClass",
            "healthCheckNodePort",
        ]);
    }
    if has_ports(&was) && !has_ports(&now) {
        useless.push("externalTrafficPolicy");
    }
    let spec = child(new, "spec");
    for key in useless {
        if spec.get(key) == live["spec"].get(key) {
            entries(spec).remove(key);
        }
    }
    if now != "LoadBalancer" {
        new["status"] = json!({"loadBalancer": {}});
    }
}

/// Gives a Service its cluster IP from 10.96.0.0/12 and its node ports from 30000-32767.
fn allocate_service(store: &Store, service: &mut Value) -> Result<(), ApiError> {
    let own = (object::namespace(service).to_owned(), object::name(service).to_owned());
    let others = store
        .list("services", None)
        .filter(|other| (&other.namespace, &other.name) != (&own.0, &own.1));
    let others: Vec<_> = others.map(|other| other.value()).collect();
    let spec = child(service, "spec");
    if object::text(spec, "/type") == "ExternalName" {
        return Ok(());
    }
    if spec
        .get("ipFamilyPolicy")
        .is_some_and(|policy| policy == "RequireDualStack")
    {
        let cause = Cause {
            reason: "FieldValueInvalid",
            message: "Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services"
                .to_owned(),
            field: "spec.ipFamilyPolicy".to_owned(),
        };
        return Err(ApiError::invalid("", "Service", &own.1, vec![cause]));
    }
    default_to(spec, "ipFamilies", json!(["IPv4"]));
    default_text(spec, "ipFamilyPolicy", "SingleStack");
    let addresses: HashSet<&str> = others
        .iter()
        .map(|other| object::text(other, "/spec/clusterIP"))
        .collect();
    let wanted = object::text(spec, "/clusterIP").to_owned();
    if wanted.is_empty() {
        let start = u32::from_le_bytes(random());
        let address = (0..1 << 20)
            .map(|step| cluster_ip(start.wrapping_add(step)))
            .find(|ip| !addresses.contains(ip.as_str()));
        spec["clusterIP"] = Value::from(address.unwrap_or_default());
    } else if wanted != "None" && addresses.contains(wanted.as_str()) {
        let message =
            format!("Invalid value: \"{wanted}\": failed to allocate IP {wanted}: provided IP is already allocated");
        let cause = Cause {
            reason: "FieldValueInvalid",
            message,
            field: "spec.clusterIPs".to_owned(),
        };
        return Err(ApiError::invalid("", "Service", &own.1, vec![cause]));
    }
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
    let balanced = spec["type"] == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] != false;
    if !balanced && spec["type"] != "NodePort" {
        return Ok(());
    }
    let ports = others.iter().flat_map(|other| object::list(other, "/spec/ports"));
    let mut taken: HashSet<i64> = ports.filter_map(|port| object::number(port, "/nodePort")).collect();
    for (index, port) in items_mut(spec, "ports").enumerate() {
        match object::number(port, "/nodePort").filter(|&port| port != 0) {
            Some(wanted) if !taken.insert(wanted) => {
                let message = format!("Invalid value: {wanted}: provided port is already allocated");
                let cause = Cause {
                    reason: "FieldValueInvalid",
                    message,
                    field: format!("spec.ports[{index}].nodePort"),
                };
                return Err(ApiError::invalid("", "Service", &own.1, vec![cause]));
            }
            Some(_) => {}
            None => {
                let start = i64::from(u16::from_le_bytes(random()));
                let free = (0..2768)
                    .map(|step| 30_000 + (start + step) % 2768)
                    .find(|port| taken.insert(*port));
                port["nodePort"] = json!(free);
            }
        }
    }
    Ok(())
}

/// An address of 10.96.0.0/12, never its first 256, which are for fixed ones.
fn cluster_ip(seed: u32) -> String {
    let host = 256 + seed % ((1 << 20) - 512);
    let address = u32::from_be_bytes([10, 96, 0, 0]) + host;
    std::net::Ipv4Addr::from(address).to_string()
}

fn random<const N: usize>() -> [u8; N] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    std::array::from_fn(|index| bytes[index])
}
