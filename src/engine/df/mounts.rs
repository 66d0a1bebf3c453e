//! Which claims a pod mounts, and where.

use moorline_api::Object;
use serde_json::Value;

/// A claim that a pod mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) pod_uid: String,
    /// Empty while the pod has none.
    pub(super) node: String,
    pub(super) claim: String,
    /// Mount paths in its containers, or device paths.
    pub(super) paths: Vec<String>,
    /// Whether it is a block device to all of its containers: no file system that anybody could measure.
    pub(super) block: bool,
}

/// The claims of a pod, in the order of its volumes; none where the pod has ended, since its volumes are unmounted then.
pub(super) fn of_pod(pod: &Object) -> Vec<Mount> {
    if matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        return Vec::new();
    }
    let text = |path: &[&str]| pod.str_at(path).unwrap_or_default().to_owned();
    let containers = containers(pod);
    let mount = |volume: &Value| {
        let name = volume.get("name")?.as_str()?;
        let claim = claim(pod.name(), name, volume)?;
        let paths = paths(&containers, "volumeMounts", "mountPath", name);
        let devices = paths_of_devices(&containers, name);
        Some(Mount {
            namespace: text(&["metadata", "namespace"]),
            pod: text(&["metadata", "name"]),
            pod_uid: text(&["metadata", "uid"]),
            node: text(&["spec", "nodeName"]),
            claim,
            block: paths.is_empty() && !devices.is_empty(),
            paths: if paths.is_empty() { devices } else { paths },
        })
    };
    pod.list_at(&["spec", "volumes"]).iter().filter_map(mount).collect()
}

/// The claim of a volume; that of an ephemeral one is named after pod and volume.
fn claim(pod: &str, name: &str, volume: &Value) -> Option<String> {
    let named = volume
        .pointer("/persistentVolumeClaim/claimName")
        .and_then(Value::as_str);
    match named {
        Some(claim) => Some(claim.to_owned()),
        None => volume.get("ephemeral").map(|_| format!("{pod}-{name}")),
    }
}

/// The containers that run: of the init containers the sidecars.
fn containers(pod: &Object) -> Vec<&Value> {
    let sidecar = |container: &&Value| container.get("restartPolicy").and_then(Value::as_str) == Some("Always");
    let sidecars = pod.list_at(&["spec", "initContainers"]).iter().filter(sidecar);
    pod.list_at(&["spec", "containers"]).iter().chain(sidecars).collect()
}

fn paths_of_devices(containers: &[&Value], volume: &str) -> Vec<String> {
    paths(containers, "volumeDevices", "devicePath", volume)
}

/// Where containers have a volume, each place once.
fn paths(containers: &[&Value], list: &str, field: &str, volume: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for container in containers {
        let mounts = container.get(list).and_then(Value::as_array);
        for mount in mounts.into_iter().flatten() {
            let path = mount.get(field).and_then(Value::as_str);
            if let Some(path) = path.filter(|_| mount.get("name").and_then(Value::as_str) == Some(volume))
                && !paths.iter().any(|known| known == path)
            {
                paths.push(path.to_owned());
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(phase: &str) -> Object {
        Object::from_value(json!({
            "metadata": {"name": "web-0", "namespace": "demo", "uid": "u"},
            "spec": {
                "nodeName": "n",
                "initContainers": [
                    {"name": "once", "volumeMounts": [{"name": "data", "mountPath": "/setup"}]},
                    {"name": "side", "restartPolicy": "Always", "volumeMounts": [{"name": "data", "mountPath": "/side"}]},
                ],
                "containers": [
                    {"name": "a", "volumeMounts": [{"name": "data", "mountPath": "/app/"}, {"name": "tmp", "mountPath": "/tmp"}]},
                    {"name": "b", "volumeMounts": [{"name": "data", "mountPath": "/app/"}],
                     "volumeDevices": [{"name": "raw", "devicePath": "/dev/block"}]},
                ],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
                    {"name": "raw", "persistentVolumeClaim": {"claimName": "raw-web-0"}},
                    {"name": "idle", "persistentVolumeClaim": {"claimName": "idle"}},
                    {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn claims_are_found_with_the_paths_of_running_containers() {
        let mounts = of_pod(&pod("Running"));
        let seen: Vec<_> = mounts
            .iter()
            .map(|mount| (&*mount.claim, mount.paths.join(","), mount.block))
            .collect();
        assert_eq!(
            seen,
            [
                ("data-web-0", "/app/,/side".to_owned(), false),
                ("raw-web-0", "/dev/block".to_owned(), true),
                ("idle", String::new(), false),
                ("web-0-scratch", String::new(), false),
            ]
        );
        assert_eq!((&*mounts[0].node, &*mounts[0].pod_uid), ("n", "u"));
    }

    #[test]
    fn a_pod_that_has_ended_mounts_nothing() {
        for phase in ["Succeeded", "Failed"] {
            assert_eq!(of_pod(&pod(phase)), [], "{phase}");
        }
        assert_eq!(of_pod(&Object::default()), []);
    }
}
