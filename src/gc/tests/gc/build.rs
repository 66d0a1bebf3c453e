//! Small worlds, built of the objects that an API server and a cloud would list.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use moorline_api::{
    Attachment, Object, StorageRules, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState, tags,
};
use moorline_aws_rules::EbsRules;
use moorline_azure_rules::AzureRules;
use moorline_gc::{ClusterIndex, Detail, Judgement, Kind, NamedCluster, Policy, Records, VolumeNames, World, judge};
use serde_json::{Value, json};

/// UID of the first cluster's kube-system, named `prod` in the policy.
pub(crate) const PROD: &str = "11111111-0000-4000-8000-000000000001";
/// UID of the second, `stage`.
pub(crate) const STAGE: &str = "22222222-0000-4000-8000-000000000002";
/// UID of a claim.
pub(crate) const UID: &str = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";
/// UID of another claim.
pub(crate) const OTHER_UID: &str = "5e5e5e5e-2b8e-4a5e-9d2c-6f1f1a0c7d11";

/// The time of a test's only run.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// The handles of both clouds, as their providers read them.
pub(crate) struct Handles;

impl VolumeNames for Handles {
    fn volume_ids(&self, persistent_volume: &Object) -> Vec<VolumeId> {
        let rules: [&dyn StorageRules; 2] = [&EbsRules, &AzureRules];
        rules[..].volume_ids(persistent_volume)
    }
}

pub(crate) fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

/// An object of JSON with more fields set.
pub(crate) trait With {
    fn with(self, path: &[&str], value: Value) -> Self;
}

impl With for Object {
    fn with(mut self, path: &[&str], value: Value) -> Self {
        self.set(path, value);
        self
    }
}

/// `web/data-db-0` of UID [`UID`], Bound to `pv-1`, made by moorline for set `db`.
pub(crate) fn claim() -> Object {
    named_claim("data-db-0", "db")
}

pub(crate) fn named_claim(name: &str, set: &str) -> Object {
    plain_claim(name).with(&["metadata", "annotations"], json!({"moorline.dev/stateful-set": set}))
}

/// The same without anything that says who made it.
pub(crate) fn plain_claim(name: &str) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "web", "name": name, "uid": UID, "labels": {"app": "db"},
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"volumeName": "pv-1"},
        "status": {"phase": "Bound"},
    }))
}

/// As the StatefulSet controller makes it.
pub(crate) fn controllers_claim(name: &str) -> Object {
    plain_claim(name).with(
        &["metadata", "managedFields"],
        json!([{"manager": "kube-controller-manager", "operation": "Update",
                "fieldsV1": {"f:spec": {"f:accessModes": {}, "f:resources": {"f:requests": {}}}}}]),
    )
}

/// `pv-1`, of `vol-1`, Bound to the claim of UID [`UID`].
pub(crate) fn pv() -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "pv-1", "uid": "pv-uid-1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
            "claimRef": {"namespace": "web", "name": "data-db-0", "uid": UID},
            "persistentVolumeReclaimPolicy": "Delete",
        },
        "status": {"phase": "Bound"},
    }))
}

pub(crate) fn released(pv: Object) -> Object {
    pv.with(&["status", "phase"], json!("Released"))
}

