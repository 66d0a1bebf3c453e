//! What counts as ready, and the words for what does not.

mod whole;

use moorline_api::{Object, ResourceKind};
use serde_json::{Value, json};

use super::*;
use crate::tracker::Kept;

fn snapshot(objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for object in objects {
        let object = Object::from_value(object.clone()).unwrap();
        let kind = match &*object.gvk().kind {
            "Pod" => ResourceKind::pod(),
            "PersistentVolumeClaim" => ResourceKind::claim(),
            "Event" => ResourceKind::event(),
            "Service" => ResourceKind::service(),
            "Deployment" => ResourceKind::deployment(),
            _ => ResourceKind::stateful_set(),
        };
        snapshot.keep(&kind, [Kept::of(object)]);
    }
    snapshot
}

fn set(status: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": "ns", "name": "db", "generation": 2},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "db"}}},
        "status": status,
    })
}

fn pod(status: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "ns", "name": "db-0", "labels": {"app": "db"}},
        "status": status,
    })
}

/// Why the set is not ready; empty when it is.
fn why(objects: &[Value]) -> String {
    let snapshot = snapshot(objects);
    let causes = workloads::causes(
        &snapshot,
        &Events::of(&snapshot),
        &ResourceKind::stateful_set(),
        "ns",
        "db",
    );
    causes.into_iter().map(|cause| cause.why).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_set_is_ready_when_its_controller_says_so_of_this_generation() {
    assert_eq!(why(&[]), "it does not exist yet");
    let old = set(&json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}));
    assert_eq!(why(&[old]), "its controller has not seen the change yet");
    let new = set(&json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}));
    assert_eq!(why(&[new]), "");
    let surplus = set(&json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 1}));
    assert_eq!(why(&[surplus]), "1 surplus pods are still terminating");
}

#[test]
fn a_set_without_replicas_and_pods_waits_for_nothing() {
    let empty = |status: Value| {
        let mut set = set(&status);
        set["spec"]["replicas"] = json!(0);
        why(&[set])
    };
    assert_eq!(empty(json!({"observedGeneration": 1})), "");
    assert_eq!(
        empty(json!({"observedGeneration": 1, "replicas": 1})),
        "its controller has not seen the change yet"
    );
}

#[test]
fn pods_that_keep_an_older_revision_on_purpose_are_not_waited_for() {
    let rollout = |strategy: Value, updated: u32| {
        let mut set =
            set(&json!({"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": updated}));
        set["spec"]["replicas"] = json!(3);
        set["spec"]["updateStrategy"] = strategy;
        why(&[set])
    };
    let partition = json!({"rollingUpdate": {"partition": 2}});
    assert_eq!(rollout(json!({}), 1), "1 of 3 pods have the new revision");
    assert_eq!(rollout(partition.clone(), 0), "0 of 1 pods have the new revision");
    assert_eq!(rollout(partition, 1), "");
    assert_eq!(rollout(json!({"type": "OnDelete"}), 0), "");
}

#[test]
fn only_its_own_pods_that_are_not_ready_are_blamed() {
    let waiting = set(&json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
    let ready = pod(&json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}));
    let elsewhere = |path: &str, to: &str| {
        let mut pod = pod(&json!({"phase": "Failed"}));
        *pod.pointer_mut(path).unwrap() = json!(to);
        pod["metadata"]["name"] = json!("other");
        pod
    };
    let others = [
        elsewhere("/metadata/namespace", "other"),
        elsewhere("/metadata/labels/app", "other"),
    ];
    let objects: Vec<Value> = [waiting, ready].into_iter().chain(others).collect();
    assert_eq!(why(&objects), "0 of 1 pods are ready");
}

#[test]
fn a_pod_that_has_not_begun_says_whose_turn_it_is() {
    let waiting = set(&json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
    let scheduled =
        |status: &str| json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": status}]});
    let mut placed = pod(&scheduled("True"));
    placed["spec"] = json!({"nodeName": "node-a"});
    let mut begun = placed.clone();
    begun["status"]["containerStatuses"] = json!([{"state": {}}]);
    for (pod, expected) in [
        (
            pod(&json!({"phase": "Pending"})),
            "pending: no scheduler has looked at it yet",
        ),
        (pod(&scheduled("Unknown")), "pending"),
        (placed, "pending: the kubelet of node node-a has not taken it up yet"),
        (begun, "pending"),
    ] {
        assert_eq!(why(&[waiting.clone(), pod]), expected);
    }
}

#[test]
fn pods_say_why_they_are_not_ready() {
    let waiting = set(&json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
    let container = |reason: &str, message: &str| json!({"containerStatuses": [{"image": "nginx:9", "state": {"waiting": {"reason": reason, "message": message}}}]});
    for (status, expected) in [
        (
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}),
            "unschedulable: 0/3 nodes are available",
        ),
        (
            container("ImagePullBackOff", "not found"),
            "image pull: nginx:9: ImagePullBackOff not found",
        ),
        (
            container("CrashLoopBackOff", "back-off 10s"),
            "crash loop: back-off 10s",
        ),
        (
            container("CreateContainerConfigError", "no secret"),
            "CreateContainerConfigError no secret",
        ),
        (json!({"phase": "Running"}), "running, not ready yet (readiness probe)"),
    ] {
        assert_eq!(why(&[waiting.clone(), pod(&status)]), expected);
    }
}

