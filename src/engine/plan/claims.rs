//! Which claims the profile needs, and what each of them lacks. Pure.

use std::collections::BTreeMap;

use moorline_api::{ClaimShape, Object, Placement, StorageClass, StorageRules, VolumeId, VolumeSpec};
use moorline_profile::{ClaimTemplate, ClassRef, Profile, Retention, SetClaims, StandaloneClaim};
use serde_json::{Value, json};

use super::groups::Group;
use super::zones::fnv1a;
use super::{ClaimAction, ClaimPlan, ClaimStorage, MountPlan};
use crate::fold::{ClaimView, Key, NodeView, PvView};
use crate::names;
use crate::observe::CloudVolumes;
use crate::outcome::Cause;

/// What planning claims looks at.
pub(crate) struct ClaimInputs<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) rules: &'a dyn StorageRules,
    /// Replicas of each set, by namespace and name.
    pub(crate) replicas: &'a BTreeMap<Key, u32>,
    /// Every class that a claim of the profile names, from manifests and cluster.
    pub(crate) classes: &'a BTreeMap<String, StorageClass>,
    pub(crate) default_class: Option<&'a StorageClass>,
    pub(crate) claims: &'a BTreeMap<Key, ClaimView>,
    pub(crate) persistent_volumes: &'a BTreeMap<String, PvView>,
    pub(crate) volumes: &'a CloudVolumes,
    pub(crate) nodes: &'a [NodeView],
    pub(crate) region: &'a str,
    pub(crate) zones: &'a [String],
    pub(crate) entropy: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct PlannedClaims {
    pub(crate) claims: Vec<ClaimPlan>,
    pub(crate) mounts: Vec<MountPlan>,
    pub(crate) blocked: Vec<Cause>,
    pub(crate) notices: Vec<String>,
}

/// A claim that the profile wants.
struct Wanted<'a> {
    key: Key,
    group: &'a Group<'a>,
    ordinal: u32,
    class: &'a ClassRef,
    shape: &'a ClaimShape,
    spec: &'a Value,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl<'a> Wanted<'a> {
    fn of_set(group: &'a Group<'a>, set: &'a SetClaims, template: &'a ClaimTemplate, ordinal: u32) -> Self {
        // As the StatefulSet controller does: the template's labels, and over them the selector's.
        let labels = template
            .labels
            .clone()
            .into_iter()
            .chain(set.match_labels.clone())
            .collect();
        Self {
            key: (set.namespace.clone(), set.claim_name(&template.name, ordinal)),
            group,
            ordinal,
            class: &template.class,
            shape: &template.shape,
            spec: &template.spec,
            labels,
            annotations: template.annotations.clone(),
        }
    }

    fn standalone(group: &'a Group<'a>, claim: &'a StandaloneClaim) -> Self {
        Self {
            key: (claim.namespace.clone(), claim.name.clone()),
            group,
            ordinal: 0,
            class: &claim.class,
            shape: &claim.shape,
            spec: &claim.spec,
            labels: claim.labels.clone(),
            annotations: claim.annotations.clone(),
        }
    }
}

/// Plans every claim of the profile, in the order of set, ordinal and template, then standalone ones.
pub(crate) fn plan_claims(inputs: &ClaimInputs<'_>) -> PlannedClaims {
    let mut planned = PlannedClaims::default();
    for set in &inputs.profile.sets {
        let replicas = inputs
            .replicas
            .get(&(set.namespace.clone(), set.name.clone()))
            .copied()
            .unwrap_or(0);
        let group = Group::of_set(inputs, set);
        let wanted = set
            .ordinals(replicas)
            .flat_map(|ordinal| set.templates.iter().map(move |template| (ordinal, template)));
        for (ordinal, template) in wanted.chain(half_made(inputs, set, replicas)) {
            plan_claim(inputs, &Wanted::of_set(&group, set, template, ordinal), &mut planned);
        }
    }
    let mut by_namespace: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for claim in &inputs.profile.claims {
        let group = by_namespace
            .entry(&claim.namespace)
            .or_insert_with_key(|namespace| Group::standalone(inputs, namespace));
        plan_claim(inputs, &Wanted::standalone(group, claim), &mut planned);
    }
    let former = former_lives(inputs, &planned.claims);
    planned.notices.extend(former);
    planned
}

