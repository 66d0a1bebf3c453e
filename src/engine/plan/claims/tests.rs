//! The planner's table: what each state of a claim leads to.

use std::collections::BTreeMap;

use moorline_api::{Object, StorageClass, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState};
use moorline_aws_rules::EbsRules;
use moorline_profile::Profile;
use serde_json::{Value, json};

use super::*;

const PROFILE: &str = "name: web\nprovider: {aws: {}}\nexternalClasses: [fast]\n";

const SET: &str = r"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: postgres:17
        volumeMounts:
        - {name: data, mountPath: /data}
        - {name: log, mountPath: /log}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 10Gi}}}
  - metadata: {name: log}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

/// A world to plan in; tests change what they are about.
struct World {
    profile: Profile,
    replicas: u32,
    classes: BTreeMap<String, StorageClass>,
    claims: BTreeMap<Key, ClaimView>,
    persistent_volumes: BTreeMap<String, PvView>,
    volumes: CloudVolumes,
    nodes: Vec<NodeView>,
    zones: Vec<String>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("profile.yaml"), PROFILE).unwrap();
        std::fs::write(folder.path().join("set.yaml"), SET).unwrap();
        let surroundings = moorline_profile::Surroundings {
            rules: &[&EbsRules],
            ..Default::default()
        };
        let profile =
            moorline_profile::load(folder.path(), &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
        let class = json!({
            "metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"},
        });
        let class = StorageClass::from_object(&object(class));
        Self {
            profile,
            replicas: 2,
            classes: BTreeMap::from([("fast".to_owned(), class)]),
            claims: BTreeMap::new(),
            persistent_volumes: BTreeMap::new(),
            volumes: CloudVolumes::default(),
            nodes: Vec::new(),
            zones: ["za", "zb", "zc"].map(str::to_owned).to_vec(),
        }
    }

    /// Adds the claim `data-db-0`, changed by `change`.
    fn with_claim(mut self, change: Value) -> Self {
        let mut claim = json!({
            "metadata": {
                "namespace": "default", "name": "data-db-0", "uid": "uid-0",
                "labels": {"app": "db", "moorline.dev/profile": "web"},
            },
            "spec": {
                "volumeName": "pv-0", "storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}},
            },
            "status": {"phase": "Pending"},
        });
        merge(&mut claim, change);
        let view = ClaimView::of(&object(claim));
        self.claims.insert(view.key(), view);
        self
    }

    /// Adds the PersistentVolume `pv-0`, pointing from the claim of this UID to `vol-0`.
    fn with_pv(mut self, claim_uid: &str) -> Self {
        let pv = json!({
            "metadata": {"name": "pv-0", "uid": "pv-uid"},
            "spec": {
                "claimRef": {"namespace": "default", "name": "data-db-0", "uid": claim_uid},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0"},
            },
        });
        self.persistent_volumes
            .insert("pv-0".to_owned(), PvView::of(&object(pv), &EbsRules));
        self
    }

    /// Adds `vol-0` in zone `zb`, tagged as made for `uid-0`.
    fn with_volume(mut self, state: VolumeState) -> Self {
        let config = VolumeConfig::ebs("gp3");
        self.volumes.insert(Volume {
            id: VolumeId("vol-0".to_owned()),
            spec: VolumeSpec {
                size_gib: 10,
                zone: Some("zb".to_owned()),
                config,
            },
            state,
            attachments: Vec::new(),
            tags: Tags::from([(names::CLAIM_UID.to_owned(), "uid-0".to_owned())]),
            created: None,
        });
        self
    }

    fn plan(&self) -> PlannedClaims {
        plan_claims(&ClaimInputs {
            profile: &self.profile,
            rules: &EbsRules,
            replicas: &BTreeMap::from([(("default".to_owned(), "db".to_owned()), self.replicas)]),
            classes: &self.classes,
            default_class: None,
            claims: &self.claims,
            persistent_volumes: &self.persistent_volumes,
            volumes: &self.volumes,
            nodes: &self.nodes,
            region: "us-east-1",
            zones: &self.zones,
            entropy: 7,
        })
    }

    /// What is planned for `data-db-0`.
    fn action(&self) -> ClaimAction {
        let planned = self.plan();
        let claim = planned.claims.into_iter().find(|claim| claim.name == "data-db-0");
        claim
            .unwrap_or_else(|| panic!("not planned, but blocked: {:?}", planned.blocked))
            .action
    }
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[test]
fn a_fresh_profile_gets_every_claim_in_the_order_of_ordinals() {
    let planned = World::new().plan();
    let names: Vec<_> = planned.claims.iter().map(|claim| &*claim.name).collect();
    assert_eq!(names, ["data-db-0", "log-db-0", "data-db-1", "log-db-1"]);
    assert!(planned.claims.iter().all(|claim| claim.action == ClaimAction::Create));
    let pvs: std::collections::BTreeSet<_> = planned.claims.iter().map(|claim| &claim.persistent_volume).collect();
    assert_eq!(pvs.len(), 4);
    assert_eq!((planned.blocked.len(), planned.notices.len()), (0, 0));
}

