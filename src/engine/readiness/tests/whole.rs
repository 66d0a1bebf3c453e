//! A whole profile: what of it counts, and when all of it is ready.

use super::*;
use crate::fakes;

/// Set `db`, and a Service that wants a load balancer.
fn shop() -> Profile {
    let front = "
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{port: 80}]}
";
    fakes::profile("externalClasses: [fast]\n", front)
}

fn running(replicas: u32) -> Value {
    let mut set = fakes::set(replicas);
    set["metadata"]["generation"] = json!(1);
    set["status"] = json!({
        "observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas,
    });
    set
}

fn front(ingress: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "front"},
        "status": {"loadBalancer": {"ingress": ingress}},
    })
}

/// Everything of two replicas, Bound and Ready.
fn all() -> Vec<Value> {
    vec![
        fakes::claim("data-db-0"),
        fakes::claim("data-db-1"),
        front(&json!([{"hostname": "x.elb"}])),
        running(2),
    ]
}

fn judged(objects: &[Value]) -> Readiness {
    assess(&shop(), &snapshot(objects), Balancers::Awaited)
}

#[test]
fn a_profile_is_ready_when_each_of_its_claims_workloads_and_load_balancers_is() {
    let whole = judged(&all());
    assert_eq!((whole.ready, whole.total, whole.is_ready()), (4, 4, true));
    assert_eq!(whole.causes, []);
    for (lacking, what) in [
        (0, "claim default/data-db-0"),
        (1, "claim default/data-db-1"),
        (2, "service default/front"),
    ] {
        let mut objects = all();
        objects.remove(lacking);
        let judged = judged(&objects);
        assert_eq!((judged.ready, judged.total, judged.is_ready()), (3, 4, false));
        let whats: Vec<&str> = judged.causes.iter().map(|cause| &*cause.what).collect();
        assert_eq!(whats, [what]);
    }
    let nothing = judged(&[]);
    assert_eq!((nothing.ready, nothing.total, nothing.is_ready()), (0, 3, false));
}

#[test]
fn a_load_balancer_that_nobody_can_make_is_not_waited_for() {
    let mut objects = all();
    objects[2] = front(&json!([]));
    assert!(!judged(&objects).is_ready());
    let judged = assess(&shop(), &snapshot(&objects), Balancers::Unavailable);
    assert_eq!((judged.total, judged.is_ready()), (3, true));
    let waits = |objects: &[Value]| awaits_balancer(&shop(), &snapshot(objects));
    assert!(waits(&objects) && waits(&[]) && !waits(&all()));
}

#[test]
fn as_many_claims_are_wanted_as_the_set_has_replicas() {
    let profile = shop();
    let wanted = |objects: &[Value], manifest| {
        let mut profile = shop();
        profile.sets[0].replicas = manifest;
        wanted_claims(&profile, &snapshot(objects)).len()
    };
    let first = ("default".to_owned(), "data-db-0".to_owned());
    assert_eq!(wanted_claims(&profile, &Snapshot::default()), [first]);
    assert_eq!((wanted(&[], Some(3)), wanted(&[running(2)], Some(3))), (3, 2));
    assert_eq!((wanted(&[], None), wanted(&[running(0)], None)), (1, 0));
}

#[test]
fn a_claim_says_why_it_is_not_bound() {
    let why = |path: &str, to: Value, event: Option<Value>| {
        let mut claim = fakes::claim("data-db-0");
        let (parent, field) = path.rsplit_once('/').unwrap();
        claim.pointer_mut(parent).unwrap()[field] = to;
        let objects: Vec<Value> = [claim, running(1)].into_iter().chain(event).collect();
        let judged = assess(&shop(), &snapshot(&objects), Balancers::Unavailable);
        judged.causes.into_iter().next().map(|cause| (cause.why, cause.fatal))
    };
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default", "name": "e"},
        "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data-db-0"},
        "type": "Warning", "reason": "FailedBinding", "message": "no volume",
    });
    let phase = "/status/phase";
    assert_eq!(why(phase, json!("Bound"), None), None);
    for (path, to, event, words, fatal) in [
        (
            "/metadata/deletionTimestamp",
            "2026-11-22T00:00:00Z",
            None,
            "it is being deleted",
            false,
        ),
        (phase, "Lost", None, "Lost: PersistentVolume pv-data-db-0 is gone", true),
        (
            phase,
            "Pending",
            None,
            "unbound: waits for PersistentVolume pv-data-db-0",
            false,
        ),
        (
            phase,
            "Pending",
            Some(event),
            "unbound: waits for PersistentVolume pv-data-db-0; FailedBinding: no volume",
            false,
        ),
    ] {
        assert_eq!(why(path, json!(to), event), Some((words.to_owned(), fatal)));
    }
}

#[test]
fn of_events_of_one_sort_the_newest_is_told() {
    let event = |name: &str, at: &str| {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "ns", "name": name},
            "involvedObject": {"kind": "Pod", "name": "db-0"},
            "type": "Normal", "reason": name, "message": "m", "lastTimestamp": at,
        })
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    for (first, second, newest) in [(early, late, "b: m"), (late, early, "a: m")] {
        let snapshot = snapshot(&[event("a", first), event("b", second)]);
        let told = Events::of(&snapshot).latest("Pod", "ns", "db-0");
        assert_eq!(told.as_deref(), Some(newest));
    }
}

#[test]
fn all_that_a_judgement_looks_at_is_read() {
    let read = |queries: Vec<ListQuery>| {
        let mut read: Vec<String> = queries
            .iter()
            .map(|query| {
                format!(
                    "{} {}",
                    query.resource.plural,
                    query.namespace.as_deref().unwrap_or("*")
                )
            })
            .collect();
        read.sort();
        read
    };
    let judged = [
        "persistentvolumeclaims default",
        "services default",
        "statefulsets default",
    ];
    assert_eq!(read(queries_without_causes(&shop())), judged);
    let [claims, services, sets] = judged;
    assert_eq!(
        read(queries(&shop())),
        ["events default", claims, "pods default", services, sets]
    );
    assert_eq!(read(queries_of_claims(&shop())), [claims]);
    let app = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}}
";
    let mut with_app = vec!["deployments default"];
    with_app.extend(judged);
    with_app.sort_unstable();
    let of_app = queries_without_causes(&fakes::profile("externalClasses: [fast]\n", app));
    assert!(of_app.iter().any(|query| query.resource == ResourceKind::deployment()));
    assert_eq!(read(of_app), with_app);
}
