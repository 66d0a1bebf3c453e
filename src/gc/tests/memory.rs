//! A hundred thousand volumes, PersistentVolumes, claims and pods over three clusters: what a world and a plan of it take.
//! A program of its own, so that nothing else is in its memory.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Instant;

use jiff::Timestamp;
use moorline_api::{Object, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState, tags};
use moorline_gc::plan::{Clock, plan};
use moorline_gc::verdict::Verdict;
use moorline_gc::{ClusterIndex, Detail, Kind, NamedCluster, Policy, Records, VolumeNames, World};
use serde_json::{Value, json};

const ALL: u32 = 100_000;
const CLUSTERS: u16 = 3;
/// The whole process may take 150 MB, and pages and connections need some of that.
const MOST_MIB: u64 = 110;

struct Handles;

impl VolumeNames for Handles {
    fn volume_ids(&self, pv: &Object) -> Vec<VolumeId> {
        let handle = pv.str_at(&["spec", "csi", "volumeHandle"]);
        handle.map(|handle| VolumeId(handle.to_owned())).into_iter().collect()
    }
}

fn uid(sort: u32, index: u32) -> String {
    format!("{index:08x}-{sort:04x}-4a5e-9d2c-6f1f1a0c7d11")
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn cluster_of(index: u32) -> ClusterIndex {
    ClusterIndex(u16::try_from(index / 3 % u32::from(CLUSTERS)).unwrap())
}

/// Namespace, set and claim of a volume: three to a set.
fn place(index: u32) -> (String, String, String) {
    let set = format!("database-{}", index / 3);
    let claim = format!("data-{set}-{}", index % 3);
    (format!("team-{}", index % 1000 / 3), set, claim)
}

fn pv(index: u32) -> Object {
    let (namespace, _, claim) = place(index);
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pvc-{}", uid(1, index)), "uid": uid(2, index)},
        "spec": {
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{index:017x}")},
            "claimRef": {"namespace": namespace, "name": claim, "uid": uid(1, index)},
            "persistentVolumeReclaimPolicy": "Delete",
        },
        "status": {"phase": "Bound"},
    }))
}

fn claim(index: u32) -> Object {
    let (namespace, set, claim) = place(index);
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": namespace, "name": claim, "uid": uid(1, index), "labels": {"app": set},
                     "annotations": {"moorline.dev/stateful-set": set}},
        "spec": {"volumeName": format!("pvc-{}", uid(1, index))}, "status": {"phase": "Bound"},
    }))
}

fn set(index: u32) -> Object {
    let (namespace, set, _) = place(index);
    object(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": namespace, "name": set, "uid": uid(3, index)},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": set}}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    }))
}

fn pod(index: u32) -> Object {
    let (namespace, set, claim) = place(index);
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": format!("{set}-{}", index % 3), "uid": uid(4, index)},
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}, "status": {"phase": "Running"},
    }))
}

fn volume(index: u32) -> Volume {
    let (namespace, _, claim) = place(index);
    let tags = [
        (tags::CLUSTER_UID, uid(9, u32::from(cluster_of(index).0))),
        (tags::NAMESPACE, namespace.clone()),
        (tags::CLAIM, claim.clone()),
        (tags::CLAIM_UID, uid(1, index)),
        ("CSIVolumeName", format!("pvc-{}", uid(1, index))),
        ("Name", format!("pvc-{}", uid(1, index))),
        ("kubernetes.io/created-for/pvc/name", claim),
        ("kubernetes.io/created-for/pvc/namespace", namespace),
    ];
    Volume {
        id: VolumeId(format!("vol-{index:017x}")),
        spec: VolumeSpec {
            size_gib: 10,
            zone: Some("eu-west-1a".to_owned()),
            config: VolumeConfig::ebs("gp3"),
        },
        state: VolumeState::Available,
        attachments: Vec::new(),
        tags: tags
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<Tags>(),
        created: None,
    }
}

/// The most memory that this process had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

#[test]
fn a_hundred_thousand_of_each_over_three_clusters_are_small() {
    let began = Instant::now();
    let policy = Policy::of((0..CLUSTERS).map(|cluster| NamedCluster {
        name: format!("cluster-{cluster}"),
        uid: Some(uid(9, u32::from(cluster))),
        tag_ids: Vec::new(),
    }));
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut world = World::new(&policy);
    let scope = world.scope("aws");
    for index in 0..ALL {
        world.add_volume(scope, &volume(index), Detail::Full, Some(0.8));
    }
    world.scope_read(scope, now);
    for index in 0..ALL {
        let cluster = cluster_of(index);
        // One set in ten is gone, and one claim in a hundred with its PersistentVolume.
        let gone = index / 3 % 10 == 0;
        if index % 100 != 7 {
            world.add(cluster, &pv(index), &Handles);
            world.add(cluster, &claim(index), &Handles);
        }
        if !gone {
            world.add(cluster, &pod(index), &Handles);
            if index % 3 == 0 {
                world.add(cluster, &set(index), &Handles);
            }
        }
    }
    for cluster in world.clusters() {
        for kind in Kind::BUILT_IN {
            world.read_whole(cluster, kind, now);
        }
    }
    let (folded, fold_peak) = (began.elapsed(), peak());
    let plan = plan(&world, &policy, &Records::default(), Clock { now }, "run-1");
    let took = began.elapsed();
    let plan_peak = peak();
    let counts: Vec<_> = plan.totals.iter().map(|(verdict, sum)| (*verdict, sum.count)).collect();
    println!("{counts:?}: folded in {folded:?} with {fold_peak} MiB, planned at {took:?} with {plan_peak} MiB");
    assert_eq!(plan.totals[&Verdict::Orphan].count, 1000);
    assert_eq!(plan.totals[&Verdict::LeftBehind].count, 10_002);
    assert!(plan_peak < MOST_MIB, "{plan_peak} MiB");

    let mut records = Records::default();
    records.observe(&world, now);
    println!("records with {} MiB", peak());
}
