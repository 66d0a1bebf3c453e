//! What an API server and a cloud would list of the truth.

use jiff::Timestamp;
use moorline_api::{Attachment, Object, VolumeId, VolumeState, tags};
use moorline_gc::{Kind, names};
use serde_json::json;

use super::truth::{Claim, Cluster, Made, Pv, Set, Tagging, Truth, User, Volume};
use crate::build::{object, tagged};

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap().to_string()
}

pub(crate) fn volume_id(index: usize) -> VolumeId {
    VolumeId(format!("vol-{index}"))
}

pub(crate) fn index_of(id: &VolumeId) -> usize {
    id.0.strip_prefix("vol-").unwrap().parse().unwrap()
}

pub(crate) fn tag_id(cluster: usize) -> String {
    format!("cluster-{cluster}")
}

/// The objects of one kind.
pub(crate) fn objects(truth: &Truth, cluster: usize, kind: &Kind) -> Vec<Object> {
    let place = &truth.clusters[cluster];
    match kind {
        Kind::PersistentVolumes => place.pvs.iter().map(|pv| persistent_volume(place, pv)).collect(),
        Kind::Claims => place.claims.iter().map(|c| claim(place, c)).collect(),
        Kind::StatefulSets => place.sets.iter().map(set).collect(),
        Kind::VolumeAttachments => {
            let attached = place.pvs.iter().filter(|pv| truth.volumes[pv.volume].attaching);
            attached.map(attachment).collect()
        }
        kind => place
            .users
            .iter()
            .filter(|user| kind_of(user) == *kind)
            .map(user)
            .collect(),
    }
}

/// What there is of a user: kind, and the fields that say whether it stands still.
fn kind_of(user: &User) -> Kind {
    match user.kind % 8 {
        0 | 1 => Kind::Pods,
        2 => Kind::Deployments,
        3 => Kind::ReplicaSets,
        4 => Kind::DaemonSets,
        5 => Kind::Jobs,
        6 => Kind::CronJobs,
        _ => Kind::ReplicationControllers,
    }
}

fn attachment(pv: &Pv) -> Object {
    object(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": pv.name},
        "spec": {"nodeName": "n", "source": {"persistentVolumeName": pv.name}},
    }))
}

fn user(user: &User) -> Object {
    let still = user.kind & 8 != 0;
    let pod = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": user.claim}}]});
    let (version, kind, spec, status) = match user.kind % 8 {
        0 | 1 => (
            "v1",
            "Pod",
            pod,
            json!({"phase": if still { "Succeeded" } else { "Pending" }}),
        ),
        2 => (
            "apps/v1",
            "Deployment",
            json!({"replicas": i32::from(!still), "template": {"spec": pod}}),
            json!({}),
        ),
        3 => (
            "apps/v1",
            "ReplicaSet",
            json!({"replicas": i32::from(!still), "template": {"spec": pod}}),
            json!({}),
        ),
        4 => ("apps/v1", "DaemonSet", json!({"template": {"spec": pod}}), json!({})),
        5 => {
            let done = json!({"conditions": [{"type": "Complete", "status": if still { "True" } else { "False" }}]});
            ("batch/v1", "Job", json!({"template": {"spec": pod}}), done)
        }
        6 => {
            let spec = json!({"suspend": still, "jobTemplate": {"spec": {"template": {"spec": pod}}}});
            ("batch/v1", "CronJob", spec, json!({}))
        }
        _ => (
            "v1",
            "ReplicationController",
            json!({"replicas": i32::from(!still), "template": {"spec": pod}}),
            json!({}),
        ),
    };
    object(json!({
        "apiVersion": version, "kind": kind,
        "metadata": {"namespace": user.namespace, "name": user.name, "uid": user.name},
        "spec": spec, "status": status,
    }))
}

fn set(set: &Set) -> Object {
    object(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": set.namespace, "name": set.name, "uid": set.uid},
        "spec": {
            "replicas": set.replicas, "ordinals": {"start": set.start},
            "selector": {"matchLabels": {"app": set.name}},
            "volumeClaimTemplates": [{"metadata": {"name": set.template}}],
        },
    }))
}

fn claim(place: &Cluster, claim: &Claim) -> Object {
    let pv = claim
        .volume_name
        .as_ref()
        .and_then(|name| place.pvs.iter().find(|pv| pv.name == *name));
    let phase = match (&claim.volume_name, pv) {
        (_, Some(_)) => "Bound",
        (Some(_), None) if claim.created % 2 == 0 => "Pending",
        (Some(_), None) => "Lost",
        (None, None) => "Pending",
    };
    let mut metadata = json!({
        "namespace": claim.namespace, "name": claim.name, "uid": claim.uid, "creationTimestamp": time(claim.created),
        "labels": {}, "annotations": {},
    });
    match &claim.made {
        Made::Moorline(set) => {
            metadata["annotations"][names::SET] = json!(set);
            metadata["labels"] = json!({"app": set, "moorline.dev/profile": "p"});
        }
        Made::Controller(set) => {
            metadata["labels"] = json!({"app": set});
            metadata["managedFields"] =
                json!([{"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:accessModes": {}}}}]);
        }
        Made::Hand => {}
    }
    if claim.protected {
        metadata["annotations"][names::PROTECT] = json!("true");
    }
    let mut spec = json!({});
    if let Some(name) = &claim.volume_name {
        spec["volumeName"] = json!(name);
    }
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": {"phase": phase},
    }))
}

