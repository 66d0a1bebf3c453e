//! Claims and volumes: bound, provisioned, attached, protected, reclaimed.

pub(crate) mod attachment;
pub(crate) mod backing;
pub(crate) mod binder;
pub(crate) mod driver;
pub(crate) mod mount;
pub(crate) mod protection;
pub(crate) mod provisioner;

use std::sync::Arc;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::kinds::{CLASSES, NODES};
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

/// The node that was chosen for a claim, where one was and exists.
fn selected_node(cluster: &Cluster, claim: &Value) -> Option<Arc<Value>> {
    annotation(claim, SELECTED_NODE).and_then(|node| cluster.get(NODES, "", node))
}
