//! One case for each problem, on worlds made of objects as the API server shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_api::{
    Attachment, Object, ResourceKind, StorageClass, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState, tags,
};
use moorline_aws_rules::EbsRules;
use serde_json::{Value, json};

use super::world::{Attached, Claim, Pod, Pv, Set, Volumes, World};
use super::{Finding, Problem, Severity, judge};
use crate::tracker::Snapshot;

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

#[test]
fn what_is_as_it_should_be_is_not_told() {
    assert_eq!(judge(&sound()), []);
}

#[test]
fn a_volume_that_the_cloud_does_not_have_is_missing_only_where_it_answered() {
    let mut world = sound();
    world.volumes.seen.clear();
    let finding = only(&world, Severity::Error, Problem::VolumeMissing);
    assert_eq!(finding.claim.as_deref(), Some("ns/a"));
    assert!(finding.hint.unwrap().contains("moorline restore vol-a"));
    world.volumes.named_complete = false;
    assert_eq!(judge(&world), [], "nobody knows");
    assert_eq!(super::behind::unknown(&world).len(), 1);
}

#[test]
fn sizes_are_held_against_what_kubernetes_believes() {
    let mut world = sound();
    world.the_volume().spec.size_gib = 8;
    assert!(
        only(&world, Severity::Error, Problem::WrongSize)
            .why
            .contains("has 8 GiB")
    );
    world.the_volume().spec.size_gib = 12;
    assert!(
        only(&world, Severity::Warning, Problem::WrongSize)
            .hint
            .unwrap()
            .contains("12Gi")
    );
    world.the_volume().spec.size_gib = 10;
    let mut larger = claim("a", "Bound");
    larger["spec"]["resources"]["requests"]["storage"] = json!("20Gi");
    world.put_claim(larger);
    assert!(
        only(&world, Severity::Warning, Problem::WrongSize)
            .why
            .contains("did not finish")
    );
}

#[test]
fn types_are_held_against_the_class_unless_they_were_changed_on_purpose() {
    let mut world = sound();
    if let VolumeConfig::Ebs { volume_type, .. } = &mut world.the_volume().spec.config {
        "gp2".clone_into(volume_type);
    }
    let finding = only(&world, Severity::Warning, Problem::WrongType);
    assert!(finding.why.contains("type gp2, not gp3"), "{}", finding.why);
    let mut modified = claim("a", "Bound");
    modified["status"]["currentVolumeAttributesClassName"] = json!("cheap");
    world.put_claim(modified);
    assert_eq!(judge(&world), []);
}

#[test]
fn zones_are_held_against_the_persistent_volume() {
    let mut world = sound();
    world.the_volume().spec.zone = Some("us-east-1b".to_owned());
    assert!(
        only(&world, Severity::Error, Problem::WrongZone)
            .why
            .contains("us-east-1b")
    );
}

#[test]
fn a_running_pod_has_its_disk_attached_to_its_own_machine() {
    let mut world = sound();
    world.the_volume().attachments = vec![at("i-0b")];
    assert!(
        only(&world, Severity::Error, Problem::AttachedElsewhere)
            .why
            .contains("i-0b")
    );
    world.the_volume().attachments.clear();
    world.the_volume().state = VolumeState::Available;
    assert!(
        only(&world, Severity::Error, Problem::Detached)
            .hint
            .unwrap()
            .contains("kubectl delete pod p")
    );
    world.pods = None;
    assert_eq!(judge(&world), [], "whether a pod runs is not known");
}

#[test]
fn what_kubernetes_takes_for_attached_is_looked_for_in_the_cloud() {
    let mut world = sound();
    world.pods = Some(Vec::new());
    let attachment = |status: Value| {
        let source = json!({"persistentVolumeName": "pv-a"});
        Attached::of(&object(
            json!({"spec": {"nodeName": "n", "source": source}, "status": status}),
        ))
        .unwrap()
    };
    world.attachments = Some(vec![attachment(json!({"attached": true}))]);
    assert_eq!(judge(&world), []);
    world.the_volume().attachments.clear();
    world.the_volume().state = VolumeState::Available;
    only(&world, Severity::Error, Problem::Detached);
    let error = json!({"attached": false, "attachError": {"message": "volume is in another zone"}});
    world.attachments = Some(vec![attachment(error)]);
    assert!(
        only(&world, Severity::Error, Problem::AttachFailing)
            .why
            .contains("another zone")
    );
    world.attachments = Some(Vec::new());
    assert_eq!(judge(&world), [], "nobody uses it, and it is nowhere");
    world.the_volume().attachments = vec![at("i-0a")];
    only(&world, Severity::Warning, Problem::AttachedUnused);
}

