//! The objects that the cases are about, as small as the server takes them.

use serde_json::{Value, json};

use crate::{Gvk, ResourceKind};

fn kind(api_version: &str, kind: &str, plural: &str) -> ResourceKind {
    ResourceKind {
        gvk: Gvk::new(api_version, kind),
        plural: plural.to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    }
}

/// `v1 ConfigMap`: an object that no controller cares for.
pub(super) fn config_map() -> ResourceKind {
    kind("v1", "ConfigMap", "configmaps")
}

/// `coordination.k8s.io/v1 Lease`.
pub(super) fn lease() -> ResourceKind {
    kind("coordination.k8s.io/v1", "Lease", "leases")
}

/// A class whose volumes are all made by hand.
pub(super) fn storage_class(mode: &str) -> Value {
    json!({"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": mode})
}

/// A claim of 1 GiB.
pub(super) fn claim(class: &str) -> Value {
    json!({"spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}},
    }})
}

/// A claim of 1 GiB that names its volume.
pub(super) fn claim_of(class: &str, volume: &str) -> Value {
    let mut claim = claim(class);
    claim["spec"]["volumeName"] = json!(volume);
    claim
}

/// A volume of 1 GiB that no driver of the cluster serves, usable in the zone `us-east-1a`.
pub(super) fn volume(class: &str, claim: &Value) -> Value {
    json!({"spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "capacity": {"storage": "1Gi"},
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": claim,
        "csi": {"driver": "disk.example.com", "volumeHandle": "disk-1"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]},
        ]}]}},
    }})
}

/// A set of pods with one container each and no claims.
pub(super) fn stateful_set(replicas: u32) -> Value {
    json!({"spec": {
        "replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "nginx"}]},
        },
    }})
}

/// A set whose pods have a claim `data` each, of this class.
pub(super) fn stateful_set_with_claims(replicas: u32, class: &str) -> Value {
    let mut set = stateful_set(replicas);
    let mut template = claim(class);
    template["metadata"] = json!({"name": "data"});
    set["spec"]["volumeClaimTemplates"] = json!([template]);
    set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    set
}

/// A set whose pods fit on no node.
pub(super) fn stuck_stateful_set(replicas: u32) -> Value {
    let mut set = stateful_set(replicas);
    set["spec"]["template"]["spec"]["nodeSelector"] = json!({"example.com/nowhere": "true"});
    set
}

/// A pod that uses a claim.
pub(super) fn pod_using(claim: &str) -> Value {
    json!({"spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "nginx", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    }})
}
