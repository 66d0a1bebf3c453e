//! What the simulated kubelets tell of their nodes: the summary of statistics.

use std::sync::Arc;

use moorline_sandbox_core::Clock;
use moorline_sandbox_kubernetes::{ApiServer, Kubelets};
use serde_json::{Value, json};

use crate::kinds::{CLAIMS, PODS, VOLUMES};
use crate::object::{list, name, namespace, text, time, uid};
use crate::usage::{Room, Usage};

/// The kubelets of all nodes.
pub(crate) struct Statistics {
    clock: Clock,
    usage: Arc<Usage>,
}

impl Statistics {
    pub(crate) fn new(clock: Clock, usage: Arc<Usage>) -> Self {
        Self { clock, usage }
    }

    /// The node, and of each pod that runs there the volumes that come by claims: those that are mounted.
    fn summary(&self, cluster: &ApiServer, node: &Value) -> Value {
        let running = cluster
            .scan(PODS, None)
            .filter(|pod| text(pod, "/spec/nodeName") == name(node) && text(pod, "/status/phase") == "Running");
        let pods: Vec<Value> = running
            .map(|pod| {
                let volumes: Vec<Value> = list(&pod, "/spec/volumes")
                    .iter()
                    .filter_map(|volume| self.volume(cluster, &pod, volume))
                    .collect();
                let mut stats = json!({
                    "podRef": {"name": name(&pod), "namespace": namespace(&pod), "uid": uid(&pod)},
                    "startTime": pod["status"]["startTime"], "containers": [],
                });
                if !volumes.is_empty() {
                    stats["volume"] = volumes.into();
                }
                stats
            })
            .collect();
        json!({
            "node": {"nodeName": name(node), "startTime": node["metadata"]["creationTimestamp"]},
            "pods": pods,
        })
    }

    fn volume(&self, cluster: &ApiServer, pod: &Value, volume: &Value) -> Option<Value> {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        let bound = cluster.get(CLAIMS, Some(namespace(pod)), claim)?;
        let object = cluster.get(VOLUMES, None, text(&bound, "/spec/volumeName"))?;
        let Room {
            capacity,
            used,
            inodes,
            inodes_used,
        } = self.usage.room(&object)?;
        Some(json!({
            "time": time(self.clock.now()), "name": name_of(volume),
            "pvcRef": {"name": claim, "namespace": namespace(pod)},
            "availableBytes": capacity.saturating_sub(used), "capacityBytes": capacity, "usedBytes": used,
            "inodesFree": inodes.saturating_sub(inodes_used), "inodes": inodes, "inodesUsed": inodes_used,
        }))
    }
}

impl Kubelets for Statistics {
    fn get(&self, cluster: &ApiServer, node: &Value, path: &str) -> Option<Value> {
        (path == "stats/summary").then(|| self.summary(cluster, node))
    }
}

fn name_of(volume: &Value) -> &str {
    text(volume, "/name")
}