#[test]
fn a_mark_of_garbage_collection_does_not_go_with_use() {
    let mut world = sound();
    world
        .the_volume()
        .tags
        .insert(tags::UNUSED.to_owned(), "since".to_owned());
    assert!(
        only(&world, Severity::Warning, Problem::Marked)
            .hint
            .unwrap()
            .contains("gc unmark vol-a")
    );
    world.pods = Some(Vec::new());
    world.the_volume().attachments.clear();
    assert_eq!(judge(&world), []);
}

#[test]
fn tags_name_this_cluster_this_claim_and_this_life_of_it() {
    let says = |key: &str, value: &str| {
        let mut world = sound();
        world.the_volume().tags.insert(key.to_owned(), value.to_owned());
        only(&world, Severity::Warning, Problem::WrongTags).why
    };
    assert!(says(tags::CLUSTER_UID, "other").contains("cluster other"));
    assert!(says(tags::CLAIM, "b").contains("claim ns/b"));
    assert!(says(tags::CLAIM_UID, "uid-before").contains("a former life"));
    let mut world = sound();
    world.the_volume().tags = Tags::new();
    assert!(
        only(&world, Severity::Warning, Problem::WrongTags)
            .why
            .contains("whose it is")
    );
    let mut drivers = pv("a");
    drivers["metadata"]["labels"] = json!({});
    world.put_pv(drivers);
    assert_eq!(judge(&world), [], "a driver's volume need not bear our tags");
}

#[test]
fn lost_claims_say_where_their_data_are() {
    let mut world = sound();
    world.pods = Some(Vec::new());
    world.persistent_volumes = Some(BTreeMap::new());
    world.put_claim(claim("a", "Lost"));
    world.the_volume().attachments.clear();
    let findings = judge(&world);
    let lost = findings
        .iter()
        .find(|finding| finding.problem == Problem::Lost)
        .unwrap();
    assert_eq!(lost.volume.as_deref(), Some("vol-a"));
    assert!(lost.evidence[0].contains("vol-a was made for it"), "{lost:?}");
}

#[test]
fn a_bound_claim_and_its_persistent_volume_point_to_each_other() {
    let mut world = sound();
    let mut other = pv("a");
    other["spec"]["claimRef"]["uid"] = json!("uid-before");
    world.put_pv(other);
    assert!(
        only(&world, Severity::Error, Problem::PersistentVolumeMissing)
            .why
            .contains("another life")
    );
    world.persistent_volumes = None;
    assert_eq!(judge(&world), [], "PersistentVolumes could not be read");
    assert_eq!(super::behind::unknown(&world).len(), 1);
}

/// Why claim `b`, which is not bound, is not, after a change to it.
fn unbound(change: impl FnOnce(&mut Value, &mut World)) -> Finding {
    let mut world = sound();
    let mut waiting = claim("b", "Pending");
    waiting["spec"].as_object_mut().unwrap().remove("volumeName");
    change(&mut waiting, &mut world);
    world.put_claim(waiting);
    let findings = judge(&world);
    let about = findings.iter().find(|finding| finding.problem == Problem::Unbound);
    about.unwrap_or_else(|| panic!("{findings:#?}")).clone()
}

#[test]
fn unbound_claims_say_why() {
    let why = |change: fn(&mut Value, &mut World)| unbound(change).why;
    assert!(why(|_, _| {}).contains("waits for provisioner ebs.csi.aws.com"));
    assert!(
        why(|claim, _| claim["spec"]["storageClassName"] = json!("nowhere")).contains("nowhere is not in the cluster")
    );
    assert!(why(|claim, _| claim["spec"]["storageClassName"] = Value::Null).contains("no default one"));
    assert!(why(|claim, _| claim["spec"]["storageClassName"] = json!("")).contains("without a class"));
    assert!(
        why(|claim, _| claim["spec"]["volumeName"] = json!("pv-gone"))
            .contains("pv-gone, which it names, is not there")
    );
    assert!(why(|claim, _| claim["spec"]["volumeName"] = json!("pv-a")).contains("reserved for claim ns/a"));
    let former = why(|claim, world| {
        claim["spec"]["volumeName"] = json!("pv-b");
        let mut released = pv("b");
        released["spec"]["claimRef"]["uid"] = json!("uid-before");
        released["status"]["phase"] = json!("Released");
        world.put_pv(released);
        world.put_volume(volume("b"));
    });
    assert!(former.contains("in a former life"), "{former}");
    let restoring = unbound(|claim, _| claim["metadata"]["annotations"] = json!({tags::RESTORED_FROM: "snap-1"}));
    assert_eq!(restoring.hint.as_deref(), Some("moorline restore snap-1"));
}

