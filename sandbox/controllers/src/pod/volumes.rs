//! Whether what a pod mounts is there.

use serde_json::Value;

use crate::cluster::{Cluster, ControlError};
use crate::index::claims_of;
use crate::kinds::{CLAIMS, KUBELET, VOLUMES};
use crate::object::{list, name, namespace, text};
use crate::storage::attachment::{Attached, request};
use crate::storage::mount;

/// Asks for the pod's volumes on its node; `true` once all of them are there.
pub(super) fn are_ready(cluster: &Cluster, pod: &Value) -> Result<bool, ControlError> {
    let node = text(pod, "/spec/nodeName");
    let mut ready = true;
    for claim in claims_of(pod) {
        let claim = cluster.get(CLAIMS, namespace(pod), claim);
        let volume = claim.and_then(|claim| cluster.get(VOLUMES, "", text(&claim, "/spec/volumeName")));
        let Some(volume) = volume else {
            ready = false;
            continue;
        };
        match request(cluster, &volume, node)? {
            Attached::Yes => {
                if let Some(why) = mount::obstacle(cluster, &volume, pod) {
                    cluster.warn(pod, "FailedMount", &why, KUBELET);
                    ready = false;
                }
            }
            Attached::NotYet => ready = false,
            Attached::Elsewhere => {
                let message = format!(
                    "Multi-Attach error for volume \"{}\" Volume is already exclusively attached to one node and can't be attached to another",
                    name(&volume)
                );
                cluster.warn(pod, "FailedAttachVolume", &message, "attachdetach-controller");
                ready = false;
            }
        }
    }
    Ok(ready && sources_exist(cluster, pod))
}

/// Whether the config maps and secrets among the volumes exist; says which does not.
fn sources_exist(cluster: &Cluster, pod: &Value) -> bool {
    let mut exist = true;
    for volume in list(pod, "/spec/volumes") {
        let (kind, resource, source) = match (text(volume, "/configMap/name"), text(volume, "/secret/secretName")) {
            ("", "") => continue,
            ("", secret) => ("secret", "secrets", secret),
            (map, _) => ("configmap", "configmaps", map),
        };
        let optional = volume["configMap"]["optional"] == true || volume["secret"]["optional"] == true;
        if !optional && cluster.get(resource, namespace(pod), source).is_none() {
            let message = format!(
                "MountVolume.SetUp failed for volume \"{}\" : {kind} \"{source}\" not found",
                name_of(volume)
            );
            cluster.warn(pod, "FailedMount", &message, KUBELET);
            exist = false;
        }
    }
    exist
}

fn name_of(volume: &Value) -> &str {
    text(volume, "/name")
}
