//! PersistentVolumes by themselves, and volumes that none names. Pure.

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Volume, VolumeId, VolumeSort};

use super::world::{Claim, Pv, World};
use super::{Finding, Problem, Severity};
use crate::names;

pub(super) fn judge(world: &World) -> Vec<Finding> {
    let Some(all) = &world.persistent_volumes else {
        return Vec::new();
    };
    let of_claims: BTreeSet<&str> = world.claims.values().map(|claim| &*claim.view.volume_name).collect();
    let looked_at = all.values().filter(|pv| world.looks_at(pv, &of_claims));
    let mut findings: Vec<Finding> = looked_at.filter_map(|pv| standing(world, pv)).collect();
    let mut pointers: BTreeMap<&VolumeId, Vec<&Pv>> = BTreeMap::new();
    for pv in all.values() {
        if let Some(id) = &pv.view.volume {
            pointers.entry(id).or_default().push(pv);
        }
    }
    let several = pointers
        .iter()
        .filter(|(_, pvs)| pvs.len() > 1 && pvs.iter().any(|pv| world.looks_at(pv, &of_claims)));
    findings.extend(several.map(|(id, pvs)| shared(world, id, pvs)));
    findings.extend(spares(world, &pointers));
    findings
}

fn standing(world: &World, pv: &Pv) -> Option<Finding> {
    let name = &pv.view.name;
    let what = format!("PersistentVolume {name}");
    let claim = pv.view.claim.clone().unwrap_or_default();
    let of = format!("{}/{}", claim.0, claim.1);
    let mut finding = match &*pv.view.phase {
        "Failed" => {
            let why = format!("Failed: {}", pv.message);
            Finding::new(Severity::Error, Problem::PersistentVolumeFailed, what, why)
                .hint(format!("kubectl describe persistentvolume {name}"))
        }
        "Released" => {
            let why = format!("its claim {of} is gone, and it stays with its volume");
            Finding::new(Severity::Info, Problem::Released, what, why)
                .hint("`moorline gc` says what becomes of it; moorline explain tells why")
        }
        "Available" => Finding::new(Severity::Info, Problem::Released, what, "no claim uses it"),
        _ => return None,
    };
    if let Some(id) = &pv.view.volume {
        finding = finding.volume(id);
        if world.volumes.lack(id) {
            finding.severity = finding.severity.min(Severity::Warning);
            finding.problem = Problem::VolumeMissing;
            finding.why = format!("{}; its volume {id} is not in this account and region", finding.why);
            finding.hint = Some(format!("nothing is behind it: kubectl delete persistentvolume {name}"));
        } else if finding.problem == Problem::Released && pv.view.phase == "Available" {
            return None;
        }
    } else if pv.view.phase == "Available" {
        return None;
    }
    Some(finding)
}

fn shared(world: &World, id: &VolumeId, pvs: &[&Pv]) -> Finding {
    let names: Vec<&str> = pvs.iter().map(|pv| &*pv.view.name).collect();
    let is_disk = world
        .volumes
        .seen
        .get(id)
        .is_some_and(|volume| volume.spec.config.sort() == VolumeSort::Disk);
    // A share may be mounted by many on purpose.
    let severity = if is_disk { Severity::Error } else { Severity::Info };
    let why = format!("PersistentVolumes {} all name it", names.join(" and "));
    let finding = Finding::new(severity, Problem::Shared, format!("volume {id}"), why).volume(id);
    let with_claims = pvs
        .iter()
        .filter_map(|pv| pv.view.claim.as_ref())
        .fold(finding, |finding, claim| {
            finding.evidence(format!("claim {}/{} has it", claim.0, claim.1))
        });
    with_claims.hint("what deletes the volume behind one takes it from the other: set both to Retain, then delete one")
}

/// Volumes of this cluster (and profile) by their tags that no PersistentVolume names.
fn spares(world: &World, pointers: &BTreeMap<&VolumeId, Vec<&Pv>>) -> Vec<Finding> {
    let by_uid: BTreeMap<&str, &Claim> = world.claims.values().map(|claim| (&*claim.view.uid, claim)).collect();
    let is_spare = |volume: &&Volume| {
        let ours = volume.tags.get(names::CLUSTER_UID) == Some(&world.cluster_uid)
            && (world.profile.is_none() || volume.tags.get(names::PROFILE) == world.profile.as_ref());
        ours && volume.state.is_alive()
            && !pointers.contains_key(&volume.id)
            && !volume.tags.contains_key(names::ADOPTED)
    };
    let finding = |volume: &Volume| {
        let id = &volume.id;
        let uid = volume.tags.get(names::CLAIM_UID).map_or("", String::as_str);
        let claim = by_uid.get(uid);
        // One that the claim is to get is told with the claim.
        if claim.is_some_and(|claim| !claim.view.is_bound()) {
            return None;
        }
        let tag = |key: &str| volume.tags.get(key).map_or("?", String::as_str);
        let why = match claim {
            Some(claim) => format!("it was made for {} too, which uses another one", claim.title()),
            None => format!(
                "no PersistentVolume names it; it was made for claim {}/{}",
                tag(names::NAMESPACE),
                tag(names::CLAIM)
            ),
        };
        let finding = Finding::new(Severity::Warning, Problem::Spare, format!("volume {id}"), why);
        let finding = finding.volume(id).evidence(format!(
            "{} GiB {}, {}",
            volume.spec.size_gib,
            volume.spec.config.type_name(),
            volume.state
        ));
        Some(finding.hint(format!(
            "moorline explain {id}; `moorline gc` removes what is proved to be nobody's"
        )))
    };
    let mut spares: Vec<&Volume> = world.volumes.seen.values().filter(is_spare).collect();
    spares.sort_by(|a, b| a.id.cmp(&b.id));
    spares.into_iter().filter_map(finding).collect()
}

impl World {
    /// The volumes that were made for a claim's life, by their tags, and are alive.
    pub(super) fn made_for(&self, claim: &Claim) -> Vec<&Volume> {
        let mine =
            |volume: &&Volume| volume.state.is_alive() && volume.tags.get(names::CLAIM_UID) == Some(&claim.view.uid);
        let mut made: Vec<&Volume> = self.volumes.seen.values().filter(mine).collect();
        made.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        made
    }
}
