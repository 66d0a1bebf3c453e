//! Claims by themselves: there, bound, and with a PersistentVolume that points back. Pure.

use moorline_api::ResourceKind;

use super::unbound;
use super::world::{Claim, World};
use super::{Finding, Problem, Severity};
use crate::fold::Key;
use crate::readiness::{Events, pod_cause};

pub(super) fn judge(world: &World) -> Vec<Finding> {
    let events = Events::of(&world.events);
    let users = world.users();
    let mut findings: Vec<Finding> = world
        .claims
        .iter()
        .filter_map(|(key, claim)| {
            let pods = users.get(&(&*key.0, &*key.1)).map_or(&[][..], Vec::as_slice);
            standing(world, &events, key, claim, pods)
        })
        .collect();
    findings.extend(missing(world));
    findings.extend(waiting_pods(world, &events));
    findings
}

/// What is wrong with how a claim stands; `None` where it is bound to what points back.
fn standing(
    world: &World,
    events: &Events<'_>,
    key: &Key,
    claim: &Claim,
    pods: &[&super::world::Pod],
) -> Option<Finding> {
    match &*claim.view.phase {
        "Lost" => Some(lost(world, key, claim)),
        "Bound" if claim.view.terminating => {
            let finding = Finding::new(
                Severity::Warning,
                Problem::Unbound,
                claim.title(),
                "it is being deleted, and stays for as long as a pod uses it",
            );
            let used = pods.iter().fold(finding.claim(key), |finding, pod| {
                finding.evidence(format!("pod {}/{} uses it", pod.namespace, pod.name))
            });
            Some(used)
        }
        "Bound" => unpointed(world, key, claim),
        _ => Some(unbound::finding(world, events, key, claim, pods)),
    }
}

fn lost(world: &World, key: &Key, claim: &Claim) -> Finding {
    let name = &claim.view.volume_name;
    let why = format!("Lost: PersistentVolume {name} is gone, and with it the way to its data");
    let finding = Finding::new(Severity::Error, Problem::Lost, claim.title(), why).claim(key);
    let made = world.made_for(claim);
    let Some(volume) = made.first() else {
        let finding = if world.volumes.tagged_complete {
            finding.evidence("no volume of the cloud bears this claim's UID in its tags")
        } else {
            finding
        };
        return finding.hint(
            "if a snapshot was taken, delete the claim and run moorline restore; `moorline restore --list` shows them",
        );
    };
    finding
        .evidence(format!("volume {} was made for it and is {}", volume.id, volume.state))
        .volume(&volume.id)
        .hint(format!(
            "make PersistentVolume {name} again with claimRef UID {} and volume {}: its data are still there",
            claim.view.uid, volume.id
        ))
}

/// A bound claim whose PersistentVolume is not there or points elsewhere.
fn unpointed(world: &World, key: &Key, claim: &Claim) -> Option<Finding> {
    let name = &claim.view.volume_name;
    world.persistent_volumes.as_ref()?;
    let why = match world.pv_of(claim) {
        None => format!("it is bound to PersistentVolume {name}, which is not there"),
        Some(pv) if pv.view.claim_uid.as_deref() != Some(&*claim.view.uid) => {
            let (namespace, owner) = pv.view.claim.clone().unwrap_or_default();
            let life = if (&namespace, &owner) == (&key.0, &key.1) {
                " in another life"
            } else {
                ""
            };
            format!("it is bound to PersistentVolume {name}, which is reserved for claim {namespace}/{owner}{life}")
        }
        Some(_) => return None,
    };
    let finding = Finding::new(Severity::Error, Problem::PersistentVolumeMissing, claim.title(), why);
    Some(
        finding
            .claim(key)
            .hint(format!("kubectl describe persistentvolume {name}")),
    )
}

/// Claims that StatefulSets want now and that are not there.
fn missing(world: &World) -> impl Iterator<Item = Finding> {
    world.sets.iter().flat_map(move |set| {
        let absent = set
            .wants
            .iter()
            .filter(|(claim, _)| !world.claims.contains_key(&(set.namespace.clone(), claim.clone())));
        absent.map(|(claim, pod)| {
            let key = (set.namespace.clone(), claim.clone());
            let what = format!("claim {}/{claim}", set.namespace);
            let why = format!("StatefulSet {} wants it for pod {pod}, and it is not there", set.name);
            Finding::new(Severity::Error, Problem::ClaimMissing, what, why)
                .claim(&key)
                .hint(format!(
                    "kubectl describe statefulset {} --namespace {}",
                    set.name, set.namespace
                ))
        })
    })
}

/// Pods that use claims of what is checked and have not come up.
fn waiting_pods(world: &World, events: &Events<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pod in world.pods.iter().flatten() {
        let claims = pod.claims.iter().map(|claim| (pod.namespace.clone(), claim.clone()));
        let Some(claim) = claims.into_iter().find(|key| world.claims.contains_key(key)) else {
            continue;
        };
        let cause = pod.waits.as_ref().and_then(|object| pod_cause(events, object));
        if let Some(cause) = cause {
            let mut finding = Finding::new(Severity::Warning, Problem::PodWaits, cause.what, cause.why).claim(&claim);
            finding.hint = cause.hint.or_else(|| {
                Some(format!(
                    "kubectl describe pod {} --namespace {}",
                    pod.name, pod.namespace
                ))
            });
            findings.push(finding.evidence(format!("it uses claim {}/{}", claim.0, claim.1)));
        }
    }
    findings
}

/// What an event says of a claim, in Kubernetes' words.
pub(super) fn told(events: &Events<'_>, key: &Key) -> Option<String> {
    events.latest(&ResourceKind::claim().gvk.kind, &key.0, &key.1)
}
