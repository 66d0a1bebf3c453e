//! Azure's volumes: provisioned, mounted, attached, deleted.

mod disks;
mod mounts;
mod shares;

use serde_json::{Value, json};

use crate::support::{CLAIMS, Cluster, VOLUMES, claim, instant, text};

pub(crate) const CLASSES: &str = "storageclasses.storage.k8s.io";
pub(crate) const ATTACHMENTS: &str = "volumeattachments.storage.k8s.io";

/// A class as the tutorial has it.
pub(crate) fn files(name: &str, parameters: &Value) -> Value {
    json!({
        "metadata": {"name": name}, "provisioner": "kubernetes.io/azure-file", "parameters": parameters,
        "mountOptions": ["dir_mode=0777", "nobrl"],
    })
}

pub(crate) fn cluster() -> Cluster {
    let cluster = Cluster::new(instant());
    cluster.create(CLASSES, files("files", &json!({"skuName": "Standard_LRS"})));
    cluster
}

/// A claim that many nodes may use.
pub(crate) fn shared(name: &str, class: &str) -> Value {
    let mut shared = claim(name, class);
    shared["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    shared["spec"]["resources"]["requests"]["storage"] = "50Mi".into();
    shared
}

pub(crate) fn bound_volume(cluster: &Cluster, claim: &str) -> Value {
    let volume = text(&cluster.get(CLAIMS, claim).unwrap(), "/spec/volumeName");
    cluster.get(VOLUMES, &volume).unwrap().as_ref().clone()
}

pub(crate) fn shares(cluster: &Cluster) -> Vec<moorline_sandbox_azure::Share> {
    let accounts = cluster.azure.accounts().into_iter();
    accounts
        .flat_map(|account| cluster.azure.shares(&account.name))
        .collect()
}
