//! What whoever sets a cluster up puts into it: the objects of its CSI drivers, and StorageClasses.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLASSES, CSI_DRIVERS};
use crate::settings::ClusterCloud;
use crate::storage::driver::Driver;

const ADDON_MANAGER: &str = "kube-addon-manager";

/// Makes the objects of the drivers where they are missing, and with those of a fresh cluster its classes.
pub(super) fn ensure(cluster: &Cluster) -> Outcome {
    let drivers = Driver::of_cloud(cluster.settings.cloud);
    let fresh = drivers
        .iter()
        .all(|driver| cluster.get(CSI_DRIVERS, "", driver.name()).is_none());
    for driver in drivers {
        if cluster.get(CSI_DRIVERS, "", driver.name()).is_none() {
            let object = json!({"metadata": {"name": driver.name()}, "spec": spec(*driver)});
            cluster.api.create(CSI_DRIVERS, object, ADDON_MANAGER)?;
        }
    }
    if fresh && cluster.settings.classes {
        for class in classes(cluster.settings.cloud) {
            cluster.api.create(CLASSES, class, ADDON_MANAGER)?;
        }
    }
    Ok(())
}

fn spec(driver: Driver) -> Value {
    match driver {
        Driver::Ebs | Driver::Disk => {
            json!({"attachRequired": true, "podInfoOnMount": false, "fsGroupPolicy": "File"})
        }
        Driver::File | Driver::Blob => json!({
            "attachRequired": false, "podInfoOnMount": true, "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "volumeLifecycleModes": ["Persistent", "Ephemeral"],
        }),
    }
}

/// The classes of the cloud, one of them the default.
fn classes(cloud: ClusterCloud) -> Vec<Value> {
    let class = |name: &str, provisioner: &str, parameters: Value, mode: &str| {
        json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/cluster-service": "true"}},
            "provisioner": provisioner, "parameters": parameters, "reclaimPolicy": "Delete", "volumeBindingMode": mode,
        })
    };
    let disk = |name: &str, sku: &str| {
        let parameters = json!({"cachingmode": "ReadOnly", "kind": "Managed", "storageaccounttype": sku});
        class(name, "kubernetes.io/azure-disk", parameters, "Immediate")
    };
    let mut classes = match cloud {
        ClusterCloud::Aws => vec![class(
            "gp2",
            "kubernetes.io/aws-ebs",
            json!({"fsType": "ext4", "type": "gp2"}),
            "WaitForFirstConsumer",
        )],
        ClusterCloud::Both | ClusterCloud::Azure => {
            vec![disk("default", "Standard_LRS"), disk("managed-premium", "Premium_LRS")]
        }
    };
    if let Some(first) = classes.first_mut() {
        first["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    }
    classes
}
