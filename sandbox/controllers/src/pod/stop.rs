//! Stopping a deleted pod.

use moorline_sandbox_kubernetes::DeleteOptions;
use serde_json::Value;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{KUBELET, PODS};
use crate::object::{list, number, text, uid};
use crate::queue::Key;

/// Ends the containers, then removes the pod. Its volumes are detached when it is gone.
pub(super) fn stop(cluster: &mut Cluster, key: &Key, pod: &Value) -> Outcome {
    let grace = u64::try_from(number(pod, "/metadata/deletionGracePeriodSeconds")).unwrap_or_default();
    if grace == 0 {
        // Removed already but for finalizers that others hold.
        return Ok(());
    }
    if !cluster.waits.has_begun(uid(pod), "stop") {
        for status in list(pod, "/status/containerStatuses")
            .iter()
            .filter(|status| status["state"]["running"].is_object())
        {
            cluster.event(
                pod,
                "Killing",
                &format!("Stopping container {}", text(status, "/name")),
                KUBELET,
            );
        }
    }
    let millis = cluster.settings.pod_stop_millis.min(grace.saturating_mul(1000));
    if !cluster.passed(key, uid(pod), "stop", millis) {
        return Ok(());
    }
    cluster.delete_with(
        PODS,
        pod,
        DeleteOptions {
            grace_seconds: Some(0),
            ..DeleteOptions::default()
        },
    )
}
