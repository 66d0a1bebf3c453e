//! What a node's kubelet measures of mounted volumes: its Summary API, through the API server's proxy.
//!
//! The fields are those of `k8s.io/kubelet/pkg/apis/stats/v1alpha1`. Containers, which are most of a summary, are passed over.

use jiff::Timestamp;
use moorline_api::{ErrorKind, MountStatistics, ObjectRef, ResourceKind, Result};
use serde::Deserialize;

use crate::call::{Call, Subject, object_path};
use crate::transport::Transport;

/// No honest summary is larger: a node has a few hundred pods, and each takes a few KiB.
const LARGEST_SUMMARY: usize = 32 << 20;

/// A body without this field is no summary.
#[derive(Deserialize)]
struct Summary {
    /// Go writes an empty list as null. Naming the function is what makes serde insist on the field.
    #[serde(deserialize_with = "Option::deserialize")]
    pods: Option<Vec<Pod>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    pod_ref: PodRef,
    // The wire has the singular.
    volume: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
struct PodRef {
    name: String,
    namespace: String,
    #[serde(default)]
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    pvc_ref: Option<ClaimRef>,
    time: Option<String>,
    capacity_bytes: Option<u64>,
    used_bytes: Option<u64>,
    available_bytes: Option<u64>,
    inodes: Option<u64>,
    inodes_used: Option<u64>,
    inodes_free: Option<u64>,
}

#[derive(Deserialize)]
struct ClaimRef {
    name: String,
}

/// Asks the kubelet of a node.
pub(crate) async fn of_node(transport: &Transport, node: &str) -> Result<Vec<MountStatistics>> {
    let target = ObjectRef::new(ResourceKind::node(), "", node);
    let mut subject = Subject::one(&target);
    subject.resource += "/proxy";
    let path = object_path("get", &target)? + "/proxy/stats/summary";
    let call = Call::read("get", subject, path).at_most(LARGEST_SUMMARY);
    let answer = match transport.try_send(&call).await? {
        Ok(answer) => answer,
        Err(refusal) => return Err(refusal.into_error_of_kubelet(&call, &transport.access().server)),
    };
    read(&answer.body).map_err(|error| {
        let message = "the kubelet's answer is not a summary of statistics";
        call.error(ErrorKind::Internal, message).with_source(error)
    })
}

/// The claims of a summary, pod by pod.
fn read(body: &[u8]) -> serde_json::Result<Vec<MountStatistics>> {
    let summary: Summary = serde_json::from_slice(body)?;
    let pods = summary.pods.unwrap_or_default();
    Ok(pods.into_iter().flat_map(mounts).collect())
}

fn mounts(pod: Pod) -> Vec<MountStatistics> {
    let mount = |volume: Volume| {
        Some(MountStatistics {
            namespace: pod.pod_ref.namespace.clone(),
            pod: pod.pod_ref.name.clone(),
            pod_uid: pod.pod_ref.uid.clone(),
            claim: volume.pvc_ref?.name,
            capacity_bytes: volume.capacity_bytes,
            used_bytes: volume.used_bytes,
            available_bytes: volume.available_bytes,
            inodes: volume.inodes,
            inodes_used: volume.inodes_used,
            inodes_free: volume.inodes_free,
            time: volume.time.and_then(|time| time.parse::<Timestamp>().ok()),
        })
    };
    pod.volume.unwrap_or_default().into_iter().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A summary as kubelets of 1.36 write it, cut short.
    const SUMMARY: &str = r#"{
      "node": {"nodeName": "n", "cpu": {"time": "2026-11-21T15:00:00Z", "usageNanoCores": 1}},
      "pods": [
        {"podRef": {"name": "counter-div-0", "namespace": "default", "uid": "u-0"}, "startTime": "2026-11-21T14:00:00Z",
         "containers": [{"name": "counter-div", "rootfs": {"usedBytes": 5}}],
         "volume": [
           {"time": "2026-11-21T15:00:01Z", "availableBytes": 1073676288, "capacityBytes": 1073741824, "usedBytes": 65536,
            "inodesFree": 0, "inodes": 0, "inodesUsed": 0, "name": "counter-div",
            "pvcRef": {"name": "counter-div-counter-div-0", "namespace": "default"},
            "volumeHealthStats": {"abnormal": false}},
           {"time": "2026-11-21T15:00:01Z", "availableBytes": 1, "capacityBytes": 2, "usedBytes": 1, "name": "kube-api-access"}
         ],
         "ephemeral-storage": {"usedBytes": 7}},
        {"podRef": {"name": "bare", "namespace": "default", "uid": "u-1"}}
      ]}"#;

    #[test]
    fn claims_are_kept_and_other_volumes_passed_over() {
        let mounts = read(SUMMARY.as_bytes()).unwrap();
        let expected = MountStatistics {
            namespace: "default".to_owned(),
            pod: "counter-div-0".to_owned(),
            pod_uid: "u-0".to_owned(),
            claim: "counter-div-counter-div-0".to_owned(),
            capacity_bytes: Some(1 << 30),
            used_bytes: Some(65536),
            available_bytes: Some((1 << 30) - 65536),
            inodes: Some(0),
            inodes_used: Some(0),
            inodes_free: Some(0),
            time: Some("2026-11-21T15:00:01Z".parse().unwrap()),
        };
        assert_eq!(mounts, [expected]);
    }

    #[test]
    fn a_kubelet_without_pods_is_an_answer_and_anything_else_is_none() {
        for empty in [
            r#"{"node": {}, "pods": null}"#,
            r#"{"pods": []}"#,
            r#"{"pods": [{"podRef": {"name": "a", "namespace": "b"}}]}"#,
        ] {
            assert_eq!(read(empty.as_bytes()).unwrap(), [], "{empty}");
        }
        for other in [
            "{}",
            "[]",
            "",
            "404 page not found",
            r#"{"pods": {}}"#,
            r#"{"node": {}}"#,
        ] {
            assert!(read(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn figures_that_are_left_out_stay_unknown_and_impossible_ones_are_refused() {
        let with = |volume: &str| {
            let pod = r#"{"podRef": {"name": "p", "namespace": "d", "uid": "u"}, "volume": [VOLUME]}"#;
            read(format!(r#"{{"pods": [{}]}}"#, pod.replace("VOLUME", volume)).as_bytes())
        };
        let bare = with(r#"{"name": "x", "time": "soon", "pvcRef": {"name": "c", "namespace": "d"}}"#).unwrap();
        assert_eq!(
            (bare[0].used_bytes, bare[0].capacity_bytes, bare[0].time),
            (None, None, None)
        );
        assert!(with(r#"{"name": "x", "usedBytes": -1, "pvcRef": {"name": "c", "namespace": "d"}}"#).is_err());
    }
}