#[test]
fn a_new_claim_names_its_persistent_volume_and_its_maker() {
    let planned = World::new().plan();
    let claim = planned.claims[0].object.as_ref().unwrap();
    assert_eq!(
        claim.str_at(&["spec", "volumeName"]),
        Some(&*planned.claims[0].persistent_volume)
    );
    assert_eq!(claim.label("app"), Some("db"));
    assert_eq!(claim.label(names::PROFILE), Some("web"));
    assert_eq!(claim.annotation(names::SET), Some("db"));
}

#[test]
fn volumes_of_one_pod_share_a_zone_and_neighbours_do_not() {
    let planned = World::new().plan();
    let zone = |index: usize| planned.claims[index].volume.as_ref().unwrap().zone.clone().unwrap();
    assert_eq!(zone(0), zone(1));
    assert_eq!(zone(2), zone(3));
    assert_ne!(zone(0), zone(2));
}

#[test]
fn a_new_volume_goes_where_its_pod_already_has_one() {
    let world = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let planned = world.with_volume(VolumeState::InUse).plan();
    let log = planned.claims.iter().find(|claim| claim.name == "log-db-0").unwrap();
    assert_eq!(log.volume.as_ref().unwrap().zone.as_deref(), Some("zb"));
}

#[test]
fn a_claim_without_volume_is_resumed() {
    let expected = ClaimAction::Resume {
        uid: "uid-0".to_owned(),
        volume: None,
        persistent_volume: false,
    };
    assert_eq!(World::new().with_claim(json!({})).action(), expected);
    let gone = World::new().with_claim(json!({})).with_volume(VolumeState::Deleting);
    assert_eq!(gone.action(), expected);
}

#[test]
fn a_volume_without_persistent_volume_is_adopted() {
    let world = World::new().with_claim(json!({})).with_volume(VolumeState::Available);
    let volume = Some(VolumeId("vol-0".to_owned()));
    let expected = ClaimAction::Resume {
        uid: "uid-0".to_owned(),
        volume,
        persistent_volume: false,
    };
    assert_eq!(world.action(), expected);
}

#[test]
fn a_reserved_persistent_volume_needs_only_the_touch() {
    let world = World::new()
        .with_claim(json!({}))
        .with_pv("uid-0")
        .with_volume(VolumeState::Available);
    let volume = Some(VolumeId("vol-0".to_owned()));
    assert_eq!(
        world.action(),
        ClaimAction::Resume {
            uid: "uid-0".to_owned(),
            volume,
            persistent_volume: true
        }
    );
}

#[test]
fn a_persistent_volume_of_a_former_life_blocks() {
    let world = World::new().with_claim(json!({})).with_pv("uid-of-before");
    let planned = world.with_volume(VolumeState::Available).plan();
    assert!(
        planned.blocked[0].why.contains("not reserved for it"),
        "{:?}",
        planned.blocked
    );
    assert!(planned.claims.iter().all(|claim| claim.name != "data-db-0"));
}