#[test]
fn waiting_for_the_first_consumer_is_no_fault() {
    let late = |world: &mut World| {
        let class = class("late", "WaitForFirstConsumer");
        world.classes.as_mut().unwrap().insert("late".to_owned(), class);
    };
    let finding = unbound(|claim, world| {
        claim["spec"]["storageClassName"] = json!("late");
        late(world);
    });
    assert_eq!(finding.severity, Severity::Info);
    let finding = unbound(|claim, world| {
        claim["spec"]["storageClassName"] = json!("late");
        late(world);
        let mut waiting = pod("b");
        waiting["status"] = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]});
        world.pods.as_mut().unwrap().push(Pod::of(&object(waiting)).unwrap());
    });
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.why.contains("0/3 nodes"), "{}", finding.why);
}

#[test]
fn events_are_evidence() {
    let finding = unbound(|_, world| {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "ns", "name": "e"},
            "involvedObject": {"kind": "PersistentVolumeClaim", "name": "b"},
            "type": "Warning", "reason": "ProvisioningFailed", "message": "no such key",
        });
        world.events.insert_all(&ResourceKind::event(), vec![object(event)]);
    });
    assert_eq!(finding.evidence, ["event ProvisioningFailed: no such key"]);
}

#[test]
fn claims_that_a_set_wants_are_missed_by_ordinal() {
    let mut world = sound();
    let set = json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {"replicas": 2, "ordinals": {"start": 3}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    });
    world.sets = vec![Set::of(&object(set)).unwrap()];
    let missing: Vec<String> = judge(&world)
        .into_iter()
        .map(|finding| {
            assert_eq!(finding.problem, Problem::ClaimMissing);
            finding.what
        })
        .collect();
    assert_eq!(missing, ["claim ns/data-web-3", "claim ns/data-web-4"]);
}

#[test]
fn persistent_volumes_without_a_claim_are_told() {
    let mut world = sound();
    let mut released = pv("gone");
    released["status"]["phase"] = json!("Released");
    world.put_pv(released.clone());
    world.put_volume(volume("gone"));
    assert!(
        only(&world, Severity::Info, Problem::Released)
            .why
            .contains("ns/gone is gone")
    );
    world.volumes.seen.remove(&VolumeId("vol-gone".to_owned()));
    assert!(
        only(&world, Severity::Warning, Problem::VolumeMissing)
            .hint
            .unwrap()
            .contains("kubectl delete persistentvolume")
    );
    world.put_volume(volume("gone"));
    released["status"] = json!({"phase": "Failed", "message": "no right to delete"});
    world.put_pv(released);
    assert!(
        only(&world, Severity::Error, Problem::PersistentVolumeFailed)
            .why
            .contains("no right to delete")
    );
}

#[test]
fn two_pointers_to_one_disk_are_an_error() {
    let mut world = sound();
    let mut twin = pv("twin");
    twin["spec"]["csi"]["volumeHandle"] = json!("vol-a");
    twin["status"]["phase"] = json!("Available");
    world.put_pv(twin);
    assert!(
        only(&world, Severity::Error, Problem::Shared)
            .why
            .contains("pv-a and pv-twin")
    );
}

#[test]
fn volumes_of_ours_that_nothing_names_are_told() {
    let mut world = sound();
    let mut spare = volume("a");
    spare.id = VolumeId("vol-spare".to_owned());
    spare.attachments.clear();
    world.put_volume(spare);
    assert!(
        only(&world, Severity::Warning, Problem::Spare)
            .why
            .contains("was made for claim ns/a too")
    );
    let other = VolumeId("vol-spare".to_owned());
    world
        .volumes
        .seen
        .get_mut(&other)
        .unwrap()
        .tags
        .insert(tags::CLUSTER_UID.to_owned(), "other".to_owned());
    assert_eq!(judge(&world), [], "another cluster's is no business of this one");
}

#[test]
fn pods_that_wait_are_told_with_their_claim() {
    let mut world = sound();
    let mut waiting = pod("a");
    waiting["status"] = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "node(s) had volume node affinity conflict"}]});
    world.pods = Some(vec![Pod::of(&object(waiting)).unwrap()]);
    let finding = only(&world, Severity::Warning, Problem::PodWaits);
    assert!(finding.why.contains("node affinity conflict"), "{}", finding.why);
    assert_eq!(finding.claim.as_deref(), Some("ns/a"));
}
