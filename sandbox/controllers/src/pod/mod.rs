//! Pods: scheduled to a node, started there when their volumes are, stopped when deleted.

mod containers;
mod scheduler;
mod start;
mod stop;
mod volumes;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::PODS;
use crate::object::{is_deleting, text};
use crate::queue::Key;
use crate::workload::has_ended;

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(pod) = cluster.get(PODS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if is_deleting(&pod) {
        return stop::stop(cluster, key, &pod);
    }
    if has_ended(&pod) {
        return Ok(());
    }
    if text(&pod, "/spec/nodeName").is_empty() {
        return scheduler::schedule(cluster, key, &pod);
    }
    start::start(cluster, key, &pod)
}