/// Claims beyond the replicas that stay by the set's policy, and that a run which made the set larger began and did not finish: nobody else
/// would, and their volumes may be there.
fn half_made<'a>(inputs: &ClaimInputs<'_>, set: &'a SetClaims, replicas: u32) -> Vec<(u32, &'a ClaimTemplate)> {
    if set.when_scaled == Retention::Delete {
        return Vec::new();
    }
    let wanted = set.ordinals(replicas);
    let is_there = |name: &str| inputs.persistent_volumes.contains_key(name);
    let begun = inputs
        .claims
        .values()
        .filter(|claim| claim.namespace == set.namespace && claim.is_half_made(&inputs.profile.name, is_there));
    let mut found: Vec<(u32, &ClaimTemplate)> = begun
        .filter_map(|claim| {
            set.templates.iter().find_map(|template| {
                let ordinal = set.ordinal_of(&template.name, &claim.name)?;
                (!wanted.contains(&ordinal)).then_some((ordinal, template))
            })
        })
        .collect();
    found.sort_by_key(|(ordinal, _)| *ordinal);
    found
}

/// That claims which are made anew had volumes before, which were kept: a new claim does not get its namesake's data.
fn former_lives(inputs: &ClaimInputs<'_>, claims: &[ClaimPlan]) -> Option<String> {
    const NAMED: usize = 3;
    let made = claims.iter().filter(|claim| claim.action == ClaimAction::Create);
    let kept: Vec<String> = made
        .flat_map(|claim| {
            let key = (claim.namespace.clone(), claim.name.clone());
            let text = |volume: &moorline_api::Volume| format!("{} of {}", volume.id, claim.name);
            inputs.volumes.of_claim_name(&key).map(text).collect::<Vec<_>>()
        })
        .collect();
    if kept.is_empty() {
        return None;
    }
    let named = kept.len().min(NAMED);
    let more = match kept.len() - named {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "volumes of former claims of the same names were kept and are not used: {}{more}; new ones are made",
        kept[..named].join(", ")
    ))
}

fn plan_claim(inputs: &ClaimInputs<'_>, wanted: &Wanted<'_>, planned: &mut PlannedClaims) {
    let what = format!("claim {}/{}", wanted.key.0, wanted.key.1);
    let block = |why: String, hint: &str| Cause {
        what: what.clone(),
        why,
        hint: Some(hint.to_owned()),
        fatal: true,
    };
    let live = inputs.claims.get(&wanted.key);
    if let Some(live) = live
        && let Some(owner) = live.profile().filter(|owner| *owner != inputs.profile.name)
    {
        planned.blocked.push(block(
            format!("it belongs to profile {owner}"),
            "give one of the two another name or namespace",
        ));
        return;
    }
    let class = match class_of(inputs, wanted) {
        Ok(Some(class)) => class,
        // Without a class only an existing PersistentVolume can satisfy it, and Kubernetes finds that one itself.
        Ok(None) => return,
        Err(why) => {
            planned
                .blocked
                .push(block(why, "name a StorageClass that the profile or the cluster has"));
            return;
        }
    };
    let foreign = !inputs.rules.serves(&class.provisioner);
    let action = if foreign {
        ClaimAction::Await {
            reason: format!(
                "class {} is provisioned by {}, not by moorline",
                class.name, class.provisioner
            ),
        }
    } else {
        match live.map_or(Ok(ClaimAction::Create), |live| resume(inputs, wanted, live, planned)) {
            Ok(action) => action,
            Err((why, hint)) => {
                planned.blocked.push(block(why, hint));
                return;
            }
        }
    };
    let placement = if foreign {
        None
    } else {
        place(inputs, class, wanted, &what, planned)
    };
    if !foreign && placement.is_none() {
        return;
    }
    let volume = match placement {
        None => None,
        Some(placement) => match wanted.group.locate(inputs, &wanted.key, wanted.ordinal, &placement) {
            Ok(zone) => Some(VolumeSpec {
                size_gib: placement.size_gib,
                zone,
                config: placement.config,
            }),
            Err(why) if matches!(action, ClaimAction::Keep) => {
                planned.notices.push(format!("{what}: {why}"));
                None
            }
            Err(why) => {
                planned
                    .blocked
                    .push(block(why, "add nodes in an allowed zone, or widen allowedTopologies"));
                return;
            }
        },
    };
    let creates = matches!(action, ClaimAction::Create | ClaimAction::Resume { volume: None, .. });
    // The claim to come must not meet the PersistentVolume of one that is on its way out.
    let persistent_volume = live
        .filter(|live| !live.terminating)
        .map(|live| live.volume_name.clone())
        .filter(|name| !name.is_empty());
    let persistent_volume = persistent_volume.unwrap_or_else(|| {
        if foreign {
            String::new()
        } else {
            new_name(inputs.entropy, &wanted.key)
        }
    });
    planned.claims.push(ClaimPlan {
        namespace: wanted.key.0.clone(),
        name: wanted.key.1.clone(),
        set: wanted.group.set.map(|set| set.name.clone()),
        class: class.name.clone(),
        monthly_usd: volume
            .as_ref()
            .filter(|_| creates)
            .and_then(|spec| inputs.rules.monthly_cost(inputs.region, spec)),
        object: (action == ClaimAction::Create)
            .then(|| claim_object(inputs.profile, wanted, class, &persistent_volume)),
        storage: Some(ClaimStorage {
            class: class.clone(),
            shape: wanted.shape.clone(),
        }),
        persistent_volume,
        action,
        volume,
    });
}

