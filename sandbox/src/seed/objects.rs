//! The objects and tags of seeded volumes, as moorline, the API server, the controllers and the CSI driver write them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Size of every volume.
pub(super) const GIB: u32 = 10;

const DRIVER: &str = "ebs.csi.aws.com";
const PROFILE: &str = "seed";
const TEMPLATE: &str = "data";

/// One life of a claim.
pub(super) struct Life {
    pub(super) namespace: String,
    pub(super) set: String,
    pub(super) ordinal: u32,
    /// The claim's UID.
    pub(super) uid: String,
    /// The UID of its PersistentVolume.
    pub(super) volume_uid: String,
    pub(super) zone: String,
    /// Whether moorline made claim and volume, or the StatefulSet controller and the CSI driver did.
    pub(super) by_moorline: bool,
    pub(super) class: &'static str,
    pub(super) created: Timestamp,
}

impl Life {
    fn claim_name(&self) -> String {
        format!("{TEMPLATE}-{}-{}", self.set, self.ordinal)
    }

    fn volume_name(&self) -> String {
        format!("pvc-{}", self.uid)
    }

    fn time(&self) -> String {
        self.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The volume's tags.
    pub(super) fn tags(&self, cluster_uid: &str) -> BTreeMap<String, String> {
        let (claim, volume) = (self.claim_name(), self.volume_name());
        let mut tags = vec![
            ("CSIVolumeName", volume.as_str()),
            ("ebs.csi.aws.com/cluster", "true"),
            ("kubernetes.io/created-for/pv/name", &volume),
            ("kubernetes.io/created-for/pvc/name", &claim),
            ("kubernetes.io/created-for/pvc/namespace", &self.namespace),
        ];
        if self.by_moorline {
            tags.extend([
                ("moorline.dev/cluster-uid", cluster_uid),
                ("moorline.dev/namespace", &self.namespace),
                ("moorline.dev/claim", &claim),
                ("moorline.dev/claim-uid", &self.uid),
                ("moorline.dev/profile", PROFILE),
            ]);
        }
        tags.into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// The bound claim.
    pub(super) fn claim(&self) -> Value {
        let time = self.time();
        let mut annotations = json!({"pv.kubernetes.io/bind-completed": "yes"});
        let mut labels = json!({ "app": self.set });
        let spec = json!({"f:accessModes": {}, "f:resources": {"f:requests": {".": {}, "f:storage": {}}}, "f:storageClassName": {}, "f:volumeMode": {}});
        let maker = if self.by_moorline {
            annotations["moorline.dev/stateful-set"] = json!(self.set);
            labels["moorline.dev/profile"] = json!(PROFILE);
            let mut spec = spec;
            spec["f:volumeName"] = json!({});
            let metadata = json!({"f:annotations": {"f:moorline.dev/stateful-set": {}}, "f:labels": {"f:app": {}, "f:moorline.dev/profile": {}}});
            managed("moorline", &time, &json!({"f:metadata": metadata, "f:spec": spec}))
        } else {
            annotations["pv.kubernetes.io/bound-by-controller"] = json!("yes");
            annotations["volume.beta.kubernetes.io/storage-provisioner"] = json!(DRIVER);
            annotations["volume.kubernetes.io/storage-provisioner"] = json!(DRIVER);
            let metadata = json!({"f:labels": {".": {}, "f:app": {}}});
            managed(
                "kube-controller-manager",
                &time,
                &json!({"f:metadata": metadata, "f:spec": spec}),
            )
        };
        let binding = json!({"f:metadata": {"f:annotations": {"f:pv.kubernetes.io/bind-completed": {}}}, "f:spec": {"f:volumeName": {}}});
        let status =
            json!({"f:status": {"f:accessModes": {}, "f:capacity": {".": {}, "f:storage": {}}, "f:phase": {}}});
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": self.claim_name(), "namespace": self.namespace, "uid": self.uid, "creationTimestamp": time,
                "annotations": annotations, "labels": labels, "finalizers": ["kubernetes.io/pvc-protection"],
                "managedFields": [
                    maker, managed("kube-controller-manager", &time, &binding),
                    of_status(managed("kube-controller-manager", &time, &status)),
                ],
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": format!("{GIB}Gi")}},
                "storageClassName": self.class, "volumeMode": "Filesystem", "volumeName": self.volume_name(),
            },
            "status": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": format!("{GIB}Gi")}, "phase": "Bound"},
        })
    }

    /// The PersistentVolume that points to the volume of that id.
    pub(super) fn persistent_volume(&self, id: &str) -> Value {
        let time = self.time();
        let mut annotations = json!({ "pv.kubernetes.io/provisioned-by": DRIVER });
        let mut labels = json!({});
        let manager = if self.by_moorline {
            labels["moorline.dev/profile"] = json!(PROFILE);
            "moorline"
        } else {
            annotations["volume.kubernetes.io/provisioner-deletion-secret-name"] = json!("");
            annotations["volume.kubernetes.io/provisioner-deletion-secret-namespace"] = json!("");
            "csi-provisioner"
        };
        let spec = json!({
            "f:accessModes": {}, "f:capacity": {".": {}, "f:storage": {}},
            "f:claimRef": {".": {}, "f:apiVersion": {}, "f:kind": {}, "f:name": {}, "f:namespace": {}, "f:uid": {}},
            "f:csi": {".": {}, "f:driver": {}, "f:fsType": {}, "f:volumeHandle": {}},
            "f:nodeAffinity": {".": {}, "f:required": {}}, "f:persistentVolumeReclaimPolicy": {}, "f:storageClassName": {}, "f:volumeMode": {},
        });
        let metadata = json!({"f:annotations": {".": {}, "f:pv.kubernetes.io/provisioned-by": {}}});
        let fields = json!({"f:metadata": metadata, "f:spec": spec});
        let zone = json!({"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [self.zone]});
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {
                "name": self.volume_name(), "uid": self.volume_uid, "creationTimestamp": time, "annotations": annotations,
                "labels": labels, "finalizers": ["external-provisioner.volume.kubernetes.io/finalizer", "kubernetes.io/pv-protection"],
                "managedFields": [
                    managed(manager, &time, &fields),
                    of_status(managed("kube-controller-manager", &time, &json!({"f:status": {"f:phase": {}}}))),
                ],
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "capacity": {"storage": format!("{GIB}Gi")},
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": self.claim_name(), "namespace": self.namespace,
                    "uid": self.uid,
                },
                "csi": {"driver": DRIVER, "fsType": "ext4", "volumeHandle": id},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
                "persistentVolumeReclaimPolicy": "Delete", "storageClassName": self.class, "volumeMode": "Filesystem",
            },
            "status": {"phase": "Bound", "lastPhaseTransitionTime": time},
        })
    }
}

fn managed(manager: &str, time: &str, fields: &Value) -> Value {
    json!({
        "manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields,
    })
}

fn of_status(mut entry: Value) -> Value {
    entry["subresource"] = json!("status");
    entry
}

pub(super) fn namespace(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

pub(super) fn class(name: &str) -> Value {
    json!({
        "metadata": {"name": name}, "provisioner": DRIVER, "parameters": {"type": "gp3"}, "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

/// A set whose claims are those of the lives; it runs no pods.
pub(super) fn stateful_set(namespace: &str, name: &str, class: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 0, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "main", "image": "registry.k8s.io/pause:3.10", "volumeMounts": [{"name": TEMPLATE, "mountPath": "/data"}],
                }]},
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": TEMPLATE},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": class,
                    "resources": {"requests": {"storage": format!("{GIB}Gi")}},
                },
            }],
        },
    })
}
