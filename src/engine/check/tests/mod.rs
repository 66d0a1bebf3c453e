//! One case for each problem, on worlds made of objects as the API server shows them.

mod bound;
mod records;
mod unbound;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_api::{
    Attachment, AzureContainer, Object, ResourceKind, StorageClass, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec,
    VolumeState, tags,
};
use moorline_aws_rules::EbsRules;
use serde_json::{Value, json};

use super::world::{Attached, Claim, Pod, Pv, Set, Volumes, World};
use super::{Finding, Problem, Severity, judge};
use crate::tracker::{Kept, Snapshot};

const CLUSTER: &str = "cluster-uid";

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn claim(name: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "ns", "name": name, "uid": format!("uid-{name}")},
        "spec": {
            "storageClassName": "gp3", "volumeName": format!("pv-{name}"), "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
        "status": {"phase": phase},
    })
}

fn pv(claim: &str) -> Value {
    let zone = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]});
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pv-{claim}"), "uid": "pv-uid", "labels": {"moorline.dev/profile": "web"}},
        "spec": {
            "capacity": {"storage": "10Gi"}, "storageClassName": "gp3", "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": "ns", "name": claim, "uid": format!("uid-{claim}")},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{claim}")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
        },
        "status": {"phase": "Bound"},
    })
}

fn volume(claim: &str) -> Volume {
    let tags = [
        (tags::CLUSTER_UID, CLUSTER),
        (tags::NAMESPACE, "ns"),
        (tags::CLAIM, claim),
        (tags::CLAIM_UID, &*format!("uid-{claim}")),
        (tags::PROFILE, "web"),
    ];
    Volume {
        id: VolumeId(format!("vol-{claim}")),
        spec: VolumeSpec {
            size_gib: 10,
            zone: Some("us-east-1a".to_owned()),
            config: VolumeConfig::Ebs {
                volume_type: "gp3".to_owned(),
                iops: Some(3000),
                throughput: Some(125),
                encrypted: Some(false),
                kms_key_id: None,
            },
        },
        state: VolumeState::InUse,
        attachments: vec![at("i-0a")],
        tags: tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        created: None,
    }
}

fn at(instance: &str) -> Attachment {
    Attachment {
        instance: instance.to_owned(),
        device: "/dev/xvdba".to_owned(),
        state: "attached".to_owned(),
    }
}

fn pod(claim: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "ns", "name": "p"},
        "spec": {"nodeName": "n", "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn class(name: &str, mode: &str) -> StorageClass {
    StorageClass::from_object(&object(json!({
        "metadata": {"name": name}, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode,
        "parameters": {"type": "gp3"},
    })))
}

/// A claim `a` that is bound and used by a pod, as it should be.
fn sound() -> World {
    let mut world = World {
        cluster_uid: CLUSTER.to_owned(),
        profile: None,
        claims: BTreeMap::new(),
        persistent_volumes: Some(BTreeMap::new()),
        classes: Some([("gp3".to_owned(), class("gp3", "Immediate"))].into()),
        has_default: Some(false),
        pods: Some(vec![Pod::of(&object(pod("a"))).unwrap()]),
        machines: [("n".to_owned(), "aws:///us-east-1a/i-0a".to_owned())].into(),
        attachments: Some(Vec::new()),
        sets: Vec::new(),
        volumes: Volumes {
            named_complete: true,
            tagged_complete: true,
            ..Volumes::default()
        },
        events: Snapshot::default(),
        rules: vec![Arc::new(EbsRules)],
        accounts: Vec::new(),
        gaps: Vec::new(),
    };
    world.put_claim(claim("a", "Bound"));
    world.put_pv(pv("a"));
    world.put_volume(volume("a"));
    world
}

impl World {
    fn put_claim(&mut self, claim: Value) {
        let claim = Claim::of(&object(claim));
        self.claims.insert(claim.view.key(), claim);
    }

    fn put_pv(&mut self, pv: Value) {
        let pv = Pv::of(&object(pv), &self.rules);
        self.persistent_volumes
            .as_mut()
            .unwrap()
            .insert(pv.view.name.clone(), pv);
    }

    fn put_volume(&mut self, volume: Volume) {
        self.volumes.seen.insert(volume.id.clone(), volume);
    }

    fn the_volume(&mut self) -> &mut Volume {
        self.volumes.seen.get_mut(&VolumeId("vol-a".to_owned())).unwrap()
    }
}

/// The one finding of a world, which is to be of this sort.
#[track_caller]
fn only(world: &World, severity: Severity, problem: Problem) -> Finding {
    let findings = judge(world);
    let [finding] = &*findings else {
        panic!("{findings:#?}");
    };
    assert_eq!((finding.severity, finding.problem), (severity, problem), "{finding:#?}");
    finding.clone()
}