/// The claim's class; `Ok(None)` where it asks for none on purpose.
fn class_of<'a>(inputs: &'a ClaimInputs<'_>, wanted: &Wanted<'_>) -> Result<Option<&'a StorageClass>, String> {
    match wanted.class {
        ClassRef::None => Ok(None),
        ClassRef::Named(name) => match inputs.classes.get(name) {
            Some(class) => Ok(Some(class)),
            None => Err(format!("StorageClass {name} is not in the cluster")),
        },
        ClassRef::ClusterDefault => match inputs.default_class {
            Some(class) => Ok(Some(class)),
            None => Err("it names no StorageClass, and the cluster has no default one".to_owned()),
        },
    }
}

fn place(
    inputs: &ClaimInputs<'_>,
    class: &StorageClass,
    wanted: &Wanted<'_>,
    what: &str,
    planned: &mut PlannedClaims,
) -> Option<Placement> {
    match inputs.rules.place(class, wanted.shape, Some(inputs.zones)) {
        Ok(placement) => Some(placement),
        Err(problems) => {
            let cause = |p: moorline_api::FieldProblem| Cause {
                what: what.to_owned(),
                why: p.cause,
                hint: Some(p.cure),
                fatal: true,
            };
            planned.blocked.extend(
                problems
                    .into_iter()
                    .map(cause)
                    .filter(|cause| !planned.blocked.contains(cause))
                    .collect::<Vec<_>>(),
            );
            None
        }
    }
}

/// What an existing claim lacks; the error is why nothing can be done for it, and what to do.
fn resume(
    inputs: &ClaimInputs<'_>,
    wanted: &Wanted<'_>,
    live: &ClaimView,
    planned: &mut PlannedClaims,
) -> Result<ClaimAction, (String, &'static str)> {
    let what = format!("claim {}/{}", live.namespace, live.name);
    if live.terminating {
        planned
            .notices
            .push(format!("{what} is being deleted; a new one is made when it is gone"));
        return Ok(ClaimAction::Create);
    }
    if live.phase == "Lost" {
        let why = format!(
            "it is Lost: PersistentVolume {} is gone, and with it the way to its data",
            live.volume_name
        );
        return Err((
            why,
            "restore the PersistentVolume, or delete the claim and run up again",
        ));
    }
    let pv = inputs.persistent_volumes.get(&live.volume_name);
    if let Some(id) = pv.and_then(|pv| vanished(inputs, pv)) {
        let why = format!(
            "its PersistentVolume {} names volume {id}, which is not in this account and region",
            live.volume_name
        );
        return Err((
            why,
            "check account and region; if the volume was deleted, so is its data: delete the workload, this claim and the \
             PersistentVolume with kubectl, and run up again",
        ));
    }
    if live.is_bound() {
        planned.notices.extend(
            differences(wanted, live, pv)
                .into_iter()
                .map(|text| format!("{what}: {text}")),
        );
        let used = pv.and_then(|pv| pv.volume.as_ref());
        planned.notices.extend(spares(inputs, live, used));
        return Ok(ClaimAction::Keep);
    }
    if live.volume_name.is_empty() {
        let by = live.provisioner.as_deref().unwrap_or("a provisioner");
        return Ok(ClaimAction::Await {
            reason: format!("it was made without volumeName, not by moorline, and waits for {by}"),
        });
    }
    if live.profile().is_none() {
        return Ok(ClaimAction::Await {
            reason: format!("it was made by someone else for PersistentVolume {}", live.volume_name),
        });
    }
    if let Some(pv) = pv {
        let reserved = pv.claim_uid.as_deref() == Some(&*live.uid);
        if !reserved {
            let why = format!(
                "PersistentVolume {} exists and is not reserved for it",
                live.volume_name
            );
            return Err((why, "delete the claim and run up again"));
        }
        return Ok(ClaimAction::Resume {
            uid: live.uid.clone(),
            volume: pv.volume.clone(),
            persistent_volume: true,
        });
    }
    if let Some(origin) = &live.restored_from {
        let why = format!("it is being brought back from {origin}, and that run did not finish");
        return Err((why, "run the same `moorline restore` again, or delete the claim"));
    }
    let made = inputs.volumes.of_claim(&live.uid);
    let volume = made.into_iter().find(|volume| volume.state.is_alive());
    let volume = volume.map(|volume| volume.id.clone());
    planned.notices.extend(spares(inputs, live, volume.as_ref()));
    Ok(ClaimAction::Resume {
        uid: live.uid.clone(),
        volume,
        persistent_volume: false,
    })
}

