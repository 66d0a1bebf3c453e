//! What was read, in small records: ten thousand claims are a few megabytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use moorline_api::{Account, ClaimShape, Object, StorageClass, StorageRules, Volume, VolumeId, quantity};
use moorline_profile::Profile;
use serde_json::Value;

use crate::fold::{ClaimView, Key, PvView, claims_of_pod};
use crate::tracker::Snapshot;

/// The label of zones, as PersistentVolumes and nodes bear it; drivers have keys of their own that end alike.
const ZONE: &str = "/zone";

/// A claim and what its spec asks for.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) view: ClaimView,
    /// `spec.storageClassName`; `None` where the field is not there.
    pub(super) class: Option<String>,
    pub(super) shape: ClaimShape,
    /// Whether somebody changed the volume's type on purpose (`VolumeAttributesClass`).
    pub(super) modified: bool,
}

impl Claim {
    pub(super) fn of(claim: &Object) -> Self {
        let view = ClaimView::of(claim);
        Self {
            class: claim.str_at(&["spec", "storageClassName"]).map(str::to_owned),
            shape: ClaimShape {
                bytes: view.requested,
                access_modes: strings(claim, &["spec", "accessModes"]),
                volume_mode: claim.str_at(&["spec", "volumeMode"]).unwrap_or("Filesystem").to_owned(),
            },
            modified: claim.at(&["status", "currentVolumeAttributesClassName"]).is_some(),
            view,
        }
    }

    /// For messages: `claim default/data-0`.
    pub(super) fn title(&self) -> String {
        format!("claim {}/{}", self.view.namespace, self.view.name)
    }
}

/// A PersistentVolume and what it says of its volume.
#[derive(Clone, Debug)]
pub(super) struct Pv {
    pub(super) view: PvView,
    pub(super) class: String,
    pub(super) bytes: u64,
    pub(super) zones: Vec<String>,
    pub(super) access_modes: Vec<String>,
    /// Why it failed, in Kubernetes' words.
    pub(super) message: String,
    /// The driver, for messages.
    pub(super) driver: String,
    pub(super) created: Option<jiff::Timestamp>,
    /// Which of the clouds has its volume.
    pub(super) cloud: Option<usize>,
}

impl Pv {
    pub(super) fn of(pv: &Object, rules: &[Arc<dyn StorageRules>]) -> Self {
        let cloud = rules.iter().position(|rules| rules.volume_id(pv).is_some());
        let text = |path: &[&str]| pv.str_at(path).unwrap_or_default().to_owned();
        let source = pv.fields().get("spec").and_then(Value::as_object);
        let in_tree = [
            "hostPath",
            "local",
            "nfs",
            "iscsi",
            "fc",
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
        ];
        let driver = pv.str_at(&["spec", "csi", "driver"]).map(str::to_owned).or_else(|| {
            let of_kind = |kind: &&&str| source.is_some_and(|spec| spec.contains_key(**kind));
            in_tree.iter().find(of_kind).map(|kind| (*kind).to_owned())
        });
        Self {
            // Any rules will do where none know the volume.
            view: PvView::of(pv, &*rules[cloud.unwrap_or(0)]),
            cloud,
            class: text(&["spec", "storageClassName"]),
            bytes: pv
                .str_at(&["spec", "capacity", "storage"])
                .and_then(quantity::bytes)
                .unwrap_or(0),
            zones: zones(pv),
            access_modes: strings(pv, &["spec", "accessModes"]),
            message: text(&["status", "message"]),
            driver: driver.unwrap_or_else(|| "an unknown source".to_owned()),
            created: pv.created(),
        }
    }
}

fn strings(object: &Object, path: &[&str]) -> Vec<String> {
    let items = object.list_at(path).iter();
    items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

/// The zones of `spec.nodeAffinity`; empty where it names none.
fn zones(pv: &Object) -> Vec<String> {
    let terms = pv
        .list_at(&["spec", "nodeAffinity", "required", "nodeSelectorTerms"])
        .iter();
    let expressions = terms.flat_map(|term| term["matchExpressions"].as_array().into_iter().flatten());
    let of_zone = expressions.filter(|expression| {
        expression["operator"] == "In" && expression["key"].as_str().is_some_and(|key| key.ends_with(ZONE))
    });
    of_zone
        .flat_map(|expression| expression["values"].as_array().into_iter().flatten())
        .filter_map(|value| Some(value.as_str()?.to_owned()))
        .collect()
}

/// A pod that has not finished and uses claims.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) node: String,
    pub(super) running: bool,
    pub(super) claims: Vec<String>,
    /// The pod without what no one looks at, where it is not ready.
    pub(super) waits: Option<Object>,
}

