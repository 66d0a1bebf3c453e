//! What a status says of claims and volumes, and when it says that it does not know.

use moorline_api::{ErrorKind, LoadBalancer, LoadBalancerKind, Tags};
use serde_json::{Value, json};

use super::*;
use crate::fakes::{Stage, claim, object, profile, pv, set, volume};

const FRONT: &str = "
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, ports: [{port: 80}]}
";

fn shop() -> Profile {
    profile("externalClasses: [fast]\n", FRONT)
}

/// Set `db` with one replica that is Ready, its claim and volume, and a Service with a load balancer.
fn stage() -> Stage {
    let stage = Stage::new();
    let mut set = set(1);
    set["metadata"]["generation"] = json!(1);
    set["status"] = json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1});
    stage.cluster.add(set);
    stage.cluster.add(pod("db-0", "db"));
    stage.cluster.add(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "front"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": "x.elb"}]}},
    }));
    stage.cloud.with(|cloud| cloud.balancers.push(balancer()));
    add(&stage, "data-db-0");
    stage
}

fn balancer() -> LoadBalancer {
    LoadBalancer {
        id: "elb".to_owned(),
        name: "elb".to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: "X.elb".to_owned(),
        scheme: "internet-facing".to_owned(),
        state: String::new(),
        created: None,
        tags: Tags::new(),
    }
}

fn pod(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "labels": {"app": app}},
        "status": {"phase": "Running"},
    })
}

fn add(stage: &Stage, name: &str) {
    stage.cluster.add(claim(name));
    stage.cluster.add(pv(name));
    stage.cloud.add(volume(name));
}

async fn told(stage: &Stage) -> Status {
    status(&stage.context(), &shop()).await.unwrap()
}

/// Name, status, PersistentVolume and note of each claim.
fn claims(status: &Status) -> Vec<[&str; 4]> {
    status
        .claims
        .iter()
        .map(|claim| [&*claim.name, &*claim.status, &*claim.volume, &*claim.note])
        .collect()
}

#[tokio::test]
async fn what_is_bound_and_ready_is_said_to_be() {
    let status = told(&stage()).await;
    assert!(status.ready && !status.incomplete, "{status:?}");
    assert_eq!(claims(&status), [["data-db-0", "Bound", "pv-data-db-0", ""]]);
    let cloud = status.claims[0].cloud.as_ref().unwrap();
    assert_eq!((&*cloud.id, cloud.size_gib, &*cloud.state), ("vol-0", 1, "available"));
    let set = &status.workloads[0];
    assert_eq!((&*set.name, set.desired, set.ready, set.updated), ("db", 1, 1, 1));
    let front = &status.services[0];
    assert_eq!(
        (&*front.hostname, front.load_balancer.as_deref()),
        ("x.elb", Some("elb"))
    );
}

#[tokio::test]
async fn a_claim_that_is_missing_leaving_or_left_over_is_said_to_be() {
    let stage = stage();
    add(&stage, "data-db-1");
    stage.cluster.remove("PersistentVolumeClaim", "data-db-0");
    let status = told(&stage).await;
    let kept = ["data-db-1", "Bound", "pv-data-db-1", "kept: its set was scaled down"];
    assert_eq!(claims(&status), [["data-db-0", "Missing", "", "not created yet"], kept]);
    assert!(!status.ready);
    let mut leaving = claim("data-db-0");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    stage.cluster.add(leaving);
    assert_eq!(told(&stage).await.claims[0].status, "Terminating");
    let mut pending = claim("data-db-0");
    pending["status"]["phase"] = json!("Pending");
    stage.cluster.add(pending);
    assert_eq!(claims(&told(&stage).await)[0], ["data-db-0", "Pending", "", ""]);
}

#[tokio::test]
async fn a_volume_that_the_cloud_does_not_have_is_said_to_be_missing() {
    let stage = stage();
    stage.cloud.with(|cloud| cloud.volumes.clear());
    let status = told(&stage).await;
    assert_eq!(status.claims[0].cloud, None);
    assert_eq!(status.claims[0].note, "volume vol-0 is not in this account and region");
}

#[tokio::test]
async fn what_cannot_be_read_makes_a_status_incomplete() {
    for (call, told_of) in [
        ("list pods", "pods"),
        ("get persistentvolumes", "volumes could not be read"),
        ("list volumes", "volumes could not be read"),
        ("list load balancers", "load balancers could not be read"),
    ] {
        let stage = stage();
        stage.script.refuse(call, ErrorKind::Forbidden);
        let status = told(&stage).await;
        let is_told = status.notices.iter().any(|notice| notice.contains(told_of));
        assert_eq!((status.incomplete, is_told), (true, true), "{call}: {status:?}");
        assert!(status.claims.iter().all(|claim| claim.note.is_empty()), "{status:?}");
    }
    let stage = stage();
    stage.script.refuse("list load balancers", ErrorKind::Unsupported);
    let status = told(&stage).await;
    assert!(
        !status.incomplete
            && status
                .notices
                .iter()
                .any(|notice| notice.contains("without load balancers"))
    );
}

#[tokio::test]
async fn pods_and_events_are_those_of_the_profile() {
    let stage = stage();
    stage.cluster.add(pod("db-10", "db"));
    stage.cluster.add(pod("db-2", "db"));
    stage.cluster.add(pod("other", "other"));
    for about in ["db-2", "other", "data-db-0", "front"] {
        stage.cluster.add(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default", "name": about},
            "involvedObject": {"kind": "Pod", "name": about}, "type": "Normal", "reason": "Seen", "message": "m",
        }));
    }
    let status = told(&stage).await;
    let pods: Vec<&str> = status.pods.iter().map(|pod| &*pod.name).collect();
    assert_eq!(pods, ["db-0", "db-2", "db-10"]);
    let events: Vec<&str> = status.events.iter().map(|event| &*event.object).collect();
    assert_eq!(events, ["pod/data-db-0", "pod/db-2", "pod/front"]);
}

#[test]
fn access_modes_are_as_kubectl_shows_them() {
    let modes = [
        "ReadWriteOnce",
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOncePod",
        "Other",
    ]
    .map(str::to_owned);
    assert_eq!(short_modes(&modes), "RWO,ROX,RWX,RWOP,Other");
}

#[test]
fn a_service_shows_its_ports_and_a_load_balancer_to_come() {
    let shown = |spec: Value| service_status(&object(json!({"kind": "Service", "apiVersion": "v1", "spec": spec})));
    let pending = shown(
        json!({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]}),
    );
    assert_eq!(
        (&*pending.hostname, &*pending.ports),
        ("<pending>", "80:30080/TCP,53/UDP")
    );
    let inner = shown(json!({}));
    assert_eq!((&*inner.hostname, &*inner.service_type), ("", "ClusterIP"));
}