/// A notice for each volume made for this claim beside the one that it uses: a cloud that ignores client tokens makes one when a
/// creation is answered late and sent again. `down` deletes them with the claim's own.
fn spares(inputs: &ClaimInputs<'_>, live: &ClaimView, used: Option<&VolumeId>) -> Vec<String> {
    let made = inputs.volumes.of_claim(&live.uid).into_iter();
    made.filter(|volume| volume.state.is_alive() && Some(&volume.id) != used)
        .map(|volume| {
            format!(
                "claim {}/{}: volume {} was made for it too and is not used",
                live.namespace, live.name, volume.id
            )
        })
        .collect()
}

/// How a bound claim and its volume differ from what the profile asks, a sentence each.
fn differences(wanted: &Wanted<'_>, live: &ClaimView, pv: Option<&PvView>) -> Vec<String> {
    let mut found = Vec::new();
    if live.requested < wanted.shape.bytes {
        let (has, asks) = (live.requested, wanted.shape.bytes);
        found.push(format!("it has {has} bytes and the profile asks {asks}; up does not grow volumes: kubectl patch the claim where the class allows expansion"));
    }
    if let ClassRef::Named(class) = wanted.class
        && *class != live.class
    {
        found.push(format!(
            "it is of class {} and the profile asks {class}; a bound claim keeps its class",
            live.class
        ));
    }
    if pv.is_none() {
        found.push(format!("PersistentVolume {} cannot be found", live.volume_name));
    }
    found
}

/// The volume that a PersistentVolume names and the cloud does not have.
fn vanished<'a>(inputs: &ClaimInputs<'_>, pv: &'a PvView) -> Option<&'a moorline_api::VolumeId> {
    let gone = |id: &&moorline_api::VolumeId| inputs.volumes.get(id).is_none_or(|volume| !volume.state.is_alive());
    pv.volume.as_ref().filter(gone)
}

/// The claim as it is created: with the name of the PersistentVolume to come, which keeps every provisioner away.
fn claim_object(profile: &Profile, wanted: &Wanted<'_>, class: &StorageClass, persistent_volume: &str) -> Object {
    let mut spec = wanted.spec.clone();
    spec["volumeName"] = json!(persistent_volume);
    spec["storageClassName"] = json!(class.name);
    let mut labels = wanted.labels.clone();
    labels.insert(names::PROFILE.to_owned(), profile.name.clone());
    let mut annotations = wanted.annotations.clone();
    annotations.extend(
        profile
            .owner
            .iter()
            .map(|owner| (names::OWNER.to_owned(), owner.clone())),
    );
    annotations.extend(wanted.group.set.map(|set| (names::SET.to_owned(), set.name.clone())));
    let mut object = Object::default();
    object.set(&["apiVersion"], json!("v1"));
    object.set(&["kind"], json!("PersistentVolumeClaim"));
    object.set(
        &["metadata"],
        json!({"namespace": wanted.key.0, "name": wanted.key.1, "labels": labels, "annotations": annotations}),
    );
    object.set(&["spec"], spec);
    object
}

/// A name that no PersistentVolume has had: a claim deleted and made again must not meet the Released volume of its former life.
pub(crate) fn new_name(entropy: u64, key: &Key) -> String {
    let mixed = scattered(fnv1a(&format!("{entropy:016x}/{}/{}", key.0, key.1)));
    format!("moorline-{mixed:016x}")
}

/// The finaliser of splitmix64: names that differ in one digit come out nothing alike, which is easier on the eye.
fn scattered(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests;