#[test]
fn a_container_that_is_being_created_shows_the_latest_warning() {
    let event = |kind: &str, reason: &str, at: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "ns", "name": reason},
            "involvedObject": {"kind": "Pod", "name": "db-0"},
            "type": kind, "reason": reason, "message": "m", "lastTimestamp": at,
        })
    };
    let waiting = set(&json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
    let creating = pod(&json!({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}));
    let events = [
        event("Warning", "FailedAttachVolume", "2026-01-01T00:00:00Z"),
        event("Normal", "Pulled", "2026-01-02T00:00:00Z"),
    ];
    let all: Vec<_> = [waiting, creating].into_iter().chain(events).collect();
    assert_eq!(why(&all), "container is being created: FailedAttachVolume: m");
}

/// What is said of a Deployment of generation 2.
fn deployment_causes(spec: &Value, status: &Value) -> Vec<crate::outcome::Cause> {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "ns", "name": "web", "generation": 2},
        "spec": spec, "status": status,
    });
    let snapshot = snapshot(&[deployment]);
    let kind = ResourceKind::deployment();
    workloads::causes(&snapshot, &Events::of(&snapshot), &kind, "ns", "web")
}

#[test]
fn a_deployment_past_its_deadline_is_given_up() {
    let condition = json!([{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}]);
    let status = |observed: i64| json!({"observedGeneration": observed, "conditions": condition});
    let causes = deployment_causes(&json!({}), &status(2));
    assert!(
        causes[0].fatal && causes[0].why.contains("ProgressDeadlineExceeded"),
        "{causes:?}"
    );
    let mended = deployment_causes(&json!({}), &status(1));
    assert!(!mended[0].fatal, "the revision before failed, not this one: {mended:?}");
}

#[test]
fn a_paused_rollout_says_so() {
    let status = json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1});
    let causes = deployment_causes(&json!({"paused": true}), &status);
    assert_eq!(
        causes[0].why,
        "0 of 1 pods have the new revision; its rollout is paused"
    );
}

#[test]
fn a_load_balancer_service_is_pending_until_it_has_an_address() {
    let service = |ingress: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "ns", "name": "web"},
            "status": {"loadBalancer": {"ingress": ingress}},
        })
    };
    let cause = |service: Value| {
        let snapshot = snapshot(&[service]);
        service_cause(&snapshot, &Events::of(&snapshot), "ns", "web").map(|cause| cause.why)
    };
    assert_eq!(
        cause(service(json!([]))).as_deref(),
        Some("load balancer pending: no controller has taken the Service up")
    );
    let mut taken_up = service(json!([]));
    taken_up["metadata"]["finalizers"] = json!(["service.kubernetes.io/load-balancer-cleanup"]);
    assert_eq!(cause(taken_up).as_deref(), Some("load balancer pending"));
    assert_eq!(cause(service(json!([{"hostname": "x.elb"}]))), None);
}

/// Which parts leave what of the set undone.
fn undone(objects: &[Value]) -> Vec<String> {
    let snapshot = snapshot(objects);
    let events = Events::of(&snapshot);
    let undone = workloads::undone(&snapshot, &events, &ResourceKind::stateful_set(), "ns", "db");
    undone
        .into_iter()
        .map(|undone| format!("{}: {}", undone.part, undone.what))
        .collect()
}

#[test]
fn a_part_that_leaves_its_work_undone_is_named() {
    let seen = |status: Value| set(&status);
    let unseen = seen(json!({"observedGeneration": 1}));
    assert_eq!(
        undone(&[unseen]),
        ["kube-controller-manager: statefulset ns/db: its controller has not seen the change yet"]
    );
    let without_pod = seen(json!({"observedGeneration": 2, "replicas": 0, "updatedReplicas": 0}));
    assert_eq!(undone(std::slice::from_ref(&without_pod)).len(), 1);
    let waiting = seen(json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
    let placed = |status: &Value| {
        let mut pod = pod(status);
        pod["spec"] = json!({"nodeName": "node-a"});
        pod
    };
    for (pod, expected) in [
        (
            pod(&json!({"phase": "Pending"})),
            "kube-scheduler: pod ns/db-0 has no node",
        ),
        (
            placed(&json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]})),
            "kubelets: pod ns/db-0 on node-a is not started",
        ),
    ] {
        assert_eq!(undone(&[waiting.clone(), pod]), [expected]);
    }
    let alive = [
        pod(&json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]})),
        placed(&json!({"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]})),
        placed(&json!({"phase": "Running"})),
    ];
    for pod in alive {
        assert_eq!(undone(&[waiting.clone(), pod]), [""; 0]);
    }
}

#[test]
fn a_wait_on_purpose_is_no_silence() {
    let mut slow = set(&json!({"observedGeneration": 2, "replicas": 0}));
    slow["spec"]["minReadySeconds"] = json!(60);
    assert_eq!(undone(&[slow]), [""; 0]);
    let refused = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "ns", "name": "e"},
        "involvedObject": {"kind": "StatefulSet", "name": "db"},
        "type": "Warning", "reason": "FailedCreate", "message": "exceeded quota",
    });
    let without_pod = set(&json!({"observedGeneration": 2, "replicas": 0}));
    assert_eq!(undone(&[without_pod, refused]), [""; 0]);
}