impl Pod {
    pub(super) fn of(pod: &Object) -> Option<Self> {
        let phase = pod.str_at(&["status", "phase"]);
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let spec = pod.at(&["spec"])?;
        let mut claims: Vec<String> = claims_of_pod(spec).map(str::to_owned).collect();
        claims.extend(ephemeral(pod));
        if claims.is_empty() {
            return None;
        }
        let conditions = pod.list_at(&["status", "conditions"]).iter();
        let ready = conditions
            .clone()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        Some(Self {
            namespace: pod.namespace().unwrap_or_default().to_owned(),
            name: pod.name().to_owned(),
            node: pod.str_at(&["spec", "nodeName"]).unwrap_or_default().to_owned(),
            running: phase == Some("Running"),
            claims,
            waits: (!ready && phase != Some("Running")).then(|| crate::slim::slim(pod.clone())),
        })
    }
}

/// Claims that Kubernetes makes for a pod's generic ephemeral volumes.
fn ephemeral(pod: &Object) -> impl Iterator<Item = String> {
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    let named = volumes.filter(|volume| volume.get("ephemeral").is_some());
    named.filter_map(|volume| Some(format!("{}-{}", pod.name(), volume["name"].as_str()?)))
}

/// What a VolumeAttachment says.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) persistent_volume: String,
    pub(super) node: String,
    pub(super) done: bool,
    /// Why it cannot be attached.
    pub(super) error: String,
    pub(super) created: Option<jiff::Timestamp>,
}

impl Attached {
    pub(super) fn of(attachment: &Object) -> Option<Self> {
        let text = |path: &[&str]| attachment.str_at(path).unwrap_or_default().to_owned();
        Some(Self {
            persistent_volume: attachment
                .str_at(&["spec", "source", "persistentVolumeName"])?
                .to_owned(),
            node: text(&["spec", "nodeName"]),
            done: attachment.at(&["status", "attached"]) == Some(&Value::Bool(true)),
            error: text(&["status", "attachError", "message"]),
            created: attachment.created(),
        })
    }
}

/// The claims that a StatefulSet's pods need now, with the pod of each.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) wants: Vec<(String, String)>,
}

impl Set {
    pub(super) fn of(set: &Object) -> Option<Self> {
        let number = |path: &[&str]| set.i64_at(path).and_then(|n| u32::try_from(n).ok());
        let first = number(&["spec", "ordinals", "start"]).unwrap_or(0);
        let replicas = number(&["spec", "replicas"]).unwrap_or(1);
        let templates: Vec<&str> = set
            .list_at(&["spec", "volumeClaimTemplates"])
            .iter()
            .filter_map(|template| template.pointer("/metadata/name")?.as_str())
            .collect();
        let name = set.name();
        let of_ordinal = |ordinal: u32| {
            let pod = format!("{name}-{ordinal}");
            templates
                .iter()
                .map(move |template| (format!("{template}-{pod}"), pod.clone()))
                .collect::<Vec<_>>()
        };
        let wants: Vec<_> = (first..first.saturating_add(replicas)).flat_map(of_ordinal).collect();
        (!wants.is_empty() && !set.is_terminating()).then(|| Self {
            namespace: set.namespace().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            wants,
        })
    }
}

/// The cloud's volumes, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    pub(super) seen: HashMap<VolumeId, Volume>,
    /// Whether all that PersistentVolumes name were asked for, and the cloud answered.
    pub(super) named_complete: bool,
    /// Whether all that this cluster's tags name were.
    pub(super) tagged_complete: bool,
}

impl Volumes {
    pub(super) fn known(&self) -> usize {
        self.seen.len()
    }