fn persistent_volume(place: &Cluster, pv: &Pv) -> Object {
    let handle = volume_id(pv.volume).0;
    let (field, source) = match pv.form / 8 % 4 {
        0 | 1 => ("csi", json!({"driver": "ebs.csi.aws.com", "volumeHandle": handle})),
        2 => (
            "awsElasticBlockStore",
            json!({"volumeID": format!("aws://eu-west-1a/{handle}")}),
        ),
        _ => ("awsElasticBlockStore", json!({"volumeID": handle})),
    };
    let mut spec = json!({"persistentVolumeReclaimPolicy": if pv.retain { "Retain" } else { "Delete" }});
    spec[field] = source;
    let mut phase = "Available";
    if let Some((namespace, name, uid)) = &pv.claim {
        spec["claimRef"] = json!({"namespace": namespace, "name": name});
        let same = |claim: &&Claim| claim.namespace == *namespace && claim.name == *name;
        let there = place.claims.iter().find(same);
        if let Some(uid) = uid {
            spec["claimRef"]["uid"] = json!(uid);
            let lives = there.is_some_and(|claim| claim.uid == *uid);
            phase = if lives { "Bound" } else { "Released" };
        }
    }
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": pv.name, "uid": pv.uid, "creationTimestamp": time(pv.created)},
        "spec": spec, "status": {"phase": phase, "lastPhaseTransitionTime": time(pv.created.max(pv.released))},
    }))
}

/// The volume as the cloud lists it.
pub(crate) fn volume(truth: &Truth, index: usize) -> moorline_api::Volume {
    let known = &truth.volumes[index];
    let mut shown = tagged(&[]);
    shown.id = volume_id(index);
    shown.created = Timestamp::from_second(known.created).ok();
    for (key, value) in tags_of(known) {
        shown.tags.insert(key, value);
    }
    if known.protected {
        shown.tags.insert(names::PROTECT.to_owned(), "true".to_owned());
    }
    if let Some(mark) = &known.mark {
        shown.tags.insert(names::UNUSED.to_owned(), mark.clone());
    }
    if known.attached {
        shown.state = VolumeState::InUse;
        shown.attachments.push(Attachment {
            instance: "i".to_owned(),
            device: "d".to_owned(),
            state: "attached".to_owned(),
        });
    }
    shown
}

fn tags_of(volume: &Volume) -> Vec<(String, String)> {
    let (namespace, name) = &volume.made_for;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let none = (0, String::new());
    let (cluster, uid) = volume.made_by.as_ref().unwrap_or(&none);
    let owned = |cluster: usize| pair(&format!("kubernetes.io/cluster/{}", tag_id(cluster)), "owned");
    let created_for = [
        pair("kubernetes.io/created-for/pvc/name", name),
        pair("kubernetes.io/created-for/pvc/namespace", namespace),
    ];
    let csi = [
        pair("CSIVolumeName", &format!("pvc-{uid}")),
        pair("ebs.csi.aws.com/cluster", "true"),
    ];
    match volume.tagging {
        Tagging::Moorline => vec![
            pair(tags::CLUSTER_UID, &Truth::uid_of_cluster(*cluster)),
            pair(tags::NAMESPACE, namespace),
            pair(tags::CLAIM, name),
            pair(tags::CLAIM_UID, uid),
        ],
        Tagging::Csi => csi.to_vec(),
        Tagging::CsiWithCluster => csi.into_iter().chain([owned(*cluster)]).collect(),
        Tagging::InTree => created_for
            .into_iter()
            .chain([owned(*cluster), pair("Name", &format!("kubernetes-dynamic-pvc-{uid}"))])
            .collect(),
        Tagging::Trap(sort) => match sort % 7 {
            0 => vec![],
            1 => [owned(0), pair("k8s.io/etcd/main", "a/a")]
                .into_iter()
                .chain(created_for)
                .collect(),
            2 => created_for.to_vec(),
            3 => vec![pair("CSIVolumeName", "pvc-ffffffff-ffff-4fff-8fff-ffffffffffff")],
            4 => vec![owned(0)],
            5 => [pair("kubernetes.io/cluster/cluster-0", "shared")]
                .into_iter()
                .chain(created_for)
                .collect(),
            _ => [owned(0), owned(1)].into_iter().chain(created_for).collect(),
        },
    }
}