#[test]
fn a_bound_claim_is_kept() {
    let world = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let world = world.with_volume(VolumeState::InUse);
    assert_eq!(world.action(), ClaimAction::Keep);
    assert_eq!(world.plan().notices, Vec::<String>::new());
}

#[test]
fn a_bound_claim_whose_volume_is_gone_blocks() {
    let world = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let blocked = world.plan().blocked;
    assert!(blocked[0].why.contains("vol-0"), "{blocked:?}");
}

#[test]
fn a_claim_that_someone_else_provisions_is_waited_for() {
    let change = json!({"metadata": {"labels": {"moorline.dev/profile": null}}, "spec": {"volumeName": null}});
    let action = World::new().with_claim(change).action();
    assert!(
        matches!(&action, ClaimAction::Await { reason } if reason.contains("without volumeName")),
        "{action:?}"
    );
}

#[test]
fn a_lost_claim_and_one_of_another_profile_block() {
    for (change, why) in [
        (json!({"status": {"phase": "Lost"}}), "Lost"),
        (
            json!({"metadata": {"labels": {"moorline.dev/profile": "other"}}}),
            "belongs to profile other",
        ),
    ] {
        let planned = World::new().with_claim(change).plan();
        assert!(planned.blocked[0].why.contains(why), "{:?}", planned.blocked);
    }
}

