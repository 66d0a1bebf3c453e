//! What can be set on the running controllers.

use serde::{Deserialize, Serialize};

/// In which cloud the cluster is: whose machines its nodes are, and whose CSI drivers run in it. It decides what a fresh
/// cluster is made with; a cluster that is there already keeps what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterCloud {
    /// Nodes in EC2, with the drivers of both clouds. No real cluster is like that; it serves the users of either.
    #[default]
    Both,
    /// Nodes in EC2, with the driver of EBS.
    Aws,
    /// Virtual machines in Azure, with the drivers of disks, files and blobs. Nobody makes load balancers there.
    Azure,
}

/// Settings of the controllers; they may change while they run. Times are of the sandbox's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerSettings {
    /// In which cloud a fresh cluster is.
    pub cloud: ClusterCloud,
    /// Whether a fresh cluster has the StorageClasses that come with one in its cloud: of Azure `default`, which is the default
    /// class, and `managed-premium`; where there is AWS alone, `gp2`.
    pub classes: bool,
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
    /// Whether the CSI drivers provision and delete volumes. Attaching and mounting works either way.
    pub csi: bool,
    /// While set, the CSI drivers "die" each time between making a volume and the object that names it, as happens in
    /// life: a claim deleted meanwhile leaves a volume that no object ever named.
    pub csi_stops_after_volume: bool,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            cloud: ClusterCloud::Both,
            classes: true,
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