/// Set `web/<name>` with one template, `data`.
pub(crate) fn set(name: &str, replicas: u32) -> Object {
    object(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": "web", "name": name, "uid": format!("set-uid-{name}")},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "db"}},
                 "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    }))
}

/// A workload or pod of `web` whose pods use `data-db-0`.
pub(crate) fn user(api_version: &str, kind: &str, spec: &Value) -> Object {
    let pod = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data-db-0"}}]});
    let mut object = object(json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"namespace": "web", "name": "user", "uid": "user-uid"},
        "spec": spec,
    }));
    let path: &[&str] = match kind {
        "Pod" => &["spec", "volumes"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    object.set(path, if kind == "Pod" { pod["volumes"].clone() } else { pod });
    object
}

/// EBS volume `vol-1` that moorline made in cluster `prod` for claim [`UID`].
pub(crate) fn volume() -> Volume {
    tagged(&[
        (tags::CLUSTER_UID, PROD),
        (tags::NAMESPACE, "web"),
        (tags::CLAIM, "data-db-0"),
        (tags::CLAIM_UID, UID),
    ])
}

/// EBS volume `vol-1` with these tags.
pub(crate) fn tagged(tags: &[(&str, &str)]) -> Volume {
    Volume {
        id: VolumeId("vol-1".to_owned()),
        spec: VolumeSpec {
            size_gib: 10,
            zone: None,
            config: VolumeConfig::ebs("gp3"),
        },
        state: VolumeState::Available,
        attachments: Vec::new(),
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<Tags>(),
        created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
    }
}

pub(crate) fn attached(mut volume: Volume) -> Volume {
    volume.state = VolumeState::InUse;
    volume.attachments.push(Attachment {
        instance: "i-1".to_owned(),
        device: "/dev/xvdba".to_owned(),
        state: "attached".to_owned(),
    });
    volume
}

/// Two clusters, `prod` and `stage`, and one volume. Everything is read whole but what is named.
pub(crate) struct Scene {
    pub(crate) policy: Policy,
    pub(crate) records: Records,
    prod: Vec<Object>,
    stage: Vec<Object>,
    volumes: Vec<(Volume, Detail)>,
    unread: BTreeSet<(u16, Kind)>,
    others: Vec<Kind>,
    began: Timestamp,
}

impl Scene {
    pub(crate) fn of(objects: impl IntoIterator<Item = Object>) -> Self {
        let cluster = |name: &str, uid: &str| NamedCluster {
            name: name.to_owned(),
            uid: Some(uid.to_owned()),
            tag_ids: vec![format!("{name}.example.com")],
        };
        Self {
            policy: Policy::of([cluster("prod", PROD), cluster("stage", STAGE)]),
            records: Records::default(),
            prod: objects.into_iter().collect(),
            stage: Vec::new(),
            volumes: vec![(volume(), Detail::Full)],
            unread: BTreeSet::new(),
            others: Vec::new(),
            began: now() - hours(0),
        }
    }

    pub(crate) fn volume(mut self, volume: Volume) -> Self {
        self.volumes = vec![(volume, Detail::Full)];
        self
    }

    pub(crate) fn listed(mut self, volumes: Vec<(Volume, Detail)>) -> Self {
        self.volumes = volumes;
        self
    }

    pub(crate) fn stage(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        self.stage.extend(objects);
        self
    }

    /// A kind of `prod` that could not be read.
    pub(crate) fn without(mut self, kind: Kind) -> Self {
        self.unread.insert((0, kind));
        self
    }

    pub(crate) fn stage_without(mut self, kind: Kind) -> Self {
        self.unread.insert((1, kind));
        self
    }

    /// A kind beside the built-in ones that verdicts depend on.
    pub(crate) fn expecting(mut self, kind: Kind) -> Self {
        self.others.push(kind);
        self
    }

    pub(crate) fn read_at(mut self, began: Timestamp) -> Self {
        self.began = began;
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(crate) fn records(mut self, change: impl FnOnce(&mut Records)) -> Self {
        change(&mut self.records);
        self
    }

    pub(crate) fn world(&self) -> World {
        let mut world = World::new(&self.policy);
        let scope = world.scope("aws 123456789012/eu-west-1");
        for (volume, detail) in &self.volumes {
            world.add_volume(scope, volume, *detail, Some(0.8));
        }
        world.scope_read(scope, self.began);
        for kind in &self.others {
            world.expect(ClusterIndex(0), kind.clone());
        }
        for (cluster, objects) in [(0, &self.prod), (1, &self.stage)] {
            let index = ClusterIndex(cluster);
            for object in objects {
                world.add(index, object, &Handles);
            }
            for kind in Kind::BUILT_IN.iter().chain(&self.others) {
                if self.unread.contains(&(cluster, kind.clone())) {
                    world.failed(index, kind.clone(), "403 forbidden");
                } else {
                    world.read_whole(index, kind.clone(), self.began);
                }
            }
        }
        world
    }

    /// What becomes of the first volume.
    pub(crate) fn judge(&self) -> Judgement {
        let world = self.world();
        let volume = world.find_volume(&self.volumes[0].0.id).unwrap();
        judge(&world, volume, &self.policy, &self.records, now())
    }
}