#[test]
fn a_claim_on_its_way_out_is_made_anew() {
    let world = World::new().with_claim(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    assert_eq!(world.action(), ClaimAction::Create);
    assert!(world.plan().notices[0].contains("is being deleted"));
    let new = |claim: &ClaimPlan| claim.name == "data-db-0" && claim.persistent_volume != "pv-0";
    assert!(
        world.plan().claims.iter().any(new),
        "it must not meet the PersistentVolume of its former life"
    );
    let begun = World::new().with_claim(json!({}));
    assert_eq!(begun.plan().claims[0].persistent_volume, "pv-0");
}

#[test]
fn a_class_that_others_provision_needs_no_placement() {
    let mut world = World::new();
    let class = json!({"metadata": {"name": "fast"}, "provisioner": "example.com/disk"});
    world
        .classes
        .insert("fast".to_owned(), StorageClass::from_object(&object(class)));
    assert!(matches!(world.action(), ClaimAction::Await { .. }));
    assert!(
        world
            .plan()
            .claims
            .iter()
            .all(|claim| claim.volume.is_none() && claim.object.is_none())
    );
}

#[test]
fn a_bound_claim_that_no_node_can_reach_is_kept_and_said() {
    let world = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let mut world = world.with_volume(VolumeState::InUse);
    world.nodes = vec![NodeView {
        zone: "elsewhere".to_owned(),
        labels: BTreeMap::new(),
    }];
    let mut nowhere = world.volumes.get(&VolumeId("vol-0".to_owned())).cloned().unwrap();
    nowhere.spec.zone = None;
    world.volumes.insert(nowhere);
    let planned = world.plan();
    assert_eq!(world.action(), ClaimAction::Keep);
    assert!(
        planned
            .notices
            .iter()
            .any(|notice| notice.starts_with("claim default/data-db-0:")),
        "{planned:?}"
    );
}

#[test]
fn what_differs_from_the_profile_is_said_of_a_bound_claim_and_changed_by_nobody() {
    let differing = |change: Value| {
        let world = World::new()
            .with_claim(json!({"status": {"phase": "Bound"}}))
            .with_claim(change);
        world.with_pv("uid-0").with_volume(VolumeState::InUse).plan().notices
    };
    let sized = |size: &str| {
        let resources = json!({"requests": {"storage": size}});
        differing(json!({"status": {"phase": "Bound"}, "spec": {"resources": resources}}))
    };
    assert!(sized("5Gi")[0].contains("up does not grow volumes"));
    assert!(sized("10Gi").is_empty() && sized("20Gi").is_empty());
}

#[test]
fn other_volumes_of_a_claim_and_of_its_former_lives_are_named() {
    let other = |mut world: World, tags: Tags| {
        let twin = Volume {
            id: VolumeId("vol-9".to_owned()),
            tags,
            ..world.volumes.get(&VolumeId("vol-0".to_owned())).cloned().unwrap()
        };
        world.volumes.insert(twin);
        world.plan().notices
    };
    let bound = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let bound = bound.with_volume(VolumeState::InUse);
    let notices = other(bound, Tags::from([(names::CLAIM_UID.to_owned(), "uid-0".to_owned())]));
    assert_eq!(
        notices,
        ["claim default/data-db-0: volume vol-9 was made for it too and is not used"]
    );
    let former = [
        (names::NAMESPACE, "default"),
        (names::CLAIM, "data-db-0"),
        (names::CLAIM_UID, "before"),
    ];
    let tags = former.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let notices = other(World::new().with_volume(VolumeState::Available), tags.clone().into());
    assert!(
        notices[0].contains("vol-9 of data-db-0; new ones are made"),
        "{notices:?}"
    );
    let kept = World::new()
        .with_claim(json!({"status": {"phase": "Bound"}}))
        .with_pv("uid-0");
    let notices = other(kept.with_volume(VolumeState::InUse), tags.into());
    assert!(
        notices.iter().all(|notice| !notice.contains("former claims")),
        "{notices:?}"
    );
}

#[test]
fn without_a_zone_or_a_class_nothing_is_planned() {
    let mut world = World::new();
    world.nodes = vec![NodeView {
        zone: "elsewhere".to_owned(),
        labels: BTreeMap::new(),
    }];
    let blocked = world.plan().blocked;
    assert!(blocked[0].why.contains("no zone is allowed by all"), "{blocked:?}");
    let mut world = World::new();
    world.classes.clear();
    let blocked = world.plan().blocked;
    assert!(
        blocked[0].why.contains("StorageClass fast is not in the cluster"),
        "{blocked:?}"
    );
}

#[test]
fn a_plan_can_be_repeated() {
    let world = World::new();
    assert_eq!(world.plan().claims, world.plan().claims);
}

#[test]
fn claims_beyond_the_replicas_are_finished_where_a_run_had_begun_them() {
    let names = |world: &World| -> Vec<String> {
        let planned = world.plan();
        assert_eq!(planned.blocked, []);
        planned.claims.into_iter().map(|claim| claim.name).collect()
    };
    let shrunk = || {
        let mut world = World::new();
        world.replicas = 0;
        world
    };
    let begun = shrunk().with_claim(json!({}));
    assert_eq!(names(&begun), ["data-db-0"]);
    let resumed = ClaimAction::Resume {
        uid: "uid-0".to_owned(),
        volume: None,
        persistent_volume: false,
    };
    assert_eq!(begun.action(), resumed);
    for changed in [
        json!({"status": {"phase": "Bound"}}),
        json!({"metadata": {"deletionTimestamp": "2026-11-22T00:00:00Z"}}),
        json!({"metadata": {"labels": {"moorline.dev/profile": "other"}}}),
        json!({"metadata": {"annotations": {"moorline.dev/restored-from": "snap-1"}}}),
        json!({"spec": {"volumeName": ""}}),
        json!({"metadata": {"name": "data-db-00"}}),
    ] {
        assert_eq!(names(&shrunk().with_claim(changed.clone())), [""; 0], "{changed}");
    }
    assert_eq!(
        names(&shrunk().with_claim(json!({})).with_pv("uid-0")),
        [""; 0],
        "Kubernetes binds it"
    );
    let mut deletes = shrunk().with_claim(json!({}));
    deletes.profile.sets[0].when_scaled = Retention::Delete;
    assert_eq!(names(&deletes), [""; 0], "it is to go");
}
