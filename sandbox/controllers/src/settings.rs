//! What can be set on the running controllers.

use serde::{Deserialize, Serialize};

/// Settings of the controllers; they may change while they run. Times are of the sandbox's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerSettings {
    /// From the last volume attached to the pod Ready, in milliseconds.
    pub pod_start_millis: u64,
    /// From a pod's deletion to its containers stopped, in milliseconds; never more than its grace period.
    pub pod_stop_millis: u64,
    /// How long attaching a volume takes, in milliseconds.
    pub attach_millis: u64,
    /// How long detaching a volume takes, in milliseconds.
    pub detach_millis: u64,
    /// From a Service of type LoadBalancer to its hostname, and from its deletion to the load balancer's, in milliseconds.
    pub load_balancer_millis: u64,
    /// How often claims that wait are looked at again without a change, in seconds; the real binder does so every 15.
    pub resync_seconds: u64,
    /// Whether the CSI driver provisions and deletes volumes. Attaching works either way.
    pub csi: bool,
    /// While set, the CSI driver "dies" each time between making a volume and the object that names it, as happens in
    /// life: a claim deleted meanwhile leaves a volume that no object ever named.
    pub csi_stops_after_volume: bool,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            pod_start_millis: 300,
            pod_stop_millis: 200,
            attach_millis: 300,
            detach_millis: 300,
            load_balancer_millis: 2_000,
            resync_seconds: 15,
            csi: true,
            csi_stops_after_volume: false,
        }
    }
}

impl ControllerSettings {
    /// Nothing takes time but the binder's resync.
    pub fn instant() -> Self {
        Self {
            pod_start_millis: 0,
            pod_stop_millis: 0,
            attach_millis: 0,
            detach_millis: 0,
            load_balancer_millis: 0,
            ..Self::default()
        }
    }
}