    /// Whether the cloud was asked for a volume and does not have it.
    pub(super) fn lack(&self, id: &VolumeId) -> bool {
        self.named_complete && !self.seen.contains_key(id)
    }
}

/// Everything that judging looks at. `None` is what could not be read.
pub(super) struct World {
    pub(super) cluster_uid: String,
    pub(super) profile: Option<String>,
    pub(super) claims: BTreeMap<Key, Claim>,
    pub(super) persistent_volumes: Option<BTreeMap<String, Pv>>,
    pub(super) classes: Option<BTreeMap<String, StorageClass>>,
    /// Whether a class is the default one; `None` where classes could not be read.
    pub(super) has_default: Option<bool>,
    pub(super) pods: Option<Vec<Pod>>,
    /// Machines of nodes, by node.
    pub(super) machines: BTreeMap<String, String>,
    pub(super) attachments: Option<Vec<Attached>>,
    pub(super) sets: Vec<Set>,
    pub(super) volumes: Volumes,
    pub(super) events: Snapshot,
    /// Of each cloud.
    pub(super) rules: Vec<Arc<dyn StorageRules>>,
    pub(super) accounts: Vec<Account>,
    /// What could not be read, a sentence each.
    pub(super) gaps: Vec<String>,
}

impl World {
    pub(super) fn gap(&mut self, sentence: String) {
        if !self.gaps.contains(&sentence) {
            self.gaps.push(sentence);
        }
    }

    /// The rules of the cloud whose classes have this provisioner.
    pub(super) fn rules_for(&self, provisioner: &str) -> Option<&dyn StorageRules> {
        let serving = self.rules.iter().find(|rules| rules.serves(provisioner));
        serving.map(|rules| &**rules)
    }

    /// The PersistentVolume that a claim names.
    pub(super) fn pv_of(&self, claim: &Claim) -> Option<&Pv> {
        self.persistent_volumes.as_ref()?.get(&claim.view.volume_name)
    }

    /// A bound claim's PersistentVolume, where it points back.
    pub(super) fn bound_pv(&self, claim: &Claim) -> Option<&Pv> {
        let pv = self.pv_of(claim).filter(|_| claim.view.is_bound())?;
        (pv.view.claim_uid.as_deref() == Some(&*claim.view.uid)).then_some(pv)
    }

    /// A bound claim's volume, as the cloud shows it.
    pub(super) fn volume_of(&self, claim: &Claim) -> Option<&Volume> {
        self.volumes.seen.get(self.bound_pv(claim)?.view.volume.as_ref()?)
    }

    /// Unfinished pods that use each claim.
    pub(super) fn users(&self) -> HashMap<(&str, &str), Vec<&Pod>> {
        let mut users: HashMap<(&str, &str), Vec<&Pod>> = HashMap::new();
        for pod in self.pods.iter().flatten() {
            for claim in &pod.claims {
                users.entry((&pod.namespace, claim)).or_default().push(pod);
            }
        }
        users
    }

    /// Volumes that nobody looked behind, because another driver made them.
    pub(super) fn notices(&self) -> Vec<String> {
        let bound: BTreeSet<&str> = self.claims.values().map(|claim| &*claim.view.volume_name).collect();
        let mut drivers: BTreeMap<&str, usize> = BTreeMap::new();
        let all = self.persistent_volumes.iter().flat_map(BTreeMap::values);
        for pv in all.filter(|pv| pv.view.volume.is_none() && bound.contains(&*pv.view.name)) {
            *drivers.entry(&pv.driver).or_default() += 1;
        }
        drivers
            .into_iter()
            .map(|(driver, count)| {
                let volumes = if count == 1 {
                    "PersistentVolume"
                } else {
                    "PersistentVolumes"
                };
                format!("{count} {volumes} of {driver}: what is behind is not this cloud's, and was not checked")
            })
            .collect()
    }
}

/// The classes that judge a claim: the cluster's, and over them the profile's.
pub(super) fn with_profile(
    classes: Option<BTreeMap<String, StorageClass>>,
    profile: Option<&Profile>,
) -> Option<BTreeMap<String, StorageClass>> {
    let mut classes = classes?;
    classes.extend(profile.into_iter().flat_map(|profile| profile.classes.clone()));
    Some(classes)
}
