//! Claims and volumes: bound, provisioned, attached, protected, reclaimed.

pub(crate) mod attachment;
pub(crate) mod backing;
pub(crate) mod binder;
pub(crate) mod protection;
pub(crate) mod provisioner;

use std::sync::Arc;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::kinds::{CLASSES, EBS_DRIVER, EBS_IN_TREE};
use crate::object::{annotation, text};

/// Who provisions for a claim, and who provisioned a volume.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The node that the scheduler chose for a claim that waited for its first consumer.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner that is to make a claim's volume.
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const STORAGE_PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";

/// The name of a claim's or a volume's class, `""` for none.
pub(crate) fn class_name(object: &Value) -> &str {
    let beta = annotation(object, "volume.beta.kubernetes.io/storage-class");
    beta.unwrap_or_else(|| text(object, "/spec/storageClassName"))
}

/// A claim's class, where it names one that exists.
pub(crate) fn class_of(cluster: &Cluster, claim: &Value) -> Option<Arc<Value>> {
    cluster.get(CLASSES, "", class_name(claim))
}

/// Whether a claim's class waits for the first pod that uses it.
pub(crate) fn is_delayed(cluster: &Cluster, claim: &Value) -> bool {
    class_of(cluster, claim).is_some_and(|class| text(&class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

/// Whether the binder has finished with a claim.
pub(crate) fn is_bound(claim: &Value) -> bool {
    annotation(claim, binder::BIND_COMPLETED).is_some() && !text(claim, "/spec/volumeName").is_empty()
}

/// The driver that does the work of a provisioner: the in-tree one for EBS is its CSI driver's now.
fn driver_for(provisioner: &str) -> &str {
    if provisioner == EBS_IN_TREE {
        EBS_DRIVER
    } else {
        provisioner
    }
}

/// The EBS volume behind a volume object: a CSI handle, or an in-tree id as `aws://<zone>/vol-…` or bare.
pub(crate) fn ebs_volume_id(volume: &Value) -> Option<&str> {
    let id = if text(volume, "/spec/csi/driver") == EBS_DRIVER {
        text(volume, "/spec/csi/volumeHandle")
    } else {
        text(volume, "/spec/awsElasticBlockStore/volumeID")
            .rsplit('/')
            .next()
            .unwrap_or_default()
    };
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volume_ids_of_every_form() {
        let csi = |driver: &str| json!({"spec": {"csi": {"driver": driver, "volumeHandle": "vol-1"}}});
        let in_tree = |id: &str| json!({"spec": {"awsElasticBlockStore": {"volumeID": id}}});
        assert_eq!(ebs_volume_id(&csi("ebs.csi.aws.com")), Some("vol-1"));
        assert_eq!(ebs_volume_id(&csi("other")), None);
        for id in ["vol-1", "aws://us-east-1a/vol-1", "aws:///vol-1"] {
            assert_eq!(ebs_volume_id(&in_tree(id)), Some("vol-1"), "{id}");
        }
        assert_eq!(ebs_volume_id(&json!({"spec": {"hostPath": {"path": "/"}}})), None);
    }
}
